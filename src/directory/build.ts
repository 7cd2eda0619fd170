// From what a source says of people and groups to a Directory: names are made fit for rules, addresses are checked,
// members are found whichever way the source names them. Whatever cannot be used is left out with a reason; nothing a
// source says can make this throw.
import { type Mailbox, mailboxKey, parseMailbox } from '../mail/path.ts';
import { parseJid } from '../presence/jid.ts';
import { isZone } from '../zone.ts';
import type { DirectoryGroup, DirectoryPerson, Flaw, Reading } from './directory.ts';
import { fold } from './dn.ts';

export interface PersonDraft {
  readonly id: string;
  /** The same for every way of writing the id. */
  readonly key: string;
  /** Login names and the like; the first is what the person is called. */
  readonly names: readonly string[];
  readonly mails: readonly string[];
  readonly jid?: string;
  readonly skills?: readonly string[];
  readonly zone?: string;
  readonly language?: string;
  readonly phone?: string;
  readonly absentFrom?: string;
  readonly absentTo?: string;
  /** By id, name or mail. */
  readonly substitute?: string;
  /** Keys of groups that the person says to be in. */
  readonly memberOf?: readonly string[];
}

/** How a group names a member: by the key of its id, by a name, or as an alias file does: an address, or a name. */
export interface MemberRef {
  readonly by: 'id' | 'name' | 'alias';
  /** For `id` the key. */
  readonly value: string;
}

export interface GroupDraft {
  readonly id: string;
  readonly key: string;
  readonly names: readonly string[];
  readonly members: readonly MemberRef[];
  readonly memberOf?: readonly string[];
}

/** Of a group; the rest is only counted. */
const mostMissing = 20;
const namePattern = /^[a-z0-9][a-z0-9_.-]{0,63}$/;

/** Fit for rules: lower case, without accents, everything else a dash. Undefined when nothing is left. */
export function nameFrom(text: string): string | undefined {
  const name = text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replaceAll('ß', 'ss')
    .toLowerCase()
    .replace(/[^a-z0-9_.-]+/g, '-')
    .replace(/^[^a-z0-9]+|-+$/g, '')
    .slice(0, 64);
  return namePattern.test(name) ? name : undefined;
}

interface Found {
  readonly byKey: Map<string, DirectoryPerson>;
  readonly byName: Map<string, DirectoryPerson>;
  readonly byMail: Map<string, DirectoryPerson>;
  /** Why an entry is not among them, by its key. */
  readonly unfit: Map<string, string>;
}

export function buildDirectory(people: readonly PersonDraft[], groups: readonly GroupDraft[]): Reading {
  const flaws: Flaw[] = [];
  const found: Found = { byKey: new Map(), byName: new Map(), byMail: new Map(), unfit: new Map() };
  const named = new Map<string, string>();
  const made: DirectoryPerson[] = [];
  // By id: of two that want one name the same one has it each time, in whatever order they come.
  const ordered = [...people].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  for (const draft of ordered) {
    const person = personFrom(draft, named, found);
    if (typeof person === 'string') {
      found.unfit.set(draft.key, person);
      flaws.push({ id: draft.id, text: person });
      continue;
    }
    made.push(person);
    named.set(person.name, draft.id);
    found.byKey.set(draft.key, person);
    for (const name of draft.names) if (!found.byName.has(fold(name))) found.byName.set(fold(name), person);
    for (const mail of [person.mail, ...(person.also ?? [])]) found.byMail.set(mailboxKey(mail), person);
  }
  const built = buildGroups(groups, people, found, named, flaws);
  const all = [...made, ...built.strangers].map((person) => withSubstitute(person, ordered, found));
  return { directory: Object.freeze({ people: Object.freeze(all), groups: Object.freeze(built.groups) }), flaws };
}

