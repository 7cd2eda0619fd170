// What a question to the API says: ids, states, bounds, and who asks. What is wrong is answered with 400, quoted, and
// with what would be right.
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { isQueueId } from '../mail/queue-id.ts';
import type { DeliveryState } from '../store/store.ts';
import type { TrackState } from '../tracking/tracked.ts';

export const deliveryStates: readonly DeliveryState[] = ['queued', 'held', 'delivered', 'failed', 'dropped', 'dead'];
export const trackStates: readonly TrackState[] = [
  'waiting',
  'held',
  'tracked',
  'acknowledged',
  'answered',
  'expired',
  'withdrawn',
];

const limits = { usual: 100, most: 10_000 };

export function refuse(status: ContentfulStatusCode, message: string): never {
  throw new HTTPException(status, { message });
}

/** A queue id, or the short id of a tracked message. */
export function idOf(c: Context): string {
  const id = c.req.param('id') ?? '';
  if (!isQueueId(id.toUpperCase()) && !/^[0-9a-z]{4,8}$/i.test(id)) {
    refuse(400, `not a queue id or short id: ${JSON.stringify(id.slice(0, 40))}; one looks like 01JC5Z0K3F7QX or k7mf`);
  }
  return id;
}

export function statesOf<State extends string>(c: Context, known: readonly State[]): readonly State[] | undefined {
  const text = c.req.query('state');
  if (text === undefined || text === '') return undefined;
  return text.split(',').map((word) => {
    const state = known.find((one) => one === word);
    return state ?? refuse(400, `no such state: ${JSON.stringify(word.slice(0, 40))}; known are ${known.join(', ')}`);
  });
}

export function limitOf(c: Context): number {
  const text = c.req.query('limit');
  if (text === undefined) return limits.usual;
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > limits.most) {
    refuse(400, `limit is a number from 1 to ${limits.most}, not ${JSON.stringify(text.slice(0, 40))}`);
  }
  return limit;
}

/** Milliseconds since 1970, both ends. */
export function spanOf(c: Context): { readonly since: number; readonly until: number; readonly limit: number } {
  const bound = (name: string): number => {
    const text = c.req.query(name) ?? '';
    if (!/^\d{1,15}$/.test(text)) refuse(400, `"${name}" is a number of milliseconds since 1970`);
    return Number(text);
  };
  return { since: bound('since'), until: bound('until'), limit: limitOf(c) };
}

/** Who asks, for the record: who can reach the socket is believed; with a token it is the token's word for somebody. */
export async function doneBy(c: Context): Promise<string> {
  const body: unknown = await c.req
    .json()
    .catch(() => refuse(400, 'the body is not JSON; {"by":"who does it"} is wanted'));
  const by = body !== null && typeof body === 'object' && 'by' in body ? body.by : undefined;
  if (typeof by !== 'string' || by === '' || by.length > 100 || /\p{Cc}/u.test(by)) {
    refuse(400, '"by" must say who does this, in 1 to 100 characters');
  }
  return onBehalf(c, by as string);
}

export function onBehalf(c: Context, by: string): string {
  const token: unknown = c.get('token');
  return typeof token === 'string' ? `token:${token} (${by})` : by;
}
