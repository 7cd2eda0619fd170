// A clock for tests: it stands still until it is advanced, and then wakes the sleepers in the order of their times,
// letting each one's continuation run (and sleep again) before the next is woken.
import type { Clock, Duration, Instant } from '../../src/clock.ts';

/** Lets promise continuations and I/O that is ready now run; not a wait on time. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Sleeper {
  readonly at: Instant;
  readonly wake: () => void;
}

/** The time a TestClock starts at, when none is given: a Monday morning. */
export const testStart: Instant = Date.UTC(2026, 0, 5, 9, 0, 0);

export class TestClock implements Clock {
  #now: Instant;
  // In the order of `at`, then of arrival.
  readonly #sleepers: Sleeper[] = [];
  readonly #watchers: { count: number; done: () => void }[] = [];

  constructor(now: Instant = testStart) {
    this.#now = now;
  }

  now(): Instant {
    return this.#now;
  }

  sleepUntil(at: Instant, signal?: AbortSignal): Promise<void> {
    if (at <= this.#now || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        at,
        wake: () => {
          signal?.removeEventListener('abort', sleeper.wake);
          const index = this.#sleepers.indexOf(sleeper);
          if (index >= 0) this.#sleepers.splice(index, 1);
          resolve();
        },
      };
      signal?.addEventListener('abort', sleeper.wake, { once: true });
      const later = this.#sleepers.findIndex((other) => other.at > at);
      this.#sleepers.splice(later < 0 ? this.#sleepers.length : later, 0, sleeper);
      for (const watcher of [...this.#watchers]) {
        if (this.#sleepers.length >= watcher.count) watcher.done();
      }
    });
  }

  /** How many sleep now. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  /** When the first sleeper would wake; undefined when nobody sleeps. */
  get nextWake(): Instant | undefined {
    return this.#sleepers[0]?.at;
  }

  /** Resolves when at least `count` sleep. */
  async untilSleeping(count = 1): Promise<void> {
    if (this.#sleepers.length >= count) return;
    await new Promise<void>((resolve) => {
      const watcher = {
        count,
        done: () => {
          this.#watchers.splice(this.#watchers.indexOf(watcher), 1);
          resolve();
        },
      };
      this.#watchers.push(watcher);
    });
  }

  advance(by: Duration): Promise<void> {
    return this.advanceTo(this.#now + by);
  }

  /** Moves to `to`, waking everyone whose time comes, also those who only began to sleep on the way. */
  async advanceTo(to: Instant): Promise<void> {
    await settle();
    for (let first = this.#sleepers[0]; first && first.at <= to; first = this.#sleepers[0]) {
      this.#now = Math.max(this.#now, first.at);
      first.wake();
      await settle();
    }
    this.#now = Math.max(this.#now, to);
    await settle();
  }

  /** The clock is set, forwards or back, as NTP or an operator does; nobody is woken by a step back. */
  async jumpTo(to: Instant): Promise<void> {
    this.#now = to;
    await this.advanceTo(to);
  }
}
