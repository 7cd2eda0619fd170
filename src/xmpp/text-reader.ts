// From the octets of a stream to the pieces of text that the parser can take without losing any.
import { StringDecoder } from 'node:string_decoder';

/**
 * Characters given to the parser at a time: for every character of a text without end it searches the rest of what it
 * was given, so that 64 kB at a time cost 3.4 s for the largest stanza; smaller pieces cost less.
 */
const atOnce = 8_192;

/** The end of a piece that may be the beginning of a mark: it goes with the next piece. */
const unfinished = /(?:<(?:!(?:\[(?:C(?:D(?:A(?:TA?)?)?)?)?|-*)?)?|[?\-\]]{1,2})$/;

export class TextReader {
  // A character may be split between two reads: the decoder keeps its first half.
  readonly #decoder = new StringDecoder('utf8');
  /** COMPAT(ltx 3.1.2): `?>` or `-->` cut in two between writes is not seen, and everything after it is swallowed. */
  #heldBack = '';
  /** What ends the section that the text is in, where `<!` means nothing. */
  #until: ']]>' | '-->' | null = null;

  /** @throws when the stream declares a document type. */
  *pieces(data: Buffer): Generator<string> {
    const text = this.#decoder.write(data);
    for (let from = 0; from < text.length; from += atOnce) {
      const piece = this.#heldBack + text.slice(from, from + atOnce);
      this.#heldBack = unfinished.exec(piece)?.[0] ?? '';
      const whole = piece.slice(0, piece.length - this.#heldBack.length);
      this.#refuseDeclarations(whole);
      yield whole;
    }
  }

  /**
   * RFC 6120 §11.1: no document type, no entities. COMPAT(ltx 3.1.2): it takes a declaration for a comment, and swallows
   * everything that comes after it.
   */
  #refuseDeclarations(piece: string): void {
    for (let at = 0; ; ) {
      if (this.#until !== null) {
        const end = piece.indexOf(this.#until, at);
        if (end < 0) return;
        at = end + this.#until.length;
        this.#until = null;
      }
      const start = piece.indexOf('<!', at);
      if (start < 0) return;
      if (piece.startsWith('<![CDATA[', start)) this.#until = ']]>';
      else if (piece.startsWith('<!--', start)) this.#until = '-->';
      else if (/^<![A-Za-z[]/.test(piece.slice(start, start + 3)))
        throw new SyntaxError('a declaration, which XMPP has none of (RFC 6120 §11.1)');
      at = start + 2;
    }
  }
}
