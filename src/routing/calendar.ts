// Days, hours and zones. Pure: the moment is a parameter; the zone's rules come with Node. Working hours are local to
// the zone that a schedule names, so a person's day stays their day over daylight saving and wherever we run.
import { type Duration, day, type Instant, minute } from '../clock.ts';
import type { Period, Schedule } from './rules.ts';

export const dayNames = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

export interface LocalTime {
  /** `2026-03-29` */
  readonly date: string;
  /** 1 is Monday, 7 is Sunday. */
  readonly weekday: number;
  /** Since midnight by the clock on the wall. */
  readonly minutes: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

export function isZone(name: string): boolean {
  try {
    formatOf(name);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known) return known;
  const made = new Intl.DateTimeFormat('en-CA', {
    timeZone: zone,
    calendar: 'iso8601',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  formats.set(zone, made);
  return made;
}

/** How far the zone's wall clock is ahead of UTC at that moment. */
function offsetAt(zone: string, at: Instant): Duration {
  const parts: Record<string, number> = {};
  for (const { type, value } of formatOf(zone).formatToParts(at)) parts[type] = Number(value);
  const { year = 0, month = 1, day: date = 1, hour: hours = 0, minute: minutes = 0, second: seconds = 0 } = parts;
  return Date.UTC(year, month - 1, date, hours, minutes, seconds) - Math.floor(at / 1000) * 1000;
}

// Zones change at whole quarters of an hour, so within one the offset stays the same. One entry a zone is enough: the
// moments asked for are close together.
const offsets = new Map<string, { quarter: number; offset: Duration }>();

function offsetOf(zone: string, at: Instant): Duration {
  const quarter = Math.floor(at / (15 * minute));
  const known = offsets.get(zone);
  if (known?.quarter === quarter) return known.offset;
  const offset = offsetAt(zone, at);
  offsets.set(zone, { quarter, offset });
  return offset;
}

export function localTime(at: Instant, zone: string): LocalTime {
  const local = at + offsetOf(zone, at);
  const days = Math.floor(local / day);
  return {
    date: new Date(days * day).toISOString().slice(0, 10),
    // 1970-01-01 was a Thursday.
    weekday: ((((days + 3) % 7) + 7) % 7) + 1,
    minutes: Math.floor((local - days * day) / minute),
  };
}

/** The moment at which the zone's wall clock shows this; in the hour that spring skips, the moment it is skipped to. */
export function instantOf(date: string, minutes: number, zone: string): Instant {
  const local = Date.parse(`${date}T00:00:00Z`) + minutes * minute;
  const guess = local - offsetAt(zone, local);
  return local - offsetAt(zone, guess);
}

const isClosed = ({ closed }: Schedule, date: string): boolean =>
  closed.includes(date) || closed.includes(date.slice(5));

export function isOpenAt(schedule: Schedule, at: Instant): boolean {
  const { date, weekday, minutes } = localTime(at, schedule.zone);
  // By the calendar, not 24 hours ago: a day may have 23 or 25.
  const before = { date: dateAfter(date, -1), weekday: ((weekday + 5) % 7) + 1 };
  return schedule.windows.some(({ days, from, to }) => {
    const overnight = to <= from;
    const today = days.includes(weekday) && !isClosed(schedule, date);
    if (today && minutes >= from && (overnight || minutes < to)) return true;
    // The part after midnight belongs to the day on which it began.
    return overnight && days.includes(before.weekday) && !isClosed(schedule, before.date) && minutes < to;
  });
}

/** The next moment at which it opens, within the two weeks to come; null when it does not. */
export function nextOpening(schedule: Schedule, after: Instant): Instant | null {
  const today = localTime(after, schedule.zone);
  for (let ahead = 0; ahead <= 14; ahead += 1) {
    const date = dateAfter(today.date, ahead);
    const weekday = ((today.weekday - 1 + ahead) % 7) + 1;
    if (isClosed(schedule, date)) continue;
    const opens = schedule.windows
      .filter(({ days }) => days.includes(weekday))
      .map(({ from }) => instantOf(date, from, schedule.zone))
      .filter((at) => at > after);
    if (opens.length > 0) return Math.min(...opens);
  }
  return null;
}

/** The moment at which it closes that is open at `at`, within the two weeks to come; null when it does not. */
export function nextClosing(schedule: Schedule, at: Instant): Instant | null {
  const ends: Instant[] = [];
  for (let ahead = -1; ahead <= 14; ahead += 1) {
    const { date } = localTime(at + ahead * day, schedule.zone);
    const next = new Date(Date.parse(`${date}T00:00:00Z`) + day).toISOString().slice(0, 10);
    for (const { from, to } of schedule.windows) ends.push(instantOf(to <= from ? next : date, to, schedule.zone));
  }
  // Another window may begin where one ends.
  return ends.sort((a, b) => a - b).find((end) => end > at && !isOpenAt(schedule, end)) ?? null;
}

export function isWithin({ from, to, zone }: Period, at: Instant): boolean {
  const { date } = localTime(at, zone);
  return date >= from && date <= to;
}

/** The moment after the last day. */
export function endOf({ to, zone }: Period): Instant {
  return instantOf(dateAfter(to, 1), 0, zone);
}

/** So many days on the calendar later. */
const dateAfter = (date: string, days: number): string =>
  new Date(Date.parse(`${date}T00:00:00Z`) + days * day).toISOString().slice(0, 10);

/** `08:30` */
export const formatMinutes = (minutes: number): string =>
  `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
