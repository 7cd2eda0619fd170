// People: the day as a bar and in words, and what an operator says for somebody.
import { describe, expect, test } from 'vitest';
import { hour } from '../../../src/clock.ts';
import { localMoment } from '../../../src/console/web/people-routes.ts';
import { RefusedError } from '../../../src/operations.ts';
import { hostile, openPages } from '../../support/console-pages.ts';
import { fakeOperations, sampleTracked } from '../../support/fake-operations.ts';

const [alice] = await fakeOperations().presence();
if (!alice) throw new Error('no alice');

test('a day is a bar, and the same in words', async () => {
  const { get, operations, clock } = openPages({
    presenceDays: async (names, since) =>
      names.map((name) => ({
        name,
        spans: [
          { from: since, to: since + 6 * hour, state: null },
          { from: since + 6 * hour, to: since + 12 * hour, state: 'available' },
          { from: since + 12 * hour, to: since + 13 * hour, state: 'away' },
        ],
      })),
  });
  const text = await (await get('/people', { cookie: 'zone=Europe%2FBerlin' })).text();
  expect(text).toContain('aria-label="alice: available 6h, away 1h"');
  expect(text).toContain('<rect class="span-available" x="360" y="0" width="360" height="20">');
  expect(text).toContain('<rect class="span-away" x="720" y="0" width="60" height="20">');
  const asked = operations.calls.find(([verb]) => verb === 'presenceDays');
  // Midnight where the viewer is.
  const since = Number(asked?.[2]);
  expect(new Date(since).toLocaleTimeString('en-GB', { timeZone: 'Europe/Berlin' })).toBe('00:00:00');
  expect(since).toBeLessThanOrEqual(clock.now());
  expect(Number(asked?.[3]) - since).toBe(24 * hour);
});

test('another day can be asked for, and is not live; the day clocks change has 25 hours', async () => {
  const { get, operations } = openPages();
  const text = await (await get('/people?day=2026-10-25', { cookie: 'zone=Europe%2FBerlin' })).text();
  expect(text).not.toContain('hx-sse:connect');
  const [, , since, until] = operations.calls.find(([verb]) => verb === 'presenceDays') ?? [];
  expect(Number(until) - Number(since)).toBe(25 * hour);
  expect((await get('/people?day=2026-13-99')).status).toBe(200);
});

test('many people are shown in part, and found by name', async () => {
  const many = Array.from({ length: 120 }, (_, index) => ({
    ...alice,
    name: `p${index}`,
    mail: `m${index}@example.org`,
  }));
  const { get } = openPages({ presence: async () => many });
  const text = await (await get('/people')).text();
  expect(text).toContain('These are 50 of 120');
  expect(text.match(/<svg class="day"/g)).toHaveLength(50);
  const found = await (await get('/people?name=P119')).text();
  expect(found.match(/<svg class="day"/g)).toHaveLength(1);
});

describe('one person', () => {
  test('has a page with what they have; one whom nobody knows has none', async () => {
    const { get } = openPages({ listTracked: async () => [{ ...sampleTracked, owner: 'alice' }] });
    const text = await (await get('/people/alice')).text();
    expect(text).toContain('alice@example.org');
    expect(text).toContain(`href="/message/${sampleTracked.queueId}"`);
    for (const name of ['eve', '__proto__', '..%2f..', '%00']) expect((await get(`/people/${name}`)).status).toBe(404);
  });

  test('says what of them is the word of the directory, whatever it is called there', async () => {
    const directory = { id: 'uid=alice<script>,dc=example', fields: ['mail', 'skills'] };
    const { get } = openPages({ presence: async () => [{ ...alice, directory }] });
    const text = await (await get('/people/alice')).text();
    expect(text).toContain('<dt>from the directory</dt><dd>mail, skills (uid=alice&lt;script&gt;,dc=example)</dd>');
  });

  async function say(form: Record<string, string>, over = {}) {
    const opened = openPages(over);
    const { cookie, token } = await opened.visit();
    const response = await opened.post('/people/alice/presence', { token, ...form }, { cookie });
    return { ...opened, cookie, response, call: opened.operations.calls.find(([verb]) => verb === 'setPresence') };
  }

  test('is said to be away until then, by whom, with who stands in', async () => {
    const { call, clock, response } = await say({ state: 'away', until: '2h', note: 'dentist', substitute: 'bob' });
    expect(response.headers.get('location')).toBe('/people/alice');
    const until = clock.now() + 2 * hour;
    expect(call).toEqual([
      'setPresence',
      'alice',
      { state: 'away', until, note: 'dentist', substitute: 'bob' },
      'console:sandbox',
    ]);
  });

  test('until a moment, which is one where the viewer is; and back again', async () => {
    const opened = openPages();
    const { cookie, token } = await opened.visit();
    const headers = { cookie: `${cookie}; zone=Europe%2FBerlin` };
    await opened.post(
      '/people/alice/presence',
      { token, state: 'dnd', until: 'at', moment: '2030-07-01T18:30' },
      headers,
    );
    expect(opened.operations.calls.find(([verb]) => verb === 'setPresence')?.[2]).toEqual({
      state: 'dnd',
      until: Date.parse('2030-07-01T16:30:00Z'),
    });
    const { call } = await say({ back: '1' });
    expect(call).toEqual(['setPresence', 'alice', null, 'console:sandbox']);
  });

  test.each([
    [{ state: 'gone', until: '2h' }],
    [{ state: 'unknown', until: '2h' }],
    [{ state: 'away' }],
    [{ state: 'away', until: '9y' }],
  ])('%j is refused', async (form) => {
    const { response, call } = await say(form as unknown as Record<string, string>);
    expect([response.status, call]).toEqual([400, undefined]);
  });

  test('a moment that is none, and what the desk refuses, is told', async () => {
    const none = await say({ state: 'away', until: 'at', moment: 'soon' });
    expect(none.call).toBeUndefined();
    expect(await (await none.get('/', { cookie: none.cookie })).text()).toContain('say until when');
    const refused = await say(
      { state: 'away', until: '2h' },
      { setPresence: () => Promise.reject(new RefusedError('the end is not after the beginning')) },
    );
    expect(await (await refused.get('/', { cookie: refused.cookie })).text()).toContain('the end is not after');
  });
});

test('names, states and notes of strangers are text', async () => {
  const person = { ...alice, name: hostile, mail: hostile, groups: [hostile], jid: hostile };
  const { get } = openPages({
    presence: async () => [{ ...person, presence: { ...person.presence, status: hostile } }],
  });
  for (const path of ['/people', `/people/${encodeURIComponent(hostile)}`, `/people?name=${encodeURIComponent('<')}`]) {
    const text = await (await get(path)).text();
    expect(text).toContain('&lt;script&gt;');
    expect(text).not.toMatch(/<script>|<img/);
  }
});

test('local moments', () => {
  expect(localMoment('2026-01-01T00:30', 'UTC')).toBe(Date.UTC(2026, 0, 1, 0, 30));
  expect(localMoment('2026-01-01T00:30:15', 'Asia/Kolkata')).toBe(Date.UTC(2025, 11, 31, 19, 0));
  // The hour that spring skips means the change itself.
  expect(localMoment('2026-03-29T02:30', 'Europe/Berlin')).toBe(Date.UTC(2026, 2, 29, 1, 0));
  for (const text of ['', '2026-02-30T00:00', '2026-01-01T25:00', '2026-01-01', 'x'.repeat(1_000)])
    expect(localMoment(text, 'UTC')).toBeUndefined();
});
