// The routes under /api/v1: what is asked reaches the Operations port validated, and every error has one shape.
import { describe, expect, test } from 'vitest';
import { createApi } from '../../../src/console/api.ts';
import { silentLog } from '../../../src/log.ts';
import { RefusedError } from '../../../src/operations.ts';
import { type FakeOperations, fakeOperations, sampleId, sampleStory } from '../../support/fake-operations.ts';

const ask = (operations: FakeOperations, path: string, init?: RequestInit) =>
  createApi(operations, silentLog).request(`/api/v1${path}`, init);
const post = (body: unknown): RequestInit => ({ method: 'POST', body: JSON.stringify(body) });

describe('control API', () => {
  test.each([
    ['/status', ['status']],
    ['/queue', ['listQueue', { limit: 100 }]],
    ['/queue?state=queued,held&limit=5', ['listQueue', { states: ['queued', 'held'], limit: 5 }]],
    [
      '/queue?to=eve%40&from=ann&hop=inside&group=support&before=5&hold=true',
      [
        'listQueue',
        { to: 'eve@', from: 'ann', hop: 'inside', group: 'support', acceptedBefore: 5, onHold: true, limit: 100 },
      ],
    ],
    ['/queue-counts', ['countQueue']],
    [`/queue/${sampleId}`, ['story', sampleId]],
    ['/tracked?state=tracked&group=support', ['listTracked', { states: ['tracked'], group: 'support', limit: 100 }]],
    ['/tracked/k7mf', ['story', 'k7mf']],
    ['/explain/k7mf', ['explain', 'k7mf']],
    ['/presence', ['presence', {}]],
    ['/recorded?since=1&until=2&limit=1000', ['recorded', { since: 1, until: 2, limit: 1000 }]],
    [
      `/recorded?since=1&until=2&limit=10&after=${sampleId}`,
      ['recorded', { since: 1, until: 2, limit: 10, after: sampleId }],
    ],
    ['/presence-history?since=1&until=2&limit=5000', ['presenceHistory', { since: 1, until: 2, limit: 5000 }]],
  ])('GET %s asks %j', async (path, call) => {
    const operations = fakeOperations();
    const response = await ask(operations, path);
    expect(response.status).toBe(200);
    expect(await response.json()).toBeTruthy();
    expect(operations.calls).toEqual([call]);
  });

  test('POST retry and ack say who did it', async () => {
    const operations = fakeOperations();
    expect(await (await ask(operations, '/queue/k7mf/retry', post({ by: 'cli:ann' }))).json()).toEqual({ due: 1 });
    const acked = await ask(operations, '/tracked/k7mf/ack', post({ by: 'cli:ann' }));
    expect(await acked.json()).toMatchObject({ kind: 'done', tracked: { closedBy: 'cli:ann' } });
    // retry is given the queue id that the short id stands for.
    expect(operations.calls).toEqual([
      ['story', 'k7mf'],
      ['retry', sampleId, 'cli:ann'],
      ['ack', 'k7mf', 'cli:ann'],
    ]);
  });

  test.each([
    'hold',
    'release',
    'drop',
  ] as const)('POST %s and requeue reach the message by either id', async (verb) => {
    const operations = fakeOperations();
    await ask(operations, `/queue/k7mf/${verb}`, post({ by: 'cli:ann' }));
    await ask(operations, '/queue/k7mf/requeue', post({ by: 'cli:ann', to: 'joe@example.org' }));
    expect(operations.calls.filter(([called]) => called !== 'story')).toEqual([
      ['intervene', sampleId, verb, 'cli:ann'],
      ['requeue', sampleId, 'joe@example.org', 'cli:ann'],
    ]);
  });

  test.each([
    ['a requeue to nowhere', '/queue/k7mf/requeue', post({ by: 'x' }), 400, '"to" must be'],
    ['a moment that is none', '/queue?before=yesterday', undefined, 400, 'before is a moment'],
    ['an id that is none', '/queue/..%2Fetc', undefined, 400, 'not a queue id'],
    ['a state that is none', '/queue?state=lost', undefined, 400, 'known are queued'],
    ['a recording from no moment', '/recorded?until=2', undefined, 400, '"since" is a number of milliseconds'],
    ['a recording after nothing', '/recorded?since=1&until=2&after=x%0A', undefined, 400, 'not a queue id'],
    ['presence until a word', '/presence-history?since=1&until=now', undefined, 400, '"until" is a number'],
    ['a limit of nought', '/queue?limit=0', undefined, 400, 'from 1 to'],
    ['a limit beyond all bounds', '/queue?limit=99999', undefined, 400, 'from 1 to'],
    ['a message that is not there', '/queue/01JC5Z0K3F7QZ', undefined, 404, 'no message'],
    ['an explanation of nothing', '/explain/zzzz', undefined, 404, 'no message'],
    ['an ack of nothing', '/tracked/zzzz/ack', post({ by: 'x' }), 404, 'no tracked message'],
    ['an ack by nobody', '/tracked/k7mf/ack', post({}), 400, '"by" must say who'],
    ['an ack by a control character', '/tracked/k7mf/ack', post({ by: 'a\nb' }), 400, '"by" must say who'],
    ['giving to nobody', '/tracked/k7mf/give', post({ by: 'x' }), 400, '"to" must be the name of a person'],
    ['a pause without end', '/tracked/k7mf/snooze', post({ by: 'x', for: '9d' }), 400, 'from 1s to 1d'],
    ['a step that is no word', '/tracked/k7mf/step', post({ by: 'x', step: 7 }), 400, '"step" must be the name'],
    ['a page after nothing', '/look-back/handled?since=0&until=1&after=x', {}, 400, 'such as 01JC5Z0K3F7QX.0'],
    ['a body that is no JSON', '/tracked/k7mf/ack', { method: 'POST', body: '{' }, 400, 'not JSON'],
    ['a body without end', '/tracked/k7mf/ack', post({ by: 'x'.repeat(20_000) }), 413, 'at most'],
    ['a path that is none', '/nothing', undefined, 404, 'nothing at GET'],
    ['a method that is none', '/reload', undefined, 404, 'nothing at GET'],
  ])('%s is refused', async (_, path, init, status, message) => {
    const operations = fakeOperations();
    const response = await ask(operations, path, init);
    expect(response.status).toBe(status);
    const body = (await response.json()) as { error: { message: string } };
    expect(body.error.message).toContain(message);
    expect(operations.calls.filter(([verb]) => verb === 'retry' || verb === 'reload')).toEqual([]);
  });

  test('a message that is not tracked has a queue entry but no track', async () => {
    const operations = fakeOperations({ story: async () => ({ ...sampleStory, tracked: [] }) });
    expect((await ask(operations, `/queue/${sampleId}`)).status).toBe(200);
    expect((await ask(operations, `/tracked/${sampleId}`)).status).toBe(404);
  });

  test('a rejected reload is an error that carries every problem', async () => {
    const place = { file: 'rules/a.yaml', line: 1, column: 2 };
    const problems = [{ severity: 'error', place, message: 'no group "x"' }] as const;
    const rejected = await ask(
      fakeOperations({ reload: async () => ({ version: 'old', problems }) }),
      '/reload',
      post({}),
    );
    expect(rejected.status).toBe(422);
    expect(await rejected.json()).toEqual({
      error: { message: '1 error in the rules; version old stays in force', problems },
    });
    const warned = [{ ...problems[0], severity: 'warning' }] as const;
    const taken = await ask(
      fakeOperations({ reload: async () => ({ version: 'new', problems: warned }) }),
      '/reload',
      post({}),
    );
    expect(taken.status).toBe(200);
  });

  test('what goes wrong inside is logged, not told; a refusal is told', async () => {
    const broken = fakeOperations({ status: () => Promise.reject(new Error('secret path /var/lib')) });
    const response = await ask(broken, '/status');
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('secret');
    const refused = fakeOperations({ ack: () => Promise.reject(new RefusedError('say which: k7mf, m3pd')) });
    const conflict = await ask(refused, '/tracked/k7mf/ack', post({ by: 'x' }));
    expect(conflict.status).toBe(409);
    expect(await conflict.json()).toEqual({ error: { message: 'say which: k7mf, m3pd' } });
  });
});
