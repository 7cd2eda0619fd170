// Days and hours of the rules. Pure: the moment is a parameter. Working hours are local to the zone that a schedule
// names, so a person's day stays their day over daylight saving and wherever we run.
import { day, type Instant, minute } from '../clock.ts';
import { formatDate, wallInstant, wallTimeAt, weekdayOf } from '../zone.ts';
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

export function localTime(at: Instant, zone: string): LocalTime {
  const { dayNumber, time } = wallTimeAt(at, zone);
  return { date: formatDate(dayNumber), weekday: weekdayOf(dayNumber) || 7, minutes: Math.floor(time / minute) };
}

/** The moment at which the zone's wall clock shows this; in the hour that spring skips, the moment it is skipped to. */
export function instantOf(date: string, minutes: number, zone: string): Instant {
  return wallInstant({ dayNumber: dayNumberOf(date), time: minutes * minute }, zone);
}

const dayNumberOf = (date: string): number => Date.parse(`${date}T00:00:00Z`) / day;

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
    const next = dateAfter(date, 1);
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
const dateAfter = (date: string, days: number): string => formatDate(dayNumberOf(date) + days);

/** `08:30` */
export const formatMinutes = (minutes: number): string =>
  `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
