// The API over TCP: every route that is in the document needs a token of the scope that stands there; what is for the
// control socket alone is not there; and what a token does is recorded as its own.
import { describe, expect, test } from 'vitest';
import { endpoints } from '../../../src/console/api/openapi.ts';
import { createHealth } from '../../../src/console/health.ts';
import { createMetrics } from '../../../src/console/metrics.ts';
import { scopeFor } from '../../../src/console/over-tcp.ts';
import { type Scope, scopes, type Token } from '../../../src/console/tokens.ts';
import { silentLog } from '../../../src/log.ts';
import { TestClock } from '../../support/clock.ts';
import { fakeOperations, sampleId, sampleNow } from '../../support/fake-operations.ts';

const tokens = new Map<string, Token>(
  scopes.map((scope) => [`for-${scope}`, { name: `of-${scope}`, scopes: [scope], createdAt: 0, until: null }]),
);

function open() {
  const operations = fakeOperations();
  const app = createHealth({
    operations,
    metrics: createMetrics(),
    tokens: { verify: (text) => tokens.get(text) },
    hosts: [],
    clock: new TestClock(sampleNow),
    log: silentLog,
  });
  const ask = (method: string, path: string, scope: Scope | null, body?: unknown) =>
    app.request(path, {
      method,
      headers: { host: '127.0.0.1:8025', ...(scope === null ? {} : { authorization: `Bearer for-${scope}` }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  return { operations, ask };
}

const pathOf = (path: string): string =>
  `/api/v1${path.replaceAll(/:(\w+)/g, (_, name: string) => ({ number: '3', action: 'claim', name: 'alice' })[name] ?? 'k7mf')}`;

test.each(
  endpoints.map(({ method, path, scope }) => ({ method: method.toUpperCase(), path: pathOf(path), scope })),
)('$method $path is there for $scope and for no other', async ({ method, path, scope }) => {
  const { ask, operations } = open();
  expect(scopeFor(method, path)).toBe(scope === 'socket' ? undefined : scope);
  for (const other of scopes.filter((one) => one !== scope)) {
    const { status } = await ask(method, path, other, method === 'POST' ? {} : undefined);
    expect([other, status]).toEqual([other, scope === 'socket' ? 404 : 403]);
  }
  expect((await ask(method, path, null)).status).toBe(scope === 'socket' ? 404 : 401);
  expect(operations.calls).toEqual([]);
  if (scope === 'socket') return;
  const response = await ask(method, path, scope as Scope, method === 'POST' ? {} : undefined);
  // An empty body may not be enough; but the door is open.
  expect([200, 400]).toContain(response.status);
  await response.body?.cancel();
});

describe('what a token does', () => {
  test.each([
    ['POST', `/api/v1/queue/${sampleId}/hold`, { by: 'ann' }, ['intervene', sampleId, 'hold', 'token:of-act (ann)']],
    ['POST', '/api/v1/tracked/k7mf/ack', { by: 'ann' }, ['ack', 'k7mf', 'token:of-act (ann)']],
    ['POST', '/api/v1/faults/3/claim', { by: 'ann' }, ['actOnFault', 3, 'claim', 'token:of-act (ann)']],
    ['POST', '/api/v1/presence/alice', { by: 'ann', wish: null }, ['setPresence', 'alice', null, 'token:of-act (ann)']],
  ])('%s %s is its own, in the name of somebody', async (method, path, body, call) => {
    const { ask, operations } = open();
    expect((await ask(method, path, 'act', body)).status).toBe(200);
    expect(operations.calls).toContainEqual(call);
  });
});

test.each([
  ['GET', '/api/v1/tokens/'],
  ['GET', '/api/v1//tokens'],
  ['GET', '/api/v1/%74okens'],
  ['POST', '/api/v1/tokens/x/revoke'],
  ['DELETE', '/api/v1/queue'],
  ['POST', '/api/v1/reload'],
  ['POST', '/api/v1/presence'],
  ['GET', '/api/v1/queue/../tokens'],
  ['GET', '/api/v2/queue'],
])('%s %s is not there, whatever token one has', async (method, path) => {
  const { ask, operations } = open();
  for (const scope of scopes) expect((await ask(method, path, scope)).status).toBe(404);
  expect(operations.calls).toEqual([]);
});
