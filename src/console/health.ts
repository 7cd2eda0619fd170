// The loopback port for machines that watch: alive, ready, metrics, and nothing else.
import { Hono } from 'hono';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Operations, Status } from '../operations.ts';
import type { Metrics } from './metrics.ts';

export function createHealth(operations: Pick<Operations, 'status'>, metrics: Metrics, clock: Clock, log: Log): Hono {
  const app = new Hono();
  // A web page may point a name of its own at 127.0.0.1 and read us through a visitor's browser (DNS rebinding); it
  // cannot choose the Host header. RFC 9110 §15.5.20: 421 for a request that is not for us.
  app.use(async (c, next) => {
    if (isLoopbackHost(c.req.header('host') ?? '')) return next();
    return c.json({ error: { message: 'the Host header must name the loopback: 127.0.0.1, [::1] or localhost' } }, 421);
  });
  app.get('/healthz', (c) => c.text('alive\n'));
  app.get('/readyz', async (c) => {
    const { ready, problems, ...rest } = readiness(await operations.status());
    return c.json({ ready, ...rest, problems }, ready ? 200 : 503);
  });
  app.get('/metrics', async (c) => {
    const { text, type } = await metrics.render(await operations.status(), clock.now());
    return c.body(text, 200, { 'content-type': type });
  });
  app.notFound((c) => c.json({ error: { message: 'only GET /healthz, /readyz and /metrics are here' } }, 404));
  app.onError((error, c) => {
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

export function isLoopbackHost(header: string): boolean {
  const host = header.replace(/:\d{1,5}$/, '').toLowerCase();
  return host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host);
}
