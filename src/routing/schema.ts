// What a file may say, as data that reads: each schema turns a node of the tree into a value, or reports what is wrong
// and answers undefined. A map goes on after a mistake, so that one reading finds them all; whoever builds on the
// values must cope with undefined and throw the result away when the report has errors.
import { type Duration, formatDuration, parseDuration } from '../clock.ts';
import { type Mailbox, parseMailbox } from '../mail/path.ts';
import { type BareJid, parseJid } from '../presence/jid.ts';
import { didYouMean, quote, type Report } from './problem.ts';
import type { Place } from './rules.ts';
import type { Node } from './yaml.ts';

export interface Schema<T> {
  /** For messages: `a duration such as 90s, 10m or 1h30m`. */
  readonly expects: string;
  read(node: Node, report: Report): T | undefined;
  /** The same for editors. @param defs collects what is referred to by name */
  readonly json?: (defs: Record<string, JsonSchema>) => JsonSchema;
  /** The keys of a map, for the reference page. */
  readonly shape?: Readonly<Record<string, Field>>;
}

/** JSON Schema 2020-12. */
export type JsonSchema = { readonly [key: string]: unknown };

export const jsonOf = (schema: Schema<unknown>, defs: Record<string, JsonSchema>): JsonSchema =>
  schema.json?.(defs) ?? {};

/** YAML that an editor reads knows numbers and booleans; for us all of it is text. */
const jsonText: JsonSchema = { type: ['string', 'number', 'boolean'] };

type ValueOf<S> = S extends Schema<infer T> ? T : never;

/** For the reference page and for editors: what a key means. */
export interface Doc {
  readonly about: string;
  /** As it stands in YAML, after the key. */
  readonly example: string;
  /** In words; absent: nothing is done. */
  readonly byDefault?: string;
}

export const doc = (about: string, example: string, byDefault?: string): Doc => ({
  about,
  example,
  ...(byDefault === undefined ? {} : { byDefault }),
});

export interface Field<S extends Schema<unknown> = Schema<unknown>> {
  readonly schema: S;
  readonly required: boolean;
  readonly doc?: Doc;
}

export const required = <S extends Schema<unknown>>(schema: S, doc?: Doc): Field<S> => ({
  schema,
  required: true,
  ...(doc ? { doc } : {}),
});
export const optional = <S extends Schema<unknown>>(schema: S, doc?: Doc): Field<S> => ({
  schema,
  required: false,
  ...(doc ? { doc } : {}),
});

/** A value with its place, for checks that come after reading. */
export interface Located<T> {
  readonly value: T;
  readonly place: Place;
}

/** Undefined where a field is absent or was reported. */
export type Fields<F extends Record<string, Field>> = {
  readonly [K in keyof F]: ValueOf<F[K]['schema']> | undefined;
} & {
  readonly place: Place;
  /** The keys that were written, also those whose value was reported. */
  readonly given: readonly string[];
};

/** How a node is named in a message. */
export function describe(node: Node): string {
  if (node.kind !== 'text') return `a ${node.kind}`;
  return node.given ? quote(node.text) : 'nothing';
}

function mismatch(node: Node, expects: string, report: Report): undefined {
  report.error(node.place, `${describe(node)} is not ${expects}`);
  return undefined;
}

/** Instead of a value: why the text is refused, in words that go on after what was read. */
export interface Wrong {
  readonly wrong: string;
}

/** One text that `parse` understands; undefined says that it is not what `expects` says. */
export function scalar<P>(expects: string, parse: (text: string) => P): Schema<Exclude<P, Wrong | undefined>> {
  return {
    expects,
    json: () => ({ ...jsonText, description: expects }),
    read(node, report) {
      if (node.kind !== 'text' || !node.given) return mismatch(node, expects, report);
      const value = parse(node.text);
      if (value === undefined) return mismatch(node, expects, report);
      if (typeof value === 'object' && value !== null && 'wrong' in value) {
        report.error(node.place, `${describe(node)} ${value.wrong}`);
        return undefined;
      }
      return value as Exclude<P, Wrong | undefined>;
    },
  };
}

