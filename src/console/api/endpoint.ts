// One route of the API as data: what it takes, what it answers, what it does. The router and the OpenAPI document are
// both made of it, so neither can say what the other does not.
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import { isQueueId } from '../../mail/queue-id.ts';
import type { Operations } from '../../operations.ts';
import { onBehalf } from '../asked.ts';
import { type Json, object, refuse, type Schema, type ValueOf } from './schema.ts';

export interface Described {
  readonly method: 'get' | 'post';
  /** As Hono writes it: `/faults/:number`. */
  readonly path: string;
  /** What a token must be good for; `socket`: only whoever holds the control socket. */
  readonly scope: 'read' | 'act' | 'presence' | 'route' | 'socket';
  readonly summary: string;
  readonly parameters?: Readonly<Record<string, Pick<Schema<unknown>, 'json'>>>;
  readonly query?: { readonly json: Json };
  readonly body?: { readonly json: Json };
  readonly answer: Json;
  /** The answer is a stream of server-sent events, each with such data. */
  readonly stream?: true;
}

export interface Endpoint extends Described {
  /** Files go up: the body may be some megabytes. */
  readonly large?: true;
  readonly answerTo: (operations: Operations, c: Context) => Promise<unknown>;
  readonly notFound?: true;
}

type ObjectSchema = Schema<unknown> & { readonly json: Json };

export function endpoint<Query extends ObjectSchema, Body extends ObjectSchema>(
  described: Omit<Described, 'query' | 'body' | 'parameters'> & {
    readonly parameters?: Readonly<Record<string, Schema<unknown>>>;
    readonly query?: Query;
    readonly body?: Body;
    readonly large?: true;
    /** Null is answered with 404. */
    readonly notFound?: true;
    readonly run: (asked: {
      readonly operations: Operations;
      readonly parameters: Readonly<Record<string, unknown>>;
      readonly query: ValueOf<Query>;
      readonly body: ValueOf<Body>;
    }) => Promise<unknown>;
  },
): Endpoint {
  const { run, ...rest } = described;
  return {
    ...rest,
    async answerTo(operations, c) {
      const parameters = Object.fromEntries(
        Object.entries(rest.parameters ?? {}).map(([name, schema]) => [
          name,
          schema.read(c.req.param(name), `"${name}"`),
        ]),
      );
      const query = (rest.query ?? object({})).read(c.req.query(), 'the query') as ValueOf<Query>;
      const given: unknown = rest.body ? await c.req.json().catch(() => refuse('the body is not JSON')) : undefined;
      const body = inTheNameOf(c, rest.body?.read(given, 'the body')) as ValueOf<Body>;
      return run({ operations, parameters, query, body });
    },
  };
}

function inTheNameOf(c: Context, body: unknown): unknown {
  const named = body !== null && typeof body === 'object' && 'by' in body && typeof body.by === 'string';
  return named ? { ...body, by: onBehalf(c, body.by as string) } : body;
}

/** A queue id, or the short id of a tracked message. */
export const idParameter: Schema<string> = {
  json: {
    type: 'string',
    pattern: '^[0-9A-Za-z]{4,13}$',
    description: 'a queue id, or the short id of a tracked mail',
  },
  read(value, at) {
    const id = String(value);
    if (isQueueId(id.toUpperCase()) || /^[0-9a-z]{4,8}$/i.test(id)) return id;
    return refuse(
      `${at} is a queue id or short id such as 01JC5Z0K3F7QX or k7mf, not ${JSON.stringify(id.slice(0, 40))}`,
    );
  },
};

export const limits = { usual: 16 * 1024, large: 8 * 1024 * 1024 };

/** Those of the endpoints, below the path where this is mounted. */
export function routerOf(endpoints: readonly Endpoint[], operations: Operations): Hono {
  const api = new Hono();
  const tooLarge = (most: number) => (): never => {
    throw new HTTPException(413, { message: `a body is at most ${most} octets here` });
  };
  for (const each of endpoints) {
    const most = each.large ? limits.large : limits.usual;
    api.on(each.method.toUpperCase(), each.path, bodyLimit({ maxSize: most, onError: tooLarge(most) }), async (c) => {
      const answer = await each.answerTo(operations, c);
      if (answer === null && each.notFound) throw new HTTPException(404, { message: 'there is no such thing' });
      return c.json(answer as object);
    });
  }
  return api;
}
