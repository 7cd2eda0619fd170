// RFC 5321 §4.5.2: a line that begins with a dot gets another one in front, wherever a piece of the content ends.

const dot = Buffer.from('.');
const lineEnd = Buffer.from('\r\n');

export class DotStuffing {
  /** What came last, as far as it matters. */
  #tail: '' | '\r' | '\r\n' = '\r\n';
  #empty = true;

  /** The same octets with the dots added; parts of `piece` itself, not copies. */
  add(piece: Buffer): Buffer[] {
    if (piece.length === 0) return [];
    this.#empty = false;
    const parts: Buffer[] = [];
    let from = 0;
    const stuffAt = (at: number): void => {
      if (at > from) parts.push(piece.subarray(from, at));
      parts.push(dot);
      from = at;
    };
    if (this.#tail === '\r\n' && piece[0] === 0x2e) stuffAt(0);
    else if (this.#tail === '\r' && piece[0] === 0x0a && piece[1] === 0x2e) stuffAt(1);
    for (let at = piece.indexOf('\r\n.', 0, 'latin1'); at >= 0; at = piece.indexOf('\r\n.', at + 2, 'latin1')) {
      stuffAt(at + 2);
    }
    parts.push(piece.subarray(from));
    const last = piece[piece.length - 1];
    const before = piece.length > 1 ? piece[piece.length - 2] === 0x0d : this.#tail === '\r';
    this.#tail = last === 0x0a && before ? '\r\n' : last === 0x0d ? '\r' : '';
    return parts;
  }

  /** The final dot begins a line. */
  end(): Buffer[] {
    return this.#tail === '\r\n' || this.#empty ? [] : [lineEnd];
  }
}
