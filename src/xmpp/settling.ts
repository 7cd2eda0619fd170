// When silence means offline. After our presence the server tells of everybody who is there, sooner or later; some
// servers (ejabberd) say nothing of who is not. So it is waited for as long as the server may need, and until it has
// been quiet for a moment; but never for ever, because in a large company somebody always comes or goes.
import type { Duration, Instant } from '../clock.ts';
import { second } from '../clock.ts';

/** A pause this long in what the server tells ends the telling. */
const longestQuiet: Duration = 2 * second;

export class Settling {
  readonly #least: Duration;
  readonly #perPerson: Duration;
  #from: Instant | null = null;
  #heardAt: Instant = 0;
  #people = 0;

  /** `least`: at least so long; `perPerson`: and at most so much more for each. */
  constructor(least: Duration, perPerson: Duration) {
    this.#least = least;
    this.#perPerson = perPerson;
  }

  get least(): Duration {
    return this.#least;
  }

  begin(now: Instant, people: number): void {
    this.#from = now;
    this.#heardAt = now;
    this.#people = people;
  }

  cancel(): void {
    this.#from = null;
  }

  heard(now: Instant): void {
    this.#heardAt = now;
  }

  /** True once for each beginning. */
  isOver(now: Instant): boolean {
    if (this.#from === null || now < this.#from + this.#least) return false;
    const quiet = now - this.#heardAt >= Math.min(this.#least, longestQuiet);
    if (!quiet && now < this.#from + this.#least + this.#perPerson * this.#people) return false;
    this.#from = null;
    return true;
  }
}
