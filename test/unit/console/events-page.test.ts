// Events and faults, and the audit: who has a fault, what has happened lately, and who did what.
import { expect, test } from 'vitest';
import { RefusedError } from '../../../src/operations.ts';
import { hostile, openPages } from '../../support/console-pages.ts';
import { fakeOperations, sampleFault, sampleId, sampleStory } from '../../support/fake-operations.ts';

test('an open fault shows what it means, what to do, and that nobody has it', async () => {
  const text = await (await openPages().get('/events')).text();
  for (const part of ['f3', sampleFault.text, sampleFault.meaning, sampleFault.todo, 'Nobody has it', 'value="claim"'])
    expect(text).toContain(part);
  // It clears by itself, and nobody has it to give up.
  expect(text).not.toContain('value="clear"');
  expect(text).not.toContain('value="release"');
});

test('whoever has it may give it up, and end it where a person may say so', async () => {
  const owned = { ...sampleFault, owner: 'console:sandbox', ownedSince: 0, byHand: true };
  const text = await (await openPages({ faults: async () => [owned] }).get('/events')).text();
  expect(text).toContain('value="release"');
  expect(text).toContain('value="clear"');
  expect(text).not.toContain('value="claim"');
  const others = await (await openPages({ faults: async () => [{ ...owned, owner: 'bob' }] }).get('/events')).text();
  expect(others).toContain('bob has it');
  expect(others).not.toMatch(/value="(?:claim|clear|release)"/);
});

test('claiming is done as who one is; a second who claims is told who was first', async () => {
  const first = openPages();
  const { cookie, token } = await first.visit();
  const response = await first.post('/faults/3', { token, action: 'claim' }, { cookie });
  expect(response.headers.get('location')).toBe('/events');
  expect(first.operations.calls).toContainEqual(['actOnFault', 3, 'claim', 'console:sandbox']);

  const second = openPages({ actOnFault: () => Promise.reject(new RefusedError('f3: bob has it')) });
  const late = await second.visit();
  await second.post('/faults/3', { token: late.token, action: 'claim' }, { cookie: late.cookie });
  const text = await (await second.get('/events', { cookie: late.cookie })).text();
  expect(text).toMatch(/class="said bad"[^>]*>That was not possible: f3: bob has it</);
});

test.each(['0', '-1', '1e3', 'x', '99999999999', '%00'])('%s is no fault', async (number) => {
  const { post, visit, operations } = openPages();
  const { cookie, token } = await visit();
  expect((await post(`/faults/${number}`, { token, action: 'claim' }, { cookie })).status).toBe(400);
  expect(operations.calls.some(([verb]) => verb === 'actOnFault')).toBe(false);
});

test('events are asked for by kind, and in pages', async () => {
  const { get, operations } = openPages({
    lately: async () => ({ events: sampleStory.events.map((event) => ({ ...event, number: 40 })), next: 17 }),
  });
  const asked = () => operations.calls.findLast(([verb]) => verb === 'lately')?.[1];
  const first = await (await get('/events')).text();
  expect(asked()).toEqual({
    kinds: ['held', 'escalated', 'failed', 'deferred', 'operated', 'fault', 'closed'],
    limit: 50,
  });
  expect(first).toContain('href="/events?before=17"');
  expect(first).toContain('hx-sse:connect="/live/events"');
  const older = await (await get('/events?kind=deferred&before=17')).text();
  expect(asked()).toEqual({ kinds: ['deferred'], limit: 50, before: 17 });
  expect(older).not.toContain('hx-sse:connect');
  await get('/events?kind=__proto__&before=x');
  expect(asked()).toMatchObject({ limit: 50 });
  expect(asked()).not.toHaveProperty('before');
});

test('the audit shows who did what, before and after, and can be searched', async () => {
  const { get, operations } = openPages();
  const text = await (await get('/audit?text=ann&before=99')).text();
  expect(operations.calls).toContainEqual(['audited', { limit: 100, text: 'ann', before: 99 }]);
  for (const part of ['console:ann', 'hold', `href="/message/${sampleId}"`, 'state: queued', 'done: 0'])
    expect(text).toContain(part);
});

test('what strangers write is text', async () => {
  const [entry] = await fakeOperations().audited({ limit: 1 });
  if (!entry) throw new Error('no entry');
  const { get } = openPages({
    faults: async () => [
      { ...sampleFault, text: hostile, subject: hostile, owner: hostile, ownedSince: 0 },
      { ...sampleFault, number: 4, text: hostile, clearedAt: 1, clearedBy: hostile },
    ],
    audited: async () => [{ ...entry, by: hostile, action: hostile, subject: hostile, wish: { to: hostile } }],
    lately: async () => ({
      events: [{ event: 'operated', at: 1, queueId: sampleId, action: hostile, by: hostile, number: 1 }],
      next: null,
    }),
  });
  for (const path of ['/events', '/audit', `/audit?text=${encodeURIComponent(hostile)}`]) {
    const text = await (await get(path)).text();
    expect(text).toContain('&lt;script&gt;alert(1)');
    expect(text).not.toMatch(/<script>|<img/);
    expect(text).not.toContain('\u202e');
  }
});