export const text = (expects: string, max = 1000): Schema<string> =>
  scalar(expects, (value) => {
    if (value === '') return undefined;
    return value.length > max ? { wrong: `is longer than ${max} characters` } : value;
  });

export function oneOf<const T extends string>(words: readonly T[]): Schema<T> {
  const expects = words.length === 1 ? `${words[0]}` : `one of ${words.join(', ')}`;
  return {
    expects,
    json: () => ({ enum: words }),
    read(node, report) {
      const word = node.kind === 'text' ? words.find((candidate) => candidate === node.text) : undefined;
      if (word !== undefined) return word;
      const hint = node.kind === 'text' && node.given ? didYouMean(node.text, words) : '';
      report.error(node.place, `${describe(node)} is not ${expects}${hint.includes('did you') ? hint : ''}`);
      return undefined;
    },
  };
}

export const bool: Schema<boolean> = {
  ...scalar('true or false', (value) => (value === 'true' ? true : value === 'false' ? false : undefined)),
  json: () => ({ type: 'boolean' }),
};

export const integer = (min: number, max: number): Schema<number> =>
  scalar(`a whole number from ${min} to ${max}`, (value) => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    return number >= min && number <= max ? number : undefined;
  });

export const duration = (min: Duration, max: Duration): Schema<Duration> =>
  scalar('a duration such as 90s, 10m, 1h30m or 5d', (value) => {
    const read = parseDuration(value);
    if (read === undefined) return undefined;
    if (read < min) return { wrong: `is shorter than ${formatDuration(min)}` };
    return read > max ? { wrong: `is longer than ${formatDuration(max)}` } : read;
  });

export const mailbox: Schema<Mailbox> = scalar('a mail address such as alice@example.org', parseMailbox);

export const bareJid: Schema<BareJid> = scalar('a JID such as alice@chat.example.org', (value) => {
  const jid = parseJid(value);
  if (jid?.resource !== undefined) return { wrong: `has a resource; write it without: ${jid.bare}` };
  return jid?.bare;
});

/** Names of people, groups, policies and steps: they stand in commands, logs and addresses of pages. */
export const namePattern = /^[a-z0-9][a-z0-9_.-]{0,63}$/;
const nameRule = 'is not a name: lower-case letters, digits, "-", "_" and "." only, at most 64';
export const name: Schema<string> = scalar('a name', (value) =>
  namePattern.test(value) ? value : { wrong: nameRule },
);

export const located = <T>(schema: Schema<T>): Schema<Located<T>> => ({
  expects: schema.expects,
  json: (defs) => jsonOf(schema, defs),
  ...(schema.shape ? { shape: schema.shape } : {}),
  read(node, report) {
    const value = schema.read(node, report);
    return value === undefined ? undefined : { value, place: node.place };
  },
});

/** A list that must not be empty, for those who say it in their own words: items that were reported count too. */
export interface Counted<T> extends Located<readonly T[]> {
  readonly count: number;
}

export const counted = <T>(schema: Schema<readonly T[]>): Schema<Counted<T>> => ({
  expects: schema.expects,
  json: (defs) => jsonOf(schema, defs),
  read(node, report) {
    const value = schema.read(node, report);
    return value === undefined
      ? undefined
      : { value, place: node.place, count: node.kind === 'list' ? node.items.length : 0 };
  },
});

/** The word `none`, read as null, or what `schema` reads. */
export const orNone = <T>(schema: Schema<T>): Schema<T | null> => ({
  expects: `${schema.expects}, or none`,
  json: (defs) => ({ anyOf: [{ const: 'none' }, jsonOf(schema, defs)] }),
  read: (node, report) => (node.kind === 'text' && node.text === 'none' ? null : schema.read(node, report)),
});

/** A list; items that were reported are left out. */
export const list = <T>(item: Schema<T>, expects = `a list, each ${item.expects}`): Schema<readonly T[]> => ({
  expects,
  json: (defs) => ({ type: ['array', 'null'], items: jsonOf(item, defs) }),
  read(node, report) {
    // `routes:` with nothing below it is a list that is still empty.
    if (node.kind === 'text' && !node.given) return [];
    if (node.kind !== 'list') return mismatch(node, expects, report);
    return node.items.map((each) => item.read(each, report)).filter((value) => value !== undefined);
  },
});

