// The loopback port for machines: alive, ready, metrics for those that watch, and with a token the question where a mail
// would go, and who is there.
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { type Operations, RefusedError, type Status } from '../operations.ts';
import { needsScope, onlyHosts, sameOriginOnly } from './guard.ts';
import type { Metrics } from './metrics.ts';
import { type PresenceReading, presenceReader } from './presence-api.ts';
import { routeApi } from './route-api.ts';
import type { Tokens } from './tokens.ts';

/** Octets of a question; a hundred recipients and a few headers are far less. */
const largestBody = 16 * 1024;

export interface HealthOptions {
  readonly operations: Pick<Operations, 'status' | 'route'> & PresenceReading;
  readonly metrics: Metrics;
  readonly tokens: Pick<Tokens, 'verify'>;
  /** Names in the Host header that are ours, besides those of the loopback. */
  readonly hosts: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}

export function createHealth({ operations, metrics, tokens, hosts, clock, log }: HealthOptions): Hono {
  const app = new Hono();
  app.use(onlyHosts(hosts));
  app.get('/healthz', (c) => c.text('alive\n'));
  app.get('/readyz', async (c) => {
    const { ready, problems, ...rest } = readiness(await operations.status());
    return c.json({ ready, ...rest, problems }, ready ? 200 : 503);
  });
  app.get('/metrics', async (c) => {
    const { text, type } = await metrics.render(await operations.status(), clock.now());
    return c.body(text, 200, { 'content-type': type });
  });
  app.use('/api/v1/*', sameOriginOnly);
  app.use('/api/v1/route', needsScope('route', tokens, clock));
  app.use('/api/v1/route', bodyLimit({ maxSize: largestBody, onError: () => tooLarge() }));
  app.route('/api/v1/route', routeApi(operations));
  app.use('/api/v1/presence/*', needsScope('presence', tokens, clock));
  app.route('/api/v1/presence', presenceReader(operations, clock));
  app.notFound((c) =>
    c.json(
      { error: { message: 'only GET /healthz, /readyz, /metrics, /api/v1/presence and POST /api/v1/route are here' } },
      404,
    ),
  );
  app.onError((error, c) => {
    if (error instanceof RefusedError) return c.json({ error: { message: error.message } }, 409);
    if (error instanceof HTTPException) return c.json({ error: { message: error.message } }, error.status);
    log.error({ err: error, path: c.req.path }, 'a health request failed');
    return c.json({ error: { message: 'internal error; the log says more' } }, 500);
  });
  return app;
}

/** `degraded`: mail is taken and flows, by the last good rules and fallbacks, but somebody should look. */
function readiness(status: Status): {
  ready: boolean;
  state: 'ready' | 'degraded' | 'not ready';
  problems: readonly string[];
} {
  const state = !status.ready ? 'not ready' : status.problems.length > 0 ? 'degraded' : 'ready';
  return { ready: status.ready, state, problems: status.problems };
}

function tooLarge(): never {
  throw new HTTPException(413, { message: `a body is at most ${largestBody} octets here` });
}
