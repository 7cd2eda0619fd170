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
