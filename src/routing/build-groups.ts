// From what the files say to groups: members with their ranks, how one is chosen, and what happens while nobody is
// eligible. What was reported before is undefined here and is passed over.
import { type Duration, second } from '../clock.ts';
import { type Mailbox, mailboxKey } from '../mail/path.ts';
import { buildMatch, type Known } from './build-routes.ts';
import { defaultEligible, policyOf, selectionOf } from './build-selection.ts';
import type { Names } from './names.ts';
import { formatPlace, quote } from './problem.ts';
import type { Fallbacks, GroupEntry, LinkEntry } from './rule-file.ts';
import {
  defaultWithin,
  type Exclusion,
  type Fallback,
  type Group,
  type Link,
  type PersonName,
  type Policy,
  type Privacy,
  type Propose,
  type Rank,
} from './rules.ts';
import type { Located, Named } from './schema.ts';

/** A person opens one mail in about this time, before the next one rings. */
export const defaultPace: Duration = 5 * second;

export function addressesOf(group: GroupEntry): readonly Located<Mailbox>[] {
  return group.address ? [group.address] : (group.addresses?.value ?? []);
}

export function buildGroup(
  { name, place, value }: Named<GroupEntry>,
  names: Names,
  policies: ReadonlyMap<string, Policy>,
  known: Known,
): Group | undefined {
  if (value === undefined) return undefined;
  const { report } = names;
  const addresses = addressesOf(value).map(({ value }) => value);
  const said = new Set(value.given);
  if (said.has('address') && said.has('addresses'))
    report.error(value.place, `the group ${quote(name)} has both "address" and "addresses"; put all in "addresses"`);
  else if (!said.has('address') && (!said.has('addresses') || value.addresses?.count === 0))
    report.error(place, `the group ${quote(name)} needs an address (or a list of addresses)`);
  if (!said.has('policy') && value.mode !== 'observe')
    report.warning(
      place,
      `the group ${quote(name)} has no policy, so nobody hears of mail that is not read; name one, or say "policy: none"`,
    );
  if (!said.has('fallback'))
    report.warning(
      place,
      `the group ${quote(name)} has no fallback: when nobody is eligible, mail goes on to the group's own address; name one, or say "fallback: unchanged"`,
    );
  if (value.mode === 'propose') checkPropose(name, value, names);
  const { members, ranks } = membersOf(name, value, names);
  const { hold, fallback, chain } = chainOf(name, value, names);
  const exclude = (value.exclude ?? []).flatMap((entry) => exclusionOf(name, entry, members, names, known));
  const holds = hold !== null || chain?.some((link) => link.kind === 'hold');
  if (value.pace && !holds) report.warning(value.pace.place, 'nothing is held here, so there is no pace to keep');
  const pace = value.pace === undefined ? defaultPace : value.pace.value;
  return Object.freeze({
    name,
    addresses: Object.freeze(addresses),
    members: Object.freeze(members),
    ...(Object.keys(ranks).length === 0 ? {} : { ranks: Object.freeze(ranks) }),
    strategy: 'in-order',
    eligible: defaultEligible,
    ...selectionOf(value),
    ...(exclude.length === 0 ? {} : { exclude: Object.freeze(exclude) }),
    hold,
    ...(holds && pace !== null ? { pace } : {}),
    fallback,
    ...(chain ? { chain } : {}),
    ...(value.mode === undefined || value.mode === 'auto' ? {} : { mode: value.mode }),
    ...(value.propose === undefined ? {} : { propose: proposeOf(value.propose, names) }),
    ...(value.language === undefined ? {} : { language: value.language }),
    ...(value.privacy === undefined ? {} : { privacy: privacyOf(value.privacy) }),
    policy: policyOf(value.policy, names, policies),
    place,
  });
}

const privacyOf = ({ subject, sender, excerpt }: NonNullable<GroupEntry['privacy']>): Privacy =>
  Object.freeze({ subject: subject ?? 'shown', sender: sender ?? 'shown', excerpt: excerpt ?? 'none' });

/** By what it is spoken of, a short id, is what a policy gives it. */
function checkPropose(name: string, { place, policy, strategy }: GroupEntry, { report }: Names): void {
  if (policy === undefined || policy === null)
    report.error(
      place,
      `in the mode "propose" the group ${quote(name)} needs a policy: only tracked mail can be picked for`,
    );
  if (strategy?.value === 'everyone' || strategy?.value === 'first-to-claim')
    report.error(
      place,
      `with the strategy ${quote(strategy.value)} there is nobody to pick in the group ${quote(name)}; leave "mode: propose" out`,
    );
}

function proposeOf({ to, within }: NonNullable<GroupEntry['propose']>, names: Names): Propose {
  const asked = to?.flatMap((person) => names.known('person', person) ?? []);
  return Object.freeze({
    ...(asked === undefined ? {} : { to: Object.freeze(asked) }),
    within: within ?? defaultWithin,
  });
}

function membersOf(
  group: string,
  { members }: GroupEntry,
  names: Names,
): { members: PersonName[]; ranks: Record<PersonName, Rank> } {
  const ranks: Record<PersonName, Rank> = {};
  if (members === undefined) return { members: [], ranks };
  if (members.count === 0) names.report.error(members.place, `the group ${quote(group)} has no members`);
  const seen = new Set<PersonName>();
  for (const { person, tier = 1, weight = 1 } of members.value) {
    const known = person && names.known('person', person);
    if (person === undefined || known === undefined) continue;
    if (seen.has(known)) names.report.error(person.place, `${quote(known)} is a member of ${quote(group)} twice`);
    seen.add(known);
    if (tier !== 1 || weight !== 1) ranks[known] = Object.freeze({ tier, weight });
  }
  return { members: [...seen], ranks };
}

