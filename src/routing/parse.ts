// Rule files into rules: each file is read by itself, then names are looked up across all of them, then lint looks for
// what is allowed but hardly meant. Every problem of every file is reported; with one error there are no rules.
// Pure: reading the folder is load.ts.
import { createHash } from 'node:crypto';
import { type Mailbox, mailboxKey } from '../mail/path.ts';
import { type BareJid, parseJid } from '../presence/jid.ts';
import type { State } from '../presence/presence.ts';
import { lint } from './lint.ts';
import { didYouMean, formatPlace, quote, Report } from './problem.ts';
import {
  type GroupEntry,
  type MatchEntry,
  type PersonEntry,
  type PolicyEntry,
  type RouteEntry,
  type RuleFile,
  ruleFileSchema,
  type StepEntry,
} from './rule-file.ts';
import type {
  Fallback,
  Group,
  Match,
  Person,
  PersonName,
  Place,
  Policy,
  Problem,
  Route,
  RouteAction,
  Rules,
  Step,
  StepTarget,
} from './rules.ts';
import type { Located, Named } from './schema.ts';
import { readYaml } from './yaml.ts';

export interface RuleText {
  /** As problems and places show it: `rules/20-groups.yaml`. */
  readonly name: string;
  readonly text: string;
}

/** `problems` beside rules are warnings; without rules at least one of them is an error. */
export type Loaded =
  | { readonly rules: Rules; readonly problems: readonly Problem[] }
  | { readonly rules?: never; readonly problems: readonly Problem[] };

export const defaultEligible: readonly State[] = Object.freeze(['chat', 'available'] as const);

/** `complete: false` says that files are missing: a name that is nowhere is then no mistake. */
export function parseRules(files: readonly RuleText[], { complete = true } = {}): Loaded {
  const report = new Report();
  const ordered = [...files].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const read: RuleFile[] = [];
  let allRead = complete;
  for (const file of ordered) {
    const { root, problems } = readYaml(file.text, file.name);
    report.add(problems);
    if (problems.some((problem) => problem.severity === 'error')) allRead = false;
    if (root === undefined || (root.kind === 'text' && !root.given)) continue;
    const value = ruleFileSchema.read(root, report);
    if (value === undefined) allRead = false;
    else read.push(value);
  }
  const rules = new Builder(read, allRead, report).build(versionOf(ordered));
  if (report.failed) return Object.freeze({ problems: report.problems });
  lint(rules, report);
  return Object.freeze({ rules, problems: report.problems });
}

/** Names and texts, each with its length, so that moving a line from one file to the next is another version. */
function versionOf(files: readonly RuleText[]): string {
  const hash = createHash('sha256');
  for (const { name, text } of files)
    hash.update(`${Buffer.byteLength(name)}:${name}${Buffer.byteLength(text)}:`).update(text);
  return hash.digest('hex').slice(0, 12);
}

/** Looks names up and builds what they mean. What was reported before is undefined here and is passed over. */
class Builder {
  readonly #files: readonly RuleFile[];
  /** False when a file could not be read: then a name that is unknown may only be unread. */
  readonly #complete: boolean;
  readonly #report: Report;
  readonly #people: ReadonlyMap<string, Named<PersonEntry>>;
  readonly #groups: ReadonlyMap<string, Named<GroupEntry>>;
  readonly #policies: ReadonlyMap<string, Named<PolicyEntry>>;

  constructor(files: readonly RuleFile[], complete: boolean, report: Report) {
    this.#files = files;
    this.#complete = complete;
    this.#report = report;
    this.#people = this.#named('person', (file) => file.people);
    this.#groups = this.#named('group', (file) => file.groups);
    this.#policies = this.#named('policy', (file) => file.policies);
  }

