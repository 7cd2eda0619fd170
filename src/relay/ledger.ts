// Load and history in memory: who was given what when, and how many each person has open. Read from the store at
// start, kept up to date as choices are made, so that two messages chosen for at the same instant see each other.
import type { Instant } from '../clock.ts';
import type { Watcher } from '../presence/watcher.ts';
import type { PersonSnapshot, Snapshot } from '../routing/choose.ts';
import { allCandidates, type Candidate, type GroupPlan, otherPools } from '../routing/plan.ts';
import type { GroupName, Person, PersonName } from '../routing/rules.ts';
import { standInsFor } from '../routing/stand-ins.ts';
import type { DeliveryRef, History } from '../store/store.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { presenceOf } from './presence-of.ts';

interface Turn {
  readonly person: PersonName;
  readonly at: Instant;
  /** Messages of the group in a row, as far back as this process remembers. */
  readonly run: number;
}

interface Given {
  readonly person: PersonName;
  readonly group: GroupName;
  readonly at: Instant;
  readonly units: number;
  readonly before: { readonly lastAt: Instant | null; readonly turn: Turn | null };
}

interface Waiting {
  /** What it takes to please it: only mail that needs the same waits behind it. */
  readonly needs: string;
  readonly since: Instant;
  readonly until: Instant;
}

export class Ledger {
  readonly #lastAt = new Map<PersonName, Instant>();
  readonly #lastInGroup = new Map<GroupName, Turn>();
  readonly #open = new Map<PersonName, number>();
  /** Units of capacity taken: open messages by their cost. */
  readonly #units = new Map<PersonName, number>();
  /** Held mail by group, in the order in which it came. */
  readonly #held = new Map<GroupName, Map<string, Waiting>>();
  /** Whom mail held for a group may go to, by the rules under which it was planned. */
  readonly #awaited = new Map<GroupName, Set<PersonName>>();
  /** Choices not yet settled: taken back when the same delivery is chosen for again. */
  readonly #pending = new Map<string, Given>();

  /** As they were in the last snapshot: never changed, so that snapshots may share them. */
  readonly #seen = new Map<PersonName, PersonSnapshot>();

  /** Of the rules in force: a substitute need not be a member. */
  readonly #people: () => ReadonlyMap<PersonName, Person>;

