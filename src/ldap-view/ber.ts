// ASN.1 as LDAP carries it (RFC 4511 §5.1: BER with definite lengths, tags of one octet), bounded: a reader never looks
// beyond what it was given, and says so when it would.

export class BerError extends Error {
  override readonly name = 'BerError';
}

export interface Element {
  readonly tag: number;
  readonly body: BerReader;
}

/** How long the message that begins here is; null: more is needed to say. @throws BerError when it is none, or too long */
export function messageLength(octets: Uint8Array, most: number): number | null {
  if (octets.length === 0) return null;
  if (octets[0] !== 0x30) throw new BerError('a message is a SEQUENCE');
  const read = lengthAt(octets, 1, octets.length);
  if (read === null) return null;
  const all = read.next + read.length;
  if (all > most) throw new BerError(`a message has at most ${most} octets`);
  return all;
}

/** Null when the length goes on beyond `end`. */
function lengthAt(octets: Uint8Array, at: number, end: number): { length: number; next: number } | null {
  const first = octets[at];
  if (first === undefined || at >= end) return null;
  if (first < 0x80) return { length: first, next: at + 1 };
  const count = first & 0x7f;
  if (count === 0 || count > 4) throw new BerError('only lengths of one to four octets are known');
  if (at + 1 + count > end) return null;
  let length = 0;
  for (let index = 1; index <= count; index += 1) length = length * 256 + (octets[at + index] ?? 0);
  return { length, next: at + 1 + count };
}

export class BerReader {
  readonly #octets: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(octets: Uint8Array, from = 0, end = octets.length) {
    this.#octets = octets;
    this.#at = from;
    this.#end = end;
  }

  get atEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** The tag of what comes next; undefined at the end. */
  get tag(): number | undefined {
    return this.atEnd ? undefined : this.#octets[this.#at];
  }

  next(): Element {
    const { tag } = this;
    if (tag === undefined) throw new BerError('something is missing at the end');
    if ((tag & 0x1f) === 0x1f) throw new BerError('tags of several octets are not known');
    const read = lengthAt(this.#octets, this.#at + 1, this.#end);
    if (read === null || read.next + read.length > this.#end)
      throw new BerError('an element is longer than what holds it');
    const from = read.next;
    this.#at = from + read.length;
    return { tag, body: new BerReader(this.#octets, from, this.#at) };
  }

  /** The next one, which has that tag. */
  take(tag: number): BerReader {
    const found = this.next();
    if (found.tag !== tag) throw new BerError(`tag ${found.tag} stands where ${tag} is expected`);
    return found.body;
  }

  /** All that is left, as octets. */
  octets(): Uint8Array {
    return this.#octets.subarray(this.#at, this.#end);
  }

  text(): string {
    return Buffer.from(this.octets()).toString('utf8');
  }

  /** Of an INTEGER, ENUMERATED or BOOLEAN: two's complement, at most four octets. */
  integer(): number {
    const octets = this.octets();
    if (octets.length === 0 || octets.length > 4) throw new BerError('a number has one to four octets');
    let value = (octets[0] ?? 0) & 0x80 ? -1 : 0;
    for (const octet of octets) value = (value << 8) | octet;
    return value;
  }
}

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  string: 0x04,
  enumerated: 0x0a,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One element of these parts. */
export function ber(tag: number, ...parts: readonly (Uint8Array | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length: number[] = [];
  for (let rest = body.length; rest > 0; rest = Math.floor(rest / 256)) length.unshift(rest % 256);
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length, ...length]), body]);
}

export function berInteger(value: number, tag: number = tags.integer): Buffer {
  const octets: number[] = [];
  let rest = value;
  do {
    octets.unshift(rest & 0xff);
    rest >>= 8;
  } while (rest !== 0 && rest !== -1);
  // The first bit is the sign.
  if (value >= 0 && (octets[0] ?? 0) & 0x80) octets.unshift(0);
  if (value < 0 && !((octets[0] ?? 0) & 0x80)) octets.unshift(0xff);
  return ber(tag, Buffer.from(octets));
}
