// The sandbox's time: never back, and sleepers wake at the moment that was meant, also when the speed changes meanwhile.
import { expect, test } from 'vitest';
import { minute, second } from '../../../src/clock.ts';
import { PacedClock } from '../../../src/sandbox/paced-clock.ts';
import { TestClock, testStart } from '../../support/clock.ts';

test('runs as ever, then faster, then as ever again, without a jump', async () => {
  const base = new TestClock();
  const clock = new PacedClock(base);
  await base.advance(10 * second);
  expect(clock.now()).toBe(testStart + 10 * second);
  clock.factor = 20;
  expect(clock.now()).toBe(testStart + 10 * second);
  await base.advance(3 * second);
  expect(clock.now()).toBe(testStart + 70 * second);
  clock.factor = 1;
  await base.advance(second);
  expect(clock.now()).toBe(testStart + 71 * second);
});

test('a sleeper wakes at its moment whatever happens to the speed', async () => {
  const base = new TestClock();
  const clock = new PacedClock(base);
  let woke: number | null = null;
  const slept = clock.sleepUntil(testStart + 10 * minute).then(() => {
    woke = clock.now();
  });
  await base.advance(minute);
  clock.factor = 5;
  await base.advance(minute);
  expect(woke).toBeNull();
  clock.factor = 20;
  await base.advance(12 * second);
  await slept;
  expect(woke).toBe(testStart + 10 * minute);
});

test('a sleep that is cut short ends at once', async () => {
  const clock = new PacedClock(new TestClock());
  const cut = new AbortController();
  const slept = clock.sleepUntil(testStart + minute, cut.signal);
  cut.abort();
  await slept;
  expect(clock.now()).toBe(testStart);
});
