// What people have said about themselves: away until a time, and groups about which they want to be told nothing.
//
// Being away is one thing, wherever it is said: where there is a presence desk it is an override there, as an operator
// sets one by hand, so that `back` takes either back and both are seen in the same list. What is muted is kept in the
// store, and read once at start, for everybody the rules name then and for others when they speak.
import type { Instant } from '../clock.ts';
import type { Override } from '../presence/override.ts';
import type { Watcher } from '../presence/watcher.ts';
import type { GroupName, PersonName } from '../routing/rules.ts';
import type { Store } from '../store/store.ts';

/** Old values must load: this is stored as JSON. `until` null: until they say otherwise. */
interface Said {
  /** Only where there is no desk. */
  readonly away?: { readonly until: Instant | null };
  readonly muted?: Readonly<Record<GroupName, { readonly until: Instant | null }>>;
}

export interface Away {
  readonly until: Instant | null;
  /** Who has said so. */
  readonly by: string;
}

/** Those that are not there, as an override says it. */
const notThere: ReadonlySet<Override['state']> = new Set(['away', 'xa', 'dnd', 'offline']);

const keyOf = (person: PersonName): string => `said ${person}`;

export class Absences {
  readonly #store: Pick<Store, 'remember' | 'recall'>;
  readonly #desk: Pick<Watcher, 'overrides' | 'set'>;
  readonly #said = new Map<PersonName, Said>();

  constructor(store: Pick<Store, 'remember' | 'recall'>, desk: Pick<Watcher, 'overrides' | 'set'> = {}) {
    this.#store = store;
    this.#desk = desk;
  }

  async load(people: Iterable<PersonName>): Promise<void> {
    await Promise.all(
      [...people].map(async (person) => {
        const text = await this.#store.recall(keyOf(person));
        if (text !== null && text !== '') this.#said.set(person, JSON.parse(text) as Said);
      }),
    );
  }

  /** Undefined when they are not away. */
  away(person: PersonName, now: Instant): Away | undefined {
    const override = this.#desk.overrides?.().get(person);
    if (override && override.from <= now && lasts(override, now) && notThere.has(override.state))
      return { until: override.until, by: override.by };
    const away = this.#said.get(person)?.away;
    return away && lasts(away, now) ? { until: away.until, by: person } : undefined;
  }

  /** Who is away, for a choice: nobody is asked who has said so. */
  excluded(now: Instant, words: (until: Instant | null) => string): Record<PersonName, string> {
    const excluded: Record<PersonName, string> = {};
    for (const person of new Set([...this.#said.keys(), ...(this.#desk.overrides?.().keys() ?? [])])) {
      const away = this.away(person, now);
      // What an operator says by hand is presence, which rules weigh; a person's own word leaves no choice.
      if (away?.by === person) excluded[person] = words(away.until);
    }
    return excluded;
  }

  muted(person: PersonName, group: GroupName, now: Instant): boolean {
    const muted = this.#said.get(person)?.muted;
    const one = muted && Object.hasOwn(muted, group) ? muted[group] : undefined;
    return one !== undefined && lasts(one, now);
  }

  /** Whether it is worth asking about a group at all. */
  mutesAny(person: PersonName): boolean {
    return Object.keys(this.#said.get(person)?.muted ?? {}).length > 0;
  }

  async setAway(person: PersonName, away: { until: Instant | null } | undefined, now: Instant): Promise<void> {
    const { set } = this.#desk;
    const { away: before, ...rest } = this.#said.get(person) ?? {};
    if (set && this.#desk.overrides) {
      // `dnd`: they are there, and what is with them stays with them; nothing new comes.
      const override = { state: 'dnd', setAt: now, from: now, by: person, note: 'has said away' } as const;
      await set(person, away ? { ...override, until: away.until } : null);
      if (before) await this.#keep(person, rest);
      return;
    }
    await this.#keep(person, away ? { ...rest, away } : rest);
  }

  setMuted(person: PersonName, group: GroupName, muted: { until: Instant | null } | undefined): Promise<void> {
    const before = this.#said.get(person) ?? {};
    const { [group]: _, ...others } = before.muted ?? {};
    return this.#keep(person, { ...before, muted: muted ? { ...others, [group]: muted } : others });
  }

  /** Stored first: what is confirmed must outlive a crash. */
  async #keep(person: PersonName, said: Said): Promise<void> {
    await this.#store.remember(keyOf(person), JSON.stringify(said));
    this.#said.set(person, said);
  }
}

const lasts = ({ until }: { until: Instant | null }, now: Instant): boolean => until === null || until > now;