function exclusionOf(
  group: string,
  { value, place }: NonNullable<GroupEntry['exclude']>[number],
  members: readonly PersonName[],
  names: Names,
  known: Known,
): Exclusion[] {
  const person = value.person && names.known('person', value.person);
  const when = value.when && buildMatch(value.when, names, known);
  if (person === undefined || when === undefined || value.person === undefined) return [];
  if (!members.includes(person))
    names.report.error(
      value.person.place,
      `${quote(person)} is no member of ${quote(group)}, so there is nobody to exclude`,
    );
  return [Object.freeze({ person, when, place })];
}

interface Chain {
  readonly hold: Duration | null;
  readonly fallback: Fallback;
  /** Undefined when a hold and a fallback say it all. */
  readonly chain: readonly Link[] | undefined;
}

const unchanged: Fallback = Object.freeze({ kind: 'unchanged' });

function chainOf(group: string, value: GroupEntry, names: Names): Chain {
  const { fallback } = value;
  const hold = value.hold?.value ?? null;
  const built = (fallback?.value ?? []).map((entry) => ({ entry, link: linkOf(group, value, entry, names) }));
  const links = built.flatMap(({ link }) => link ?? []);
  const [only] = links;
  if (fallback === undefined || (links.length === 1 && only?.kind === 'to' && !fallback.listed))
    return { hold, fallback: only?.kind === 'to' ? only.fallback : unchanged, chain: undefined };
  const all: Link[] = hold === null ? links : [{ kind: 'hold', for: hold }, ...links];
  checkChain(group, fallback, all, hold !== null, names);
  const last = all.at(-1);
  const open = last === undefined || last.kind === 'hold' || last.kind === 'group';
  if (open) {
    names.report.warning(
      fallback.place,
      `after the last of these fallbacks mail goes on to the group's own address; say so with "unchanged", or name another`,
    );
    all.push({ kind: 'to', fallback: unchanged });
  }
  const final = all.at(-1);
  return {
    // The holds are links of the chain.
    hold: null,
    fallback: final?.kind === 'to' ? final.fallback : unchanged,
    chain: Object.freeze(all.map((link) => Object.freeze(link))),
  };
}

function checkChain(group: string, at: Fallbacks, links: readonly Link[], withHold: boolean, { report }: Names): void {
  for (const [index, link] of links.entries()) {
    const place = placeOf(at.value[index - (withHold ? 1 : 0)]) ?? at.place;
    if (link.kind === 'refuse' && links.slice(0, index).some((before) => before.kind === 'hold'))
      report.error(place, 'the sender\'s server does not wait: before "reject" or "tempfail" nothing can be held');
    if (index < links.length - 1 && link.kind !== 'hold' && link.kind !== 'group')
      report.error(
        placeOf(at.value[index + 1 - (withHold ? 1 : 0)]) ?? at.place,
        `this is never reached: the fallback before it always takes the mail of ${quote(group)}`,
      );
  }
}

function placeOf(entry: LinkEntry | undefined): Located<unknown>['place'] | undefined {
  if (entry === undefined || 'word' in entry) return undefined;
  const [value] = Object.values(entry) as Located<unknown>[];
  return value?.place;
}

function linkOf(group: string, value: GroupEntry, entry: LinkEntry, names: Names): Link | undefined {
  if ('word' in entry) return entry.word === 'everyone' ? { kind: 'everyone' } : { kind: 'to', fallback: unchanged };
  if ('hold' in entry) return { kind: 'hold', for: entry.hold.value };
  // RFC 3463 §3.8 X.7.1: by policy; §3.3 X.2.0 the mailbox is disabled for a while.
  if ('reject' in entry) return { kind: 'refuse', reply: { code: 550, enhanced: '5.7.1', text: entry.reject.value } };
  if ('tempfail' in entry)
    return { kind: 'refuse', reply: { code: 450, enhanced: '4.2.1', text: entry.tempfail.value } };
  if ('group' in entry) {
    const other = names.known('group', entry.group);
    if (other === group) names.report.error(entry.group.place, `the group ${quote(group)} cannot be its own fallback`);
    return other === undefined ? undefined : { kind: 'group', group: other };
  }
  if ('person' in entry) {
    const person = names.known('person', entry.person);
    return { kind: 'to', fallback: Object.freeze({ kind: 'person', person: person ?? '' }) };
  }
  const mailbox = entry.mailbox.value;
  if (addressesOf(value).some((address) => mailboxKey(address.value) === mailboxKey(mailbox))) {
    const message = `${quote(mailbox)} is the address of ${quote(group)} itself; for delivery there say "fallback: unchanged"`;
    names.report.error(entry.mailbox.place, message);
  }
  return { kind: 'to', fallback: Object.freeze({ kind: 'mailbox', mailbox }) };
}

/** Groups that pass their mail on in a circle: nobody of them ever takes it. */
export function checkLoops(groups: ReadonlyMap<string, Group>, { report }: Names): void {
  const next = (name: string) =>
    (groups.get(name)?.chain ?? []).flatMap((link) => (link.kind === 'group' ? [link.group] : []));
  const reported = new Set<string>();
  const walk = (path: readonly string[]): void => {
    for (const name of next(path.at(-1) ?? '')) {
      const start = path.indexOf(name);
      if (start < 0) {
        walk([...path, name]);
        continue;
      }
      const circle = [...path.slice(start), name];
      const key = [...new Set(circle)].sort().join(' ');
      if (reported.has(key)) continue;
      reported.add(key);
      const group = groups.get(name);
      if (group)
        report.error(
          group.place,
          `groups that are each other's fallback go in a circle: ${circle.join(' → ')} (${formatPlace(group.place)})`,
        );
    }
  };
  for (const name of groups.keys()) walk([name]);
}
