// Gaps: a time in which somebody, or a room, could not be told anything. It begins with the first message that does not
// go. What went out of date meanwhile is not said late; once they can be told again one line says from when to when they
// were cut off and how much is void. Gaps are on record, so that the line also comes when Pointsman was restarted
// meanwhile.
import { type Instant, second } from '../clock.ts';
import { describeError } from '../mail/error.ts';
import type { NotifyTarget } from '../notify/notifier.ts';
import type { BareJid } from '../presence/jid.ts';
import type { DeliveryRef } from '../store/store.ts';
import type { Stage } from './parts.ts';

export interface Gap {
  readonly since: Instant;
  /** Of which they were not told, and never will be; by their ids, so that each is counted once. */
  readonly mails: readonly string[];
  readonly room: boolean;
}

export const addresseeOf = (to: NotifyTarget): string => (to.kind === 'room' ? to.room : to.jid);

/** After coming back, and after the last thing that was counted: so that one line tells of all. */
export const waitsFor = 15 * second;
const memory = 'gaps';
/** A longer list is as good as endless to whoever reads the line. */
const mostCounted = 999;

export class Gaps {
  readonly #stage: Stage;
  readonly #ended: AbortSignal;
  /** Rejects when they could not be told. */
  readonly #say: (to: NotifyTarget, gap: Gap, until: Instant) => Promise<void>;
  readonly #gaps = new Map<string, Gap>();
  /** When something was last counted. */
  readonly #countedAt = new Map<string, Instant>();
  readonly #telling = new Set<string>();
  #read: Promise<void> | null = null;
  #writing: Promise<void> = Promise.resolve();
  #dirty = false;

  constructor(stage: Stage, ended: AbortSignal, say: (to: NotifyTarget, gap: Gap, until: Instant) => Promise<void>) {
    this.#stage = stage;
    this.#ended = ended;
    this.#say = say;
  }

  /** Something did not go, and is tried again. */
  async opened(to: NotifyTarget): Promise<void> {
    await this.#known();
    const key = addresseeOf(to);
    if (this.#gaps.has(key)) return;
    this.#gaps.set(key, { since: this.#stage.clock.now(), mails: [], room: to.kind === 'room' });
    this.#write();
  }

  /** Something about this mail is not said any more. @param since when it should have gone */
  async dropped(to: NotifyTarget, { queueId, seq }: DeliveryRef, since: Instant): Promise<void> {
    await this.#known();
    const key = addresseeOf(to);
    const now = this.#stage.clock.now();
    const gap = this.#gaps.get(key) ?? { since: Math.min(since, now), mails: [], room: to.kind === 'room' };
    const mail = `${queueId}.${seq}`;
    if (gap.mails.includes(mail) || gap.mails.length >= mostCounted) this.#gaps.set(key, gap);
    else this.#gaps.set(key, { ...gap, mails: [...gap.mails, mail] });
    this.#countedAt.set(key, now);
    this.#write();
    this.#tellLater(to);
  }

  /** Something has gone: a gap in which nothing was lost is over without a word. */
  async heard(to: NotifyTarget): Promise<void> {
    await this.#known();
    const key = addresseeOf(to);
    const gap = this.#gaps.get(key);
    if (!gap) return;
    if (gap.mails.length > 0) return this.#tellLater(to);
    this.#gaps.delete(key);
    this.#write();
  }

  /** They may be reachable again. */
  async back(to: NotifyTarget): Promise<void> {
    await this.#known();
    const gap = this.#gaps.get(addresseeOf(to));
    if (gap && gap.mails.length > 0) this.#tellLater(to);
  }

  async rooms(): Promise<readonly BareJid[]> {
    await this.#known();
    return [...this.#gaps].flatMap(([key, { room }]) => (room ? [key as BareJid] : []));
  }

  #canHear(to: NotifyTarget): boolean {
    const { watcher } = this.#stage;
    if (watcher.link().state !== 'up') return false;
    return to.kind === 'room' || !['offline', 'unknown'].includes(watcher.presenceOf(to.jid).state);
  }

  #tellLater(to: NotifyTarget): void {
    const key = addresseeOf(to);
    if (this.#telling.has(key) || !this.#canHear(to)) return;
    this.#telling.add(key);
    this.#tell(to, this.#stage.clock.now())
      .catch((error: unknown) =>
        // Not out of the gap yet.
        this.#stage.log.debug({ to: key, cause: describeError(error) }, 'what was missed could not be told'),
      )
      .finally(() => this.#telling.delete(key));
  }

  async #tell(to: NotifyTarget, until: Instant): Promise<void> {
    const { clock } = this.#stage;
    const key = addresseeOf(to);
    let at = until + waitsFor;
    while (clock.now() < at) {
      await clock.sleepUntil(at, this.#ended);
      if (this.#ended.aborted) return;
      at = Math.max(at, (this.#countedAt.get(key) ?? 0) + waitsFor);
    }
    const gap = this.#gaps.get(key);
    if (!gap || gap.mails.length === 0) return;
    await this.#say(to, gap, until);
    this.#gaps.delete(key);
    this.#countedAt.delete(key);
    this.#write();
  }

  /** From the store, once. */
  #known(): Promise<void> {
    this.#read ??= this.#stage.store.recall(memory).then((text) => {
      for (const [key, gap] of readGaps(text)) this.#gaps.set(key, gap);
    });
    return this.#read;
  }

  /** Many changes in one turn are one write. A count that a crash takes back is no more than a count. */
  #write(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    this.#writing = this.#writing
      .then(() => {
        this.#dirty = false;
        return this.#stage.store.remember(memory, JSON.stringify([...this.#gaps]));
      })
      .catch((error: unknown) =>
        this.#stage.log.warn({ cause: describeError(error) }, 'who was cut off could not be put on record'),
      );
  }
}

function readGaps(text: string | null): [string, Gap][] {
  if (text === null) return [];
  return (JSON.parse(text) as [string, Gap][]).filter(
    ([key, gap]) => typeof key === 'string' && Number.isSafeInteger(gap.since) && Array.isArray(gap.mails),
  );
}
