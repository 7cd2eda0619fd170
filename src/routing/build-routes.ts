// From what the files say to routes and matches. What was reported before is undefined here and is passed over.

import { type OpenSchedule, periodOf } from './build-people.ts';
import { defaultEligible, policyOf, selectionOf } from './build-selection.ts';
import type { FullMatch } from './match-schema.ts';
import type { Names } from './names.ts';
import { formatPlace, quote } from './problem.ts';
import type { RouteEntry } from './rule-file.ts';
import type { Additions, Condition, Match, Person, Policy, Route, RouteAction, Schedule, TextTest } from './rules.ts';
import type { Located, Named } from './schema.ts';

/** What has been built already. */
export interface Known {
  readonly schedules: ReadonlyMap<string, OpenSchedule>;
  readonly people: ReadonlyMap<string, Person>;
}

export function buildRoute(
  entry: RouteEntry,
  names: Names,
  policies: ReadonlyMap<string, Policy>,
  known: Known,
): Route | undefined {
  const { match, place } = entry;
  const name = entry.name?.value ?? formatPlace(place);
  const action = actionOf(entry, names, policies);
  if (match?.given.length === 0)
    names.report.error(
      match.place,
      'the match is empty and would match all mail; for that say { recipient: { glob: "*" } }',
    );
  if (match === undefined || action === undefined) return undefined;
  return Object.freeze({
    name,
    match: buildMatch(match, names, known),
    action,
    ...additionsOf(entry, names, known),
    place,
  });
}

