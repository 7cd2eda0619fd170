// A header as a milter is told of it, field by field, and kept as the octets that came: rules read a few fields of a
// mail, and what nobody reads is never decoded. Which fields there are, and where the header ends, is the same as
// fieldsOf() says of all of them.
import { maxFields, maxHeader, type RawField } from './header.ts';

/** Names in lower case, made ready for looking through many headers. */
export interface NameSet {
  readonly names: ReadonlySet<string>;
  readonly hashes: ReadonlySet<number>;
}

export function nameSet(names: Iterable<string>): NameSet {
  const all = new Set(names);
  return { names: all, hashes: new Set([...all].map((name) => hashOf(Buffer.from(name, 'latin1')))) };
}

/** FNV-1a over the name in lower case. */
function hashOf(octets: Uint8Array): number {
  let hash = start;
  for (const octet of octets) hash = step(hash, octet);
  return hash;
}
const start = 0x811c9dc5 | 0;
const step = (hash: number, octet: number): number =>
  Math.imul(hash ^ (octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet), 0x01000193);

/** Numbers. */
const perField = 5;

export class ToldHeader {
  /** The fields' octets, name NUL value NUL, in the chunks in which they arrived: mostly all in one. */
  readonly #chunks: Buffer[] = [];
  /** Of each field, one after the other: its chunk, where it begins, where its name and its value end, its name's hash. */
  readonly #places: number[] = [];
  #octets = 0;
  /** How many come before one whose name is none, or that is beyond the limits. */
  #sound = 0;
  #broken = false;
  /** Values carry the space that stands after the colon. */
  readonly leadingSpace: boolean;

  constructor(leadingSpace: boolean) {
    this.leadingSpace = leadingSpace;
  }

  /** Of what `writeTo` has written. */
  static from(octets: Buffer, leadingSpace: boolean): ToldHeader {
    const header = new ToldHeader(leadingSpace);
    for (let at = 0; at < octets.length; ) {
      const from = at + 4;
      at = from + octets.readUInt32BE(at);
      if (!header.add(octets, from, at)) throw new RangeError('no field of a header');
    }
    return header;
  }

  /** Octets that `writeTo` writes. */
  get room(): number {
    let room = 0;
    for (let at = 0; at < this.#places.length; at += perField)
      room += 4 + 1 + (this.#places[at + 3] ?? 0) - (this.#places[at + 1] ?? 0);
    return room;
  }

  /** Its fields, for later, each behind its length. @returns how many octets */
  writeTo(octets: Buffer, start: number): number {
    let at = start;
    for (let place = 0; place < this.#places.length; place += perField) {
      const from = this.#places[place + 1] ?? 0;
      const to = (this.#places[place + 3] ?? 0) + 1;
      at = octets.writeUInt32BE(to - from, at);
      at += this.#chunks[this.#places[place] ?? -1]?.copy(octets, at, from, to) ?? 0;
    }
    return at - start;
  }

  /** Name NUL value NUL, in those octets of the chunk. False when it is not that. */
  add(chunk: Buffer, from: number, to: number): boolean {
    let hash = start;
    let at = from;
    let isName = true;
    for (; at < to; at += 1) {
      const octet = chunk[at] ?? 0;
      if (octet === 0) break;
      // RFC 5322 §3.6.8
      if (octet < 0x21 || octet > 0x7e || octet === 0x3a) isName = false;
      hash = step(hash, octet);
    }
    if (at >= to - 1 || chunk[to - 1] !== 0) return false;
    if (this.#chunks[this.#chunks.length - 1] !== chunk) this.#chunks.push(chunk);
    this.#places.push(this.#chunks.length - 1, from, at, to - 1, hash);
    this.#octets += to - from + (this.leadingSpace && chunk[at + 1] === 0x20 ? 1 : 2);
    this.#broken ||= !isName || at === from || at - from > 200 || this.#octets > maxHeader || this.#sound >= maxFields;
    if (!this.#broken) this.#sound += 1;
    return true;
  }

  get fields(): number {
    return this.#places.length / perField;
  }

  /** Octets of all fields, with colon, space and line end. */
  get size(): number {
    return this.#octets;
  }

  /** Name and value as they came, one character an octet. */
  raw(index: number): RawField {
    const at = index * perField;
    const chunk = this.#chunks[this.#places[at] ?? -1];
    const name = this.#places[at + 2];
    if (chunk === undefined || name === undefined) throw new RangeError(`no field ${index}`);
    return [
      chunk.toString('latin1', this.#places[at + 1], name),
      chunk.toString('latin1', name + 1, this.#places[at + 3]),
    ];
  }

  /** All of them, as a message has them: without the space after the colon. */
  all(): RawField[] {
    return Array.from({ length: this.fields }, (_, index) => this.#bare(index));
  }

  /** Those of these names alone; of a header that breaks off, those before. */
  pick(wanted: NameSet): RawField[] {
    const picked: RawField[] = [];
    for (let index = 0; index < this.#sound; index += 1) {
      if (!wanted.hashes.has(this.#places[index * perField + 4] ?? 0)) continue;
      const field = this.#bare(index);
      if (wanted.names.has(field[0].toLowerCase())) picked.push(field);
    }
    return picked;
  }

  #bare(index: number): RawField {
    const field = this.raw(index);
    return this.leadingSpace && field[1].startsWith(' ') ? [field[0], field[1].slice(1)] : field;
  }
}
