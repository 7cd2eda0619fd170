import { describe, expect, test } from 'vitest';
import { silentLog } from '../../../src/log.ts';
import type { Packing } from '../../../src/relay/shelf.ts';
import { WriteBehind } from '../../../src/relay/write-behind.ts';
import { settle, TestClock, testStart } from '../../support/clock.ts';

const turns = async (): Promise<void> => {
  for (let count = 0; count < 5; count += 1) await settle();
};

const numbers: Packing<number> = {
  room: () => 8,
  put: (number, page) => page.putNumber(number),
  take: (page) => page.takeNumber(),
};

describe('writing behind', () => {
  test('in order, a few at once and then a pause; a single one at once', async () => {
    const clock = new TestClock();
    const written: number[] = [];
    const behind = new WriteBehind(clock, silentLog, numbers, async (number: number) => written.push(number));
    const add = (number: number) => behind.add(number);
    for (let number = 0; number < 60; number += 1) add(number);
    expect(written).toEqual([]);
    await turns();
    expect(written).toHaveLength(25);
    await clock.advance(25);
    await turns();
    expect(written).toHaveLength(50);
    await clock.advance(25);
    await turns();
    expect(written).toEqual(Array.from({ length: 60 }, (_, number) => number));
    add(60);
    await turns();
    expect(written.at(-1)).toBe(60);
  });

  test('what takes long waits longer: the time is for answering', async () => {
    const clock = new TestClock();
    let written = 0;
    const behind = new WriteBehind(clock, silentLog, numbers, async () => {
      await clock.sleepUntil(testStart + 50);
      written += 1;
    });
    for (let number = 0; number < 50; number += 1) behind.add(number);
    await turns();
    await clock.advance(50);
    await turns();
    expect(written).toBe(25);
    // Nine times fifty.
    await clock.advance(449);
    await turns();
    expect(written).toBe(25);
    await clock.advance(1);
    await turns();
    expect(written).toBe(50);
  });

  test('while more comes than is written, nothing is: two seconds long, or until half of the room is taken', async () => {
    const clock = new TestClock();
    let written = 0;
    const start = () =>
      new WriteBehind(clock, silentLog, numbers, async () => {
        written += 1;
      });
    let behind = start();
    const flood = async (milliseconds: number, each: number): Promise<void> => {
      for (let done = 0; done < milliseconds; done += 25) {
        for (let count = 0; count < each; count += 1) behind.add(count);
        await clock.advance(25);
        await turns();
      }
    };
    behind.add(0);
    await turns();
    expect(written).toBe(1);
    await flood(1_900, 60);
    // What came in its first turn, when nobody could know that more comes.
    expect(written).toBe(1 + 50);
    await flood(200, 60);
    expect(written).toBeGreaterThan(1 + 50 + 2 * 25);
    const before = written;
    // As much as is written: nothing to rest for.
    await flood(100, 25);
    expect(written).toBe(before + 100);
    await behind.drain();

    behind = start();
    written = 0;
    behind.add(0);
    await turns();
    await flood(500, 500);
    expect(written).toBe(1 + 50);
    await flood(100, 500);
    expect(written).toBeGreaterThan(1 + 50 + 25);
    await behind.drain();
  });

  test('a burst waits; beyond all measure it is passed over and told of; draining waits for no pause', async () => {
    const told: unknown[] = [];
    const log = { ...silentLog, warn: (fields: unknown) => told.push(fields) };
    let written = 0;
    const behind = new WriteBehind(new TestClock(), log, numbers, async () => {
      written += 1;
    });
    const added = Array.from({ length: 20_002 }, () => behind.add(0));
    expect(added.filter((taken) => taken)).toHaveLength(20_000);
    expect(told).toEqual([{ decisions: 1 }]);
    await behind.drain();
    expect(written).toBe(20_000);
    expect(behind.add(0)).toBe(true);
    await behind.drain();
  });

  test('nor does it keep more than so many octets of mail', async () => {
    // So large a one stays the object it is, and counts all the same.
    const large: Packing<number> = { ...numbers, room: () => 10 * 1_048_576 };
    const behind = new WriteBehind(new TestClock(), silentLog, large, async () => undefined);
    const add = () => behind.add(0);
    expect(Array.from({ length: 7 }, add)).toEqual([true, true, true, true, true, true, false]);
    await behind.drain();
    expect(add()).toBe(true);
    await behind.drain();
  });
});