function additionsOf(entry: RouteEntry, names: Names, known: Known): Additions {
  const copy = (entry.copy ?? []).flatMap((one) => {
    if ('word' in one) return [];
    if ('mailbox' in one) return [one.mailbox.value];
    const person = names.known('person', one.person);
    return person === undefined ? [] : (known.people.get(person)?.mail ?? []);
  });
  const headers = (entry.addHeader ?? []).flatMap(({ name, value }) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return {
    ...(copy.length === 0 ? {} : { copy: Object.freeze(copy) }),
    ...(entry.tag === undefined ? {} : { tags: Object.freeze([...entry.tag]) }),
    ...(headers.length === 0 ? {} : { headers: Object.freeze(headers) }),
  };
}

function actionOf(entry: RouteEntry, names: Names, policies: ReadonlyMap<string, Policy>): RouteAction | undefined {
  const { report } = names;
  const given = ['group', 'pass', 'reject'].filter((key) => entry.given.includes(key));
  const adds = ['copy', 'tag', 'addHeader'].some((key) => entry.given.includes(key));
  if (given.length > 1 || (given.length === 0 && !adds)) {
    const found = given.length === 0 ? 'none' : given.join(' and ');
    report.error(entry.place, `a route has exactly one of group, pass, reject; here is ${found}`);
    return undefined;
  }
  if (given[0] !== 'group') {
    for (const key of Object.keys(onlyForGroups) as (keyof typeof onlyForGroups)[]) {
      if (!entry.given.includes(key)) continue;
      const value = entry[key];
      const place = value && typeof value === 'object' && 'place' in value ? value.place : entry.place;
      report.error(place, `"${key}" means nothing here: only a route to a group has one`);
    }
    if (given.length === 0) return Object.freeze({ kind: 'continue' });
    return entry.reject ? Object.freeze({ kind: 'reject', text: entry.reject.value }) : Object.freeze({ kind: 'pass' });
  }
  if (entry.group === undefined) return undefined;
  const group = names.known('group', entry.group);
  if (group === undefined) return undefined;
  return Object.freeze({
    kind: 'group',
    group,
    ...(entry.policy === undefined ? {} : { policy: policyOf(entry.policy.value, names, policies) }),
    ...(entry.mode === undefined ? {} : { mode: entry.mode.value }),
    ...selectionOf(entry),
  });
}

const onlyForGroups = {
  policy: true,
  mode: true,
  strategy: true,
  otherwise: true,
  eligible: true,
  maxAge: true,
  maxIdle: true,
  unknown: true,
  requires: true,
  prefers: true,
  excludeSender: true,
  cost: true,
} as const;

export function buildMatch(entry: FullMatch, names: Names, known: Known): Match {
  const headers = (entry.header ?? []).flatMap(({ name, value }: Named<readonly TextTest[]>) =>
    value ? [{ name: name.toLowerCase(), tests: value }] : [],
  );
  const also = conditionsOf(entry, names, known);
  return Object.freeze({
    ...(entry.recipient ? { recipient: entry.recipient } : {}),
    ...(entry.sender ? { sender: entry.sender } : {}),
    ...(entry.subject ? { subject: entry.subject } : {}),
    headers: Object.freeze(headers),
    ...(also.length === 0 ? {} : { also: Object.freeze(also.map((one) => Object.freeze(one))) }),
  });
}

/** In this order, the cheapest first. */
function conditionsOf(entry: FullMatch, names: Names, known: Known): Condition[] {
  const nested = (match: FullMatch): Match => {
    if (match.given.length === 0) names.report.error(match.place, 'the match is empty and says nothing');
    return buildMatch(match, names, known);
  };
  const found: (Condition | undefined)[] = [
    entry.size && { kind: 'size', octets: entry.size },
    ...(['list', 'autoSubmitted', 'spam'] as const).map((kind): Condition | undefined => {
      const is = entry[kind];
      return is === undefined ? undefined : { kind, is };
    }),
    entry.importance && { kind: 'importance', is: entry.importance },
    entry.from && { kind: 'from', tests: entry.from },
    entry.attachment === undefined ? undefined : attachmentOf(entry.attachment),
    entry.thread && { kind: 'thread', seen: entry.thread === 'seen' },
    ...(entry.date ? periodOf(entry.date, entry.date.zone ?? 'UTC', names) : []).map(
      (period): Condition => ({ kind: 'date', period }),
    ),
    entry.time && timeOf(entry.time, names, known),
    ...(entry.presence ?? []).map((one): Condition | undefined => {
      const person = one.person && names.known('person', one.person);
      return person === undefined || one.is === undefined ? undefined : { kind: 'presence', person, is: one.is };
    }),
    ...(entry.present ?? []).map((one): Condition | undefined => {
      const group = one.group && names.known('group', one.group);
      if (group === undefined || one.count === undefined) return undefined;
      return { kind: 'present', group, is: one.is ?? defaultEligible, count: one.count };
    }),
    ...(entry.waiting ?? []).map((one): Condition | undefined => {
      const group = one.group && names.known('group', one.group);
      if (one.count === undefined && one.oldest === undefined && one.given.length < 2)
        names.report.error(one.place, 'a test on held mail needs "count" or "oldest"');
      if (group === undefined) return undefined;
      const { count, oldest } = one;
      return { kind: 'waiting', group, ...(count ? { count } : {}), ...(oldest ? { oldest } : {}) };
    }),
    entry.all && { kind: 'all', of: entry.all.map(nested) },
    entry.any && { kind: 'any', of: entry.any.map(nested) },
    entry.not && { kind: 'not', of: nested(entry.not) },
  ];
  return found.filter((condition) => condition !== undefined);
}

function attachmentOf(entry: NonNullable<FullMatch['attachment']>): Condition {
  if (typeof entry === 'boolean') return { kind: 'attachment', present: entry };
  return {
    kind: 'attachment',
    present: true,
    ...(entry.name ? { name: entry.name } : {}),
    ...(entry.type ? { type: entry.type } : {}),
  };
}

function timeOf(entry: NonNullable<FullMatch['time']>, names: Names, known: Known): Condition | undefined {
  const inside = 'inside' in entry;
  const references = inside ? entry.inside : entry.outside;
  const schedules = (references ?? []).flatMap((one: Located<string>): Schedule[] => {
    const name = names.known('schedule', one);
    const schedule = name === undefined ? undefined : known.schedules.get(name);
    if (schedule && schedule.zone === undefined)
      names.report.error(
        one.place,
        `the schedule ${quote(schedule.name)} (${formatPlace(schedule.place)}) has no zone, so it has no time of its own; give it one`,
      );
    return schedule ? [Object.freeze({ ...schedule, zone: schedule.zone ?? 'UTC' })] : [];
  });
  return schedules.length === 0 ? undefined : { kind: 'time', schedules: Object.freeze(schedules), inside };
}