/** A sentence instead says why there is none. */
function personFrom(draft: PersonDraft, named: ReadonlyMap<string, string>, found: Found): DirectoryPerson | string {
  const [called] = draft.names;
  if (called === undefined) return 'has no name';
  const name = nameFrom(called);
  if (name === undefined) return `${shown(called)} cannot be made a name of`;
  const other = named.get(name);
  if (other !== undefined) return `its name would be ${shown(name)}, which is that of ${shown(other)}`;
  const [mail, ...also] = distinct(draft.mails.map(parseMailbox).filter((one) => one !== undefined));
  if (mail === undefined)
    return draft.mails.length === 0
      ? 'has no mail address'
      : `${shown(draft.mails[0] ?? '')} is not a mail address that can be used`;
  const taken = [mail, ...also].find((one) => found.byMail.has(mailboxKey(one)));
  if (taken !== undefined)
    return `its address ${shown(taken)} is that of ${shown(found.byMail.get(mailboxKey(taken))?.id ?? '')}, too`;
  const jid = draft.jid === undefined ? undefined : parseJid(draft.jid);
  if (draft.jid !== undefined && (jid === undefined || jid.resource !== undefined))
    return `${shown(draft.jid)} is not a JID without a resource`;
  const skills = [...new Set((draft.skills ?? []).flatMap((skill) => nameFrom(skill) ?? []))];
  const language = languageFrom(draft.language);
  const absent = absenceFrom(draft);
  return Object.freeze({
    id: draft.id,
    name,
    mail,
    ...(also.length === 0 ? {} : { also: Object.freeze(also) }),
    ...(jid === undefined ? {} : { jid: jid.bare }),
    ...(skills.length === 0 ? {} : { skills: Object.freeze(skills) }),
    ...(draft.zone !== undefined && isZone(draft.zone) ? { zone: draft.zone } : {}),
    ...(language === undefined ? {} : { language }),
    ...(draft.phone === undefined || !/^\+?[0-9 ()/.-]{3,40}$/.test(draft.phone) ? {} : { phone: draft.phone }),
    ...(absent === undefined ? {} : { absent }),
  });
}

/** The first way of writing each. */
function distinct(mailboxes: readonly Mailbox[]): Mailbox[] {
  const seen = new Map<string, Mailbox>();
  for (const one of mailboxes) if (!seen.has(mailboxKey(one))) seen.set(mailboxKey(one), one);
  return [...seen.values()];
}

/** RFC 2798 §2.7: `de-DE, en;q=0.5`, as in HTTP; the first that we speak. */
function languageFrom(text: string | undefined): 'en' | 'de' | undefined {
  for (const part of text?.toLowerCase().split(',') ?? []) {
    const word = /^\s*([a-z]+)/.exec(part)?.[1];
    if (word === 'en' || word === 'de') return word;
  }
  return undefined;
}

function absenceFrom({ absentFrom, absentTo }: PersonDraft): { from: string; to: string } | undefined {
  const from = dayFrom(absentFrom);
  const to = dayFrom(absentTo);
  return from === undefined || to === undefined || to < from ? undefined : { from, to };
}

/** `2026-12-24`, or GeneralizedTime (RFC 4517 §3.3.13): its day. */
function dayFrom(text: string | undefined): string | undefined {
  const parts = /^(\d{4})-?(\d{2})-?(\d{2})(?:$|[T ]?\d{2})/.exec(text ?? '');
  if (parts === null) return undefined;
  const day = `${parts[1]}-${parts[2]}-${parts[3]}`;
  const time = Date.parse(`${day}T00:00:00Z`);
  // The 31st of February would roll over.
  return Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== day ? undefined : day;
}

function withSubstitute(person: DirectoryPerson, drafts: readonly PersonDraft[], found: Found): DirectoryPerson {
  if (person.absent === undefined) return person;
  const wanted = substitutes(drafts).get(person.id);
  const by = wanted === undefined ? undefined : findAny(wanted, found);
  return by === undefined || by.name === person.name
    ? person
    : Object.freeze({ ...person, absent: Object.freeze({ ...person.absent, substitute: by.name }) });
}

const substitutesOf = new WeakMap<readonly PersonDraft[], ReadonlyMap<string, string>>();
function substitutes(drafts: readonly PersonDraft[]): ReadonlyMap<string, string> {
  const known =
    substitutesOf.get(drafts) ??
    new Map(drafts.flatMap(({ id, substitute }) => (substitute === undefined ? [] : [[id, substitute] as const])));
  substitutesOf.set(drafts, known);
  return known;
}

function findAny(value: string, found: Found): DirectoryPerson | undefined {
  const mail = parseMailbox(value);
  return found.byKey.get(value) ?? (mail && found.byMail.get(mailboxKey(mail))) ?? found.byName.get(fold(value));
}

