// The routes under /api/v1: one set of verbs for people and programs, over the Operations port. Every error has one
// shape, {"error":{"message"}}; what went wrong inside us is logged and not told.
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { isQueueId, type QueueId } from '../mail/queue-id.ts';
import { type Operations, RefusedError } from '../operations.ts';
import type { Problem } from '../routing/rules.ts';
import type { DeliveryState, QueueFilter } from '../store/store.ts';
import type { TrackState } from '../tracking/tracked.ts';
import { presenceApi } from './presence-api.ts';
import { routeApi } from './route-api.ts';
import type { Tokens } from './tokens.ts';
import { tokensApi } from './tokens-api.ts';

export interface ApiError {
  readonly error: { readonly message: string; readonly problems?: readonly Problem[] };
}

const deliveryStates: readonly DeliveryState[] = ['queued', 'held', 'delivered', 'failed', 'dropped', 'dead'];
const trackStates: readonly TrackState[] = [
  'waiting',
  'held',
  'tracked',
  'acknowledged',
  'answered',
  'expired',
  'withdrawn',
];
const limits = { usual: 100, most: 10_000 };
const largestBody = 16 * 1024;

/** @param tokens where tokens are made and revoked, for the control socket alone: who has one must not make others */
export function createApi(
  operations: Operations,
  log: Log,
  tokens: { readonly tokens: Tokens; readonly clock: Clock } | null = null,
): Hono {
  const api = new Hono().basePath('/api/v1');
  api.use(
    bodyLimit({ maxSize: largestBody, onError: () => refuse(413, `a body is at most ${largestBody} octets here`) }),
  );

  api.get('/status', async (c) => c.json(await operations.status()));
  api.route('/presence', presenceApi(operations));

  api.route('/route', routeApi(operations));

  api.get('/queue', async (c) => {
    const states = statesOf(c, deliveryStates);
    return c.json(await operations.listQueue({ ...(states ? { states } : {}), ...conditionsOf(c), limit: limitOf(c) }));
  });
  api.get('/queue-counts', async (c) => c.json(await operations.countQueue()));
  api.get('/queue/:id', async (c) => c.json(await storyOf(c)));
  api.post('/queue/:id/retry', async (c) => {
    const by = await doneBy(c);
    const queueId = (await storyOf(c)).message.queueId;
    return c.json({ due: await operations.retry(queueId, by) });
  });

  for (const action of ['hold', 'release', 'drop'] as const) {
    api.post(`/queue/:id/${action}`, async (c) => {
      const by = await doneBy(c);
      return c.json(await operations.intervene((await storyOf(c)).message.queueId, action, by));
    });
  }
  api.post('/queue/:id/requeue', async (c) => {
    const by = await doneBy(c);
    const { to } = (await c.req.json()) as { to?: unknown };
    if (typeof to !== 'string') return refuse(400, '"to" must be the address to send it on to');
    return c.json(await operations.requeue((await storyOf(c)).message.queueId, to, by));
  });

  api.get('/tracked', async (c) => {
    const states = statesOf(c, trackStates);
    const group = c.req.query('group');
    return c.json(
      await operations.listTracked({ ...(states ? { states } : {}), ...(group ? { group } : {}), limit: limitOf(c) }),
    );
  });
  api.get('/tracked/:id', async (c) => {
    const story = await storyOf(c);
    if (story.tracked.length === 0)
      refuse(404, `${story.message.queueId} is not tracked: it was for no group with a policy`);
    return c.json(story);
  });
  api.post('/tracked/:id/ack', async (c) => {
    const by = await doneBy(c);
    const id = idOf(c);
    const outcome = await operations.ack(id, by);
    if (outcome.kind === 'unknown') refuse(404, `no tracked message ${id}`);
    return c.json(outcome);
  });

  api.get('/evidence', async (c) => c.json({ copies: await operations.copiesAddress() }));

  api.get('/explain/:id', async (c) => {
    const id = idOf(c);
    return c.json((await operations.explain(id)) ?? refuse(404, `no message ${id}`));
  });

  api.get('/recorded', async (c) => {
    const after = c.req.query('after');
    if (after !== undefined && !isQueueId(after)) refuse(400, `not a queue id: ${JSON.stringify(after.slice(0, 40))}`);
    return c.json(
      await operations.recorded({ ...spanOf(c), ...(after === undefined ? {} : { after: after as QueueId }) }),
    );
  });
  // Not below /presence: somebody may be called so.
  api.get('/presence-history', async (c) => c.json(await operations.presenceHistory(spanOf(c))));
  api.post('/rotate-mark-key', async (c) => {
    return c.json(await operations.rotateMarkKey(await doneBy(c)));
  });

  if (tokens) api.route('/tokens', tokensApi(tokens.tokens, tokens.clock, log));

  api.post('/reload', async (c) => {
    const { version, problems } = await operations.reload(await doneByOr(c, 'control socket'));
    const errors = problems.filter((problem) => problem.severity === 'error').length;
    if (errors === 0) return c.json({ version, problems });
    const message = `${errors} error${errors === 1 ? '' : 's'} in the rules; version ${version} stays in force`;
    return c.json({ error: { message, problems } } satisfies ApiError, 422);
  });

  api.notFound((c) =>
    c.json({ error: { message: `nothing at ${c.req.method} ${c.req.path}` } } satisfies ApiError, 404),
  );
  api.onError((error, c) => {
    if (error instanceof HTTPException) return answer(c, error.status as ContentfulStatusCode, error.message);
    if (error instanceof RefusedError) return answer(c, 409, error.message);
    log.error({ err: error, path: c.req.path }, 'a control request failed');
    return answer(c, 500, 'internal error; the log says more');
  });
  return api as unknown as Hono;

  async function storyOf(c: Context) {
    const id = idOf(c);
    return (await operations.story(id)) ?? refuse(404, `no message ${id}`);
  }
}

