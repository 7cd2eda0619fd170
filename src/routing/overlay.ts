// The rule files laid over the directory: what a file says of a person comes first, field by field, and the rest is the
// directory's; a group's `{ directory: … }` becomes its members. A person is the same in both by name, or by an
// address. What of the directory would clash with the files gives way, with a warning: a slip in the directory must
// not keep good rules from coming into force.
import type { DirectoryGroup, DirectoryPerson } from '../directory/directory.ts';
import { type Mailbox, mailboxKey } from '../mail/path.ts';
import { type BareJid, parseJid } from '../presence/jid.ts';
import { addressesOf } from './build-groups.ts';
import { type DirectoryPart, groupKey, isNamed, type Lined } from './directory-text.ts';
import { didYouMean, quote, type Report } from './problem.ts';
import type { GroupEntry, MemberEntry, PersonEntry, RuleFile } from './rule-file.ts';
import type { Origin, PersonName, Place } from './rules.ts';
import type { Located, Named } from './schema.ts';

export interface Overlaid {
  readonly files: readonly RuleFile[];
  /** Of people the directory knows: where that is said, and what of it counts. */
  readonly origins: ReadonlyMap<PersonName, Origin>;
}

/** @param part null: no directory was read */
export function overlay(files: readonly RuleFile[], part: DirectoryPart | null, report: Report): Overlaid {
  const joined = new Joined(files, part?.people ?? [], report);
  const laid = files.map((file) => ({
    ...file,
    ...(file.people ? { people: file.people.map((entry) => joined.lay(entry)) } : {}),
    ...(file.groups ? { groups: file.groups.map((entry) => withMembers(entry, part, joined, report)) } : {}),
  }));
  const rest = joined.rest();
  const [first] = laid;
  for (const { value } of laid.flatMap((file) => file.people ?? []))
    if (value && !value.given.includes('mail') && value.mail === undefined)
      report.error(value.place, 'a person needs the key "mail": a mail address such as alice@example.org');
  if (rest.length > 0 && first) laid[0] = { ...first, people: [...(first.people ?? []), ...rest] };
  return { files: laid, origins: joined.origins };
}

class Joined {
  readonly origins = new Map<PersonName, Origin>();
  readonly #report: Report;
  /** People of the directory by the name the rules call them. */
  readonly #byName = new Map<string, Lined<DirectoryPerson>>();
  /** Names of the directory to those of the rules, where they differ. */
  readonly #called = new Map<string, string>();
  readonly #rest: Lined<DirectoryPerson>[] = [];
  readonly #jids = new Set<string>();

  constructor(files: readonly RuleFile[], people: readonly Lined<DirectoryPerson>[], report: Report) {
    this.#report = report;
    const said = files.flatMap((file) => file.people ?? []);
    const names = new Set(said.map(({ name }) => name));
    const byMail = new Map(
      said.flatMap(({ name, value }) =>
        [value?.mail, ...(value?.also ?? [])].flatMap((one) => (one ? [[mailboxKey(one.value), name] as const] : [])),
      ),
    );
    const groups = new Set(
      files.flatMap((file) =>
        (file.groups ?? []).flatMap(({ value }) =>
          value ? addressesOf(value).map((address) => mailboxKey(address.value)) : [],
        ),
      ),
    );
    for (const { value } of said) {
      const jid = value?.jid ? value.jid.value : value?.mail && parseJid(value.mail.value)?.bare;
      if (jid) this.#jids.add(jid);
    }
    for (const person of people) this.#place(person, names, byMail, groups);
  }