  build(version: string): Rules {
    const people = new Map<string, Person>();
    for (const [name, entry] of this.#people) {
      const person = this.#person(entry);
      if (person) people.set(name, person);
    }
    const policies = new Map<string, Policy>();
    for (const [name, entry] of this.#policies) {
      const policy = this.#policy(entry, people);
      if (policy) policies.set(name, policy);
    }
    const groups = new Map<string, Group>();
    for (const [name, entry] of this.#groups) {
      const group = this.#group(entry, policies);
      if (group) groups.set(name, group);
    }
    this.#checkAddresses();
    const routes = this.#files.flatMap((file) => file.routes ?? []).map((entry) => this.#route(entry, policies));
    this.#checkRouteNames();
    return Object.freeze({
      version,
      people,
      groups,
      policies,
      routes: Object.freeze(routes.filter((route) => route !== undefined)),
    });
  }

  #named<T>(kind: string, section: (file: RuleFile) => readonly Named<T>[] | undefined): Map<string, Named<T>> {
    const all = new Map<string, Named<T>>();
    for (const entry of this.#files.flatMap((file) => section(file) ?? [])) {
      const first = all.get(entry.name);
      if (first) {
        const where = formatPlace(first.place);
        this.#report.error(
          entry.place,
          `the ${kind} ${quote(entry.name)} is defined a second time; the first is at ${where}`,
        );
      } else all.set(entry.name, entry);
    }
    return all;
  }

  /** The name itself when it is known; otherwise reports. */
  #known(kind: 'person' | 'group' | 'policy', { value, place }: Located<string>): string | undefined {
    const names = { person: this.#people, group: this.#groups, policy: this.#policies }[kind];
    if (names.has(value)) return value;
    if (this.#complete) {
      const hint = names.size === 0 ? ` (no ${kind} is defined)` : didYouMean(value, names.keys());
      this.#report.error(place, `there is no ${kind} ${quote(value)}${hint}`);
    }
    return undefined;
  }

  #person({ name, place, value }: Named<PersonEntry>): Person | undefined {
    if (value?.mail === undefined) return undefined;
    const mail = value.mail.value;
    let jid: BareJid | null | undefined = value.jid?.value;
    if (value.jid === undefined) {
      jid = parseJid(mail)?.bare;
      if (jid === undefined) {
        const message = `${quote(mail)} cannot be a JID too; give the person a jid, or say "jid: none"`;
        this.#report.error(value.mail.place, message);
      }
    }
    return Object.freeze({ name, mail, jid: jid ?? null, operator: value.operator ?? false, place });
  }

  #policy({ name, place, value }: Named<PolicyEntry>, people: ReadonlyMap<string, Person>): Policy | undefined {
    if (value?.steps === undefined) return undefined;
    if (value.steps.count === 0)
      this.#report.error(value.steps.place, `the policy ${quote(name)} has no steps; leave it out, or give it one`);
    const names = new Map<string, Place>();
    for (const step of value.steps.value) {
      if (step.name === undefined) continue;
      const first = names.get(step.name.value);
      if (first)
        this.#report.error(
          step.name.place,
          `the step ${quote(step.name.value)} stands twice; the first is in line ${first.line}`,
        );
      else names.set(step.name.value, step.name.place);
    }
    const steps = value.steps.value.map((step) => this.#step(step, people)).filter((step) => step !== undefined);
    const { ask, repeat, ack, maxForwards } = value;
    return Object.freeze({
      name,
      until: value.until ?? 'read',
      steps: Object.freeze(steps),
      ...(ask === undefined ? {} : { ask: Object.freeze([...new Set(ask)]) }),
      ...(repeat === undefined ? {} : { repeat }),
      ...(ack?.lasts === undefined || ack.grace === undefined
        ? {}
        : { ack: Object.freeze({ lasts: ack.lasts, grace: ack.grace }) }),
      ...(maxForwards === undefined ? {} : { maxForwards }),
      place,
    });
  }

  #step(entry: StepEntry, people: ReadonlyMap<string, Person>): Step | undefined {
    const to = entry.to && this.#stepTarget(entry.to, people);
    if (entry.name === undefined || entry.after === undefined || to === undefined) return undefined;
    return Object.freeze({ name: entry.name.value, after: entry.after, to, times: entry.times ?? 1 });
  }

  #stepTarget(to: NonNullable<StepEntry['to']>, people: ReadonlyMap<string, Person>): StepTarget | undefined {
    if ('word' in to) return Object.freeze({ kind: to.word });
    if ('room' in to) return Object.freeze({ kind: 'room', room: to.room.value });
    if ('mailbox' in to) return Object.freeze({ kind: 'mailbox', mailbox: to.mailbox.value });
    const person = this.#known('person', to.person);
    const mailbox = person === undefined ? undefined : people.get(person)?.mail;
    return person === undefined || mailbox === undefined
      ? undefined
      : Object.freeze({ kind: 'person', person, mailbox });
  }

  #group({ name, place, value }: Named<GroupEntry>, policies: ReadonlyMap<string, Policy>): Group | undefined {
    if (value === undefined) return undefined;
    const addresses = addressesOf(value).map(({ value }) => value);
    const said = new Set(value.given);
    if (said.has('address') && said.has('addresses'))
      this.#report.error(
        value.place,
        `the group ${quote(name)} has both "address" and "addresses"; put all in "addresses"`,
      );
    else if (!said.has('address') && (!said.has('addresses') || value.addresses?.count === 0))
      this.#report.error(place, `the group ${quote(name)} needs an address (or a list of addresses)`);
    if (!said.has('policy'))
      this.#report.warning(
        place,
        `the group ${quote(name)} has no policy, so nobody hears of mail that is not read; name one, or say "policy: none"`,
      );
    if (!said.has('fallback'))
      this.#report.warning(
        place,
        `the group ${quote(name)} has no fallback: when nobody is eligible, mail goes on to the group's own address; name one, or say "fallback: unchanged"`,
      );
    return Object.freeze({
      name,
      addresses: Object.freeze(addresses),
      members: Object.freeze(this.#members(name, value)),
      strategy: value.strategy ?? 'in-order',
      eligible: statesOf(value.eligible),
      hold: value.hold ?? null,
      fallback: this.#fallback(name, value),
      policy: this.#policyOf(value.policy, policies),
      ...(value.language === undefined ? {} : { language: value.language }),
      place,
    });
  }

  #members(group: string, { members }: GroupEntry): PersonName[] {
    if (members === undefined) return [];
    if (members.count === 0) this.#report.error(members.place, `the group ${quote(group)} has no members`);
    const seen = new Set<PersonName>();
    for (const member of members.value) {
      const known = this.#known('person', member);
      if (known === undefined) continue;
      if (seen.has(known)) this.#report.error(member.place, `${quote(known)} is a member of ${quote(group)} twice`);
      seen.add(known);
    }
    return [...seen];
  }

  #fallback(group: string, value: GroupEntry): Fallback {
    const { fallback } = value;
    if (fallback === undefined || 'word' in fallback) return Object.freeze({ kind: 'unchanged' });
    if ('person' in fallback) {
      const person = this.#known('person', fallback.person);
      return Object.freeze({ kind: 'person', person: person ?? '' });
    }
    const mailbox = fallback.mailbox.value;
    if (addressesOf(value).some((address) => mailboxKey(address.value) === mailboxKey(mailbox))) {
      const message = `${quote(mailbox)} is the address of ${quote(group)} itself; for delivery there say "fallback: unchanged"`;
      this.#report.error(fallback.mailbox.place, message);
    }
    return Object.freeze({ kind: 'mailbox', mailbox });
  }

  #policyOf(entry: Located<string> | null | undefined, policies: ReadonlyMap<string, Policy>): Policy | null {
    if (!entry) return null;
    const name = this.#known('policy', entry);
    return name === undefined ? null : (policies.get(name) ?? null);
  }

  #route(entry: RouteEntry, policies: ReadonlyMap<string, Policy>): Route | undefined {
    const { match, place } = entry;
    const name = entry.name?.value ?? formatPlace(place);
    const action = this.#action(entry, policies);
    if (match?.given.length === 0)
      this.#report.error(
        match.place,
        'the match is empty and would match all mail; for that say { recipient: { glob: "*" } }',
      );
    if (match === undefined || action === undefined) return undefined;
    return Object.freeze({ name, match: matchOf(match), action, place });
  }

  #action(entry: RouteEntry, policies: ReadonlyMap<string, Policy>): RouteAction | undefined {
    const given = ['group', 'pass', 'reject'].filter((key) => entry.given.includes(key));
    if (given.length !== 1) {
      const found = given.length === 0 ? 'none' : given.join(' and ');
      this.#report.error(entry.place, `a route has exactly one of group, pass, reject; here is ${found}`);
      return undefined;
    }
    if (given[0] !== 'group') {
      for (const key of ['policy', 'strategy', 'eligible'] as const) {
        const place = key === 'eligible' ? entry.eligible?.place : entry[key]?.place;
        if (place) this.#report.error(place, `"${key}" means nothing here: only a route to a group has one`);
      }
      return entry.reject
        ? Object.freeze({ kind: 'reject', text: entry.reject.value })
        : Object.freeze({ kind: 'pass' });
    }
    if (entry.group === undefined) return undefined;
    const group = this.#known('group', entry.group);
    if (group === undefined) return undefined;
    return Object.freeze({
      kind: 'group',
      group,
      ...(entry.policy === undefined ? {} : { policy: this.#policyOf(entry.policy.value, policies) }),
      ...(entry.strategy === undefined ? {} : { strategy: entry.strategy.value }),
      ...(entry.eligible === undefined ? {} : { eligible: statesOf(entry.eligible.value) }),
    });
  }

  #checkRouteNames(): void {
    const names = new Map<string, Place>();
    for (const { name } of this.#files.flatMap((file) => file.routes ?? [])) {
      if (name === undefined) continue;
      const first = names.get(name.value);
      if (first)
        this.#report.error(
          name.place,
          `the route ${quote(name.value)} is named a second time; the first is at ${formatPlace(first)}`,
        );
      else names.set(name.value, name.place);
    }
  }

  /** One address leads to one person or one group, and one JID to one person: commands are authorised by it. */
  #checkAddresses(): void {
    const owners = new Map<string, string>();
    const jids = new Map<string, string>();
    const claim = (
      taken: Map<string, string>,
      key: string,
      what: string,
      { value, place }: Located<string>,
      by: string,
    ) => {
      const owner = taken.get(key);
      if (owner === undefined) taken.set(key, by);
      else
        this.#report.error(
          place,
          `the ${what} ${quote(value)} of ${by} is ${owner === by ? 'there twice' : `already that of ${owner}`}`,
        );
    };
    for (const { name, place, value } of this.#people.values()) {
      if (!value?.mail) continue;
      claim(owners, mailboxKey(value.mail.value), 'address', value.mail, `person ${name}`);
      const jid = value.jid ? value.jid.value : parseJid(value.mail.value)?.bare;
      if (jid) claim(jids, jid, 'JID', { value: jid, place: value.jid?.place ?? place }, `person ${name}`);
    }
    for (const { name, value } of this.#groups.values()) {
      for (const address of value ? addressesOf(value) : [])
        claim(owners, mailboxKey(address.value), 'address', address, `group ${name}`);
    }
  }
}

function addressesOf(group: GroupEntry): readonly Located<Mailbox>[] {
  return group.address ? [group.address] : (group.addresses?.value ?? []);
}

function statesOf(entries: readonly Located<State>[] | undefined): readonly State[] {
  return entries === undefined ? defaultEligible : Object.freeze([...new Set(entries.map(({ value }) => value))]);
}

function matchOf({ recipient, sender, subject, header }: MatchEntry): Match {
  const headers = (header ?? []).flatMap(({ name, value }) =>
    value ? [{ name: name.toLowerCase(), tests: value }] : [],
  );
  return Object.freeze({
    ...(recipient ? { recipient } : {}),
    ...(sender ? { sender } : {}),
    ...(subject ? { subject } : {}),
    headers: Object.freeze(headers),
  });
}
