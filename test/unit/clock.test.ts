// The system's clock: what a pause is worth when somebody sets it.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { day, hour, minute, second, systemClock } from '../../src/clock.ts';

const start = Date.UTC(2026, 0, 5, 9);
beforeEach(() => {
  vi.useFakeTimers({ now: start });
});
afterEach(() => {
  vi.useRealTimers();
});

const ended = (pause: Promise<void>): { readonly yes: boolean } => {
  const state = { yes: false };
  void pause.then(() => {
    state.yes = true;
  });
  return state;
};

test('a pause ends at its time, and not before', async () => {
  const pause = ended(systemClock.sleepUntil(start + hour));
  await vi.advanceTimersByTimeAsync(hour - 1);
  expect(pause.yes).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(pause.yes).toBe(true);
});

test('a pause ends within a minute when the clock is set back: it must not last a day', async () => {
  const pause = ended(systemClock.sleepUntil(start + hour));
  vi.setSystemTime(start - day);
  await vi.advanceTimersByTimeAsync(minute);
  expect(pause.yes).toBe(true);
});

test('a clock that is merely slowed down ends no pause, nor does any the one that has no end', async () => {
  const pause = ended(systemClock.sleepUntil(start + hour));
  const endless = ended(systemClock.sleepUntil(Number.POSITIVE_INFINITY));
  await vi.advanceTimersByTimeAsync(minute - 1);
  vi.setSystemTime(Date.now() - 500);
  await vi.advanceTimersByTimeAsync(minute);
  expect(pause.yes).toBe(false);
  vi.setSystemTime(start - day);
  await vi.advanceTimersByTimeAsync(2 * minute + second);
  expect(endless.yes).toBe(false);
});
