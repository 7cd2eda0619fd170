// Where much waits for a while, first come first served, outside V8's heap: what lies there as octets the garbage collector
// neither moves nor looks through. What many of them have in common (plans, presence) is named by a number instead.

/** How one is laid down and taken up again: `take` asks for the same things in the same order as `put` gave them. */
export interface Packing<T> {
  /** Octets that `put` needs at most. */
  room(one: T): number;
  put(one: T, page: Page): void;
  take(page: Page): T;
}

/** Octets of a page. */
const pageSize = 262_144;
/** Above this one stays the object it is. */
const largest = 65_536;
/** Of empty ones, for what comes next. */
const mostSpare = 4;

export class Shelf<T> {
  readonly #packing: Packing<T>;
  readonly #pages: Page[] = [];
  readonly #spare: Page[] = [];
  /** Of those that stay objects, in their order. */
  readonly #whole: { readonly one: T; readonly room: number }[] = [];
  #length = 0;
  #octets = 0;

  constructor(packing: Packing<T>) {
    this.#packing = packing;
  }

  get length(): number {
    return this.#length;
  }

  /** What all of them take. */
  get octets(): number {
    return this.#octets;
  }

  /** Octets that this one would take at most. */
  room(one: T): number {
    return 1 + this.#packing.room(one);
  }

  /** @param room as `room` says */
  put(one: T, room = this.room(one)): void {
    // So that a page is not left half empty for one, nor too small for it.
    const stays = room > largest;
    const page = this.#pageFor(stays ? 1 : room);
    const { end } = page;
    page.putFlag(stays);
    try {
      if (!stays) this.#packing.put(one, page);
    } catch (error) {
      // Half of one would be taken for the beginning of the next.
      page.end = end;
      throw error;
    }
    if (stays) this.#whole.push({ one, room });
    page.count += 1;
    this.#length += 1;
    this.#octets += stays ? room : page.end - end;
  }

  /** @throws RangeError when there is none */
  take(): T {
    const page = this.#pages[0];
    if (page === undefined || this.#length === 0) throw new RangeError('nothing lies there');
    const { at } = page;
    const whole = page.takeFlag() ? this.#whole.shift() : undefined;
    const one = whole ? whole.one : this.#packing.take(page);
    this.#length -= 1;
    this.#octets -= whole ? whole.room : page.at - at;
    page.count -= 1;
    if (page.count === 0) this.#clear();
    return one;
  }

  #pageFor(octets: number): Page {
    const last = this.#pages[this.#pages.length - 1];
    if (last !== undefined && last.left >= octets) return last;
    const page = this.#spare.pop() ?? new Page(pageSize);
    this.#pages.push(page);
    return page;
  }

  #clear(): void {
    const page = this.#pages.shift();
    if (page === undefined || this.#spare.length >= mostSpare) return;
    page.clear();
    this.#spare.push(page);
  }
}

/** Octets that are written once and read once, in order, and the objects that they speak of. */
export class Page {
  readonly #octets: Buffer;
  readonly #view: DataView;
  /** Where the next is put. */
  end = 0;
  /** Where the next is taken. */
  at = 0;
  readonly #objects: unknown[] = [];
  readonly #numberOf = new Map<unknown, number>();
  /** How many lie there. */
  count = 0;

  constructor(size: number) {
    this.#octets = Buffer.allocUnsafeSlow(size);
    this.#view = new DataView(this.#octets.buffer, this.#octets.byteOffset, size);
  }

  get left(): number {
    return this.#octets.length - this.end;
  }

  clear(): void {
    this.end = 0;
    this.at = 0;
    this.#objects.length = 0;
    this.#numberOf.clear();
    this.count = 0;
  }

  /** 1 octet. */
  putFlag(value: boolean): void {
    this.#octets[this.end] = value ? 1 : 0;
    this.end += 1;
  }

  takeFlag(): boolean {
    const value = this.#octets[this.at] === 1;
    this.at += 1;
    return value;
  }

  /** 8 octets. */
  putNumber(value: number): void {
    this.#view.setFloat64(this.end, value);
    this.end += 8;
  }

  takeNumber(): number {
    const value = this.#view.getFloat64(this.at);
    this.at += 8;
    return value;
  }

  /** A whole number from 0 to 2³² − 1. 4 octets. */
  putCount(value: number): void {
    this.#view.setUint32(this.end, value);
    this.end += 4;
  }

  takeCount(): number {
    const value = this.#view.getUint32(this.at);
    this.at += 4;
    return value;
  }

  /** The same object when it is taken: for what many have in common. Also a text of which there are few. 4 octets. */
  putShared(object: unknown): void {
    let number = this.#numberOf.get(object);
    if (number === undefined) {
      number = this.#objects.push(object) - 1;
      this.#numberOf.set(object, number);
    }
    this.putCount(number);
  }

  takeShared(): unknown {
    return this.#objects[this.takeCount()];
  }

  /** Well-formed text. 4 octets, and at most 3 for each of its characters. */
  putText(text: string): void {
    const from = this.end + 4;
    const { length } = text;
    // A call into C++ takes longer than a short address.
    let at = length > 64 ? -1 : 0;
    for (; at >= 0 && at < length; at += 1) {
      const code = text.charCodeAt(at);
      if (code > 0x7f) break;
      this.#octets[from + at] = code;
    }
    const octets = at === length ? length : this.#octets.write(text, from);
    this.#view.setUint32(this.end, octets);
    this.end = from + octets;
  }

  takeText(): string {
    const from = this.at + 4;
    this.at = from + this.#view.getUint32(this.at);
    return this.#octets.toString('utf8', from, this.at);
  }

  /** Whatever knows how to write itself. @param write gives back how many octets it has written */
  putOctets(write: (octets: Buffer, at: number) => number): void {
    const from = this.end + 4;
    const written = write(this.#octets, from);
    this.#view.setUint32(this.end, written);
    this.end = from + written;
  }

  /** A copy: the page is written again. */
  takeOctets(): Buffer {
    const from = this.at + 4;
    this.at = from + this.#view.getUint32(this.at);
    return Buffer.from(this.#octets.subarray(from, this.at));
  }
}
