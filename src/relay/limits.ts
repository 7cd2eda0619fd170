// What is too much: of one message, of one peer, of all mail that waits. Judged before anything is stored; the answer
// to a peer that is too fast, and to a queue or a disk that is full, is temporary.
import { type Clock, type Instant, minute, second } from '../clock.ts';
import type { Log } from '../log.ts';
import { type Content, headOf, isFile, longestLine, mostInMemory } from '../mail/content.ts';
import { PointsmanError } from '../mail/error.ts';
import { headerBlock } from '../mail/header.ts';
import { type Reply, replies } from '../mail/reply.ts';
import type { Store } from '../store/store.ts';

export const contentLimits = {
  /** Octets of header: of large content no more is in memory, and so no more is read. */
  header: mostInMemory,
  fields: 1_000,
  line: longestLine,
} as const;

/** The lines of a file were looked at while it was written. @throws PointsmanError */
export function checkContent(content: Content): void {
  const head = headOf(content);
  const header = headerBlock(head);
  const buffer = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  const refuse = (what: string): never => {
    throw new PointsmanError({ ...replies.badContent, text: `${replies.badContent.text}: ${what}` }, what);
  };
  // Where the head of a file has no empty line, the header may go on beyond it.
  const cut = isFile(content) && header.length === head.length && head.length < content.length;
  if (cut || header.length > contentLimits.header) refuse(`a header of more than ${contentLimits.header} octets`);
  // Loops are known by the header: one with more fields than are read could hide one.
  let lines = 0;
  for (let at = 0; at < header.length && lines <= contentLimits.fields; lines += 1) {
    do {
      const end = buffer.indexOf(0x0a, at);
      at = end < 0 ? header.length : end + 1;
    } while (at < header.length && (buffer[at] === 0x20 || buffer[at] === 0x09));
  }
  if (lines > contentLimits.fields) refuse(`more than ${contentLimits.fields} header fields`);
  // From one line end to the last within reach of it: few steps, however many lines there are.
  for (let at = 0; at + contentLimits.line < buffer.length; ) {
    const end = buffer.lastIndexOf(0x0a, at + contentLimits.line);
    if (end < at) refuse(`a line of more than ${contentLimits.line} octets`);
    at = end + 1;
  }
}

export interface Rates {
  /** Of one address, a minute; null: as many as it likes. */
  readonly messages: number | null;
  readonly recipients: number | null;
}

/** Counts in whole minutes. Addresses that are not heard of any more are forgotten. */
export class RateLimits {
  readonly #rates: Rates;
  #minute = 0;
  readonly #messages = new Map<string, number>();
  readonly #recipients = new Map<string, number>();

  constructor(rates: Rates) {
    this.#rates = rates;
  }

  recipient(address: string, now: Instant): Reply | undefined {
    return this.#count(this.#recipients, this.#rates.recipients, address, now);
  }

  message(address: string, now: Instant): Reply | undefined {
    return this.#count(this.#messages, this.#rates.messages, address, now);
  }

  #count(counts: Map<string, number>, most: number | null, address: string, now: Instant): Reply | undefined {
    if (most === null) return undefined;
    const current = Math.floor(now / minute);
    if (current !== this.#minute) {
      this.#minute = current;
      this.#messages.clear();
      this.#recipients.clear();
    }
    const count = (counts.get(address) ?? 0) + 1;
    counts.set(address, count);
    return count > most ? replies.tooFast : undefined;
  }
}

export interface RoomOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Pick<Store, 'counts'>;
  /** Octets left where the state folder is. */
  readonly freeSpace: () => Promise<number>;
  readonly leastFree: number;
  /** Deliveries that may wait. */
  readonly most: number;
}

// Between two looks a disk fills by little, and a queue does too.
const lookEvery = 5 * second;

/** Looked at when mail comes, at most every few seconds, and never waited for. */
export class Room {
  readonly #options: RoomOptions;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #full: string | null = null;

  constructor(options: RoomOptions) {
    this.#options = options;
  }

  /** What is full; null: nothing. */
  get full(): string | null {
    return this.#full;
  }

  /** A Reply: not now. */
  ask(): Reply | undefined {
    const now = this.#options.clock.now();
    if (now - this.#lookedAt >= lookEvery || now < this.#lookedAt) {
      this.#lookedAt = now;
      void this.look();
    }
    return this.#full === null ? undefined : replies.storeFull;
  }

  /** Answers what is full. */
  async look(): Promise<string | null> {
    const { freeSpace, leastFree, store, most, log } = this.#options;
    try {
      const [free, { deliveries }] = await Promise.all([freeSpace(), store.counts()]);
      const waiting = deliveries.queued + deliveries.held;
      const full =
        free < leastFree
          ? `${free} octets are left on the disk`
          : waiting >= most
            ? `${waiting} deliveries wait`
            : null;
      if (full !== null && this.#full === null) log.error({ full }, 'no mail is taken for now: no room');
      if (full === null && this.#full !== null) log.info({}, 'mail is taken again: there is room');
      this.#full = full;
    } catch (error) {
      // The store says itself what is wrong with it, to whoever wants to write.
      log.warn({ err: error }, 'how much room there is could not be found out');
    }
    return this.#full;
  }
}
