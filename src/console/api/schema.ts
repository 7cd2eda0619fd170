// What the API takes, said once: each schema reads a value, with a message for people when it does not fit, and tells
// itself as JSON Schema for the OpenAPI document. What is not named is refused, so that a slip of the pen is found.
import { HTTPException } from 'hono/http-exception';

export type Json = Readonly<Record<string, unknown>>;

export interface Schema<Value> {
  readonly json: Json;
  /** @param at where it stands, for the message: `"until"`. @throws HTTPException 400 */
  read(value: unknown, at: string): Value;
}
export type ValueOf<S> = S extends Schema<infer Value> ? Value : never;

export function refuse(message: string): never {
  throw new HTTPException(400, { message });
}

const shown = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 60);

/** One line, unless `lines` says that it may have more. */
export function text({
  longest,
  lines = false,
}: {
  readonly longest: number;
  readonly lines?: boolean;
}): Schema<string> {
  return {
    json: { type: 'string', minLength: lines ? 0 : 1, maxLength: longest },
    read(value, at) {
      const fits =
        typeof value === 'string' && value.length <= longest && (lines || (value !== '' && !/\p{Cc}/u.test(value)));
      return fits ? value : refuse(`${at} is a text of at most ${longest} characters${lines ? '' : ' on one line'}`);
    },
  };
}

/** In a query it comes as digits. */
export function whole({ least, most }: { readonly least: number; readonly most: number }): Schema<number> {
  return {
    json: { type: 'integer', minimum: least, maximum: most },
    read(value, at) {
      const number = typeof value === 'string' && /^-?\d{1,16}$/.test(value) ? Number(value) : value;
      if (typeof number === 'number' && Number.isInteger(number) && number >= least && number <= most) return number;
      return refuse(`${at} is a whole number from ${least} to ${most}, not ${shown(value)}`);
    },
  };
}

/** Milliseconds since 1970, within the years that a date can show. */
export const instant: Schema<number> = {
  json: { type: 'integer', minimum: 0, maximum: 253_402_300_799_999, description: 'milliseconds since 1970' },
  read: (value, at) => whole({ least: 0, most: 253_402_300_799_999 }).read(value, `${at}, milliseconds since 1970,`),
};

export function oneOf<const Word extends string>(words: readonly Word[]): Schema<Word> {
  return {
    json: { type: 'string', enum: [...words] },
    read(value, at) {
      return words.find((word) => word === value) ?? refuse(`${at} is one of ${words.join(', ')}, not ${shown(value)}`);
    },
  };
}

export function listOf<Item>(item: Schema<Item>, most: number): Schema<readonly Item[]> {
  return {
    json: { type: 'array', items: item.json, maxItems: most },
    read(value, at) {
      if (!Array.isArray(value) || value.length > most) return refuse(`${at} is a list of at most ${most}`);
      return value.map((each, index) => item.read(each, `${at}[${index}]`));
    },
  };
}

export function orNull<Value>(inner: Schema<Value>): Schema<Value | null> {
  return {
    json: { anyOf: [inner.json, { type: 'null' }] },
    read: (value, at) => (value === null ? null : inner.read(value, at)),
  };
}

export function mapOf<Value>(inner: Schema<Value>, most: number): Schema<Readonly<Record<string, Value>>> {
  return {
    json: { type: 'object', additionalProperties: inner.json, maxProperties: most },
    read(value, at) {
      const entries = isObject(value) ? Object.entries(value) : refuse(`${at} is an object`);
      if (entries.length > most) refuse(`${at} has at most ${most} entries`);
      return Object.fromEntries(entries.map(([key, each]) => [key, inner.read(each, `${at}.${key.slice(0, 60)}`)]));
    },
  };
}

type Shape = Readonly<Record<string, Schema<unknown>>>;
type Read<Needed extends Shape, Maybe extends Shape> = { readonly [Key in keyof Needed]: ValueOf<Needed[Key]> } & {
  readonly [Key in keyof Maybe]?: ValueOf<Maybe[Key]>;
};

export function object<Needed extends Shape, Maybe extends Shape = Record<never, never>>(
  needed: Needed,
  maybe?: Maybe,
): Schema<Read<Needed, Maybe>> & { readonly shape: Shape; readonly required: readonly string[] } {
  const shape: Shape = { ...needed, ...maybe };
  const required = Object.keys(needed);
  return {
    shape,
    required,
    json: {
      type: 'object',
      properties: Object.fromEntries(Object.entries(shape).map(([key, each]) => [key, each.json])),
      ...(required.length > 0 ? { required } : {}),
      additionalProperties: false,
    },
    read(value, at) {
      if (!isObject(value)) return refuse(`${at} is an object`);
      const strange = Object.keys(value).find((key) => !Object.hasOwn(shape, key));
      if (strange !== undefined)
        refuse(
          `${at} has no ${JSON.stringify(strange.slice(0, 40))}; it may have ${Object.keys(shape).join(', ') || 'nothing'}`,
        );
      const lacks = required.find((key) => value[key] === undefined);
      if (lacks !== undefined) refuse(`${at} lacks "${lacks}"`);
      const read = Object.entries(shape).flatMap(([key, each]) =>
        value[key] === undefined ? [] : [[key, each.read(value[key], `"${key}"`)] as const],
      );
      return Object.fromEntries(read) as Read<Needed, Maybe>;
    },
  };
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
