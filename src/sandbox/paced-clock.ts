// The sandbox's own time: as ever, or so many times faster, and changed at any moment. It only ever goes on from where
// it is: nothing jumps, and whoever sleeps wakes at the moment that was meant.
import type { Clock, Duration, Instant } from '../clock.ts';
import { minute } from '../clock.ts';

export class PacedClock implements Clock {
  readonly #base: Clock;
  #factor = 1;
  /** Where the present speed began, here and in the real time. */
  #here: Instant;
  #there: Instant;
  #changed = new AbortController();

  constructor(base: Clock) {
    this.#base = base;
    this.#here = base.now();
    this.#there = this.#here;
  }

  get factor(): number {
    return this.#factor;
  }

  set factor(factor: number) {
    this.#here = this.now();
    this.#there = this.#base.now();
    this.#factor = factor;
    const before = this.#changed;
    this.#changed = new AbortController();
    before.abort();
  }

  now(): Instant {
    return Math.round(this.#here + (this.#base.now() - this.#there) * this.#factor);
  }

  async sleepUntil(at: Instant, signal?: AbortSignal): Promise<void> {
    while (!signal?.aborted) {
      const left: Duration = at - this.now();
      if (left <= 0) return;
      const changed = this.#changed.signal;
      const wake = this.#base.now() + Math.min(left / this.#factor, minute);
      await this.#base.sleepUntil(Math.ceil(wake), signal ? AbortSignal.any([signal, changed]) : changed);
    }
  }
}
