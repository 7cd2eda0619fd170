// Moments as people type them: `14:00` (the next one), `2h`, `2026-12-24`, `2026-12-24 08:00`. In the zone of the
// terminal, because that is where whoever types looks at the clock.
import { type Duration, type Instant, parseDuration } from '../clock.ts';
import { parseDate, parseTimeOfDay, wallInstant, wallTimeAt } from '../zone.ts';

export const momentExamples = '14:00, 2h, 2026-12-24 or "2026-12-24 08:00"';

/** Undefined when it is none of these, or already past. */
export function parseMoment(text: string, now: Instant, zone: string): Instant | undefined {
  const span: Duration | undefined = parseDuration(text);
  if (span !== undefined) return now + span;
  const [date, time, ...rest] = text.trim().split(/[\sT]+/);
  if (rest.length > 0 || date === undefined) return undefined;
  const { dayNumber: today } = wallTimeAt(now, zone);
  const alone = time === undefined ? parseTimeOfDay(date) : undefined;
  if (alone !== undefined) {
    const next = wallInstant({ dayNumber: today, time: alone }, zone);
    return next > now ? next : wallInstant({ dayNumber: today + 1, time: alone }, zone);
  }
  const [dayNumber, at] = [parseDate(date), parseTimeOfDay(time ?? '0:00')];
  if (dayNumber === undefined || at === undefined) return undefined;
  const moment = wallInstant({ dayNumber, time: at }, zone);
  return moment > now ? moment : undefined;
}

export function zoneHere(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}
