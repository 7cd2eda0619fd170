// Rule files into rules: each file is read by itself, then names are looked up across all of them, then lint looks for
// what is allowed but hardly meant. Every problem of every file is reported; with one error there are no rules.
// Pure: reading the folder is load.ts.
import { createHash } from 'node:crypto';
import { mailboxKey } from '../mail/path.ts';
import { parseJid } from '../presence/jid.ts';
import { addressesOf, buildGroup, checkLoops } from './build-groups.ts';
import { buildPerson, buildSchedule, hoursOf, type OpenSchedule } from './build-people.ts';
import { buildRoute } from './build-routes.ts';
import { type DirectoryPart, directoryFile, readDirectoryText } from './directory-text.ts';
import { lint } from './lint.ts';
import { Names } from './names.ts';
import { overlay } from './overlay.ts';
import type { PolicyEntry, StepEntry } from './policy-schema.ts';
import { formatPlace, quote, Report } from './problem.ts';
import { type RuleFile, ruleFileSchema } from './rule-file.ts';
import type {
  Condition,
  Group,
  Match,
  Origin,
  Person,
  PersonName,
  Place,
  Policy,
  Problem,
  Reads,
  Route,
  Rules,
  Schedule,
  Step,
  StepTarget,
} from './rules.ts';
import type { Located, Named } from './schema.ts';
import { readYaml } from './yaml.ts';

export { defaultEligible } from './build-selection.ts';

export interface RuleText {
  /** As problems and places show it: `rules/20-groups.yaml`. */
  readonly name: string;
  readonly text: string;
}

/** `problems` beside rules are warnings; without rules at least one of them is an error. */
export type Loaded =
  | { readonly rules: Rules; readonly problems: readonly Problem[]; readonly files?: readonly RuleText[] }
  | { readonly rules?: never; readonly problems: readonly Problem[]; readonly files?: readonly RuleText[] };

