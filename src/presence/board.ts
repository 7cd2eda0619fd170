// The board: everybody's presence from all sources, as rules see it. Pure and synchronous: what the sources say is fed
// in, time is a parameter, and whatever can change what is shown returns the changes. nextAt() says when tick() is due.
//
// People are known by name, because a schedule or a word by hand needs no JID; two names may share one.
import type { Duration, Instant } from '../clock.ts';
import { day } from '../clock.ts';
import { Alarms } from './alarms.ts';
import type { Absence } from './combine.ts';
import { combine } from './combine.ts';
import type { Damped, DampingTimes } from './damping.ts';
import { damp, dampingTimes, settled } from './damping.ts';
import type { BareJid } from './jid.ts';
import type { Override } from './override.ts';
import type { Presence, PresenceChange } from './presence.ts';
import { neverSeen } from './presence.ts';
import type { Duty, Schedule } from './schedule.ts';
import { dutyAt } from './schedule.ts';

export interface BoardPerson {
  readonly name: string;
  readonly jid: BareJid | null;
  /** When they work: outside they are offline, whatever their clients say. */
  readonly hours?: Schedule | null;
  /** When they count as there although nothing live is known of them. */
  readonly duty?: Schedule | null;
  readonly absences?: readonly Absence[];
  /** The zone to read times in their status text in; absent: it is not read. */
  readonly readStatusIn?: string | null;
}

export interface BoardChange {
  readonly person: string;
  readonly jid: BareJid | null;
  readonly change: Omit<PresenceChange, 'jid'>;
}

interface Entry {
  readonly person: BoardPerson;
  raw: Presence;
  damped: Damped | null;
  room: Presence | null;
  override: Override | null;
  presence: Presence;
  nextAt: Instant | null;
}

/** A duty without a next change is looked at again after this: the search ahead is bounded. */
const lookAgain: Duration = day;

const noJid: Presence = { ...neverSeen, reason: 'no-jid' };

export class Board {
  readonly #damping: DampingTimes;
  readonly #entries = new Map<string, Entry>();
  readonly #byJid = new Map<BareJid, string[]>();
  readonly #overrides: Map<string, Override>;
  readonly #alarms = new Alarms();
  /** People share schedules: one is worked out once. */
  readonly #duties = new Map<Schedule, { readonly duty: Duty; readonly until: Instant }>();

  constructor(options: { readonly damping?: DampingTimes; readonly overrides?: ReadonlyMap<string, Override> } = {}) {
    this.#damping = options.damping ?? dampingTimes;
    this.#overrides = new Map(options.overrides);
  }

  /** By JID, as the stream knows people. */
  presenceOf(jid: BareJid): Presence {
    const [name] = this.#byJid.get(jid) ?? [];
    return name === undefined ? neverSeen : this.presenceOfPerson(name);
  }

  presenceOfPerson(name: string): Presence {
    return this.#entries.get(name)?.presence ?? neverSeen;
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  namesOf(jid: BareJid): readonly string[] {
    return this.#byJid.get(jid) ?? [];
  }

  get overrides(): ReadonlyMap<string, Override> {
    return this.#overrides;
  }

  /** When tick() may have something to do; null: never, unless something is said. */
  nextAt(): Instant | null {
    return this.#alarms.first();
  }

  /** Replaces the people; what is known of those who stay is kept. `rawOf` says what the stream knows of new ones. */
  people(people: Iterable<BoardPerson>, rawOf: (jid: BareJid) => Presence, now: Instant): readonly BoardChange[] {
    const former = new Map(this.#entries);
    this.#entries.clear();
    this.#byJid.clear();
    this.#duties.clear();
    this.#alarms.clear();
    const changes: BoardChange[] = [];
    for (const person of people) {
      const { name, jid } = person;
      const known = former.get(name);
      const same = known !== undefined && known.person.jid === jid;
      const raw = same ? known.raw : jid === null ? noJid : rawOf(jid);
      const entry: Entry = {
        person,
        raw,
        damped: same ? known.damped : { shown: raw, waiting: null },
        room: same ? known.room : null,
        override: this.#overrides.get(name) ?? null,
        presence: known?.presence ?? raw,
        nextAt: null,
      };
      this.#entries.set(name, entry);
      if (jid !== null) this.#byJid.set(jid, [...(this.#byJid.get(jid) ?? []), name]);
      changes.push(...this.#judge(entry, now));
    }
    return changes;
  }

  /** The stream says something new of somebody. */
  live(jid: BareJid, raw: Presence, now: Instant): readonly BoardChange[] {
    return this.#each(jid, now, (entry) => {
      entry.raw = raw;
      entry.damped = damp(entry.damped, raw, this.#damping, now);
    });
  }

  /** As an occupant of a duty room; null: in none any more. */
  room(jid: BareJid, presence: Presence | null, now: Instant): readonly BoardChange[] {
    return this.#each(jid, now, (entry) => {
      entry.room = presence;
    });
  }

