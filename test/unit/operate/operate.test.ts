// The Operations port over a scripted store: what is looked up by which id, what readiness means, what acting records.
import { describe, expect, test } from 'vitest';
import { createOperations, type OperateOptions } from '../../../src/operate.ts';
import { RefusedError } from '../../../src/operations.ts';
import type { LinkStatus } from '../../../src/presence/watcher.ts';
import type { Problem, Rules } from '../../../src/routing/rules.ts';
import type { Store } from '../../../src/store/store.ts';
import type { Tracked } from '../../../src/tracking/tracked.ts';
import { TestClock } from '../../support/clock.ts';
import {
  sampleDecision,
  sampleId,
  sampleNow,
  sampleStatus,
  sampleStory,
  sampleTracked,
} from '../../support/fake-operations.ts';

const place = { file: 'rules/a.yaml', line: 3, column: 5 };
const person = (name: string, jid: string | null) => [
  name,
  { name, mail: `${name}@example.org`, jid, operator: false, place },
];
const rules = {
  version: 'abc123def456',
  people: new Map([person('alice', 'alice@example.org'), person('bob', null)] as never),
  groups: new Map([['support', { name: 'support', members: ['alice', 'bob'] }]] as never),
  policies: new Map(),
  routes: [],
} as unknown as Rules;

interface Scene {
  store?: Partial<Store>;
  link?: LinkStatus;
  problems?: readonly Problem[];
  hindrances?: readonly string[];
  tracked?: readonly Tracked[];
}

function scene({ store, link, problems, hindrances, tracked = [sampleTracked] }: Scene = {}) {
  const calls: unknown[][] = [];
  const clock = new TestClock(sampleNow);
  const known = (id: string) => id === sampleId;
  const scripted: Partial<Store> = {
    message: async (id) => (known(id) ? { ...sampleStory, tracked } : null),
    events: async () => sampleStory.events,
    evidence: async () => [],
    decisions: async () => [sampleDecision],
    nudges: async () => [],
    trackedByShortId: async (id) => tracked.find((one) => one.shortId === id) ?? null,
    retryNow: async (...args) => {
      calls.push(['retryNow', ...args]);
      return 2;
    },
    counts: async () => sampleStatus.counts as NonNullable<typeof sampleStatus.counts>,
    ...store,
  };
  const options: OperateOptions = {
    store: scripted as Store,
    watcher: {
      presenceOf: () => ({ state: 'away', since: 1, asOf: 2 }),
      onChange: () => undefined,
      watch: () => undefined,
      link: () => link ?? { state: 'up', since: 1 },
    },
    rules: { current: () => rules, problems: () => problems ?? [] },
    relay: {
      advisor: { plan: () => null, preview: () => [] },
      acknowledge: async (ref, by) => {
        calls.push(['acknowledge', ref, by]);
        return { kind: 'done', tracked: sampleTracked };
      },
      requeue: async (...args) => {
        calls.push(['requeue', ...args]);
        return { done: [0], busy: [] };
      },
      nextHopOf: () => 'default',
      wake: () => void calls.push(['wake']),
      candidates: () => [],
      reassign: () => Promise.reject(new Error('not asked for')),
      takeStep: async () => Promise.reject(new Error('not here')),
      snooze: () => Promise.reject(new Error('not asked for')),
      load: (name) => ({ open: name === 'alice' ? 2 : 0, lastAssignedAt: null }),
    },
    rotateMarkKey: () => 'k2',
    reload: async () => ({ version: 'x', problems: [] }),
    hindrances: () => hindrances ?? [],
    clock,
    version: '0.1.0',
  };
  return { operations: createOperations(options), calls, clock };
}

