// The route question over TCP: only for our own names, never for pages of others, only with a token of that scope.
import { describe, expect, test } from 'vitest';
import { createHealth } from '../../../src/console/health.ts';
import { createMetrics } from '../../../src/console/metrics.ts';
import type { Scope, Token } from '../../../src/console/tokens.ts';
import { silentLog } from '../../../src/log.ts';
import { TestClock } from '../../support/clock.ts';
import { fakeOperations, sampleNow, sampleStatus } from '../../support/fake-operations.ts';

const tokens: Readonly<Record<string, Token>> = Object.fromEntries(
  (['route', 'read'] as Scope[]).map((scope) => [
    `for-${scope}`,
    { name: scope, scopes: [scope], createdAt: 0, until: null },
  ]),
);
const asked: unknown[] = [];
const app = createHealth({
  operations: {
    ...fakeOperations(),
    status: async () => sampleStatus,
    route: (question) => {
      asked.push(question);
      return [];
    },
  },
  metrics: createMetrics(),
  tokens: { verify: (text, now) => (now === sampleNow && Object.hasOwn(tokens, text) ? tokens[text] : undefined) },
  hosts: ['mail.example.org'],
  clock: new TestClock(sampleNow),
  log: silentLog,
});

const good = { host: '127.0.0.1:8025', authorization: 'Bearer for-route' };
async function ask(headers: Record<string, string>, body = '{"to":["a@b.example"]}') {
  asked.length = 0;
  return app.request('/api/v1/route', { method: 'POST', headers, body });
}

test.each([
  ['a loopback address', good],
  ['localhost', { ...good, host: 'localhost' }],
  ['IPv6', { ...good, host: '[::1]:8025' }],
  ['a name of the list', { ...good, host: 'Mail.Example.org:443' }],
  ['a page of our own', { ...good, 'sec-fetch-site': 'same-origin', origin: 'http://127.0.0.1:8025' }],
  ['a page of our own, in an old browser', { ...good, origin: 'http://127.0.0.1:8025' }],
  ['the word in small letters', { ...good, authorization: 'bearer for-route' }],
])('answered: %s', async (_, headers) => {
  const response = await ask(headers);
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ recipients: [] });
  expect(asked).toHaveLength(1);
});

test.each([
  ['another name', { ...good, host: 'evil.example' }, 421],
  ['no Host', { ...good, host: '' }, 421],
  ['a name that begins like ours', { ...good, host: '127.0.0.1.evil.example' }, 421],
  ['a page of another site', { ...good, 'sec-fetch-site': 'cross-site' }, 403],
  ['a page of a neighbour', { ...good, 'sec-fetch-site': 'same-site' }, 403],
  ['another origin', { ...good, origin: 'http://127.0.0.1:9000' }, 403],
  ['no origin to speak of', { ...good, origin: 'null' }, 403],
  ['no token', { host: good.host }, 401],
  ['another kind of token', { ...good, authorization: 'Basic for-route' }, 401],
  ['a wrong one', { ...good, authorization: 'Bearer for-nothing' }, 401],
  ['one that is no token', { ...good, authorization: 'Bearer constructor' }, 401],
  ['one for other things', { ...good, authorization: 'Bearer for-read' }, 403],
])('refused: %s', async (_, headers, status) => {
  const response = await ask(headers);
  expect(response.status).toBe(status);
  expect(((await response.json()) as { error: { message: string } }).error.message).toMatch(/\w/);
  expect(asked).toEqual([]);
  if (status === 401) expect(response.headers.get('www-authenticate')).toMatch(/^Bearer /);
});

describe('what is asked', () => {
  test('too much of it is 413, without a token not even read', async () => {
    const large = JSON.stringify({ to: ['a@b.example'], headers: { Subject: 'x'.repeat(20_000) } });
    expect((await ask(good, large)).status).toBe(413);
    expect((await ask({ host: good.host }, large)).status).toBe(401);
  });

  test('wrong is 400 and says what would be right', async () => {
    const response = await ask(good, '{"to":"a@b.example"}');
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('1 to 100 addresses');
  });

  test('nothing else is there, tokens least of all', async () => {
    for (const path of ['/api/v1/tokens', '/api/v1/queue', '/api/v1/reload'])
      expect((await app.request(path, { method: 'POST', headers: good, body: '{}' })).status).toBe(404);
  });

  test('health needs no token, but a Host of ours', async () => {
    expect((await app.request('/healthz', { headers: { host: 'mail.example.org' } })).status).toBe(200);
    expect((await app.request('/healthz', { headers: { host: 'evil.example' } })).status).toBe(421);
  });
});
