// The rule language: what one rule file may say. Names are not looked up here: they may be in another file.
// Sections may stand in any order and in any file; only the order of routes (and of files) counts.
import { day, second } from '../clock.ts';
import { states } from '../presence/presence.ts';
import { quote, type Report } from './problem.ts';
import { languages, strategies, type TextTest } from './rules.ts';
import {
  bareJid,
  bool,
  counted,
  describe,
  duration,
  fields,
  integer,
  list,
  located,
  mailbox,
  name,
  oneOf,
  oneOrMore,
  optional,
  orNone,
  record,
  required,
  type Schema,
  scalar,
  text,
} from './schema.ts';
import { maxPatternLength, plainTest, regexTest } from './text-test.ts';
import type { Node } from './yaml.ts';

type ValueOf<S> = S extends Schema<infer T> ? T : never;

const personSchema = fields('a person', {
  mail: required(located(mailbox)),
  jid: optional(located(orNone(bareJid))),
  operator: optional(bool),
});

const eligible = oneOrMore(located(oneOf(states)));
const strategy = oneOf(strategies);
const reference = located(name);

const groupSchema = fields(
  'a group',
  {
    address: optional(located(mailbox)),
    addresses: optional(counted(list(located(mailbox)))),
    members: required(counted(list(reference))),
    strategy: optional(strategy),
    eligible: optional(eligible),
    hold: optional(orNone(duration(second, 7 * day))),
    fallback: optional(target('a fallback', ['unchanged'], { mailbox: located(mailbox), person: reference })),
    policy: optional(orNone(reference)),
    language: optional(oneOf(languages)),
  },
  { member: 'unknown key "member": a group has "members", a list of names of people' },
);

const stepSchema = fields('a step', {
  name: required(reference),
  after: required(duration(second, 30 * day)),
  to: required(
    target('the target of a step', ['next', 'owner'], {
      room: located(bareJid),
      person: reference,
      mailbox: located(mailbox),
    }),
  ),
  times: optional(integer(1, 100)),
});

const policySchema = fields('a policy', {
  until: optional(oneOf(['read', 'taken', 'answered'])),
  steps: required(counted(list(stepSchema, 'a list of steps'))),
  ask: optional(list(oneOf(['dsn', 'mdn']))),
  repeat: optional(integer(0, 100)),
  ack: optional(
    fields('the life of an acknowledgement', {
      lasts: required(duration(second, 30 * day)),
      grace: required(duration(second, 30 * day)),
    }),
  ),
  maxForwards: optional(integer(0, 1000)),
});

const tests = oneOrMore(textTest());

const matchSchema = fields('a match', {
  recipient: optional(tests),
  sender: optional(tests),
  subject: optional(tests),
  // RFC 5322 §2.2: a field name is printable US-ASCII without the colon.
  header: optional(
    record('a map from header names to tests', tests, (key) =>
      /^[\x21-\x39\x3b-\x7e]{1,100}$/.test(key) ? undefined : 'is not the name of a header field',
    ),
  ),
});

// RFC 5321 §4.2: the text of a reply is printable US-ASCII on one line; 512 octets with the codes (§4.5.3.1.5).
const replyText = scalar('the text of a reply', (value) =>
  /^[\x20-\x7e]{1,400}$/.test(value) ? value : { wrong: 'is not one line of 1 to 400 printable ASCII characters' },
);

const routeSchema = fields(
  'a route',
  {
    name: optional(located(text('a name for people', 100))),
    match: required(matchSchema),
    group: optional(reference),
    pass: optional(located(oneOf(['true']))),
    reject: optional(located(replyText)),
    policy: optional(located(orNone(reference))),
    strategy: optional(located(strategy)),
    eligible: optional(located(eligible)),
  },
  { to: 'unknown key "to": a route says "group: <name>", "pass: true" or "reject: <text>"' },
);

