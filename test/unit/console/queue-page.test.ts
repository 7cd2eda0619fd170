// The queue's page: what is asked for, what is done to those that were ticked, and what is said of it.
import { expect, test } from 'vitest';
import { type Operations, RefusedError } from '../../../src/operations.ts';
import { hostile, openPages } from '../../support/console-pages.ts';
import { fakeOperations, sampleDelivery, sampleId } from '../../support/fake-operations.ts';

const row = { ...sampleDelivery, acceptedAt: 0, reversePath: 'customer@example.net', size: 2048 };

test('shows what waits, for which next hop and why', async () => {
  const { get } = openPages();
  const text = await (await get('/queue')).text();
  expect(text).toContain(`href="/message/${sampleId}"`);
  expect(text).toContain('451 4.7.1 Try again later');
  expect(text).toMatch(/<a href="\/queue\?hop=inside">inside<\/a>/);
  // 3 in all, 1 on hold; one is younger than 10 minutes, two are older than the last bound that is known.
  expect(text.replaceAll(/\s+/g, ' ')).toContain(
    '<td class="number">3</td><td class="number">1</td> <td class="number">1</td><td class="number">0</td><td class="number">0</td><td class="number">2</td>',
  );
});

test.each([
  ['', { states: ['queued', 'held'], limit: 200 }],
  ['?state=hold&hop=inside', { states: ['queued', 'held'], onHold: true, hop: 'inside', limit: 200 }],
  [
    '?state=dead&to=ann&from=cy&group=support',
    { states: ['dead'], to: 'ann', from: 'cy', group: 'support', limit: 200 },
  ],
  ['?state=nonsense', { states: ['queued', 'held'], limit: 200 }],
  [`?to=${'a'.repeat(400)}&from=%00`, { states: ['queued', 'held'], limit: 200 }],
])('%s asks for what it says', async (query, filter) => {
  const { get, operations } = openPages();
  expect((await get(`/queue${query}`)).status).toBe(200);
  expect(operations.calls.find(([verb]) => verb === 'listQueue')).toEqual(['listQueue', filter]);
});

async function act(over: Partial<Operations>, form: Record<string, string>) {
  const opened = openPages(over);
  const { cookie, token } = await opened.visit();
  const response = await opened.post('/queue?state=hold', { token, ...form }, { cookie });
  const said = /class="said (\w+)"[^>]*>([^<]*)</.exec(await (await opened.get('/', { cookie })).text());
  return { ...opened, response, said: said?.slice(1) };
}

test.each([
  ['retry', ['retry', sampleId, 'console:sandbox']],
  ['hold', ['intervene', sampleId, 'hold', 'console:sandbox']],
  ['release', ['intervene', sampleId, 'release', 'console:sandbox']],
  ['drop', ['intervene', sampleId, 'drop', 'console:sandbox (spam)']],
])('%s is done to the chosen', async (action, call) => {
  const { operations, response, said } = await act({}, { action, id: sampleId, why: 'spam' });
  expect(response.headers.get('location')).toBe('/queue?state=hold');
  expect(operations.calls).toContainEqual(call);
  expect(said?.[0]).toBe('good');
});

test.each([
  ['nothing chosen', { action: 'retry' }],
  ['an id that is none', { action: 'retry', id: '../../x' }],
  ['a drop without a reason', { action: 'drop', id: sampleId }],
])('%s does nothing, and says so', async (_, form) => {
  const { operations, said } = await act({}, form);
  expect(operations.calls.filter(([verb]) => verb === 'retry' || verb === 'intervene')).toEqual([]);
  expect(said?.[0]).toBe('bad');
});

test('what was refused is told, and what is no action is refused', async () => {
  const refused = await act(
    { intervene: () => Promise.reject(new RefusedError('it has ended')) },
    { action: 'hold', id: sampleId },
  );
  expect(refused.said).toEqual(['bad', 'Not possible for 1: it has ended']);
  for (const action of ['explode', '__proto__', ''])
    expect((await act({}, { action, id: sampleId })).response.status).toBe(400);
});

test('a viewer may look, and gets nothing to act with', async () => {
  const ann = { name: 'ann', role: 'viewer' } as const;
  const opened = openPages({}, { play: null, users: { find: () => ann, verify: async () => ann } });
  const entered = await opened.post('/sign-in', { name: 'ann', password: 'right' });
  const cookie = (entered.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  const text = await (await opened.get('/queue', { cookie })).text();
  expect(text).not.toContain('type="checkbox"');
  expect(text).not.toContain('value="retry"');
  const token = /name="token" value="([^"]+)"/.exec(text)?.[1] ?? '';
  expect(token).toHaveLength(43);
  expect((await opened.post('/queue', { token, action: 'retry', id: sampleId }, { cookie })).status).toBe(403);
  expect((await opened.post('/faults/3', { token, action: 'claim' }, { cookie })).status).toBe(403);
  expect(opened.operations.calls.some(([verb]) => verb === 'retry' || verb === 'actOnFault')).toBe(false);
});

test('what strangers write is text', async () => {
  const { get } = openPages({
    listQueue: async () => [{ ...row, reversePath: hostile, lastReply: hostile, lastHop: hostile, onHoldBy: hostile }],
    countQueue: async () => ({
      ...(await fakeOperations().countQueue()),
      rows: [{ nextHop: hostile, total: 1, onHold: 0, ages: [1, 0, 0] }],
    }),
  });
  const text = await (await get(`/queue?to=${encodeURIComponent('"><script>alert(2)</script>')}`)).text();
  expect(text).toContain('&lt;script&gt;alert(1)');
  expect(text).toContain('&lt;script&gt;alert(2)');
  expect(text).not.toMatch(/<script>|<img/);
});