  #place(
    person: Lined<DirectoryPerson>,
    names: ReadonlySet<string>,
    byMail: ReadonlyMap<string, string>,
    groups: ReadonlySet<string>,
  ): void {
    const { value, place } = person;
    const mails = [value.mail, ...(value.also ?? [])];
    const same = names.has(value.name)
      ? value.name
      : mails.map((mail) => byMail.get(mailboxKey(mail))).find((name) => name !== undefined);
    if (same !== undefined && !this.#byName.has(same)) {
      this.#byName.set(same, person);
      this.#called.set(value.name, same);
    } else if (same !== undefined) {
      const other = this.#byName.get(same)?.value.id ?? '';
      this.#report.warning(
        place,
        `${quote(value.id)} would be ${quote(same)}, who is ${quote(other)} already: left out`,
      );
      this.#called.set(value.name, '');
    } else if (groups.has(mailboxKey(value.mail))) {
      this.#report.warning(
        place,
        `the address ${quote(value.mail)} of ${quote(value.id)} is that of a group: left out`,
      );
      this.#called.set(value.name, '');
    } else this.#rest.push(person);
  }

  /** As the rules call somebody of the directory; undefined when they were left out. */
  nameOf(name: string): string | undefined {
    const called = this.#called.get(name);
    return called === '' ? undefined : (called ?? name);
  }

  lay(entry: Named<PersonEntry>): Named<PersonEntry> {
    const found = this.#byName.get(entry.name);
    if (!found || !entry.value) return entry;
    const read = this.#entryOf(found);
    const given = new Set(entry.value.given);
    const fields = read.given.filter((key) => !given.has(key));
    this.origins.set(entry.name, Object.freeze({ id: found.value.id, fields: Object.freeze(fields) }));
    return { ...entry, value: { ...read, ...entry.value, given: [...given, ...fields] } };
  }

  /** Those that no rule file says anything of. */
  rest(): readonly Named<PersonEntry>[] {
    return this.#rest.map((found) => {
      const { value, place } = found;
      const entry = this.#entryOf(found);
      this.origins.set(value.name, Object.freeze({ id: value.id, fields: Object.freeze([...entry.given]) }));
      const jid = entry.jid ? entry.jid.value : parseJid(value.mail)?.bare;
      if (jid && this.#jids.has(jid)) {
        // Commands are authorised by the JID: two people cannot share one.
        this.#report.warning(place, `the JID ${quote(jid)} of ${quote(value.id)} is somebody else's: taken as none`);
        return { name: value.name, place, value: { ...entry, jid: { value: null, place } } };
      }
      if (jid) this.#jids.add(jid);
      // A mail address that can be no JID: the directory's people need not all have an account.
      const none = jid === undefined ? { jid: { value: null, place } } : {};
      return { name: value.name, place, value: { ...entry, ...none } };
    });
  }

  #entryOf({ value, place }: Lined<DirectoryPerson>): PersonEntry {
    const at = <T>(one: T): Located<T> => ({ value: one, place });
    const { absent } = value;
    const substitute = absent?.substitute === undefined ? undefined : this.nameOf(absent.substitute);
    const said: Partial<PersonEntry> = {
      mail: at<Mailbox>(value.mail),
      ...(value.also ? { also: value.also.map(at) } : {}),
      ...(value.jid === undefined ? {} : { jid: at<BareJid | null>(value.jid) }),
      ...(value.skills ? { skills: value.skills } : {}),
      ...(value.zone === undefined ? {} : { zone: value.zone }),
      ...(value.language === undefined ? {} : { language: value.language }),
      ...(value.phone === undefined ? {} : { phone: value.phone }),
      ...(absent
        ? {
            absent: [
              {
                from: at(absent.from),
                to: at(absent.to),
                substitute: substitute === undefined || substitute === value.name ? undefined : at(substitute),
                place,
                given: ['from', 'to'],
              },
            ],
          }
        : {}),
    };
    return { ...said, place, given: Object.keys(said) } as PersonEntry;
  }
}

function withMembers(
  entry: Named<GroupEntry>,
  part: DirectoryPart | null,
  joined: Joined,
  report: Report,
): Named<GroupEntry> {
  const { value } = entry;
  if (!value?.members?.value.some(({ directory }) => directory !== undefined)) return entry;
  // Who is named by the file itself has the rank that it says; of two groups of the directory the first counts.
  const taken = new Set(value.members.value.flatMap(({ person }) => person?.value ?? []));
  const members = value.members.value.flatMap((member): MemberEntry[] => {
    const { directory, tier, weight } = member;
    if (directory === undefined) return [member];
    const group = find(directory, part, report);
    return (group?.members ?? []).flatMap((name): MemberEntry[] => {
      const person = joined.nameOf(name);
      if (person === undefined || taken.has(person)) return [];
      taken.add(person);
      return [{ person: { value: person, place: directory.place }, tier, weight }];
    });
  });
  return { ...entry, value: { ...value, members: { ...value.members, value: members } } };
}

function find(
  { value, place }: Located<string>,
  part: DirectoryPart | null,
  report: Report,
): DirectoryGroup | undefined {
  if (part === null) {
    report.warning(place, `${quote(value)} is a group of the directory, which was not read: nobody is in it here`);
    return undefined;
  }
  const key = groupKey(value);
  const found = part.groups.filter((group) => isNamed(group.value, key));
  const [first, second] = found;
  if (first === undefined) missing(value, place, part, report);
  else if (second)
    report.error(
      place,
      `${quote(value)} is the name of ${quote(first.value.id)} and of ${quote(second.value.id)}; write one of those`,
    );
  else if (first.value.members.length === 0)
    report.warning(place, `the group ${quote(value)} of the directory has no members that can be used`);
  return first?.value;
}

function missing(value: string, place: Place, part: DirectoryPart, report: Report): void {
  const names = part.groups.map((group) => group.value.name);
  report.error(place, `${part.source} has no group ${quote(value)}${didYouMean(value, names)}`);
}
