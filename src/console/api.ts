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
import type { QueueFilter } from '../store/store.ts';
import { deskEndpoints } from './api/desk-endpoints.ts';
import { routerOf } from './api/endpoint.ts';
import { openApi } from './api/openapi.ts';
import { deliveryStates, doneBy, idOf, limitOf, refuse, spanOf, statesOf } from './asked.ts';
import { presenceApi } from './presence-api.ts';
import { routeApi } from './route-api.ts';
import type { Tokens } from './tokens.ts';
import { tokensApi } from './tokens-api.ts';
import { lookBackApi, trackedApi } from './tracked-api.ts';

export interface ApiError {
  readonly error: { readonly message: string; readonly problems?: readonly Problem[] };
}

const largestBody = 16 * 1024;

export interface ApiOptions {
  /** Where tokens are made and revoked, for the control socket alone: who has one must not make others. */
  readonly tokens?: Tokens;
  readonly clock?: Clock;
  /** For those who come over TCP: they follow only as long as their token counts, and only so many. */
  readonly followers?: Clock;
}

export function createApi(operations: Operations, log: Log, { tokens, clock, followers }: ApiOptions = {}): Hono {
  const api = new Hono().basePath('/api/v1');
  // Before the limit: some of these take files, and each has a limit of its own.
  api.route('/', routerOf(deskEndpoints, operations));
  api.use(
    bodyLimit({ maxSize: largestBody, onError: () => refuse(413, `a body is at most ${largestBody} octets here`) }),
  );

  api.get('/openapi.json', async (c) => c.json(openApi((await operations.status()).version)));
  api.get('/status', async (c) => c.json(await operations.status()));
  api.route('/presence', presenceApi(operations, followers));

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

  api.route('/tracked', trackedApi(operations));
  api.route('/look-back', lookBackApi(operations));

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

  if (tokens && clock) api.route('/tokens', tokensApi(tokens, clock, log));

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

/** Without a body that says so: whoever holds the socket. */
async function doneByOr(c: Context, nobody: string): Promise<string> {
  const body: unknown = await c.req.json().catch(() => null);
  return body !== null && typeof body === 'object' && 'by' in body ? doneBy(c) : nobody;
}