  constructor(history: History, people: () => ReadonlyMap<PersonName, Person> = () => new Map()) {
    this.#people = people;
    for (const { person, group, lastAt } of history.assignments) {
      if (lastAt >= (this.#lastAt.get(person) ?? 0)) this.#lastAt.set(person, lastAt);
      const last = this.#lastInGroup.get(group);
      if (!last || lastAt > last.at) this.#lastInGroup.set(group, { person, at: lastAt, run: 1 });
    }
    for (const { person, count, units } of history.open) {
      this.#open.set(person, count);
      this.#units.set(person, units ?? count);
    }
    for (const { queueId, seq, plan, since, until } of history.held ?? [])
      this.hold({ queueId, seq }, plan, since, until);
  }

  /** The snapshot a choice is made from. */
  snapshot(
    plan: GroupPlan,
    watcher: Watcher,
    facts: Omit<Snapshot, 'people' | 'lastInGroup' | 'runInGroup' | 'others' | 'standIns'>,
  ): Snapshot {
    const people: Record<PersonName, PersonSnapshot> = {};
    const others: Record<GroupName, { last: PersonName; run: number }> = {};
    const inFlight = this.#inFlight();
    /** Who may have named a substitute. */
    const away: Candidate[] = [];
    const take = (candidates: GroupPlan['candidates']) => {
      for (const candidate of candidates) {
        const { person, jid, absent } = candidate;
        const presence = presenceOf(watcher, person, jid);
        if (presence.substitute !== undefined || absent !== undefined) away.push(candidate);
        const open = this.open(person);
        const units = (this.#units.get(person) ?? 0) + (inFlight?.get(person) ?? 0);
        const lastAssignedAt = this.#lastAt.get(person) ?? null;
        // Of most members nothing has changed since the choice before.
        let known = this.#seen.get(person);
        if (
          known === undefined ||
          known.presence !== presence ||
          known.open !== open ||
          (known.units ?? open) !== units ||
          known.lastAssignedAt !== lastAssignedAt
        ) {
          known = { presence, open, ...(units === open ? {} : { units }), lastAssignedAt };
          this.#seen.set(person, known);
        }
        people[person] = known;
      }
    };
    take(plan.candidates);
    for (const pool of otherPools(plan)) {
      take(pool.candidates);
      const turn = this.#lastInGroup.get(pool.group);
      if (turn) others[pool.group] = { last: turn.person, run: turn.run };
    }
    const standIns = this.#standInsFor(away, watcher, facts.now);
    for (const theirs of Object.values(standIns)) take(theirs);
    const turn = this.#lastInGroup.get(plan.group);
    return {
      ...facts,
      people,
      lastInGroup: turn?.person ?? null,
      ...(turn ? { runInGroup: turn.run } : {}),
      ...(Object.keys(others).length > 0 ? { others } : {}),
      ...(Object.keys(standIns).length > 0 ? { standIns } : {}),
    };
  }

  /** By whose place they take. */
  standIns(plan: GroupPlan, watcher: Watcher, now: Instant): NonNullable<Snapshot['standIns']> {
    return this.#standInsFor(allCandidates(plan), watcher, now);
  }

  #standInsFor(candidates: readonly Candidate[], watcher: Watcher, now: Instant): NonNullable<Snapshot['standIns']> {
    const known = ({ person, jid }: Pick<Candidate, 'person' | 'jid'>) => presenceOf(watcher, person, jid);
    return candidates.length === 0 ? {} : standInsFor(candidates, this.#people(), known, now);
  }

  open(person: PersonName): number {
    return this.#open.get(person) ?? 0;
  }

  lastAssignedAt(person: PersonName): Instant | null {
    return this.#lastAt.get(person) ?? null;
  }

  /** @param pending it is still on its way; otherwise it counts as open already (an escalation) */
  assign(
    ref: DeliveryRef,
    person: PersonName,
    group: GroupName,
    at: Instant,
    pending: { readonly units: number } | null = { units: 1 },
  ): void {
    const turn = this.#lastInGroup.get(group) ?? null;
    const before = { lastAt: this.#lastAt.get(person) ?? null, turn };
    if (pending) this.#pending.set(keyOf(ref), { person, group, at, units: pending.units, before });
    this.#lastAt.set(person, at);
    this.#lastInGroup.set(group, { person, at, run: turn?.person === person ? turn.run + 1 : 1 });
  }

  /** The assignment stands. */
  settled(ref: DeliveryRef): void {
    this.#pending.delete(keyOf(ref));
  }

  /** A delivery that did not get through is chosen for again: as if it had not been given, unless others came since. */
  retract(ref: DeliveryRef): void {
    const given = this.#pending.get(keyOf(ref));
    if (!given) return;
    this.#pending.delete(keyOf(ref));
    if (this.#lastAt.get(given.person) === given.at) {
      if (given.before.lastAt === null) this.#lastAt.delete(given.person);
      else this.#lastAt.set(given.person, given.before.lastAt);
    }
    const last = this.#lastInGroup.get(given.group);
    if (last?.person === given.person && last.at === given.at) {
      if (given.before.turn === null) this.#lastInGroup.delete(given.group);
      else this.#lastInGroup.set(given.group, given.before.turn);
    }
  }

  /** Keeps the open counts; called once for each stored change of a tracked message. */
  moved(before: Pick<Tracked, 'state' | 'owner'> | null, after: Pick<Tracked, 'state' | 'owner' | 'plan'>): void {
    const units = after.plan.cost ?? 1;
    if (before?.state === 'tracked' && before.owner !== null) this.#count(before.owner, -1, units);
    if (after.state === 'tracked' && after.owner !== null) this.#count(after.owner, +1, units);
  }

  /** It is held: others that need the same wait behind it. */
  hold(ref: DeliveryRef, plan: GroupPlan, since: Instant, until: Instant): void {
    const held = this.#held.get(plan.group) ?? new Map<string, Waiting>();
    this.#held.set(plan.group, held.set(keyOf(ref), { needs: needsOf(plan), since, until }));
    const awaited = this.#awaited.get(plan.group) ?? new Set();
    this.#awaited.set(plan.group, awaited);
    for (const { person } of allCandidates(plan)) awaited.add(person);
  }

  release(ref: DeliveryRef, group: GroupName): void {
    const held = this.#held.get(group);
    held?.delete(keyOf(ref));
    if (held?.size === 0) this.#awaited.delete(group);
  }

  /** For which something is held. */
  holding(): readonly GroupName[] {
    return [...this.#held].flatMap(([group, held]) => (held.size > 0 ? [group] : []));
  }

  /** Those whose held mail may go to that person. */
  awaiting(person: PersonName): readonly GroupName[] {
    return this.holding().filter((group) => this.#awaited.get(group)?.has(person));
  }

  /** Whom the mail held for a group waits for. */
  awaited(group: GroupName): readonly PersonName[] {
    return [...(this.#awaited.get(group) ?? [])];
  }

  /** How many older ones of the same needs the group holds. What has overstayed its hold is somebody's mistake. */
  behind(ref: DeliveryRef, plan: GroupPlan, since: Instant, now: Instant): number {
    const needs = needsOf(plan);
    let count = 0;
    for (const [key, each] of this.#held.get(plan.group) ?? [])
      if (key !== keyOf(ref) && each.needs === needs && each.until > now && isOlder(each, key, since, ref)) count += 1;
    return count;
  }

  waiting(group: GroupName, now: Instant): { count: number; oldestAt: Instant | null } {
    const held = [...(this.#held.get(group)?.values() ?? [])].filter(({ until }) => until > now);
    return { count: held.length, oldestAt: held.length === 0 ? null : Math.min(...held.map(({ since }) => since)) };
  }

  /** How many kinds of held mail there are, by what they need. */
  lines(group: GroupName, now: Instant): number {
    const held = [...(this.#held.get(group)?.values() ?? [])].filter(({ until }) => until > now);
    return new Set(held.map(({ needs }) => needs)).size;
  }

  #inFlight(): ReadonlyMap<PersonName, number> | null {
    if (this.#pending.size === 0) return null;
    const units = new Map<PersonName, number>();
    for (const given of this.#pending.values()) units.set(given.person, (units.get(given.person) ?? 0) + given.units);
    return units;
  }

  #count(person: PersonName, by: number, units: number): void {
    this.#open.set(person, Math.max(0, this.open(person) + by));
    this.#units.set(person, Math.max(0, (this.#units.get(person) ?? 0) + by * units));
  }
}

const isOlder = (each: Waiting, key: string, since: Instant, ref: DeliveryRef): boolean =>
  each.since < since || (each.since === since && key < keyOf(ref));

const needsOf = (plan: GroupPlan): string =>
  JSON.stringify([
    plan.eligible,
    plan.requires,
    plan.cost,
    plan.candidates.map(({ excluded }) => excluded !== undefined),
  ]);

const keyOf = (ref: DeliveryRef): string => `${ref.queueId} ${ref.seq}`;
