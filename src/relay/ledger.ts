// Load and history in memory: who was given what when, and how many each person has open. Read from the store at
// start, kept up to date as choices are made, so that two messages chosen for at the same instant see each other.
import type { Instant } from '../clock.ts';
import type { Presence } from '../presence/presence.ts';
import type { Watcher } from '../presence/watcher.ts';
import type { PersonSnapshot, Snapshot } from '../routing/choose.ts';
import type { GroupPlan } from '../routing/plan.ts';
import type { GroupName, PersonName } from '../routing/rules.ts';
import type { DeliveryRef, History } from '../store/store.ts';
import type { Tracked } from '../tracking/tracked.ts';

interface Given {
  readonly person: PersonName;
  readonly group: GroupName;
  readonly at: Instant;
  readonly before: { readonly lastAt: Instant | null; readonly lastInGroup: PersonName | null };
}

export class Ledger {
  readonly #lastAt = new Map<PersonName, Instant>();
  readonly #lastInGroup = new Map<GroupName, { person: PersonName; at: Instant }>();
  readonly #open = new Map<PersonName, number>();
  /** Choices not yet settled: taken back when the same delivery is chosen for again. */
  readonly #pending = new Map<string, Given>();

  constructor(history: History) {
    for (const { person, group, lastAt } of history.assignments) {
      if (lastAt >= (this.#lastAt.get(person) ?? 0)) this.#lastAt.set(person, lastAt);
      const last = this.#lastInGroup.get(group);
      if (!last || lastAt > last.at) this.#lastInGroup.set(group, { person, at: lastAt });
    }
    for (const { person, count } of history.open) this.#open.set(person, count);
  }

  /** The snapshot a choice is made from. */
  snapshot(
    plan: GroupPlan,
    watcher: Watcher,
    facts: { now: Instant; excluded: Snapshot['excluded']; holdUntil: Instant | null },
  ): Snapshot {
    const people: Record<PersonName, PersonSnapshot> = {};
    for (const { person, jid } of plan.candidates) {
      // By name where it can be: a schedule, or a word by hand, needs no JID.
      const presence: Presence =
        watcher.presenceOfPerson?.(person) ??
        (jid === null ? { state: 'unknown', since: null, asOf: null, reason: 'no-jid' } : watcher.presenceOf(jid));
      people[person] = { presence, open: this.open(person), lastAssignedAt: this.#lastAt.get(person) ?? null };
    }
    return { ...facts, people, lastInGroup: this.#lastInGroup.get(plan.group)?.person ?? null };
  }

  open(person: PersonName): number {
    return this.#open.get(person) ?? 0;
  }

  lastAssignedAt(person: PersonName): Instant | null {
    return this.#lastAt.get(person) ?? null;
  }

  assign(ref: DeliveryRef, person: PersonName, group: GroupName, at: Instant): void {
    const before = {
      lastAt: this.#lastAt.get(person) ?? null,
      lastInGroup: this.#lastInGroup.get(group)?.person ?? null,
    };
    this.#pending.set(keyOf(ref), { person, group, at, before });
    this.#lastAt.set(person, at);
    this.#lastInGroup.set(group, { person, at });
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
      if (given.before.lastInGroup === null) this.#lastInGroup.delete(given.group);
      else this.#lastInGroup.set(given.group, { person: given.before.lastInGroup, at: given.at });
    }
  }

  /** Keeps the open counts; called once for each stored change of a tracked message. */
  moved(before: Pick<Tracked, 'state' | 'owner'> | null, after: Pick<Tracked, 'state' | 'owner'>): void {
    if (before?.state === 'tracked' && before.owner !== null) this.#count(before.owner, -1);
    if (after.state === 'tracked' && after.owner !== null) this.#count(after.owner, +1);
  }

  #count(person: PersonName, by: number): void {
    this.#open.set(person, Math.max(0, this.open(person) + by));
  }
}

const keyOf = (ref: DeliveryRef): string => `${ref.queueId} ${ref.seq}`;
