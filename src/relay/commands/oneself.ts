// About oneself: away, back, mute, unmute. Whoever is away is not chosen; whoever has muted a group still gets its mail.
import type { Instant } from '../../clock.ts';
import type { TimeOfDay } from '../../notify/command.ts';
import { oneLine } from '../../notify/text.ts';
import { type Answer, groupsOf, namesOf, type Request, timeFor } from './request.ts';

export async function away(request: Request): Promise<Answer> {
  const { stage, person, command, p } = request;
  const now = stage.clock.now();
  const until = untilOf(request, now);
  await stage.absences.setAway(person.name, { until }, now);
  stage.log.info({ person: person.name, until }, 'has said away');
  const open = (await stage.store.openTracked({ owner: person.name })).length;
  return p.away(until === null ? null : timeFor(request, until), command.verb === 'away' ? open : 0);
}

/** Who is back is also there for what is held. */
export async function back({ stage, person, p }: Request): Promise<Answer> {
  const now = stage.clock.now();
  if (!stage.absences.away(person.name, now)) return p.notAway;
  await stage.absences.setAway(person.name, undefined, now);
  stage.log.info({ person: person.name }, 'is back');
  let woken = 0;
  for (const group of groupsOf(stage, person)) woken += await stage.store.wakeHeld(group, now);
  if (woken > 0) stage.wake();
  return p.back;
}

export async function mute(request: Request): Promise<Answer> {
  const { stage, person, command, p } = request;
  const mine = groupsOf(stage, person);
  if (command.name === undefined && mine.length !== 1) return p.needsGroup(namesOf(mine));
  const group = mine.find((name) => command.name === undefined || name.toLowerCase() === command.name);
  if (group === undefined) return p.unknownGroup(oneLine(command.name ?? '', 40), namesOf(mine));
  if (command.verb === 'unmute') {
    await stage.absences.setMuted(person.name, group, undefined);
    return p.unmuted(group);
  }
  const until = untilOf(request, stage.clock.now());
  await stage.absences.setMuted(person.name, group, { until });
  return p.muted(group, until === null ? null : timeFor(request, until));
}

function untilOf({ command: { lasting, until } }: Request, now: Instant): Instant | null {
  if (lasting !== undefined) return now + lasting;
  return until === undefined ? null : nextAt(until, now);
}

/** The next time the clock on the wall shows this, in the zone the machine is set to. */
export function nextAt({ hour, minute }: TimeOfDay, now: Instant): Instant {
  const date = new Date(now);
  date.setHours(hour, minute, 0, 0);
  // Over a change to or from summer time the day is not 24 hours long: the date is moved, not the instant.
  if (date.getTime() <= now) {
    date.setDate(date.getDate() + 1);
    date.setHours(hour, minute, 0, 0);
  }
  return date.getTime();
}