/** What a file includes, by the path from the rules folder on; mistakes are for parseRules to tell. */
export function includesOf(file: RuleText): readonly Located<string>[] {
  if (file.name === directoryFile) return [];
  // By far most files do not; those need not be read twice.
  if (!/^\s*["']?include\b/m.test(file.text) && !file.text.includes('{')) return [];
  const { root } = readYaml(file.text, file.name);
  if (root?.kind !== 'map' || !root.entries.some(({ key }) => key === 'include')) return [];
  const only = { ...root, entries: root.entries.filter(({ key }) => key === 'include') };
  return ruleFileSchema.read(only, new Report())?.include ?? [];
}

/**
 * `complete: false` says that files are missing: a name that is nowhere is then no mistake. `ordered`: they are in the
 * order in which they count; otherwise their names make it.
 */
export function parseRules(files: readonly RuleText[], { complete = true, ordered: isOrdered = false } = {}): Loaded {
  const report = new Report();
  const ordered = isOrdered ? files : [...files].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const read: RuleFile[] = [];
  let allRead = complete;
  let part: DirectoryPart | null = null;
  for (const file of ordered) {
    if (file.name === directoryFile) {
      part = readDirectoryText(file, report);
      continue;
    }
    const { root, problems } = readYaml(file.text, file.name);
    report.add(problems);
    if (problems.some((problem) => problem.severity === 'error')) allRead = false;
    if (root === undefined || (root.kind === 'text' && !root.given)) continue;
    const value = ruleFileSchema.read(root, report);
    if (value === undefined) allRead = false;
    else read.push(value);
  }
  const { files: laid, origins } = overlay(read, part, report);
  const rules = build(laid, new Names(laid, allRead, report), versionOf(ordered), origins);
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
function build(
  files: readonly RuleFile[],
  names: Names,
  version: string,
  origins: ReadonlyMap<PersonName, Origin>,
): Rules {
  const schedules = collect(names.of('schedule'), (entry): OpenSchedule | undefined => buildSchedule(entry, names));
  const people = collect(names.of('person'), (entry) => buildPerson(entry, names, schedules, origins.get(entry.name)));
  const policies = collect(names.of('policy'), (entry) => buildPolicy(entry, names, people, schedules));
  const known = { schedules, people };
  const groups = collect(names.of('group'), (entry) => buildGroup(entry, names, policies, known));
  checkLoops(groups, names);
  checkAddresses(names);
  const routes = files
    .flatMap((file) => file.routes ?? [])
    .map((entry) => buildRoute(entry, names, policies, known))
    .filter((route) => route !== undefined);
  checkRouteNames(files, names);
  return Object.freeze({
    version,
    people,
    groups,
    policies,
    schedules: collect(schedules, (one): Schedule => Object.freeze({ ...one, zone: one.zone ?? 'UTC' })),
    routes: Object.freeze(routes),
    reads: readsOf(routes, groups),
  });
}

function collect<T, U>(entries: ReadonlyMap<string, T>, make: (entry: T) => U | undefined): ReadonlyMap<string, U> {
  const made = new Map<string, U>();
  for (const [name, entry] of entries) {
    const value = make(entry);
    if (value !== undefined) made.set(name, value);
  }
  return made;
}

function readsOf(routes: readonly Route[], groups: ReadonlyMap<string, Group>): Reads {
  const kinds = new Set<Condition['kind']>();
  const visit = ({ also = [] }: Match): void => {
    for (const condition of also) {
      kinds.add(condition.kind);
      if (condition.kind === 'not') visit(condition.of);
      if (condition.kind === 'all' || condition.kind === 'any') condition.of.forEach(visit);
    }
  };
  for (const { match } of routes) visit(match);
  for (const { exclude = [] } of groups.values()) for (const { when } of exclude) visit(when);
  return Object.freeze({
    attachments: kinds.has('attachment'),
    thread: kinds.has('thread'),
    size: kinds.has('size'),
  });
}

function buildPolicy(
  { name, place, value }: Named<PolicyEntry>,
  names: Names,
  people: ReadonlyMap<string, Person>,
  schedules: ReadonlyMap<string, OpenSchedule>,
): Policy | undefined {
  if (value?.steps === undefined) return undefined;
  const { report } = names;
  if (value.steps.count === 0)
    report.error(value.steps.place, `the policy ${quote(name)} has no steps; leave it out, or give it one`);
  const seen = new Map<string, Place>();
  for (const step of value.steps.value) {
    if (step.name === undefined) continue;
    const first = seen.get(step.name.value);
    if (first)
      report.error(
        step.name.place,
        `the step ${quote(step.name.value)} stands twice; the first is in line ${first.line}`,
      );
    else seen.set(step.name.value, step.name.place);
  }
  if (value.hours) names.known('schedule', value.hours);
  const steps = value.steps.value
    .map((step) => buildStep(step, value.hours, names, people, schedules))
    .filter((step) => step !== undefined);
  const { ask, repeat, repeatFrom, ack, takers, maxForwards } = value;
  const from = repeatFrom && steps.findIndex((step) => step.name === repeatFrom.value);
  if (repeatFrom && from === -1)
    report.error(
      repeatFrom.place,
      `the policy ${quote(name)} has no step ${quote(repeatFrom.value)}; it has ${steps.map((step) => quote(step.name)).join(', ')}`,
    );
  else if (repeatFrom && !repeat)
    report.error(repeatFrom.place, `"repeatFrom" says where "repeat" begins, but the steps are not repeated`);
  if (takers !== undefined && takers > 1 && value.until !== 'taken')
    report.error(place, `the policy ${quote(name)} wants ${takers} takers: that needs "until: taken"`);
  return Object.freeze({
    name,
    until: value.until ?? 'read',
    steps: Object.freeze(steps),
    ...(ask === undefined ? {} : { ask: Object.freeze([...new Set(ask)]) }),
    ...(repeat === undefined ? {} : { repeat }),
    ...(from === undefined || from <= 0 ? {} : { repeatFrom: from }),
    ...(ack?.lasts === undefined || ack.grace === undefined
      ? {}
      : { ack: Object.freeze({ lasts: ack.lasts, grace: ack.grace }) }),
    ...(takers === undefined || takers === 1 ? {} : { takers }),
    ...(maxForwards === undefined ? {} : { maxForwards }),
    place,
  });
}

function buildStep(
  entry: StepEntry,
  usual: StepEntry['hours'],
  names: Names,
  people: ReadonlyMap<string, Person>,
  schedules: ReadonlyMap<string, OpenSchedule>,
): Step | undefined {
  const to = entry.to && stepTarget(entry.to, names, people);
  if (entry.name === undefined || entry.after === undefined || to === undefined) return undefined;
  // A schedule without a zone is in that of whom the step is for.
  const zone = to.kind === 'person' ? people.get(to.person)?.zone : undefined;
  const said = entry.hours ?? (usual && schedules.has(usual.value) ? usual : undefined);
  const hours = said && hoursOf(said, zone ?? 'UTC', names, schedules);
  if (entry.digest && to.kind !== 'person' && to.kind !== 'mailbox')
    names.report.error(
      entry.name.place,
      `the step ${quote(entry.name.value)} says "digest": only what goes to a person or a mailbox can be sent as one`,
    );
  return Object.freeze({
    name: entry.name.value,
    after: entry.after,
    ...(hours === undefined ? {} : { hours }),
    to,
    times: entry.times ?? 1,
    ...(entry.digest ? { digest: true as const } : {}),
  });
}

function stepTarget(
  to: NonNullable<StepEntry['to']>,
  names: Names,
  people: ReadonlyMap<string, Person>,
): StepTarget | undefined {
  if ('word' in to) return Object.freeze({ kind: to.word });
  if ('room' in to) return Object.freeze({ kind: 'room', room: to.room.value });
  if ('group' in to) {
    const group = names.known('group', to.group);
    return group === undefined ? undefined : Object.freeze({ kind: 'group', group });
  }
  if ('mailbox' in to) return Object.freeze({ kind: 'mailbox', mailbox: to.mailbox.value });
  const person = names.known('person', to.person);
  const mailbox = person === undefined ? undefined : people.get(person)?.mail;
  return person === undefined || mailbox === undefined ? undefined : Object.freeze({ kind: 'person', person, mailbox });
}

function checkRouteNames(files: readonly RuleFile[], { report }: Names): void {
  const names = new Map<string, Place>();
  for (const { name } of files.flatMap((file) => file.routes ?? [])) {
    if (name === undefined) continue;
    const first = names.get(name.value);
    if (first)
      report.error(
        name.place,
        `the route ${quote(name.value)} is named a second time; the first is at ${formatPlace(first)}`,
      );
    else names.set(name.value, name.place);
  }
}

/** One address leads to one person or one group, and one JID to one person: commands are authorised by it. */
function checkAddresses(names: Names): void {
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
      names.report.error(
        place,
        `the ${what} ${quote(value)} of ${by} is ${owner === by ? 'there twice' : `already that of ${owner}`}`,
      );
  };
  for (const { name, place, value } of names.of('person').values()) {
    if (!value?.mail) continue;
    for (const mail of [value.mail, ...(value.also ?? [])])
      claim(owners, mailboxKey(mail.value), 'address', mail, `person ${name}`);
    const jid = value.jid ? value.jid.value : parseJid(value.mail.value)?.bare;
    if (jid) claim(jids, jid, 'JID', { value: jid, place: value.jid?.place ?? place }, `person ${name}`);
  }
  for (const { name, value } of names.of('group').values()) {
    for (const address of value ? addressesOf(value) : [])
      claim(owners, mailboxKey(address.value), 'address', address, `group ${name}`);
  }
}
