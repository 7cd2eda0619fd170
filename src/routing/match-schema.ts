// What a route, or an exclusion, may ask of a message: the keys of a match.
import { states } from '../presence/presence.ts';
import { importances } from './rules.ts';
import {
  bool,
  type Fields,
  fields,
  located,
  name,
  oneOf,
  oneOrMore,
  optional,
  record,
  recursive,
  required,
  type Schema,
} from './schema.ts';
import { bounds, date, number, octets, span, textTest, zone } from './values.ts';

type ValueOf<S> = S extends Schema<infer T> ? T : never;

export const testSchema = textTest();
const tests = oneOrMore(testSchema);
const reference = located(name);
const someStates = oneOrMore(oneOf(states));

const attachmentMap = fields('an attachment', {
  name: optional(tests, { about: 'Tests on its file name.', example: "{ glob: '*.pdf' }" }),
  type: optional(tests, { about: 'Tests on its media type.', example: 'application/pdf' }),
});

/** `true`, `false`, or a map. */
const attachment: Schema<boolean | ValueOf<typeof attachmentMap>> = {
  expects: 'true, false, or { name: …, type: … }',
  json: (defs) => ({ anyOf: [bool.json?.(defs) ?? {}, attachmentMap.json?.(defs) ?? {}] }),
  ...(attachmentMap.shape ? { shape: attachmentMap.shape } : {}),
  read: (node, report) => (node.kind === 'map' ? attachmentMap.read(node, report) : bool.read(node, report)),
};

const timeMap = fields('a time', {
  outside: required(oneOrMore(reference), { about: 'Schedules none of which is open.', example: 'office' }),
});
const inside = oneOrMore(reference);
/** Names of schedules, or `{ outside: … }`. */
const time: Schema<{ readonly inside: ValueOf<typeof inside> } | ValueOf<typeof timeMap>> = {
  expects: 'the name of a schedule, a list of such, or { outside: … }',
  json: (defs) => ({ anyOf: [inside.json?.(defs) ?? {}, timeMap.json?.(defs) ?? {}] }),
  ...(timeMap.shape ? { shape: timeMap.shape } : {}),
  read(node, report) {
    if (node.kind === 'map') return timeMap.read(node, report);
    const names = inside.read(node, report);
    return names === undefined ? undefined : { inside: names };
  },
};

export const presenceMap = fields('a test on presence', {
  person: required(reference, { about: 'Whose.', example: 'alice' }),
  is: required(someStates, { about: 'One of these states.', example: '[chat, available]' }),
});

export const presentMap = fields('a test on who of a group is there', {
  group: required(reference, { about: 'Of its members.', example: 'support' }),
  is: optional(someStates, {
    about: 'Who is in one of these states is counted.',
    example: '[chat, available, away]',
    byDefault: '`[chat, available]`',
  }),
  count: required(bounds(number, '1'), { about: 'How many there are.', example: '{ under: 1 }' }),
});

export const waitingMap = fields('a test on held mail', {
  group: required(reference, { about: 'Held for this group.', example: 'support' }),
  count: optional(bounds(number, '5'), { about: 'How many wait.', example: '{ over: 5 }' }),
  oldest: optional(bounds(span, '10m'), { about: 'For how long the oldest has waited.', example: '{ over: 10m }' }),
});

export const dateMap = fields('a span of days', {
  from: required(located(date), { about: 'The first day.', example: '2026-12-24' }),
  to: required(located(date), { about: 'The last day; it counts.', example: '2027-01-01' }),
  zone: optional(zone, { about: 'Where the days begin and end.', example: 'Europe/Berlin', byDefault: 'UTC' }),
});

// RFC 5322 §2.2: a field name is printable US-ASCII without the colon.
const headerTests = record('a map from header names to tests', tests, (key) =>
  /^[\x21-\x39\x3b-\x7e]{1,100}$/.test(key) ? undefined : 'is not the name of a header field',
);

const flags = {
  list: optional(bool, {
    about:
      'Mail of a mailing list or a newsletter: List-Id, List-Post, List-Unsubscribe, or Precedence list, bulk, junk.',
    example: 'true',
  }),
  autoSubmitted: optional(bool, {
    about: 'Sent by a machine: Auto-Submitted is there and not `no` (RFC 3834).',
    example: 'true',
  }),
  spam: optional(bool, {
    about:
      'What the spam filter said in X-Spam-Flag, X-Spam-Status, X-Spam or X-Rspamd-Action. When none has judged, unknown.',
    example: 'true',
  }),
} as const;

const plainShape = {
  recipient: optional(tests, { about: 'The address the mail is for.', example: 'support@example.org' }),
  sender: optional(tests, {
    about: "The sender of the envelope; `'<>'` is the sender of reports.",
    example: "{ glob: '*@customer.example' }",
  }),
  from: optional(tests, { about: 'The From header, name and address.', example: '{ contains: ceo@example.org }' }),
  subject: optional(tests, { about: 'The subject.', example: "{ regex: '(?i)outage' }" }),
  header: optional(headerTests, {
    about: 'Header fields by name. A field that is not there makes its test false.',
    example: "{ X-Priority: '1' }",
  }),
  ...flags,
  importance: optional(oneOrMore(oneOf(importances)), {
    about: 'By Importance, Priority or X-Priority; none of them: `normal`.',
    example: 'high',
  }),
  size: optional(bounds(octets, '5MB'), { about: 'Octets of the whole mail.', example: '{ over: 5MB }' }),
  attachment: optional(attachment, {
    about: '`true`: there is one; `false`: there is none; or one whose name and type pass the tests.',
    example: "{ name: { glob: '*.pdf' } }",
  }),
  time: optional(time, {
    about: 'One of these schedules is open; or `{ outside: … }`: none of them is.',
    example: 'office',
  }),
  date: optional(dateMap, { about: 'Today is one of these days.', example: '{ from: 2026-12-24, to: 2027-01-01 }' }),
  thread: optional(oneOf(['seen', 'new']), {
    about: 'Whether an earlier mail of the thread went to a member and was tracked.',
    example: 'seen',
  }),
  presence: optional(oneOrMore(presenceMap), {
    about: 'The state of one person; of several tests all must hold.',
    example: '{ person: alice, is: available }',
  }),
  present: optional(oneOrMore(presentMap), {
    about: 'How many members of a group are there.',
    example: '{ group: support, count: { under: 1 } }',
  }),
  waiting: optional(oneOrMore(waitingMap), {
    about: 'How much mail a group holds, and for how long.',
    example: '{ group: support, oldest: { over: 10m } }',
  }),
} as const;

/** What is read of a match. */
export interface FullMatch extends Fields<typeof plainShape> {
  readonly all: readonly FullMatch[] | undefined;
  readonly any: readonly FullMatch[] | undefined;
  readonly not: FullMatch | undefined;
}

const nested: Schema<FullMatch> = recursive('match', 'a match', () => matchSchema);

export const matchSchema: Schema<FullMatch> = fields('a match', {
  ...plainShape,
  all: optional(oneOrMore(nested), {
    about: 'All of these matches hold.',
    example: '[{ spam: false }, { list: false }]',
  }),
  any: optional(oneOrMore(nested), {
    about: 'One of these matches holds.',
    example: '[{ importance: high }, { subject: { prefix: URGENT } }]',
  }),
  not: optional(nested, { about: 'This match does not hold.', example: '{ list: true }' }),
}) as Schema<FullMatch>;
