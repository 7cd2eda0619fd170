// Weekly hours as a source of presence: when somebody is on duty, in their time zone, with exceptions by date. Pure.
//
// Hours may run past midnight: they belong to the day on which they begin. An exception replaces all hours that begin
// on its date. Where a clock change skips a time it means the instant of the change; where it shows one twice, the first.
import type { Instant } from '../clock.ts';
import { day } from '../clock.ts';
import { formatDate, wallInstant, wallTimeAt, weekdayOf } from '../zone.ts';

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
  /** Days off in every year, as `12-25`. */
  readonly yearlyOff?: ReadonlySet<string>;
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
    for (const { from, to } of hoursOn(schedule, dayNumber)) {
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

function hoursOn({ week, exceptions, yearlyOff }: Schedule, dayNumber: number): readonly Hours[] {
  const exception = exceptions.get(dayNumber);
  if (exception) return exception;
  if (yearlyOff && yearlyOff.size > 0 && yearlyOff.has(formatDate(dayNumber).slice(5))) return [];
  return week[weekdayOf(dayNumber)] ?? [];
}

function judge(merged: readonly Interval[], now: Instant): Duty {
  const index = merged.findIndex(({ to }) => to > now);
  const next = merged[index];
  if (!next) return { on: false, since: merged.at(-1)?.to ?? null, until: null };
  if (next.from > now) return { on: false, since: merged[index - 1]?.to ?? null, until: next.from };
  return { on: true, since: next.from, until: next.to };
}
