// Presence over HTTP: whom, when, following, and setting by hand.
import { describe, expect, test } from 'vitest';
import { createApi } from '../../../src/console/api.ts';
import { silentLog } from '../../../src/log.ts';
import type { PersonView } from '../../../src/operations.ts';
import { RefusedError } from '../../../src/operations.ts';
import { fakeOperations } from '../../support/fake-operations.ts';

const json = { 'content-type': 'application/json' };
const post = (body: unknown) => ({ method: 'POST', headers: json, body: JSON.stringify(body) });

describe('presence', () => {
  test.each([
    ['/presence?group=support', [['presence', { group: 'support' }]]],
    ['/presence?person=alice', [['presence', { person: 'alice' }]]],
    ['/presence/alice', [['presence', { person: 'alice' }]]],
    ['/presence?at=2026-01-31T10:42:00Z', [['presenceAt', Date.parse('2026-01-31T10:42:00Z')]]],
    ['/presence?at=1000', [['presenceAt', 1000]]],
  ])('GET %s asks %j', async (path, calls) => {
    const operations = fakeOperations();
    const answer = await createApi(operations, silentLog).request(`/api/v1${path}`);
    expect(answer.status).toBe(200);
    expect(operations.calls).toEqual(calls);
  });

  test('of nobody we know is refused with the reason', async () => {
    const operations = fakeOperations({ presence: () => Promise.reject(new RefusedError('nobody called "x"')) });
    for (const path of ['/presence/x', '/presence/events?person=x']) {
      const answer = await createApi(operations, silentLog).request(`/api/v1${path}`);
      expect([answer.status, await answer.json()]).toEqual([409, { error: { message: 'nobody called "x"' } }]);
    }
  });

  test('is set by hand, and taken back', async () => {
    const operations = fakeOperations();
    const api = createApi(operations, silentLog);
    const wish = { state: 'away', until: 5_000, note: 'dentist' };
    expect((await api.request('/api/v1/presence/alice', post({ by: 'cli:ann', wish }))).status).toBe(200);
    expect((await api.request('/api/v1/presence/alice', post({ by: 'cli:ann', wish: null }))).status).toBe(200);
    expect(operations.calls).toEqual([
      ['setPresence', 'alice', wish, 'cli:ann'],
      ['setPresence', 'alice', null, 'cli:ann'],
    ]);
  });

  test.each([
    [{ wish: null }, '"by"'],
    [{ by: 'x', wish: { state: 'unknown', until: null } }, '"state"'],
    [{ by: 'x', wish: { state: 'away' } }, '"until"'],
    [{ by: 'x', wish: { state: 'away', until: -1 } }, '"until"'],
    [{ by: 'x', wish: { state: 'away', until: null, from: 'now' } }, '"from"'],
    [{ by: 'x', wish: { state: 'away', until: null, note: 'a\nb' } }, '"note"'],
    [{ by: 'x', wish: 5 }, '"wish"'],
  ])('%j is a bad wish: %s', async (body, about) => {
    const operations = fakeOperations();
    const answer = await createApi(operations, silentLog).request('/api/v1/presence/alice', post(body));
    expect(answer.status).toBe(400);
    expect(((await answer.json()) as { error: { message: string } }).error.message).toContain(about);
    expect(operations.calls).toEqual([]);
  });

  test('is followed by server-sent events: all at first, then who changes and fits, until the reader goes', async () => {
    let tell: (view: PersonView) => void = () => undefined;
    let ended = false;
    const operations = fakeOperations({
      followPresence: (listener) => {
        tell = listener;
        return () => {
          ended = true;
        };
      },
    });
    const answer = await createApi(operations, silentLog).request('/api/v1/presence/events?group=support');
    expect(answer.headers.get('content-type')).toContain('text/event-stream');
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    const read = async (): Promise<string> => new TextDecoder().decode((await reader.read()).value);
    expect(await read()).toMatch(/^event: all\ndata: \[\{"name":"alice"/);
    const [alice] = (await operations.presence()) as [PersonView];
    tell({ ...alice, name: 'zoe', groups: ['other'] });
    tell({ ...alice, name: 'bob' });
    expect(await read()).toMatch(/^event: changed\ndata: \[\{"name":"bob"/);
    await reader.cancel();
    await expect.poll(() => ended).toBe(true);
  });
});