export const ruleFileSchema = fields('a rule file', {
  people: optional(record('a map from names to people', personSchema)),
  groups: optional(record('a map from names to groups', groupSchema)),
  policies: optional(record('a map from names to policies', policySchema)),
  routes: optional(list(routeSchema, 'a list of routes')),
});

export type RuleFile = ValueOf<typeof ruleFileSchema>;
export type PersonEntry = ValueOf<typeof personSchema>;
export type GroupEntry = ValueOf<typeof groupSchema>;
export type PolicyEntry = ValueOf<typeof policySchema>;
export type StepEntry = ValueOf<typeof stepSchema>;
export type RouteEntry = ValueOf<typeof routeSchema>;
export type MatchEntry = ValueOf<typeof matchSchema>;
export type TargetEntry<W extends string, S extends Record<string, Schema<unknown>>> =
  | { readonly word: W }
  | { [K in keyof S]: { readonly [P in K]: ValueOf<S[K]> } }[keyof S];

/** A word, or a map with exactly one of some keys: `next` or `{ room: duty@rooms.example.org }`. */
function target<const W extends string, S extends Record<string, Schema<unknown>>>(
  what: string,
  words: readonly W[],
  shape: S,
): Schema<TargetEntry<W, S>> {
  const keys = Object.keys(shape);
  const expects = `${[...words, ...keys.map((key) => `{ ${key}: … }`)].join(' or ')}`;
  const inner = fields(what, Object.fromEntries(keys.map((key) => [key, optional(shape[key] as Schema<unknown>)])));
  return {
    expects,
    read(node: Node, report: Report) {
      if (node.kind === 'map') {
        const values = inner.read(node, report);
        if (node.entries.length !== 1) {
          report.error(node.place, `${what} has exactly one of the keys ${keys.join(', ')}`);
          return undefined;
        }
        const [key] =
          Object.entries(values ?? {}).find(([key, value]) => keys.includes(key) && value !== undefined) ?? [];
        if (values === undefined || key === undefined) return undefined;
        return { [key]: (values as Record<string, unknown>)[key] } as TargetEntry<W, S>;
      }
      const word = node.kind === 'text' ? words.find((candidate) => candidate === node.text) : undefined;
      if (word !== undefined) return { word };
      report.error(node.place, `${describe(node)} is not ${what}: write ${expects}`);
      return undefined;
    },
  };
}

/** A text (compared as a whole), or a map with exactly one kind of test. */
function textTest(): Schema<TextTest> {
  const expects = 'a text, or { exact | prefix | contains | glob | regex: … }';
  const pattern = text('a text', maxPatternLength);
  const kinds = ['exact', 'prefix', 'contains', 'glob'] as const;
  const regex = scalar('a regular expression', (source) =>
    source.length > maxPatternLength ? { wrong: `is longer than ${maxPatternLength} characters` } : regexTest(source),
  );
  const shape = fields('a test', {
    exact: optional(pattern),
    prefix: optional(pattern),
    contains: optional(pattern),
    glob: optional(pattern),
    regex: optional(regex),
  });
  return {
    expects,
    read(node, report) {
      if (node.kind === 'list' || (node.kind === 'text' && !node.given)) {
        report.error(node.place, `${describe(node)} is not a test: write ${expects}`);
        return undefined;
      }
      if (node.kind === 'text') {
        const whole = pattern.read(node, report);
        return whole === undefined ? undefined : plainTest('exact', whole);
      }
      const values = shape.read(node, report);
      if (node.entries.length !== 1) {
        const kindsRead = node.entries.map((entry) => quote(entry.key)).join(', ') || 'none';
        report.error(
          node.place,
          `a test has exactly one of exact, prefix, contains, glob, regex; here is ${kindsRead}`,
        );
        return undefined;
      }
      if (values?.regex) return values.regex;
      const kind = kinds.find((candidate) => values?.[candidate] !== undefined);
      const value = kind === undefined ? undefined : values?.[kind];
      return kind === undefined || value === undefined ? undefined : plainTest(kind, value);
    },
  };
}
