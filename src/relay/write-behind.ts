// What is written down after the answer, and not all at once: a flood must not make an MTA wait for our book-keeping.
// What comes in a burst waits its turn; only what is beyond all measure is passed over, and counted.
import { type Clock, type Duration, type Instant, second } from '../clock.ts';
import type { Log } from '../log.ts';
import { type Packing, Shelf } from './shelf.ts';

/** So many in one go, and then a pause: a thousand a second at most. */
const atOnce = 25;
const pause: Duration = 25;
/** And so many times what the writing took: while answering takes all there is, that grows, and the rest can wait. */
const patience = 9;
const mostWaiting = 20_000;
/** So long after the first of them came nothing is written while more comes than is written: most floods are over by then. */
const longestRest: Duration = 2 * second;
/** That they take while they wait. */
const mostOctets = 64 * 1_048_576;
const complainEvery: Duration = 10 * second;

/** @template T what is kept of one until it is written: as little as can be */
export class WriteBehind<T> {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #write: (one: T) => Promise<unknown>;
  readonly #waiting: Shelf<T>;
  readonly #draining = new AbortController();
  /** Since somebody looked. */
  #came = 0;
  #running: Promise<void> | null = null;
  #passedOver = 0;
  #complainedAt = Number.NEGATIVE_INFINITY;

  /** @param write must not reject */
  constructor(clock: Clock, log: Log, packing: Packing<T>, write: (one: T) => Promise<unknown>) {
    this.#clock = clock;
    this.#log = log;
    this.#write = write;
    this.#waiting = new Shelf(packing);
  }

  /** @returns false: there is no room, and it is never written */
  add(one: T): boolean {
    const octets = this.#waiting.room(one);
    if (this.#waiting.length >= mostWaiting || this.#waiting.octets + octets > mostOctets) {
      this.#passedOver += 1;
      this.#complain();
      return false;
    }
    this.#waiting.put(one, octets);
    this.#came += 1;
    this.#running ??= this.#run();
    return true;
  }

  /** All that waits is written, without pauses. */
  async drain(): Promise<void> {
    this.#draining.abort();
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    // The MTA hears its answer first.
    await new Promise<void>((resolve) => setImmediate(resolve));
    const restUntil = this.#clock.now() + longestRest;
    while (this.#waiting.length > 0) {
      const some = Array.from({ length: Math.min(atOnce, this.#waiting.length) }, () => this.#waiting.take());
      const from = this.#clock.now();
      await Promise.all(some.map((one) => this.#write(one)));
      const now = this.#clock.now();
      if (this.#waiting.length > 0) await this.#rest(Math.max(pause, patience * (now - from)), restUntil);
    }
    this.#running = null;
  }

  async #rest(first: Duration, until: Instant): Promise<void> {
    const { signal } = this.#draining;
    for (let length = first; !signal.aborted; length = pause) {
      this.#came = 0;
      await this.#clock.sleepUntil(this.#clock.now() + length, signal);
      if (this.#came <= atOnce || this.#waiting.length > mostWaiting / 2 || this.#clock.now() >= until) return;
    }
  }

  #complain(): void {
    const now = this.#clock.now();
    if (now - this.#complainedAt < complainEvery && now >= this.#complainedAt) return;
    this.#complainedAt = now;
    this.#log.warn({ decisions: this.#passedOver }, 'routed, but not written down: more came than can be written');
    this.#passedOver = 0;
  }
}
