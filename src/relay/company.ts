// What nobody waits for, and what costs less the more of it is stored together, goes on in company while mail comes fast.
import type { Clock, Duration } from '../clock.ts';
import type { Traffic } from './traffic.ts';

export class Company {
  readonly #clock: Clock;
  readonly #traffic: Traffic;
  readonly #lasts: Duration;
  readonly #ending: AbortSignal;
  #next: Promise<void> | null = null;

  /** @param ending nobody waits any more */
  constructor(clock: Clock, traffic: Traffic, lasts: Duration, ending: AbortSignal) {
    this.#clock = clock;
    this.#traffic = traffic;
    this.#lasts = lasts;
    this.#ending = ending;
  }

  /** Null while it is quiet: go on at once. Otherwise all that come within so long of the first go on in one turn. */
  wait(): Promise<void> | null {
    const now = this.#clock.now();
    if (this.#ending.aborted || !this.#traffic.busy(now)) return null;
    this.#next ??= this.#clock.sleepUntil(now + this.#lasts, this.#ending).then(() => {
      this.#next = null;
    });
    return this.#next;
  }
}
