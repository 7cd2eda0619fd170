// A clock that only a test moves.
import type { Clock, Duration, Instant } from '../../../../src/clock.ts';

export class StepClock implements Clock {
  #now: Instant = Date.UTC(2026, 0, 1);
  readonly #sleepers = new Set<{ at: Instant; wake: () => void }>();

  now(): Instant {
    return this.#now;
  }

  sleepUntil(at: Instant, signal?: AbortSignal): Promise<void> {
    if (at <= this.#now || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper = { at, wake: resolve };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', () => {
        this.#sleepers.delete(sleeper);
        resolve();
      });
    });
  }

  advance(by: Duration): void {
    this.#now += by;
    for (const sleeper of [...this.#sleepers]) {
      if (sleeper.at > this.#now) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }
}
