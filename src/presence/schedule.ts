// Weekly hours as a source of presence: when somebody is on duty, in their time zone, with exceptions by date. Pure.
//
// Hours may run past midnight: they belong to the day on which they begin. An exception replaces all hours that begin
// on its date. Where a clock change skips a time it means the instant of the change; where it shows one twice, the first.
import type { Instant } from '../clock.ts';
import { day } from '../clock.ts';
import { formatDate, parseDate, parseTimeOfDay, wallInstant, wallTimeAt, weekdayOf } from '../zone.ts';

/** Milliseconds since midnight; `to` not after `from` means the next day. */
export interface Hours {
  readonly from: number;
  readonly to: number;
}

export interface Schedule {
  /** IANA name. */
  readonly zone: string;
  /** By weekday, Sunday first. */
  readonly week: readonly (readonly Hours[])[];
  /** By day number; no hours: off all day. */
  readonly exceptions: ReadonlyMap<number, readonly Hours[]>;
  /** What being off duty says: `offline` whatever else is known, or nothing as long as anything else is. */
  readonly outside: 'offline' | 'nothing';
}

export interface Duty {
  readonly on: boolean;
  /** Since and until when; null: for longer than a month. */
  readonly since: Instant | null;
  readonly until: Instant | null;
}

/** Changes are looked for this far ahead and back. */
const horizonDays = 31;

export function dutyAt(schedule: Schedule, now: Instant): Duty {
  const today = wallTimeAt(now, schedule.zone).dayNumber;
  // Nearly always the answer is within a day or two; the whole month is looked at only when it is not.
  for (const reach of [1, 8, horizonDays]) {
    const duty = judge(intervals(schedule, today - reach - longestDays, today + reach), now);
    // Beyond the edge lies what was not looked at, and may touch what was.
    const from = wallInstant({ dayNumber: today - reach, time: 0 }, schedule.zone);
    const to = wallInstant({ dayNumber: today + reach + 1, time: 0 }, schedule.zone);
    const since = duty.since !== null && duty.since >= from ? duty.since : null;
    const until = duty.until !== null && duty.until < to ? duty.until : null;
    if ((since !== null && until !== null) || reach === horizonDays) return { on: duty.on, since, until };
  }
  return { on: false, since: null, until: null };
}

/** Hours may end on the day after the one they begin on: so many days before may still matter. */
const longestDays = 2;

interface Interval {
  readonly from: Instant;
  readonly to: Instant;
}

/** In order, those that touch made one. */
function intervals(schedule: Schedule, first: number, last: number): readonly Interval[] {
  const found: Interval[] = [];
  for (let dayNumber = first; dayNumber <= last; dayNumber += 1) {
    const hours = schedule.exceptions.get(dayNumber) ?? schedule.week[weekdayOf(dayNumber)] ?? [];
    for (const { from, to } of hours) {
      const end = to > from ? to : to + day;
      const interval = {
        from: wallInstant({ dayNumber, time: from }, schedule.zone),
        to: wallInstant({ dayNumber, time: end }, schedule.zone),
      };
      if (interval.to > interval.from) found.push(interval);
    }
  }
  found.sort((a, b) => a.from - b.from);
  const merged: Interval[] = [];
  for (const next of found) {
    const before = merged.at(-1);
    if (before && next.from <= before.to) {
      merged[merged.length - 1] = { from: before.from, to: Math.max(before.to, next.to) };
    } else merged.push(next);
  }
  return merged;
}

function judge(merged: readonly Interval[], now: Instant): Duty {
  const index = merged.findIndex(({ to }) => to > now);
  const next = merged[index];
  if (!next) return { on: false, since: merged.at(-1)?.to ?? null, until: null };
  if (next.from > now) return { on: false, since: merged[index - 1]?.to ?? null, until: next.from };
  return { on: true, since: next.from, until: next.to };
}

const dayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;

export type ParsedSchedule = { readonly schedule: Schedule } | { readonly wrong: string };

/**
 * The written form, one line or list entry each: `mon-fri 08:00-17:00`, `sat,sun 10:00-12:00, 14:00-16:00`,
 * `fri 22:00-06:00`, `2026-12-24 off`, `2026-12-31 08:00-12:00`, `2026-12-25 to 2027-01-01 off`.
 */
export function parseSchedule(
  lines: readonly string[],
  { zone, outside = 'nothing' }: { readonly zone: string; readonly outside?: Schedule['outside'] },
): ParsedSchedule {
  const week: Hours[][] = dayNames.map(() => []);
  const exceptions = new Map<number, readonly Hours[]>();
  for (const line of lines) {
    const parts = /^\s*(\S+(?:\s+to\s+\S+)?)\s+(.+?)\s*$/i.exec(line);
    const hours = parts ? parseHours(parts[2] ?? '') : undefined;
    if (!parts || !hours)
      return { wrong: `${JSON.stringify(line)} is not like "mon-fri 08:00-17:00" or "2026-12-24 off"` };
    const when = (parts[1] ?? '').toLowerCase();
    const dates = parseDates(when);
    if (dates) {
      for (let date = dates.first; date <= dates.last; date += 1) {
        if (exceptions.has(date)) return { wrong: `${formatDate(date)} stands twice` };
        exceptions.set(date, hours);
      }
      continue;
    }
    const days = parseDays(when);
    if (!days)
      return { wrong: `${JSON.stringify(parts[1])} is neither days like "mon-fri" nor a date like 2026-12-24` };
    for (const one of days) week[one]?.push(...hours);
  }
  return { schedule: { zone, week, exceptions, outside } };
}

function parseHours(text: string): readonly Hours[] | undefined {
  if (/^off$/i.test(text)) return [];
  const hours: Hours[] = [];
  for (const span of text.split(',')) {
    const parts = /^\s*(\d{1,2}:\d{2})\s*[-–]\s*(\d{1,2}:\d{2})\s*$/.exec(span);
    const from = parseTimeOfDay(parts?.[1] ?? '');
    const to = parseTimeOfDay(parts?.[2] ?? '');
    // 24:00 ends a day; nothing begins there. The same time twice would be all day or never: neither is guessed.
    if (from === undefined || to === undefined || from === day || from === to) return undefined;
    hours.push({ from, to });
  }
  return hours;
}

/** At most two years at once. */
const longestSpan = 731;

function parseDates(text: string): { readonly first: number; readonly last: number } | undefined {
  const [from = '', to = from, ...rest] = text.split(/\s+to\s+/);
  const [first, last] = [parseDate(from), parseDate(to)];
  if (rest.length > 0 || first === undefined || last === undefined) return undefined;
  return last < first || last - first > longestSpan ? undefined : { first, last };
}

function parseDays(text: string): readonly number[] | undefined {
  const days = new Set<number>();
  for (const part of text.split(',')) {
    if (part === 'daily') {
      for (let one = 0; one < 7; one += 1) days.add(one);
      continue;
    }
    const [from, to = from, ...rest] = part.split('-').map((name) => (dayNames as readonly string[]).indexOf(name));
    if (rest.length > 0 || from === undefined || to === undefined || from < 0 || to < 0) return undefined;
    for (let one = from; ; one = (one + 1) % 7) {
      days.add(one);
      if (one === to) break;
    }
  }
  return [...days];
}
