// From the octets of a stream to the pieces of text that the parser can take without losing any.
import { StringDecoder } from 'node:string_decoder';

/**
 * Characters given to the parser at a time: for every character of a text without end it searches the rest of what it
 * was given, so that 64 kB at a time cost 3.4 s for the largest stanza; smaller pieces cost less.
 */
const atOnce = 8_192;

export class TextReader {
  // A character may be split between two reads: the decoder keeps its first half.
  readonly #decoder = new StringDecoder('utf8');
  /** COMPAT(ltx 3.1.2): `?>` or `-->` cut in two between writes is not seen, and everything after it is swallowed. */
  #heldBack = '';

  *pieces(data: Buffer): Generator<string> {
    const text = this.#decoder.write(data);
    for (let from = 0; from < text.length; from += atOnce) {
      const piece = this.#heldBack + text.slice(from, from + atOnce);
      this.#heldBack = /[?\-\]]{0,2}$/.exec(piece)?.[0] ?? '';
      yield piece.slice(0, piece.length - this.#heldBack.length);
    }
  }
}
