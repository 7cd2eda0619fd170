// A header as a milter is told of it, field by field, and kept as the octets that came: rules read a few fields of a
// mail, and what nobody reads is never decoded. Which fields there are, and where the header ends, is the same as
// fieldsOf() says of all of them.
import { maxFields, maxHeader, type RawField } from './header.ts';

/** Names in lower case by their hash, made ready for looking through many headers. */
export type NameSet = ReadonlyMap<number, readonly Name[]>;

interface Name {
  readonly text: string;
  readonly octets: Uint8Array;
}

export function nameSet(names: Iterable<string>): NameSet {
  const all = [...new Set(names)].map((text) => ({ text, octets: Buffer.from(text, 'latin1') }));
  return Map.groupBy(all, ({ octets }) => hashOf(octets));
}

/** FNV-1a over the name in lower case. */
function hashOf(octets: Uint8Array): number {
  let hash = start;
  for (const octet of octets) hash = step(hash, octet);
  return hash;
}
const start = 0x811c9dc5 | 0;
const step = (hash: number, octet: number): number => Math.imul(hash ^ lower(octet), 0x01000193);
const lower = (octet: number): number => (octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet);

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
      const fields = octets.readUInt32BE(at);
      const first = at + 8 + 8 * fields;
      for (let place = at + 8; place < first; place += 8) {
        const [from, to] = [first + octets.readUInt32BE(place), first + octets.readUInt32BE(place + 4)];
        if (!header.add(octets, from, to)) throw new RangeError('no field of a header');
      }
      at = first + octets.readUInt32BE(at + 4);
    }
    return header;
  }

  /** Octets that `writeTo` writes. */
  get room(): number {
    let room = 0;
    for (let at = 0; at < this.#places.length; ) {
      const next = this.#endOfRun(at);
      room += 8 + 8 * ((next - at) / perField) + this.#endOf(next) - (this.#places[at + 1] ?? 0);
      at = next;
    }
    return room;
  }

  /**
   * Its fields, for later: of each chunk how many there are, how many octets, where each begins and ends among them, and
   * all octets from the first to the last in one go, whatever else stands between them.
   * @returns how many octets
   */
  writeTo(octets: Buffer, start: number): number {
    let to = start;
    for (let at = 0; at < this.#places.length; ) {
      const next = this.#endOfRun(at);
      const first = this.#places[at + 1] ?? 0;
      const last = this.#endOf(next);
      to = octets.writeUInt32BE((next - at) / perField, to);
      to = octets.writeUInt32BE(last - first, to);
      for (let place = at; place < next; place += perField) {
        to = octets.writeUInt32BE((this.#places[place + 1] ?? 0) - first, to);
        to = octets.writeUInt32BE((this.#places[place + 3] ?? 0) + 1 - first, to);
      }
      this.#chunks[this.#places[at] ?? -1]?.copy(octets, to, first, last);
      to += last - first;
      at = next;
    }
    return to - start;
  }

  /** Where the fields begin that are in another chunk than this one. */
  #endOfRun(at: number): number {
    let next = at;
    while (next < this.#places.length && this.#places[next] === this.#places[at]) next += perField;
    return next;
  }

  /** Behind the last field before that place. */
  #endOf(next: number): number {
    return (this.#places[next - 2] ?? 0) + 1;
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

  /** Those of these names alone, the names in lower case; of a header that breaks off, those before. */
  pick(wanted: NameSet): RawField[] {
    const picked: RawField[] = [];
    for (let index = 0; index < this.#sound; index += 1) {
      const alike = wanted.get(this.#places[index * perField + 4] ?? 0);
      const name = alike?.find(({ octets }) => this.#isNamed(index, octets));
      if (name !== undefined) picked.push([name.text, this.#value(index)]);
    }
    return picked;
  }

  #isNamed(index: number, octets: Uint8Array): boolean {
    const at = index * perField;
    const from = this.#places[at + 1] ?? 0;
    const chunk = this.#chunks[this.#places[at] ?? -1];
    if (chunk === undefined || (this.#places[at + 2] ?? 0) - from !== octets.length) return false;
    for (let each = 0; each < octets.length; each += 1)
      if (lower(chunk[from + each] ?? 0) !== octets[each]) return false;
    return true;
  }

  #value(index: number): string {
    const at = index * perField;
    const value = (this.#places[at + 2] ?? 0) + 1;
    const chunk = this.#chunks[this.#places[at] ?? -1];
    const text = chunk?.toString('latin1', value, this.#places[at + 3]) ?? '';
    return this.leadingSpace && text.startsWith(' ') ? text.slice(1) : text;
  }

  #bare(index: number): RawField {
    const field = this.raw(index);
    return this.leadingSpace && field[1].startsWith(' ') ? [field[0], field[1].slice(1)] : field;
  }
}
