// What the sandbox remembers of the messages it has seen, so that every later event can be told with its subject, and
// what a person says about `#k7mf` is known to be about that mail. Old ones are forgotten.
import type { QueueId } from '../mail/queue-id.ts';
import type { StoryEvent } from '../tracking/event.ts';

export interface KnownMessage {
  readonly queueId: QueueId;
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string | null;
  readonly messageId: string | null;
}

/** The short ids of one message, by the number of its delivery. */
export type ShortIds = ReadonlyMap<number, string>;

const most = 5_000;

export class Messages {
  readonly #known = new Map<QueueId, { readonly message: KnownMessage; readonly shortIds: Promise<ShortIds> }>();
  readonly #lookUp: (queueId: QueueId) => Promise<ShortIds>;

  /** @param lookUp asks the running Pointsman */
  constructor(lookUp: (queueId: QueueId) => Promise<ShortIds>) {
    this.#lookUp = lookUp;
  }

  note(event: StoryEvent): void {
    if (event.event !== 'accepted') return;
    const { queueId, from, to, subject = null, messageId = null } = event;
    // Shutting down is no reason to fail: without a short id the story is told without it.
    const shortIds = this.#lookUp(queueId).catch((): ShortIds => new Map());
    this.#known.set(queueId, { message: { queueId, from, to, subject, messageId }, shortIds });
    const [oldest] = this.#known.keys();
    if (this.#known.size > most && oldest !== undefined) this.#known.delete(oldest);
  }

  about(queueId: QueueId): KnownMessage | undefined {
    return this.#known.get(queueId)?.message;
  }

  /** Of this delivery; where none is named, or a later one that an escalation made: of the first that has one. */
  async shortIdOf(queueId: QueueId, seq?: number): Promise<string | null> {
    const shortIds = await this.#known.get(queueId)?.shortIds;
    if (!shortIds) return null;
    return (seq === undefined ? undefined : shortIds.get(seq)) ?? shortIds.values().next().value ?? null;
  }

  async byShortId(shortId: string): Promise<KnownMessage | undefined> {
    for (const { message, shortIds } of [...this.#known.values()].reverse())
      if ([...(await shortIds).values()].includes(shortId)) return message;
    return undefined;
  }
}
