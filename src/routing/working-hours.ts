// What the rules say of somebody's time, as the presence board takes it: the hours in which they work, the duty in which
// they count as there unheard, and their absences. Pure.
import { minute } from '../clock.ts';
import type { BoardPerson } from '../presence/board.ts';
import type { Hours, Schedule as WeeklyHours } from '../presence/schedule.ts';
import { parseDate } from '../zone.ts';
import { endOf, instantOf } from './calendar.ts';
import type { Person, Schedule } from './rules.ts';

export type SaidOfTime = Pick<BoardPerson, 'hours' | 'duty' | 'absences'>;

/** One for all people of a set of rules: whoever shares a schedule then shares what is worked out of it. */
export function timeReader(): (person: Person) => SaidOfTime {
  const known = new Map<string, WeeklyHours>();
  const weekly = (schedule: Schedule | undefined): WeeklyHours | null => {
    if (!schedule) return null;
    // The zone may be the person's.
    const key = `${schedule.name} ${schedule.zone}`;
    const made = known.get(key) ?? weeklyHoursOf(schedule);
    known.set(key, made);
    return made;
  };
  return ({ hours, duty, absent = [] }) => ({
    hours: weekly(hours),
    duty: weekly(duty),
    absences: absent.map(({ substitute, ...period }) => ({
      from: instantOf(period.from, 0, period.zone),
      until: endOf(period),
      ...(substitute === undefined ? {} : { substitute }),
    })),
  });
}

export function weeklyHoursOf({ zone, windows, closed }: Schedule): WeeklyHours {
  const week = Array.from({ length: 7 }, (): Hours[] => []);
  // Sunday is 7 in rules, 0 there.
  for (const { days, from, to } of windows)
    for (const day of days) week[day % 7]?.push({ from: from * minute, to: to * minute });
  const exceptions = new Map<number, readonly Hours[]>();
  const yearlyOff = new Set<string>();
  for (const date of closed) {
    const dayNumber = parseDate(date);
    if (dayNumber === undefined) yearlyOff.add(date);
    else exceptions.set(dayNumber, []);
  }
  return { zone, week, exceptions, yearlyOff };
}
