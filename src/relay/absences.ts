// What people have said about themselves: away until a time, and groups about which they want to be told nothing. Kept
// in the store; read once at start, for everybody the rules name then and for others when they speak.
import type { Instant } from '../clock.ts';
import type { GroupName, PersonName } from '../routing/rules.ts';
import type { Store } from '../store/store.ts';

/** Old values must load: this is stored as JSON. `until` null: until they say otherwise. */
interface Said {
  readonly away?: { readonly until: Instant | null };
  readonly muted?: Readonly<Record<GroupName, { readonly until: Instant | null }>>;
}

const keyOf = (person: PersonName): string => `said ${person}`;

export class Absences {
  readonly #store: Pick<Store, 'remember' | 'recall'>;
  readonly #said = new Map<PersonName, Said>();

  constructor(store: Pick<Store, 'remember' | 'recall'>) {
    this.#store = store;
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
  away(person: PersonName, now: Instant): { until: Instant | null } | undefined {
    const away = this.#said.get(person)?.away;
    return away && lasts(away, now) ? away : undefined;
  }

  /** Who is away, for a choice: nobody is asked who has said so. */
  excluded(now: Instant, words: (until: Instant | null) => string): Record<PersonName, string> {
    const excluded: Record<PersonName, string> = {};
    for (const [person, { away }] of this.#said) {
      if (away && lasts(away, now)) excluded[person] = words(away.until);
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

  setAway(person: PersonName, away: { until: Instant | null } | undefined): Promise<void> {
    const { away: _, ...rest } = this.#said.get(person) ?? {};
    return this.#keep(person, away ? { ...rest, away } : rest);
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
