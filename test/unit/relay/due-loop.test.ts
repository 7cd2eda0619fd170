// When the pump of the timer queue looks: at the moment itself, or in company while it may gather; never without need.
import { describe, expect, test } from 'vitest';
import type { Duration, Instant } from '../../../src/clock.ts';
import { minute, second } from '../../../src/clock.ts';
import { silentLog } from '../../../src/log.ts';
import { startDueLoop } from '../../../src/relay/due-loop.ts';
import type { Due, Store } from '../../../src/store/store.ts';
import { settle, TestClock, testStart } from '../../support/clock.ts';

/** A queue of moments, and a loop that takes them. `took`: when each was taken, in milliseconds from the start. */
function scene(
  moments: readonly number[],
  options: { gathers?: () => Duration; atOnce?: number; portion?: number; fails?: boolean } = {},
) {
  const clock = new TestClock();
  const waiting = moments.map((each): Instant => testStart + each);
  const took: number[] = [];
  const claims: number[] = [];
  let asked = 0;
  let wrong = 0;
  const store = {
    async claimDue({ now, limit }: { now: Instant; limit: number }): Promise<readonly Due[]> {
      if (options.fails && wrong === 0) {
        wrong += 1;
        throw new Error('the disk is gone');
      }
      claims.push(now - testStart);
      const due = waiting.filter((at) => at <= now).slice(0, limit);
      waiting.splice(0, due.length);
      return due.map((at) => ({ kind: 'retire', queueId: String(at) }) as unknown as Due);
    },
    async nextDueAt(): Promise<Instant | null> {
      asked += 1;
      return waiting[0] ?? null;
    },
  } as unknown as Store;
  const work = Promise.withResolvers<void>();
  const { gathers, atOnce = 50, portion } = options;
  const loop = startDueLoop({
    ...{ store, clock, log: silentLog, kinds: ['step'], atOnce, leaseFor: minute, says: true },
    ...(gathers ? { gathers } : {}),
    ...(portion === undefined ? {} : { portion }),
    handle: (due) =>
      due.map(() => {
        took.push(clock.now() - testStart);
        return atOnce === 1 ? work.promise : Promise.resolve();
      }),
  });
  /** Without the first look, which every loop takes. */
  const claimedAt = () => claims.slice(1);
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 12; turn += 1) await settle();
  };
  const pass = async (time: Duration): Promise<void> => {
    await turns();
    await clock.advance(time);
    await turns();
  };
  const add = (at: Instant): void => {
    waiting.push(at);
    waiting.sort((one, other) => one - other);
  };
  return { clock, loop, took, claimedAt, pass, add, asked: () => asked, work };
}

describe('the due loop', () => {
  test('takes each thing at its moment', async () => {
    const { took, pass, loop } = scene([100, 120, 140, 3_000]);
    await pass(5 * second);
    expect(took).toEqual([100, 120, 140, 3_000]);
    await loop.stop();
  });

  test('what becomes one thing in hand is claimed in portions, however little room there is', async () => {
    const moments = [100, 100, 100, 100, 100];
    const narrow = scene(moments, { atOnce: 2 });
    await narrow.pass(second);
    expect(narrow.claimedAt()).toHaveLength(3);
    await narrow.loop.stop();
    const { took, claimedAt, pass, loop } = scene(moments, { atOnce: 2, portion: 4 });
    await pass(second);
    expect(took).toEqual(moments);
    expect(claimedAt()).toHaveLength(2);
    await loop.stop();
  });

  test('while it gathers, what comes soon after goes together; the first not later than it would', async () => {
    const { took, claimedAt, pass, loop } = scene([100, 120, 140, 3_000], { gathers: () => 50 });
    await pass(5 * second);
    expect(took).toEqual([100, 150, 150, 3_000]);
    expect(claimedAt()).toEqual([100, 150, 3_000]);
    await loop.stop();
  });

  test('gathers only while it is told to', async () => {
    let busy = true;
    const { took, pass, loop, clock } = scene([100, 120, 1_000, 1_020], { gathers: () => (busy ? 50 : 0) });
    await pass(500);
    busy = false;
    await pass(second);
    expect(took).toEqual([100, 150, 1_000, 1_020]);
    expect(clock.now()).toBe(testStart + 1_500);
    await loop.stop();
  });

  test('ends at once while it gathers', async () => {
    const { took, pass, loop } = scene([100, 120], { gathers: () => 50 });
    await pass(125);
    expect(took).toEqual([100]);
    await loop.stop();
    expect(took).toEqual([100]);
  });

  test('does not look when what was added is due later than what it waits for', async () => {
    const { loop, pass, asked, took, add } = scene([minute]);
    await pass(second);
    const before = asked();
    add(testStart + 2 * minute);
    loop.wake(testStart + 2 * minute);
    await pass(second);
    expect(asked()).toBe(before);
    add(testStart + 30 * second);
    loop.wake(testStart + 30 * second);
    await pass(3 * minute);
    expect(took).toEqual([30 * second, minute, 2 * minute]);
    await loop.stop();
  });

  test('what was added due now is taken now', async () => {
    const { loop, pass, took, add } = scene([]);
    await pass(second);
    add(testStart + second);
    loop.wake();
    await pass(0);
    expect(took).toEqual([second]);
    await loop.stop();
  });

  test('with its hands full it looks again when something has ended', async () => {
    const { loop, pass, took, work } = scene([100, 100], { atOnce: 1 });
    await pass(minute);
    expect(took).toEqual([100]);
    work.resolve();
    await pass(0);
    expect(took).toEqual([100, minute]);
    await loop.stop();
  });

  test('a store that fails is asked again after a while', async () => {
    const { loop, pass, took } = scene([100], { fails: true });
    await pass(second);
    expect(took).toEqual([]);
    await pass(5 * second);
    expect(took).toEqual([5 * second]);
    await loop.stop();
  });
});
