// Mail that an MTA was told to bring again later, because its group holds: the hold began when it came first, however
// often it comes again. An MTA gives us no name for the mail that lasts from one try to the next, so it is known by its
// Message-ID (or, without one, by author, date and subject), its sender, and the group. Kept in the store: a restart
// starts no hold anew.
import { type Duration, day, type Instant } from '../clock.ts';
import type { Log } from '../log.ts';
import { type Known, knownBy } from '../mail/known-by.ts';
import type { GroupName } from '../routing/rules.ts';
import type { Store } from '../store/store.ts';

/** Senders give up after about five days (RFC 5321 §4.5.4.1); holds are shorter than that. */
const forgottenAfter: Duration = 14 * day;
/** Of so many; the oldest are forgotten, and their holds begin anew. */
const most = 50_000;
const prefix = 'put off ';

export class PutOff {
  readonly #store: Pick<Store, 'remember' | 'forget'>;
  readonly #log: Log;
  /** In the order in which they came. */
  readonly #since: Map<string, Instant>;

  private constructor(since: Map<string, Instant>, store: Pick<Store, 'remember' | 'forget'>, log: Log) {
    this.#since = since;
    this.#store = store;
    this.#log = log;
  }

  static async load(store: Pick<Store, 'remember' | 'forget' | 'recallAll'>, log: Log, now: Instant): Promise<PutOff> {
    const all = (await store.recallAll(prefix)).map(([key, value]) => [key, Number(value)] as const);
    const old = all.filter(([, since]) => !(since > now - forgottenAfter));
    if (old.length > 0) await store.forget(old.map(([key]) => key));
    const kept = all.filter(([, since]) => since > now - forgottenAfter).toSorted(([, a], [, b]) => a - b);
    return new PutOff(new Map(kept), store, log);
  }

  get count(): number {
    return this.#since.size;
  }

  /** When this mail came first; null when it was not put off. */
  since(facts: Known, group: GroupName): Instant | null {
    return this.#since.size === 0 ? null : (this.#since.get(prefix + knownBy(facts, group)) ?? null);
  }

  add(facts: Known, group: GroupName, now: Instant): void {
    const key = prefix + knownBy(facts, group);
    if (this.#since.has(key)) return;
    this.#since.set(key, now);
    this.#written(this.#store.remember(key, String(now)));
    if (this.#since.size <= most) return;
    const [oldest] = this.#since.keys();
    if (oldest !== undefined) this.#drop(oldest);
  }

  /** It has gone on. */
  forget(facts: Known, group: GroupName): void {
    if (this.#since.size > 0) this.#drop(prefix + knownBy(facts, group));
  }

  #drop(key: string): void {
    if (this.#since.delete(key)) this.#written(this.#store.forget([key]));
  }

  /** Not waited for: the MTA has its answer whether or not a restart will know of it. */
  #written(work: Promise<void>): void {
    work.catch((error: unknown) =>
      this.#log.error(
        { err: error },
        'that mail was put off could not be written down: a restart begins its hold anew',
      ),
    );
  }
}
