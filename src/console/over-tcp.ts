// The API for programs that come over TCP: each route wants a token of the scope that the document says. What is not in
// the document, or is for the control socket alone, is not there, whatever token somebody has. What a token does is
// recorded as its own: `token:ticket-system (ann)`.
import { Hono } from 'hono';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Operations } from '../operations.ts';
import { endpoints } from './api/openapi.ts';
import { createApi } from './api.ts';
import { needsScope, type Permitted, sameOriginOnly } from './guard.ts';
import type { Scope, Tokens } from './tokens.ts';

export function createApiOverTcp({
  operations,
  tokens,
  clock,
  log,
}: {
  readonly operations: Operations;
  readonly tokens: Pick<Tokens, 'verify'>;
  readonly clock: Clock;
  readonly log: Log;
}): Hono {
  const app = new Hono<{ Variables: Permitted }>();
  app.use('/api/v1/*', sameOriginOnly);
  app.use('/api/v1/*', async (c, next) => {
    const scope = scopeFor(c.req.method, c.req.path);
    return scope === undefined ? c.notFound() : needsScope(scope, tokens, clock)(c, next);
  });
  app.route('/', createApi(operations, log, { followers: clock }));
  return app as unknown as Hono;
}

const routes = endpoints
  .map(({ method, path, scope }) => ({
    method: method.toUpperCase(),
    pattern: new RegExp(`^/api/v1${path.replaceAll(/:\w+/g, '[^/]+')}$`),
    scope,
    parameters: path.split(':').length,
  }))
  // `/presence/events` before `/presence/:name`.
  .toSorted((one, other) => one.parameters - other.parameters);

/** Undefined: nothing is there for those who come over TCP. */
export function scopeFor(method: string, path: string): Scope | undefined {
  const asked = method === 'HEAD' ? 'GET' : method;
  const scope = routes.find((route) => route.method === asked && route.pattern.test(path))?.scope;
  return scope === 'socket' ? undefined : scope;
}