describe('looking', () => {
  test.each(['k7mf', 'K7MF', sampleId, sampleId.toLowerCase()])('a message is found by %s', async (id) => {
    const { operations } = scene();
    expect((await operations.story(id))?.message.queueId).toBe(sampleId);
  });

  test.each(['zzzz', '01JC5Z0K3F7QZ', ''])('there is none by %j', async (id) => {
    const { operations } = scene();
    expect(await operations.story(id)).toBeNull();
    expect(await operations.explain(id)).toBeNull();
    expect(await operations.ack(id, 'x')).toEqual({ kind: 'unknown' });
  });

  test('people come with presence, groups and load; without a JID they are unknown', async () => {
    const { operations } = scene();
    expect(await operations.presence()).toMatchObject([
      { name: 'alice', groups: ['support'], presence: { state: 'away' }, open: 2 },
      { name: 'bob', jid: null, presence: { state: 'unknown', reason: 'no-jid' }, open: 0 },
    ]);
  });

  test('an explanation says whether the replay gives the same', async () => {
    const other = { ...sampleDecision, choice: { ...sampleDecision.choice, person: 'mallory' } };
    const { operations } = scene({ store: { decisions: async () => [other as never] } });
    expect(await operations.explain(sampleId)).toMatchObject([{ decision: { id: 'd1' }, replayed: false }]);
  });
});

describe('acting', () => {
  test('a retry is recorded with who asked, and wakes the relay', async () => {
    const { operations, calls } = scene();
    expect(await operations.retry(sampleId, 'cli:ann')).toBe(2);
    const event = { at: sampleNow, queueId: sampleId, event: 'operated', action: 'retry', by: 'cli:ann' };
    expect(calls).toEqual([['retryNow', sampleId, sampleNow, event], ['wake']]);
  });

  test('an ack by queue id goes to the one that is open', async () => {
    const closed = { ...sampleTracked, shortId: 'aaaa', seq: 1, state: 'answered' } as const;
    const { operations, calls } = scene({ tracked: [sampleTracked, closed] });
    await operations.ack(sampleId, 'cli:ann');
    expect(calls).toEqual([['acknowledge', { queueId: sampleId, seq: 0 }, 'cli:ann']]);
  });

  test('an ack by queue id of two open ones is refused, naming both', async () => {
    const { operations, calls } = scene({ tracked: [sampleTracked, { ...sampleTracked, shortId: 'm3pd', seq: 1 }] });
    await expect(operations.ack(sampleId, 'x')).rejects.toThrow(RefusedError);
    await expect(operations.ack(sampleId, 'x')).rejects.toThrow('k7mf (support), m3pd (support)');
    expect(calls).toEqual([]);
  });
});

describe('readiness', () => {
  const ofError: Problem = { severity: 'error', place, message: 'no group "x"' };

  test('all well', async () => {
    expect(await scene().operations.status()).toMatchObject({
      ready: true,
      problems: [],
      rulesVersion: 'abc123def456',
    });
  });

  test('a rejected reload and a lost XMPP link are problems, but mail is taken', async () => {
    const { operations } = scene({
      problems: [ofError, { ...ofError, severity: 'warning', message: 'unused' }],
      link: { state: 'down', since: sampleNow - 90_000, reason: 'refused' },
    });
    const { ready, problems } = await operations.status();
    expect(ready).toBe(true);
    expect(problems).toHaveLength(2);
    expect(problems[0]).toContain('rules/a.yaml:3:5: error: no group "x"');
    expect(problems[1]).toContain('XMPP is down for 1m 30s: refused');
  });

  test('no XMPP account configured is no problem', async () => {
    expect((await scene({ link: { state: 'off', since: 0 } }).operations.status()).problems).toEqual([]);
  });

  test('a failing store is not ready', async () => {
    const { operations } = scene({ store: { counts: () => Promise.reject(new Error('disk')) } });
    expect(await operations.status()).toMatchObject({
      ready: false,
      counts: null,
      problems: ['the store does not answer'],
    });
  });

  test('a hanging store is not ready either, and does not hang who asks', async () => {
    const { operations, clock } = scene({ store: { counts: () => new Promise(() => undefined) } });
    const asked = operations.status();
    await clock.advance(2_000);
    expect(await asked).toMatchObject({ ready: false, counts: null });
  });

  test('draining is not ready', async () => {
    expect(await scene({ hindrances: ['draining'] }).operations.status()).toMatchObject({
      ready: false,
      problems: ['draining'],
    });
  });
});
