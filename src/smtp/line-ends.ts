// Lines end in CRLF and in nothing else (RFC 5321 §2.3.8): what a next hop makes of a bare CR or LF is its own matter,
// and that is how mail is smuggled. Checked on the way in, and again on the way out, but not twice for the same octets:
// looking at each of them takes longer than sending them.

const known = new WeakSet<Uint8Array>();

/** For octets that have been looked at, and that nobody changes. */
export function vouchForLineEnds(content: Uint8Array): void {
  known.add(content);
}

export function hasBareLineEnd(content: Uint8Array): boolean {
  if (known.has(content)) return false;
  const lineEnds = new LineEnds();
  lineEnds.add(content);
  return lineEnds.bare;
}

/** The same, piece by piece. */
export class LineEnds {
  #bare = false;
  #afterCr = false;

  add(piece: Uint8Array): void {
    let at = 0;
    if (this.#afterCr && piece.length > 0) {
      if (piece[0] !== 0x0a) this.#bare = true;
      this.#afterCr = false;
      at = 1;
    }
    for (; at < piece.length && !this.#bare; at++) {
      const octet = piece[at] as number;
      if (octet > 0x0d) continue;
      if (octet === 0x0a) this.#bare = true;
      if (octet !== 0x0d) continue;
      at += 1;
      if (at === piece.length) this.#afterCr = true;
      else if (piece[at] !== 0x0a) this.#bare = true;
    }
  }

  /** Of all that was added, as a whole. */
  get bare(): boolean {
    return this.#bare || this.#afterCr;
  }
}

/** Looks for lines of more than `longest` octets before their LF, piece by piece. */
export class LongLines {
  readonly #longest: number;
  /** Octets since the last LF. */
  #since = 0;
  #found = false;

  constructor(longest: number) {
    this.#longest = longest;
  }

  /** Whether there is one in what was added until now. */
  add(piece: Uint8Array): boolean {
    const buffer = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    // From one line end to the last within reach of it: few steps, however many lines there are.
    let at = 0;
    while (!this.#found && at + this.#longest - this.#since < buffer.length) {
      const end = buffer.lastIndexOf(0x0a, at + this.#longest - this.#since);
      if (end < at) this.#found = true;
      at = end + 1;
      this.#since = 0;
    }
    const last = buffer.lastIndexOf(0x0a);
    this.#since = last < 0 ? this.#since + buffer.length : buffer.length - last - 1;
    return this.#found;
  }
}

/** Each bare CR and each bare LF as CRLF, piece by piece. */
export class WholeLineEnds {
  /** A CR was withheld: what it is, the next octet tells. */
  #afterCr = false;

  add(piece: Buffer): Buffer {
    const text = (this.#afterCr ? '\r' : '') + piece.toString('latin1');
    this.#afterCr = text.endsWith('\r');
    return whole(this.#afterCr ? text.slice(0, -1) : text);
  }

  /** What is left. */
  end(): Buffer {
    const left = this.#afterCr ? '\r' : '';
    this.#afterCr = false;
    return whole(left);
  }
}

const whole = (text: string): Buffer => Buffer.from(text.replace(/\r\n|\r|\n/g, '\r\n'), 'latin1');

/** Each bare CR and each bare LF as CRLF. */
export function withWholeLineEnds(content: Uint8Array): Uint8Array {
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('latin1');
  const bytes = new Uint8Array(whole(text));
  vouchForLineEnds(bytes);
  return bytes;
}
