// Schedules of presence in a short written form, for tests: the rules have their own, which becomes the same thing.
import { day } from '../../src/clock.ts';
import type { Hours, Schedule } from '../../src/presence/schedule.ts';
import { formatDate, parseDate, parseTimeOfDay } from '../../src/zone.ts';

const dayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;

export type ParsedSchedule = { readonly schedule: Schedule } | { readonly wrong: string };

/**
 * The written form, one line or list entry each: `mon-fri 08:00-17:00`, `sat,sun 10:00-12:00, 14:00-16:00`,
 * `fri 22:00-06:00`, `2026-12-24 off`, `2026-12-31 08:00-12:00`, `2026-12-25 to 2027-01-01 off`.
 */
export function parseSchedule(lines: readonly string[], { zone }: { readonly zone: string }): ParsedSchedule {
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
  return { schedule: { zone, week, exceptions } };
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
