// What is written down after the answer, and not all at once: a flood must not make an MTA wait for our book-keeping.
// What comes in a burst waits its turn; only what is beyond all measure is passed over, and counted.
import { type Clock, type Duration, second } from '../clock.ts';
import type { Log } from '../log.ts';
import { type Packing, Shelf } from './shelf.ts';

/** So many in one go, and then a pause: a thousand a second at most. */
const atOnce = 25;
const pause: Duration = 25;
/** And so many times what the writing took: while answering takes all there is, that grows, and the rest can wait. */
const patience = 9;
const mostWaiting = 20_000;
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
    while (this.#waiting.length > 0) {
      const some = Array.from({ length: Math.min(atOnce, this.#waiting.length) }, () => this.#waiting.take());
      const from = this.#clock.now();
      await Promise.all(some.map((one) => this.#write(one)));
      const now = this.#clock.now();
      if (this.#waiting.length > 0 && !this.#draining.signal.aborted)
        await this.#clock.sleepUntil(now + Math.max(pause, patience * (now - from)), this.#draining.signal);
    }
    this.#running = null;
  }

  #complain(): void {
    const now = this.#clock.now();
    if (now - this.#complainedAt < complainEvery && now >= this.#complainedAt) return;
    this.#complainedAt = now;
    this.#log.warn({ decisions: this.#passedOver }, 'routed, but not written down: more came than can be written');
    this.#passedOver = 0;
  }
}
