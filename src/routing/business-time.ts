// Time that counts only while a schedule is open: "after 30 minutes of office hours". Pure.
import type { Duration, Instant } from '../clock.ts';
import { isOpenAt, nextClosing, nextOpening } from './calendar.ts';
import type { Schedule } from './rules.ts';

/**
 * The moment at which so much open time has passed; always a moment at which the schedule is open. A schedule that does
 * not open within two weeks does not count: what waits for it must not wait for ever.
 */
export function afterOpenTime(schedule: Schedule, from: Instant, lasts: Duration): Instant {
  let at = from;
  let left = lasts;
  for (;;) {
    if (!isOpenAt(schedule, at)) {
      const opens = nextOpening(schedule, at);
      if (opens === null) return at + left;
      at = opens;
    }
    const closes = nextClosing(schedule, at);
    if (closes === null || at + left < closes) return at + left;
    left -= closes - at;
    at = closes;
  }
}
