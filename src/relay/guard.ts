// The last guard against circles: a mail that lost every mark on its way round still has its Message-ID. No member gets
// one Message-ID more often than this in an hour; senders that use one Message-ID for many mails stay below it.
import { type Duration, hour, type Instant } from '../clock.ts';
import { apart } from '../mail/apart.ts';
import type { Mailbox } from '../mail/path.ts';

export const mostInAnHour = 20;
const window: Duration = hour;
// Of so many pairs at least; then those that were not seen again are forgotten.
const remembered = 20_000;

interface Seen {
  count: number;
  since: Instant;
}

export class CircleGuard {
  // Two generations instead of one map in the order of use: to find the oldest of a map whose oldest were deleted, all
  // that they leave behind is walked through, and this is done for every mail.
  #young = new Map<string, Seen>();
  #old = new Map<string, Seen>();

  /** Counts this one. False when it is one too many. */
  admit(messageId: string | undefined, mailbox: Mailbox, now: Instant): boolean {
    if (messageId === undefined) return true;
    const key = apart(`${mailbox} ${messageId}`);
    let seen = this.#young.get(key);
    if (seen === undefined) {
      seen = this.#old.get(key) ?? { count: 0, since: now };
      if (this.#young.size >= remembered) {
        this.#old = this.#young;
        this.#young = new Map();
      }
      this.#young.set(key, seen);
    }
    if (now - seen.since >= window || now < seen.since) {
      seen.count = 0;
      seen.since = now;
    }
    seen.count += 1;
    return seen.count <= mostInAnHour;
  }
}
