// Queue ids and short ids. A queue id is in the 250, in Received, on every log line and in every event of a message;
// a short id is what a person types in an answer to a nudge.
import type { Instant, Random } from '../clock.ts';

export type QueueId = string & { readonly __brand: 'QueueId' };

// Crockford's base 32 without I, L, O, U: nothing that can be misread, and no words by chance.
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** 13 characters: 9 of time (ms, sorts by it until the year 3084), 4 of chance. */
export function newQueueId(now: Instant, random: Random): QueueId {
  // Several are made in a millisecond, and two for each mail: its time is written once, its chance drawn once.
  if (now !== written.at) written = { at: now, text: base32(now, 9) };
  const drawn = Math.floor(random() * 0x10_0000);
  return (written.text + (pairs[drawn >>> 10] ?? '') + (pairs[drawn & 0x3ff] ?? '')) as QueueId;
}
let written: { readonly at: Instant; readonly text: string } = { at: 0, text: '000000000' };

/** Every two characters. */
const pairs: readonly string[] = Array.from(
  { length: 1024 },
  (_, value) => alphabet.charAt(value >>> 5) + alphabet.charAt(value & 31),
);

/** No queue id of that moment or later is less than this; a bound, and no queue id. */
export const queueIdsFrom = (at: Instant): string => base32(Math.max(0, at), 9);

/** The moment a queue id was made. */
export function acceptedAtOf(queueId: QueueId): Instant {
  let value = 0;
  for (let at = 0; at < 9; at += 1) value = value * 32 + alphabet.indexOf(queueId.charAt(at));
  return value;
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
