// From everything that is said about a person to the one presence that rules see, with the source that decided. Pure.
//
// Judged in this order, the first that has something to say decides:
//   1 manual     set by hand: whoever set it knows better than any client
//   2 absence    away for days: a phone that stays online on holiday proves nothing
//   3 schedule   outside the hours in which they work
//   4 status     a text with a time in it makes somebody who is online dnd until then, when the text is read for that
//   5 xmpp       the person's own presence, damped, when it is known; a room when that says online and this does not
//   6 schedule   on or off duty, when nothing live is known and a duty is said
// Nothing is averaged and nothing is voted on: an admin must be able to say why in one sentence.
import type { Instant } from '../clock.ts';
import type { Override } from './override.ts';
import type { Presence, Source } from './presence.ts';
import type { Duty } from './schedule.ts';
import { endOfStatus } from './status-time.ts';

export interface Absence {
  readonly from: Instant;
  readonly until: Instant;
  readonly substitute?: string;
  readonly note?: string;
}

export interface Said {
  readonly override: Override | null;
  readonly absences: readonly Absence[];
  /** When they work: outside they are offline, whatever else is known; within it says nothing. */
  readonly hours: Duty | null;
  /** When they count as there although nothing live is known of them. */
  readonly duty: Duty | null;
  /** As the stream says now. */
  readonly raw: Presence;
  /** The same, damped. */
  readonly damped: Presence;
  /** As an occupant of a duty room; null when in none. */
  readonly room: Presence | null;
  /** The zone to read the status text in; null: it is not read. */
  readonly readStatusIn: string | null;
}

export interface Combined {
  readonly presence: Presence;
  /** When it may change without anybody saying anything; null: never. */
  readonly nextAt: Instant | null;
}

export function combine(said: Said, now: Instant): Combined {
  const next: (Instant | null)[] = [];
  const { override, hours, duty } = said;
  const live = liveOf(said);
  const decided = (presence: Presence): Combined => ({ presence, nextAt: earliest(next) });
  const instead = (source: Source, presence: Omit<Presence, 'source' | 'live' | 'resources'>): Combined =>
    decided({ ...presence, source, live: liveView(said.raw), ...resourcesOf(live) });

  if (override) {
    if (override.from > now) next.push(override.from);
    else if (override.until === null || override.until > now) {
      next.push(override.until);
      return instead('manual', {
        state: override.state,
        since: override.from,
        asOf: override.setAt,
        ...untilOf(override),
        ...noteOf(override.note),
        ...substituteOf(override),
      });
    }
  }
  for (const absence of said.absences) {
    if (absence.from > now) next.push(absence.from);
    else if (absence.until > now) {
      next.push(absence.until);
      const { from, note } = absence;
      return instead('absence', {
        state: 'offline',
        since: from,
        asOf: from,
        until: absence.until,
        ...noteOf(note),
        ...substituteOf(absence),
      });
    }
  }
  if (hours) {
    next.push(hours.until);
    if (!hours.on) return instead('schedule', dutyPresence(hours));
  }
  if (live.state !== 'unknown') {
    const end = statusEnd(live, said.readStatusIn, now);
    if (end !== null) {
      next.push(end);
      return instead('status', { ...facts(live), state: 'dnd', since: live.statusSince ?? live.since, until: end });
    }
    return decided(live);
  }
  if (duty) {
    next.push(duty.until);
    return instead('schedule', dutyPresence(duty));
  }
  return decided(live);
}

function liveOf({ raw, damped, room }: Said): Presence {
  const damping = damped !== raw && damped.state !== raw.state;
  const own: Presence = damping ? { ...damped, live: liveView(raw) } : damped;
  // A change of show is often not told to rooms, so whoever is known to be online is known better by themselves. Whoever
  // is offline by all we were told and yet sits in a room is online: we are not told all.
  const silent = own.state === 'unknown' || (own.state === 'offline' && (own.resources ?? []).length === 0);
  if (room !== null && silent) return { ...room, source: 'room', live: liveView(raw) };
  return own;
}

const dutyPresence = ({ on, since, until }: Duty): Omit<Presence, 'source'> => ({
  state: on ? 'available' : 'offline',
  since,
  asOf: since,
  ...untilOf({ until }),
});

/** Only who is there can be in a meeting; and `dnd` with a time in its text is that already, with an end. */
function statusEnd(live: Presence, zone: string | null, now: Instant): Instant | null {
  if (zone === null || live.state === 'offline' || live.state === 'unknown' || live.status === undefined) return null;
  return endOfStatus(live.status, live.statusSince ?? live.since ?? now, now, zone);
}

function liveView({ state, since, asOf, reason }: Presence): NonNullable<Presence['live']> {
  return { state, since, asOf, ...(reason === undefined ? {} : { reason }) };
}

function facts({ asOf, status, idleSince, statusSince }: Presence): Pick<Presence, 'asOf' | 'status'> {
  return {
    asOf,
    ...(status === undefined ? {} : { status }),
    ...(statusSince === undefined ? {} : { statusSince }),
    ...(idleSince === undefined ? {} : { idleSince }),
  };
}

const resourcesOf = ({ resources }: Presence) => (resources === undefined ? {} : { resources });
const untilOf = ({ until }: { until: Instant | null }) => (until === null ? {} : { until });
const noteOf = (note: string | undefined) => (note === undefined ? {} : { status: note });
const substituteOf = ({ substitute }: { substitute?: string }) => (substitute === undefined ? {} : { substitute });

function earliest(instants: readonly (Instant | null)[]): Instant | null {
  let first: Instant | null = null;
  for (const at of instants) if (at !== null && (first === null || at < first)) first = at;
  return first;
}
