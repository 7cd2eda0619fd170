// From bytes to stanzas, bounded. ltx's tokeniser is lenient: it neither checks that tags match nor which characters
// are used, so this file does, and every violation is named by its stream error (RFC 6120 §4.9.3).
import SaxLtx from 'ltx/src/parsers/ltx.js';
import { Element, ns } from './xml.ts';

export interface ParserEvents {
  /** A stream header: the first, or the one after a restart. */
  open(header: Element): void;
  /** A complete child of the stream. */
  element(element: Element): void;
  close(): void;
}

/** Ends the stream with this stream error. */
export class StreamFault extends Error {
  readonly condition: string;
  constructor(condition: string, message: string) {
    super(message);
    this.condition = condition;
  }
}

const maxDepth = 64;
/** The tokeniser tells no positions, so a stanza may exceed the limit by less than one piece unnoticed. */
const pieceBytes = 1_024;
// XML 1.0 §2.3, without the letters of exotic scripts that no XMPP name uses.
const nameShape = /^[A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?$/;
const illegal = /[\x00-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]/; // XML 1.0 §2.2

export class StreamParser {
  readonly #sax = new SaxLtx();
  // Fatal, unlike a StringDecoder: RFC 6120 §11.6 wants bad UTF-8 refused, not replaced. Holds back half characters.
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true });
  readonly #events: ParserEvents;
  #limit: number;
  #root: Element | undefined;
  #current: Element | undefined;
  #depth = 0;
  // COMPAT(ltx, 3.1.2): `?>` or `-->` cut in two between writes is not recognised, and everything after is swallowed.
  #heldBack = '';
  /** Bytes since the last complete stanza. */
  #pending = 0;
  #closed = false;

  constructor(limit: number, events: ParserEvents) {
    this.#limit = limit;
    this.#events = events;
    this.#sax.on('startElement', (name, attrs) => this.#start(name, attrs));
    this.#sax.on('endElement', (name) => this.#end(name));
    this.#sax.on('text', (text) => this.#current?.append(text));
  }

  set limit(bytes: number) {
    this.#limit = bytes;
  }

  /** RFC 6120 §4.3.3: the next thing read is a new stream header. */
  restart(): void {
    this.#root = undefined;
    this.#current = undefined;
  }

  /** Whatever else the current chunk holds is not read. */
  stop(): void {
    this.#closed = true;
  }

  /** Throws StreamFault. */
  write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && !this.#closed; at += pieceBytes) {
      this.#writePiece(bytes.subarray(at, at + pieceBytes));
    }
  }

  #writePiece(bytes: Buffer): void {
    let text: string;
    try {
      text = this.#utf8.decode(bytes, { stream: true });
    } catch {
      throw new StreamFault('unsupported-encoding', 'not UTF-8');
    }
    if (illegal.test(text)) throw new StreamFault('not-well-formed', 'a character that XML forbids');
    this.#pending += bytes.length;
    text = this.#heldBack + text;
    this.#heldBack = /[?\-\]]{0,2}$/.exec(text)?.[0] ?? '';
    try {
      this.#sax.write(text.slice(0, text.length - this.#heldBack.length));
    } catch (error) {
      if (error instanceof StreamFault) throw error;
      // ltx throws plain errors, for entities it does not know and for characters written as such.
      if (/XML|code point/i.test((error as Error).message)) {
        throw new StreamFault('not-well-formed', (error as Error).message);
      }
      throw error;
    }
    if (this.#pending > this.#limit) {
      throw new StreamFault('policy-violation', `a stanza is larger than ${this.#limit} bytes`);
    }
  }

  #start(name: string, attrs: Record<string, string>): void {
    if (this.#closed) return;
    for (const word of [name, ...Object.keys(attrs)]) {
      if (!nameShape.test(word)) throw new StreamFault('not-well-formed', `not an XML name: ${JSON.stringify(word)}`);
    }
    const element = new Element(name, attrs);
    if (!this.#root) {
      this.#root = element;
      this.#pending = 0;
      this.#events.open(element);
      return;
    }
    if (++this.#depth > maxDepth) throw new StreamFault('policy-violation', `nested deeper than ${maxDepth}`);
    element.parent = this.#current ?? this.#root;
    this.#checkPrefixes(element);
    if (this.#current) this.#current.append(element);
    this.#current = element;
  }

  // A prefix bound on the stream header would be lost when the stanza travels on; only `stream:` and `xml:` may be.
  #checkPrefixes(element: Element): void {
    for (const word of [element.name, ...Object.keys(element.attrs)]) {
      const prefix = word.slice(0, Math.max(0, word.indexOf(':')));
      const known = ['', 'xml', 'xmlns'].includes(prefix) || this.#bound(element, prefix);
      if (!known) throw new StreamFault('bad-namespace-prefix', `unbound prefix ${prefix}`);
    }
  }

  #bound(element: Element, prefix: string): boolean {
    for (let at: Element | null = element; at && at !== this.#root; at = at.parent) {
      if (at.attrs[`xmlns:${prefix}`] !== undefined) return true;
    }
    return prefix === 'stream' && this.#root?.attrs['xmlns:stream'] === ns.stream;
  }

  #end(name: string): void {
    if (this.#closed) return;
    const done = this.#current;
    if (!done) {
      if (name !== this.#root?.name) throw new StreamFault('not-well-formed', `unexpected </${name}>`);
      this.#closed = true;
      this.#events.close();
      return;
    }
    if (name !== done.name) throw new StreamFault('not-well-formed', `</${name}> closes <${done.name}>`);
    this.#depth--;
    if (this.#depth > 0) {
      this.#current = done.parent ?? undefined;
      return;
    }
    this.#current = undefined;
    this.#pending = 0;
    done.attrs.xmlns ??= done.getNS();
    done.parent = null;
    this.#events.element(done);
  }
}