/** One value, or a list of at least one. */
export const oneOrMore = <T>(item: Schema<T>): Schema<readonly T[]> => ({
  expects: `${item.expects}, or a list of such`,
  json(defs) {
    const one = jsonOf(item, defs);
    return { anyOf: [one, { type: 'array', items: one, minItems: 1 }] };
  },
  read(node, report) {
    if (node.kind !== 'list') {
      const value = item.read(node, report);
      return value === undefined ? undefined : [value];
    }
    if (node.items.length === 0) return mismatch(node, `${item.expects}: the list is empty`, report);
    const values = node.items.map((each) => item.read(each, report)).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : values;
  },
});

/** A map with a fixed set of keys. `expects` names it: `a group`. */
export function fields<F extends Record<string, Field>>(
  expects: string,
  shape: F,
  /** For keys that are not there but that people try: what to say instead. */
  advice: Readonly<Record<string, string>> = {},
): Schema<Fields<F>> {
  return {
    expects,
    shape,
    json: (defs) => ({
      type: 'object',
      additionalProperties: false,
      required: Object.keys(shape).filter((key) => shape[key]?.required),
      properties: Object.fromEntries(Object.entries(shape).map(([key, field]) => [key, jsonOfField(field, defs)])),
    }),
    read(node, report) {
      if (node.kind !== 'map') {
        const keys = Object.keys(shape).join(', ');
        return mismatch(node, `${expects}: a map with the keys ${keys}`, report);
      }
      const values: Record<string, unknown> = {};
      for (const { key, keyPlace, value } of node.entries) {
        const field = Object.hasOwn(shape, key) ? shape[key] : undefined;
        if (field) values[key] = field.schema.read(value, report);
        else if (Object.hasOwn(advice, key)) report.error(keyPlace, `${advice[key]}`);
        else report.error(keyPlace, `unknown key ${quote(key)} in ${expects}${didYouMean(key, Object.keys(shape))}`);
      }
      for (const [key, field] of Object.entries(shape)) {
        if (field.required && !node.entries.some((entry) => entry.key === key))
          report.error(node.place, `${expects} needs the key ${quote(key)}: ${field.schema.expects}`);
      }
      return { ...values, place: node.place, given: node.entries.map((entry) => entry.key) } as unknown as Fields<F>;
    },
  };
}

function jsonOfField({ schema, doc }: Field, defs: Record<string, JsonSchema>): JsonSchema {
  return doc ? { ...jsonOf(schema, defs), description: doc.about, examples: [doc.example] } : jsonOf(schema, defs);
}

/** Something that may hold itself, known to editors by a name. */
export function recursive<T>(name: string, expects: string, schema: () => Schema<T>): Schema<T> {
  return {
    expects,
    read: (node, report) => schema().read(node, report),
    json(defs) {
      if (!Object.hasOwn(defs, name)) {
        defs[name] = {};
        defs[name] = jsonOf(schema(), defs);
      }
      return { $ref: `#/$defs/${name}` };
    },
  };
}

export interface Named<T> {
  readonly name: string;
  readonly place: Place;
  /** Undefined when it was reported. */
  readonly value: T | undefined;
}

/** A map whose keys are names that the admin gives. */
export const record = <T>(
  expects: string,
  item: Schema<T>,
  isName: (key: string) => string | undefined = badName,
): Schema<readonly Named<T>[]> => ({
  expects,
  json: (defs) => ({ type: ['object', 'null'], additionalProperties: jsonOf(item, defs) }),
  read(node, report) {
    if (node.kind !== 'map') {
      // `groups:` with nothing below it is a section that is still empty.
      if (node.kind === 'text' && !node.given) return [];
      return mismatch(node, expects, report);
    }
    return node.entries.map(({ key, keyPlace, value }) => {
      const wrong = isName(key);
      if (wrong !== undefined) report.error(keyPlace, `${quote(key)} ${wrong}`);
      return { name: key, place: keyPlace, value: item.read(value, report) };
    });
  },
});

function badName(key: string): string | undefined {
  return namePattern.test(key) ? undefined : nameRule;
}