interface Built {
  readonly groups: DirectoryGroup[];
  /** People that only an alias knows, by their address. */
  readonly strangers: DirectoryPerson[];
}

function buildGroups(
  drafts: readonly GroupDraft[],
  people: readonly PersonDraft[],
  found: Found,
  named: Map<string, string>,
  flaws: Flaw[],
): Built {
  const strangers: DirectoryPerson[] = [];
  const byKey = new Map(drafts.map((draft) => [draft.key, draft]));
  const byName = new Map<string, GroupDraft>();
  for (const draft of drafts) for (const name of draft.names) byName.set(fold(name), byName.get(fold(name)) ?? draft);
  const reverse = memberships(drafts, people);
  const stranger = (text: string): DirectoryPerson | undefined => {
    const mail = parseMailbox(text);
    if (mail === undefined) return undefined;
    const name = [text.slice(0, text.lastIndexOf('@')), text]
      .map((one) => nameFrom(one))
      .find((one) => one !== undefined && !named.has(one));
    if (name === undefined) return undefined;
    const person: DirectoryPerson = Object.freeze({ id: mail, name, mail });
    named.set(name, mail);
    found.byMail.set(mailboxKey(mail), person);
    strangers.push(person);
    return person;
  };

  /** Members, and those of the groups among them; a group that holds itself adds nothing a second time. */
  function gather(draft: GroupDraft, into: Map<string, DirectoryPerson>, missing: string[], seen: Set<string>): void {
    if (seen.has(draft.key)) return;
    seen.add(draft.key);
    const inside = (group: GroupDraft): void => gather(group, into, missing, seen);
    for (const ref of [...draft.members, ...(reverse.get(draft.key) ?? [])]) {
      const person = personOf(ref, found);
      if (person) into.set(person.name, person);
      else if (ref.by === 'id' && byKey.has(ref.value)) inside(byKey.get(ref.value) ?? draft);
      else if (ref.by === 'alias' && byName.has(fold(ref.value))) inside(byName.get(fold(ref.value)) ?? draft);
      else {
        const made = ref.by === 'alias' ? stranger(ref.value) : undefined;
        if (made) into.set(made.name, made);
        else missing.push(`${shown(ref.value)} ${found.unfit.get(ref.value) ?? nobody(ref)}`);
      }
    }
  }

  const groups = drafts.flatMap((draft): DirectoryGroup[] => {
    const [called] = draft.names;
    const name = called === undefined ? undefined : nameFrom(called);
    if (name === undefined) {
      flaws.push({ id: draft.id, text: 'has no name that can be used' });
      return [];
    }
    const members = new Map<string, DirectoryPerson>();
    const missing: string[] = [];
    gather(draft, members, missing, new Set());
    return [
      Object.freeze({
        id: draft.id,
        name,
        members: Object.freeze([...members.keys()]),
        ...(missing.length === 0 ? {} : { missing: Object.freeze(missing.slice(0, mostMissing)) }),
      }),
    ];
  });
  return { groups, strangers };
}

const nobody = ({ by }: MemberRef): string =>
  by === 'alias' ? 'is neither an address nor a name of the directory' : 'is nobody that was read';

/** What people and groups say of themselves, turned round: the members of each group. */
function memberships(groups: readonly GroupDraft[], people: readonly PersonDraft[]): Map<string, MemberRef[]> {
  const members = new Map<string, MemberRef[]>();
  for (const { key, memberOf = [] } of [...people, ...groups])
    for (const group of memberOf) {
      const list = members.get(group);
      if (list) list.push({ by: 'id', value: key });
      else members.set(group, [{ by: 'id', value: key }]);
    }
  return members;
}

function personOf({ by, value }: MemberRef, found: Found): DirectoryPerson | undefined {
  if (by === 'id') return found.byKey.get(value);
  if (by === 'name') return found.byName.get(fold(value));
  const mail = parseMailbox(value);
  return mail === undefined ? found.byName.get(fold(value)) : found.byMail.get(mailboxKey(mail));
}

/** Quoted and cut: it came from outside. */
export const shown = (text: string): string => JSON.stringify(text.length > 120 ? `${text.slice(0, 119)}…` : text);
