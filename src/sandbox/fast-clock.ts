// The clock of `--speed`: a day in a minute. It goes in small steps, each in a turn of its own of the event loop, and
// stands still for a moment whenever something happens, so that what takes the machine milliseconds (a mail on its way,
// an answer on the wire, a commit) does not take minutes of the day that is played.
import type { Clock, Duration, Instant } from '../clock.ts';
import { second } from '../clock.ts';

export interface FastClock extends Clock {
  /** From now on so many times as fast as real time. */
  hurry(speed: number): void;
  /** Something happens: time stands still for a moment. */
  hush(): void;
  /** Time stands still until `free` is called with the same key, at the longest this long in the real world. */
  busy(key: string, atMost?: number): void;
  free(key: string): void;
  /** Time stands still until this has ended. */
  still<T>(work: Promise<T>): Promise<T>;
  stop(): void;
}

interface Sleeper {
  readonly at: Instant;
  readonly wake: () => void;
}

/** Nothing that waits for an answer gives up within this many of them: a client of ours waits 15 s for its server. */
const longestStep: Duration = second;
/** In real milliseconds: what a message needs from one hand to the next. */
const quietTime = 15;
/** And what a disk that others use, too, may take for a few commits. */
const longestWork = 1000;

/** @param real milliseconds of the real world; they only ever grow */
export function createFastClock(start: Instant, real: () => number = () => performance.now()): FastClock {
  let now = start;
  let speed = 1;
  let last = real();
  let stillUntil = 0;
  let working = 0;
  const inHand = new Map<string, number>();
  let stopped = false;
  // In the order of `at`, then of arrival.
  const sleepers: Sleeper[] = [];

  function turn(): void {
    if (stopped) return;
    const at = real();
    const passed = at - last;
    last = at;
    for (const [key, until] of inHand) if (at >= until) inHand.delete(key);
    const goes = working === 0 && inHand.size === 0 && at >= stillUntil;
    if (goes) step(Math.min(passed * speed, longestStep));
    // While it hurries there is always something to do; otherwise a millisecond is soon enough.
    if (speed > 1 && goes) setImmediate(turn);
    else setTimeout(turn, 1);
  }

  function step(by: Duration): void {
    const to = now + by;
    const first = sleepers[0];
    // Never past somebody who wakes: they look at the clock, and may set it standing still.
    now = first && first.at < to ? Math.max(now, first.at) : to;
    while (sleepers[0] && sleepers[0].at <= now) sleepers[0].wake();
  }
  setTimeout(turn, 1);

  return {
    now: () => Math.floor(now),
    sleepUntil(at, signal) {
      if (at <= now || signal?.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const sleeper: Sleeper = {
          at,
          wake() {
            signal?.removeEventListener('abort', sleeper.wake);
            const index = sleepers.indexOf(sleeper);
            if (index >= 0) sleepers.splice(index, 1);
            resolve();
          },
        };
        signal?.addEventListener('abort', sleeper.wake);
        const later = sleepers.findIndex((other) => other.at > at);
        sleepers.splice(later < 0 ? sleepers.length : later, 0, sleeper);
      });
    },
    hurry(times) {
      speed = times;
    },
    hush() {
      stillUntil = real() + quietTime;
    },
    busy: (key, atMost = longestWork) => void inHand.set(key, real() + atMost),
    free(key) {
      if (inHand.delete(key)) stillUntil = Math.max(stillUntil, real() + quietTime);
    },
    async still(work) {
      working += 1;
      try {
        return await work;
      } finally {
        working -= 1;
        stillUntil = real() + quietTime;
      }
    },
    stop() {
      stopped = true;
      for (const { wake } of [...sleepers]) wake();
    },
  };
}
