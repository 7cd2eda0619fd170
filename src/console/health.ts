// The loopback port for machines: alive, ready, metrics for those that watch, and with a token the API.
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { type Operations, RefusedError, type Status } from '../operations.ts';
import { onlyHosts } from './guard.ts';
import type { Metrics } from './metrics.ts';
import { createApiOverTcp } from './over-tcp.ts';
import type { Tokens } from './tokens.ts';

export interface HealthOptions {
  readonly operations: Operations;
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
  app.route('/', createApiOverTcp({ operations, tokens, clock, log }));
  app.notFound((c) =>
    c.json(
      { error: { message: 'only GET /healthz, /readyz, /metrics and what GET /api/v1/openapi.json tells are here' } },
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