  /** By hand; null takes it back. Also for names that the rules do not have now: they may come back with a reload. */
  override(name: string, override: Override | null, now: Instant): readonly BoardChange[] {
    if (override === null) this.#overrides.delete(name);
    else this.#overrides.set(name, override);
    const entry = this.#entries.get(name);
    if (!entry) return [];
    entry.override = override;
    return this.#judge(entry, now);
  }

  /** Time has passed: what was to end has ended, what was to begin has begun. */
  tick(now: Instant): readonly BoardChange[] {
    const changes: BoardChange[] = [];
    for (const name of this.#alarms.due(now)) {
      const entry = this.#entries.get(name);
      if (!entry || entry.nextAt === null || entry.nextAt > now) continue;
      if (entry.damped) entry.damped = settled(entry.damped, now);
      const over = entry.override?.until;
      if (over !== undefined && over !== null && over <= now) {
        entry.override = null;
        this.#overrides.delete(name);
      }
      changes.push(...this.#judge(entry, now));
    }
    return changes;
  }

  #each(jid: BareJid, now: Instant, change: (entry: Entry) => void): readonly BoardChange[] {
    const changes: BoardChange[] = [];
    for (const name of this.#byJid.get(jid) ?? []) {
      const entry = this.#entries.get(name);
      if (!entry) continue;
      change(entry);
      changes.push(...this.#judge(entry, now));
    }
    return changes;
  }

  #judge(entry: Entry, now: Instant): readonly BoardChange[] {
    const { person, raw, damped, room, override, presence: before } = entry;
    const { hours, duty, absences, readStatusIn } = person;
    const { presence, nextAt } = combine(
      {
        override,
        absences: absences ?? [],
        hours: hours ? this.#duty(hours, now) : null,
        duty: duty ? this.#duty(duty, now) : null,
        raw,
        damped: damped?.shown ?? raw,
        room,
        readStatusIn: readStatusIn ?? null,
      },
      now,
    );
    const next = [nextAt, damped?.waiting?.at ?? null, hours || duty ? now + lookAgain : null].filter(
      (at) => at !== null,
    );
    const due = next.length === 0 ? null : Math.min(...next);
    if (due !== null && due !== entry.nextAt) this.#alarms.set(person.name, due);
    entry.nextAt = due;
    entry.presence = presence;
    if (sameToSee(before, presence)) return [];
    return [{ person: person.name, jid: person.jid, change: { at: now, before: before.state, presence } }];
  }

  #duty(schedule: Schedule, now: Instant): Duty {
    const known = this.#duties.get(schedule);
    if (known && now < known.until) return known.duty;
    const duty = dutyAt(schedule, now);
    this.#duties.set(schedule, { duty, until: Math.min(duty.until ?? now + lookAgain, now + lookAgain) });
    return duty;
  }
}

/** Whether somebody who looks, or a rule, would see a difference. */
function sameToSee(a: Presence, b: Presence): boolean {
  return (
    a === b ||
    (a.state === b.state &&
      a.reason === b.reason &&
      a.status === b.status &&
      a.idleSince === b.idleSince &&
      a.source === b.source &&
      a.until === b.until &&
      a.substitute === b.substitute &&
      a.live?.state === b.live?.state)
  );
}