function answer(c: Context, status: ContentfulStatusCode, message: string): Response {
  return c.json({ error: { message } } satisfies ApiError, status);
}

function refuse(status: ContentfulStatusCode, message: string): never {
  throw new HTTPException(status, { message });
}

/** A queue id, or the short id of a tracked message. */
function idOf(c: Context): string {
  const id = c.req.param('id') ?? '';
  if (!isQueueId(id.toUpperCase()) && !/^[0-9a-z]{4,8}$/i.test(id)) {
    refuse(400, `not a queue id or short id: ${JSON.stringify(id.slice(0, 40))}; one looks like 01JC5Z0K3F7QX or k7mf`);
  }
  return id;
}

function statesOf<State extends string>(c: Context, known: readonly State[]): readonly State[] | undefined {
  const text = c.req.query('state');
  if (text === undefined || text === '') return undefined;
  return text.split(',').map((word) => {
    const state = known.find((one) => one === word);
    return state ?? refuse(400, `no such state: ${JSON.stringify(word.slice(0, 40))}; known are ${known.join(', ')}`);
  });
}

/** What narrows the list; each at most as long as an address. */
function conditionsOf(c: Context): Omit<QueueFilter, 'states' | 'limit'> {
  const word = (name: string): string | undefined => {
    const text = c.req.query(name);
    if (text === undefined || text === '') return undefined;
    return text.length > 320 ? refuse(400, `${name} is too long`) : text;
  };
  const before = word('before');
  if (before !== undefined && !/^\d{1,15}$/.test(before)) {
    refuse(400, `before is a moment in milliseconds, not ${JSON.stringify(before.slice(0, 40))}`);
  }
  const all = { to: word('to'), from: word('from'), hop: word('hop'), group: word('group') };
  return {
    ...(Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Pick<QueueFilter, 'to'>),
    ...(before === undefined ? {} : { acceptedBefore: Number(before) }),
    ...(word('hold') === 'true' ? { onHold: true } : {}),
  };
}

function limitOf(c: Context): number {
  const text = c.req.query('limit');
  if (text === undefined) return limits.usual;
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > limits.most) {
    refuse(400, `limit is a number from 1 to ${limits.most}, not ${JSON.stringify(text.slice(0, 40))}`);
  }
  return limit;
}

/** Milliseconds since 1970, both ends. */
function spanOf(c: Context): { readonly since: number; readonly until: number; readonly limit: number } {
  const bound = (name: string): number => {
    const text = c.req.query(name) ?? '';
    if (!/^\d{1,15}$/.test(text)) refuse(400, `"${name}" is a number of milliseconds since 1970`);
    return Number(text);
  };
  return { since: bound('since'), until: bound('until'), limit: limitOf(c) };
}

/** Without a body that says so: whoever holds the socket. */
async function doneByOr(c: Context, nobody: string): Promise<string> {
  const body: unknown = await c.req.json().catch(() => null);
  return body !== null && typeof body === 'object' && 'by' in body ? doneBy(c) : nobody;
}

/** Who asks, for the record: they can reach the socket, so they are believed. */
export async function doneBy(c: Context): Promise<string> {
  const body: unknown = await c.req
    .json()
    .catch(() => refuse(400, 'the body is not JSON; {"by":"who does it"} is wanted'));
  const by = body !== null && typeof body === 'object' && 'by' in body ? body.by : undefined;
  if (typeof by !== 'string' || by === '' || by.length > 100 || /\p{Cc}/u.test(by)) {
    refuse(400, '"by" must say who does this, in 1 to 100 characters');
  }
  return by as string;
}
