// The last guard against circles: a mail that lost every mark on its way round still has its Message-ID. No member gets
// one Message-ID more often than this in an hour; senders that use one Message-ID for many mails stay below it.
import { type Duration, hour, type Instant, type Random } from '../clock.ts';
import type { Mailbox } from '../mail/path.ts';

export const mostInAnHour = 20;
const window: Duration = hour;
// Of so many pairs at least; then those that were not seen again are forgotten.
const remembered = 20_000;

export class CircleGuard {
  readonly #first: number;
  readonly #second: number;
  // Two generations instead of one in the order of use: a flood of others costs what it costs to count them, and no more.
  #young = new Generation();
  #old = new Generation();

  /** @param random draws by what pairs are told apart: nobody outside can make two that are taken for the same */
  constructor(random: Random) {
    this.#first = Math.floor(random() * 0x1_0000_0000);
    this.#second = Math.floor(random() * 0x1_0000_0000);
  }

  /** Counts this one. False when it is one too many. */
  admit(messageId: string | undefined, mailbox: Mailbox, now: Instant): boolean {
    if (messageId === undefined) return true;
    const first = hash(messageId, hash(mailbox, this.#first, one), one);
    const second = hash(messageId, hash(mailbox, this.#second, other), other);
    let place = this.#young.find(first, second);
    if (this.#young.counts[place] === 0) {
      if (this.#young.size >= remembered) {
        const emptied = this.#old;
        this.#old = this.#young;
        this.#young = emptied;
        this.#young.clear();
        place = this.#young.find(first, second);
      }
      const before = this.#old.find(first, second);
      const since = this.#old.counts[before] === 0 ? now : (this.#old.since[before] ?? now);
      this.#young.take(place, first, second, this.#old.counts[before] ?? 0, since);
    }
    const since = this.#young.since[place] ?? now;
    return this.#young.count(place, now, now - since >= window || now < since) <= mostInAnHour;
  }
}

/** More than twice of what is remembered: few have to look further than one place. */
const places = 65_536;

/** Pairs by two numbers each, in arrays outside V8's heap: forty thousand texts would be moved and looked through by it. */
class Generation {
  readonly #firsts = new Uint32Array(places);
  readonly #seconds = new Uint32Array(places);
  /** 0: nobody is there. */
  readonly counts = new Uint8Array(places);
  readonly since = new Float64Array(places);
  size = 0;

  /** Where it is, or where it would be. */
  find(first: number, second: number): number {
    for (let place = first % places; ; place = (place + 1) % places) {
      if (this.counts[place] === 0) return place;
      if (this.#firsts[place] === first && this.#seconds[place] === second) return place;
    }
  }

  /** For one that was not there; it is to be counted. */
  take(place: number, first: number, second: number, count: number, since: Instant): void {
    this.#firsts[place] = first;
    this.#seconds[place] = second;
    this.counts[place] = count;
    this.since[place] = since;
    this.size += 1;
  }

  /** How many there are with this one. */
  count(place: number, now: Instant, anew: boolean): number {
    if (anew) this.since[place] = now;
    const count = Math.min(255, (anew ? 0 : (this.counts[place] ?? 0)) + 1);
    this.counts[place] = count;
    return count;
  }

  clear(): void {
    this.counts.fill(0);
    this.size = 0;
  }
}

const one = 0x9e37_79b1;
const other = 0x85eb_ca6b;

/** 32 bits of it, told apart by all that went before. */
function hash(text: string, seed: number, factor: number): number {
  let value = seed;
  for (let at = 0; at < text.length; at += 1) {
    value = Math.imul(value ^ text.charCodeAt(at), factor);
    value ^= value >>> 15;
  }
  // Where one text ends and the next begins.
  value = Math.imul(value ^ text.length, factor);
  return (value ^ (value >>> 16)) >>> 0;
}
