// Presence over TCP: with a token of that scope, to read alone; and what is followed ends with the token.
import { beforeEach, describe, expect, test } from 'vitest';
import { createHealth } from '../../../src/console/health.ts';
import { createMetrics } from '../../../src/console/metrics.ts';
import type { Token } from '../../../src/console/tokens.ts';
import { silentLog } from '../../../src/log.ts';
import { RefusedError } from '../../../src/operations.ts';
import { settle, TestClock } from '../../support/clock.ts';
import { fakeOperations, sampleNow } from '../../support/fake-operations.ts';

const token = (name: 'presence' | 'read'): Token => ({ name, scopes: [name], createdAt: 0, until: null });
const known = new Map<string, Token>();
const clock = new TestClock(sampleNow);
let asked = 0;
const operations = fakeOperations();
const app = createHealth({
  operations,
  metrics: createMetrics(),
  tokens: { verify: (text) => known.get(text) },
  hosts: [],
  clock,
  log: silentLog,
});
const headers = (who: string) => ({ host: '127.0.0.1:8025', authorization: `Bearer ${who}` });

beforeEach(() => {
  known.set('dashboard', token('presence'));
  known.set('other', token('read'));
  asked = operations.calls.length;
});

describe('GET /api/v1/presence over TCP', () => {
  test.each(['', '/alice', '?group=support', '?at=1000', '/events'])('%s needs the scope presence', async (path) => {
    const url = `/api/v1/presence${path}`;
    expect((await app.request(url, { headers: { host: 'localhost' } })).status).toBe(401);
    expect((await app.request(url, { headers: headers('other') })).status).toBe(403);
    expect(operations.calls.length).toBe(asked);
    const answer = await app.request(url, { headers: headers('dashboard') });
    expect(answer.status).toBe(200);
    await answer.body?.cancel();
    expect(operations.calls.length).toBeGreaterThan(asked);
  });

  test('nothing can be set with it, and no page of another origin reads it', async () => {
    const set = { method: 'POST', headers: headers('dashboard'), body: '{"by":"x","wish":null}' };
    expect((await app.request('/api/v1/presence/alice', set)).status).toBe(403);
    const page = { ...headers('dashboard'), 'sec-fetch-site': 'cross-site' };
    expect((await app.request('/api/v1/presence', { headers: page })).status).toBe(403);
    expect(operations.calls.length).toBe(asked);
  });

  test('of nobody we know is refused with the reason', async () => {
    const nobody = createHealth({
      operations: fakeOperations({ presence: () => Promise.reject(new RefusedError('nobody called "x"')) }),
      metrics: createMetrics(),
      tokens: { verify: (text) => known.get(text) },
      hosts: [],
      clock,
      log: silentLog,
    });
    const answer = await nobody.request('/api/v1/presence/x', { headers: headers('dashboard') });
    expect([answer.status, await answer.json()]).toEqual([409, { error: { message: 'nobody called "x"' } }]);
  });

  test('who follows hears a beat, and is cut off once the token is revoked', async () => {
    const answer = await app.request('/api/v1/presence/events', { headers: headers('dashboard') });
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    const read = async () => {
      const { value, done } = await reader.read();
      return done ? 'the end' : new TextDecoder().decode(value);
    };
    expect(await read()).toMatch(/^event: all\n/);
    await settle();
    const beat = read();
    await clock.advance(15_000);
    expect(await beat).toBe(': \n\n');
    known.delete('dashboard');
    const last = [read(), read()];
    await clock.advance(15_000);
    expect(await Promise.all(last)).toEqual([': \n\n', 'the end']);
  });

  test('a hundred follow at once; the next one is told to come later', async () => {
    const open = await Promise.all(
      Array.from({ length: 100 }, () => app.request('/api/v1/presence/events', { headers: headers('dashboard') })),
    );
    await settle();
    const late = await app.request('/api/v1/presence/events', { headers: headers('dashboard') });
    expect(late.status).toBe(503);
    await Promise.all(open.map((each) => each.body?.cancel()));
    await settle();
    const next = await app.request('/api/v1/presence/events', { headers: headers('dashboard') });
    expect(next.status).toBe(200);
    await next.body?.cancel();
  });
});
