// How busy it is: whether mail comes so fast that what can wait for a moment had better do so, in company.
import type { Duration, Instant } from '../clock.ts';

const span: Duration = 100;
/** So many in a span: 150 a second. */
const many = 15;

export class Traffic {
  #since: Instant = Number.NEGATIVE_INFINITY;
  #count = 0;
  #before = 0;

  /** One message came. */
  came(now: Instant): void {
    this.#turn(now);
    this.#count += 1;
  }

  busy(now: Instant): boolean {
    this.#turn(now);
    return this.#count >= many || this.#before >= many;
  }

  /** Also when the clock was set back. */
  #turn(now: Instant): void {
    const passed = now - this.#since;
    if (passed >= 0 && passed < span) return;
    this.#before = passed >= 0 && passed < 2 * span ? this.#count : 0;
    this.#count = 0;
    this.#since = now;
  }
}
