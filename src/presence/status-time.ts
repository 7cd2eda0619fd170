// Status text read for time: "in a meeting until 11:30", "back at 14:00", "bis 15 Uhr". Free text is a weak witness, so
// it is read only when asked for, counts from when it was written, and never for longer than half a day. Pure.
import type { Duration, Instant } from '../clock.ts';
import { day, hour, minute } from '../clock.ts';
import { wallInstant, wallTimeAt } from '../zone.ts';

/** What claims a longer time was written about another day, or is no time at all. */
export const longestStatus: Duration = 12 * hour;

/** Text that is looked at: a status of 500 characters is read at most that far. */
const readUpTo = 200;

// The word that makes a number a time to come, then the time. "bis" and "until" name an end, so do "back" and "wieder".
const leads =
  /(?:\b(?:until|till|til|back(?:\s+at|\s+by|\s+around)?|return(?:ing)?\s+at|bis(?:\s+ca\.?|\s+gegen)?|wieder\s+(?:da|zur[üu]ck|hier)?\s*(?:um|ab|gegen)|zur[üu]ck\s*(?:um|ab|gegen)|ab)|[-–→]>?)\s*(?:~|ca\.?\s*)?/giu;
const time =
  /^(\d{1,2})(?:[:.h](\d{2}))?\s*(uhr|h\b|o'clock|a\.?m\.?|p\.?m\.?)?(?![\d:.%/-]|\s*(?:min|st(?:d|unde)|hours?|days?|tage?n?)\b)/iu;

/**
 * The instant the text names, when it lies after `now`; null when it names none, or one that has passed.
 * `writtenAt`: when the person wrote it, which is what "11:30" is about.
 */
export function endOfStatus(text: string, writtenAt: Instant, now: Instant, zone: string): Instant | null {
  const read = text.slice(0, readUpTo);
  for (const lead of read.matchAll(leads)) {
    const found = time.exec(read.slice(lead.index + lead[0].length));
    const clock = found && timeOfDay(found, lead[0]);
    if (clock === null || clock === undefined) continue;
    const end = nextAt(clock, writtenAt, zone);
    return end > now && end - writtenAt <= longestStatus ? end : null;
  }
  return null;
}

function timeOfDay(found: RegExpExecArray, lead: string): number | null {
  const [, hours = '', minutes, suffix = ''] = found;
  const word = suffix.toLowerCase().replaceAll('.', '');
  const bare = minutes === undefined && word === '';
  // "ab 3" and "- 3" are about anything; "until 3" and "bis 3" are about a time.
  if (bare && !/until|till?|back|bis|um|gegen/i.test(lead)) return null;
  let value = Number(hours);
  if (word === 'am' || word === 'pm') {
    if (value < 1 || value > 12) return null;
    value = (value % 12) + (word === 'pm' ? 12 : 0);
  }
  if (value > 24 || Number(minutes ?? 0) > 59) return null;
  return value * hour + Number(minutes ?? 0) * minute;
}

/** The first time the wall clock shows it, from when it was written. */
function nextAt(time: number, from: Instant, zone: string): Instant {
  const { dayNumber } = wallTimeAt(from, zone);
  const today = wallInstant({ dayNumber, time: time % day }, zone);
  return today > from ? today : wallInstant({ dayNumber: dayNumber + 1, time: time % day }, zone);
}
