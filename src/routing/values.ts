// Small values of the rule language: texts and tests on them, sizes, days, times of day, zones, targets.
import { type Duration, day, second } from '../clock.ts';
import { isZone } from '../zone.ts';
import { dayNames } from './calendar.ts';
import { quote, type Report } from './problem.ts';
import type { Bounds, TextTest, Window } from './rules.ts';
import {
  describe,
  duration,
  type Field,
  type Fields,
  fields,
  integer,
  type JsonSchema,
  jsonOf,
  oneOrMore,
  optional,
  required,
  type Schema,
  scalar,
  text,
} from './schema.ts';
import { maxPatternLength, plainTest, regexTest } from './text-test.ts';
import type { Node } from './yaml.ts';

type ValueOf<S> = S extends Schema<infer T> ? T : never;

const factors: Readonly<Record<string, number>> = { '': 1, B: 1, kB: 1e3, KB: 1e3, MB: 1e6, KiB: 1024, MiB: 1_048_576 };
export const octets: Schema<number> = scalar('a size such as 5MB or 200kB', (value) => {
  const parts = /^(\d{1,12})\s?([A-Za-z]*)$/.exec(value);
  const factor = parts?.[2] !== undefined && Object.hasOwn(factors, parts[2]) ? factors[parts[2]] : undefined;
  return parts === null || factor === undefined ? undefined : Number(parts[1]) * factor;
});

const longest: Duration = 365 * day;
export const span = duration(second, longest);
export const number = integer(0, 1_000_000);

/** `{ over: 5MB }`, `{ under: 3 }`, or both. */
export function bounds(of: Schema<number>, example: string): Schema<Bounds> {
  const expects = `bounds such as { over: ${example} } or { under: ${example} }`;
  const shape = {
    over: optional(of, { about: 'More than this.', example }),
    under: optional(of, { about: 'Less than this.', example }),
  };
  const inner = fields(expects, shape);
  return {
    ...inner,
    read(node, report) {
      const values = inner.read(node, report);
      if (values === undefined) return undefined;
      if (values.given.length === 0) report.error(node.place, `an empty map is not ${expects}`);
      const { over, under } = values;
      if (over !== undefined && under !== undefined && over >= under)
        report.error(node.place, 'nothing is over the one and under the other');
      return { ...(over === undefined ? {} : { over }), ...(under === undefined ? {} : { under }) };
    },
  };
}

export const zone: Schema<string> = scalar('a time zone such as Europe/Berlin', (value) =>
  /^[A-Za-z][A-Za-z0-9_+/-]{0,60}$/.test(value) && isZone(value) ? value : undefined,
);

const expectsDate = 'a day such as 2026-12-24';
const isDate = (value: string): boolean => {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(value)) return false;
  const at = Date.parse(`${value}T00:00:00Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(value);
};
export const date: Schema<string> = scalar(expectsDate, (value) => (isDate(value) ? value : undefined));
export const closedDay: Schema<string> = scalar(`${expectsDate}, or 12-25 for each year`, (value) =>
  isDate(value) || isDate(`2024-${value}`) ? value : undefined,
);

const timeOfDay: Schema<number> = scalar('a time of day such as 08:30 (up to 24:00)', (value) => {
  const parts = /^(\d{1,2}):(\d{2})$/.exec(value);
  const minutes = Number(parts?.[1]) * 60 + Number(parts?.[2]);
  return parts && Number(parts[2]) < 60 && minutes <= 1440 ? minutes : undefined;
});

const days: Schema<readonly number[]> = scalar('days such as mon, mon-fri or daily', (value) => {
  if (value === 'daily') return [1, 2, 3, 4, 5, 6, 7];
  const ends = value.split('-').map((word) => dayNames.indexOf(word as (typeof dayNames)[number]) + 1);
  const [from = 0, to = from] = ends;
  if (ends.length > 2 || ends.includes(0)) return undefined;
  // From saturday to monday goes over the end of the week.
  return Array.from({ length: ((to - from + 7) % 7) + 1 }, (_, index) => ((from - 1 + index) % 7) + 1);
});

const windowShape = fields('an opening', {
  days: required(oneOrMore(days), {
    about: 'Days of the week: `mon`, `mon-fri`, a list of such, or `daily`.',
    example: 'mon-fri',
  }),
  from: optional(timeOfDay, {
    about: 'When it opens, by the clock of the zone.',
    example: "'09:00'",
    byDefault: '00:00',
  }),
  to: optional(timeOfDay, {
    about: 'When it closes; not after `from`: on the next day.',
    example: "'17:00'",
    byDefault: '24:00',
  }),
});
export const opening: Schema<Window> = {
  ...windowShape,
  read(node, report) {
    const values = windowShape.read(node, report);
    if (values?.days === undefined) return undefined;
    const { from = 0, to = 1440 } = values;
    return { days: [...new Set(values.days.flat())].sort(), from, to };
  },
};

export type TargetEntry<W extends string, S extends Record<string, Schema<unknown>>> =
  | { readonly word: W }
  | { [K in keyof S]: { readonly [P in K]: ValueOf<S[K]> } }[keyof S];

/** A word, or a map with exactly one of some keys: `next` or `{ room: duty@rooms.example.org }`. */
export function target<const W extends string, S extends Record<string, Schema<unknown>>>(
  what: string,
  words: readonly W[],
  shape: S,
): Schema<TargetEntry<W, S>> {
  const keys = Object.keys(shape);
  const expects = `${[...words, ...keys.map((key) => `{ ${key}: … }`)].join(' or ')}`;
  const inner: Schema<Fields<Record<string, Field>>> = fields(
    what,
    Object.fromEntries(keys.map((key) => [key, optional(shape[key] as Schema<unknown>)])),
  );
  return {
    expects,
    json: (defs) => ({
      anyOf: [{ enum: words }, { ...jsonOf(inner, defs), minProperties: 1, maxProperties: 1 }],
    }),
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
export function textTest(): Schema<TextTest> {
  const expects = 'a text, or { exact | prefix | contains | glob | regex: … }';
  const pattern = text('a text', maxPatternLength);
  const kinds = ['exact', 'prefix', 'contains', 'glob'] as const;
  const regex = scalar('a regular expression', (source) =>
    source.length > maxPatternLength ? { wrong: `is longer than ${maxPatternLength} characters` } : regexTest(source),
  );
  const shape = fields('a test', {
    exact: optional(pattern, { about: 'The text is this; case does not count.', example: 'YES' }),
    prefix: optional(pattern, { about: 'The text begins with this; case does not count.', example: 'URGENT' }),
    contains: optional(pattern, { about: 'The text contains this; case does not count.', example: 'invoice' }),
    glob: optional(pattern, {
      about: 'The text is this, where `*` is any run of characters and `?` is one; case does not count.',
      example: "'*@news.example'",
    }),
    regex: optional(regex, {
      about:
        'The text contains a match of this regular expression (RE2 syntax: no look-around, no back-references); case counts, unless it says `(?i)`.',
      example: "'(?i)\\b(outage|down)\\b'",
    }),
  });
  const json = (defs: Record<string, JsonSchema>): JsonSchema => {
    defs.test ??= {
      anyOf: [
        { type: ['string', 'number', 'boolean'] },
        { ...jsonOf(shape, defs), minProperties: 1, maxProperties: 1 },
      ],
    };
    return { $ref: '#/$defs/test' };
  };
  return {
    expects,
    json,
    ...(shape.shape ? { shape: shape.shape } : {}),
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
