// Queue ids and short ids. A queue id is in the 250, in Received, on every log line and in every event of a message;
// a short id is what a person types in an answer to a nudge.
import type { Instant, Random } from '../clock.ts';

export type QueueId = string & { readonly __brand: 'QueueId' };

// Crockford's base 32 without I, L, O, U: nothing that can be misread, and no words by chance.
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** 13 characters: 9 of time (ms, sorts by it until the year 3084), 4 of chance. */
export function newQueueId(now: Instant, random: Random): QueueId {
  return (base32(now, 9) + chance(4, random)) as QueueId;
}

/** Ids that are not given out twice by one process: at thousands a second chance alone repeats itself within minutes. */
export class QueueIds {
  readonly #random: Random;
  #moment: Instant = 0;
  readonly #given = new Set<QueueId>();

  constructor(random: Random) {
    this.#random = random;
  }

  next(now: Instant): QueueId {
    if (now !== this.#moment) {
      this.#moment = now;
      this.#given.clear();
    }
    let id = newQueueId(now, this.#random);
    // The next one that is free: chance may be a poor one.
    for (let last = value(id.slice(9)); this.#given.has(id); ) {
      last = (last + 1) % 32 ** 4;
      id = (id.slice(0, 9) + base32(last, 4)) as QueueId;
    }
    this.#given.add(id);
    return id;
  }
}

/** The moment a queue id was made. */
export function acceptedAtOf(queueId: QueueId): Instant {
  return value(queueId.slice(0, 9));
}

function value(digits: string): number {
  let sum = 0;
  for (const digit of digits) sum = sum * 32 + alphabet.indexOf(digit);
  return sum;
}

export function isQueueId(text: string): text is QueueId {
  return /^[0-9A-HJKMNP-TV-Z]{13}$/.test(text);
}

// Without what sounds or looks alike (0/o, 1/l, 5/s, 2/z, 8/b, u/v).
const shortLetters = 'acdefhjkmnpqrtwxy';
const shortDigits = '34679';

/**
 * Four characters, e.g. `k7mf`; the store keeps them unique among open messages. A letter first and at least one digit:
 * no command, number or length of time (`10m`) looks like one.
 */
export function newShortId(random: Random): string {
  const from = (characters: string) => characters[Math.floor(random() * characters.length)];
  const digitAt = 1 + Math.floor(random() * 3);
  const rest = [1, 2, 3].map((position) => from(position === digitAt ? shortDigits : shortLetters + shortDigits));
  return [from(shortLetters), ...rest].join('');
}

function base32(value: number, length: number): string {
  let text = '';
  for (let rest = value; text.length < length; rest = Math.floor(rest / 32)) text = alphabet[rest % 32] + text;
  return text;
}

function chance(length: number, random: Random): string {
  let text = '';
  while (text.length < length) text += alphabet[Math.floor(random() * 32)];
  return text;
}
