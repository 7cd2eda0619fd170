// What is written down after the answer, and not all at once: a flood must not make an MTA wait for our book-keeping.
// What comes in a burst waits its turn; only what is beyond all measure is passed over, and counted.
import { type Clock, type Duration, second } from '../clock.ts';
import type { Log } from '../log.ts';

/** So many in one go, and then a pause: a thousand a second at most. */
const atOnce = 25;
const pause: Duration = 25;
/** And so many times what the writing took: while answering takes all there is, that grows, and the rest can wait. */
const patience = 9;
const mostWaiting = 20_000;
/** Of the mail that waits with them. */
const mostOctets = 64 * 1_048_576;
const complainEvery: Duration = 10 * second;

/** @template T what is kept of one until it is written: as little as can be */
export class WriteBehind<T> {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #write: (one: T) => Promise<unknown>;
  readonly #waiting: T[] = [];
  readonly #sizes: number[] = [];
  #octets = 0;
  readonly #draining = new AbortController();
  #at = 0;
  #running: Promise<void> | null = null;
  #passedOver = 0;
  #complainedAt = Number.NEGATIVE_INFINITY;

  /** @param write must not reject */
  constructor(clock: Clock, log: Log, write: (one: T) => Promise<unknown>) {
    this.#clock = clock;
    this.#log = log;
    this.#write = write;
  }

  /** @param octets of mail it keeps  @returns false: there is no room, and it is never written */
  add(one: T, octets: number): boolean {
    if (this.#waiting.length - this.#at >= mostWaiting || this.#octets + octets > mostOctets) {
      this.#passedOver += 1;
      this.#complain();
      return false;
    }
    this.#waiting.push(one);
    this.#sizes.push(octets);
    this.#octets += octets;
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
    while (this.#at < this.#waiting.length) {
      const some = this.#waiting.slice(this.#at, this.#at + atOnce);
      const sizes = this.#sizes.slice(this.#at, this.#at + atOnce);
      this.#at += some.length;
      // What is done must not be kept for what is not; nor is the rest to be moved each time.
      if (this.#at >= 1_000) {
        this.#waiting.splice(0, this.#at);
        this.#sizes.splice(0, this.#at);
        this.#at = 0;
      }
      const from = this.#clock.now();
      await Promise.all(some.map((one) => this.#write(one)));
      for (const octets of sizes) this.#octets -= octets;
      const now = this.#clock.now();
      if (this.#at < this.#waiting.length && !this.#draining.signal.aborted)
        await this.#clock.sleepUntil(now + Math.max(pause, patience * (now - from)), this.#draining.signal);
    }
    this.#waiting.length = 0;
    this.#sizes.length = 0;
    this.#at = 0;
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
