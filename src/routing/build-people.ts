// From what the files say to people and schedules. What was reported before is undefined here and is passed over.

import type { BareJid } from '../presence/jid.ts';
import { parseJid } from '../presence/jid.ts';
import type { Names } from './names.ts';
import { quote } from './problem.ts';
import type { PersonEntry, ScheduleEntry } from './rule-file.ts';
import type { Absence, Origin, Period, Person, Schedule } from './rules.ts';
import type { Located, Named } from './schema.ts';

/** A schedule that may still lack its zone: it is that of whoever uses it. */
export type OpenSchedule = Omit<Schedule, 'zone'> & { readonly zone: string | undefined };

export function buildSchedule(
  { name, place, value }: Named<ScheduleEntry>,
  { report }: Names,
): OpenSchedule | undefined {
  if (value?.open === undefined) return undefined;
  for (const { value: window, place } of value.open)
    if (window.from === window.to)
      report.error(place, 'it opens and closes at the same time; for the whole day leave both out');
  return Object.freeze({
    name,
    zone: value.zone,
    windows: Object.freeze(value.open.map((one) => one.value)),
    closed: Object.freeze([...(value.closed ?? [])]),
    place,
  });
}

export function buildPerson(
  { name, place, value }: Named<PersonEntry>,
  names: Names,
  schedules: ReadonlyMap<string, OpenSchedule>,
  origin?: Origin,
): Person | undefined {
  if (value?.mail === undefined) return undefined;
  const mail = value.mail.value;
  let jid: BareJid | null | undefined = value.jid?.value;
  if (value.jid === undefined) {
    jid = parseJid(mail)?.bare;
    if (jid === undefined) {
      const message = `${quote(mail)} cannot be a JID too; give the person a jid, or say "jid: none"`;
      names.report.error(value.mail.place, message);
    }
  }
  const zone = value.zone ?? 'UTC';
  const hours = value.hours && hoursOf(value.hours, zone, names, schedules);
  const quiet = value.quiet && hoursOf(value.quiet, zone, names, schedules);
  const duty = value.duty && hoursOf(value.duty, zone, names, schedules);
  const absent = (value.absent ?? []).flatMap((entry): Absence[] => {
    const substitute = entry.substitute && substituteOf(entry.substitute, name, names);
    return periodOf(entry, zone, names).map((period) =>
      substitute === undefined ? period : { ...period, substitute },
    );
  });
  return Object.freeze({
    name,
    mail,
    ...(value.also === undefined ? {} : { also: Object.freeze(value.also.map((one) => one.value)) }),
    jid: jid ?? null,
    operator: value.operator ?? false,
    ...(value.skills === undefined ? {} : { skills: Object.freeze([...new Set(value.skills)]) }),
    ...(value.capacity === undefined ? {} : { capacity: value.capacity.value }),
    ...(hours === undefined ? {} : { hours }),
    ...(value.zone === undefined ? {} : { zone: value.zone }),
    ...(duty === undefined ? {} : { duty }),
    ...(quiet === undefined ? {} : { quiet }),
    ...(absent.length === 0 ? {} : { absent: Object.freeze(absent) }),
    ...(value.language === undefined ? {} : { language: value.language }),
    ...(value.phone === undefined ? {} : { phone: value.phone }),
    ...(origin === undefined ? {} : { directory: origin }),
    place,
  });
}

/** The schedule of that name; without a zone of its own it is in `zone`. */
export function hoursOf(
  entry: Located<string>,
  zone: string,
  names: Names,
  schedules: ReadonlyMap<string, OpenSchedule>,
): Schedule | undefined {
  const name = names.known('schedule', entry);
  const schedule = name === undefined ? undefined : schedules.get(name);
  return schedule && Object.freeze({ ...schedule, zone: schedule.zone ?? zone });
}

function substituteOf(entry: Located<string>, of: string, names: Names): string | undefined {
  const substitute = names.known('person', entry);
  if (substitute !== of) return substitute;
  names.report.error(entry.place, `${quote(of)} cannot stand in for themselves`);
  return undefined;
}

export function periodOf(
  entry: { readonly from: Located<string> | undefined; readonly to: Located<string> | undefined },
  zone: string,
  { report }: Names,
): Period[] {
  const { from, to } = entry;
  if (from === undefined || to === undefined) return [];
  if (to.value < from.value) report.error(to.place, `${quote(to.value)} is before ${quote(from.value)}`);
  return [Object.freeze({ from: from.value, to: to.value, zone })];
}
