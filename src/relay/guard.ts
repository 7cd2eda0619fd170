// The last guard against circles: a mail that lost every mark on its way round still has its Message-ID. No member gets
// one Message-ID more often than this in an hour; senders that use one Message-ID for many mails stay below it.
import { type Duration, hour, type Instant } from '../clock.ts';
import type { Mailbox } from '../mail/path.ts';

export const mostInAnHour = 20;
const window: Duration = hour;
// Of so many pairs; the oldest are forgotten.
const remembered = 20_000;

export class CircleGuard {
  readonly #seen = new Map<string, { count: number; since: Instant }>();

  /** Counts this one. False when it is one too many. */
  admit(messageId: string | undefined, mailbox: Mailbox, now: Instant): boolean {
    if (messageId === undefined) return true;
    const key = `${mailbox} ${messageId}`;
    const before = this.#seen.get(key);
    const fresh = before === undefined || now - before.since >= window || now < before.since;
    const counted = fresh ? { count: 1, since: now } : { count: before.count + 1, since: before.since };
    // Set anew, so that the map's order is that of use.
    this.#seen.delete(key);
    this.#seen.set(key, counted);
    if (this.#seen.size > remembered) {
      const [oldest] = this.#seen.keys();
      if (oldest !== undefined) this.#seen.delete(oldest);
    }
    return counted.count <= mostInAnHour;
  }
}
