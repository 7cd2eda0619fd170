// smtp-server's stream parser with one part replaced: how the content of a message is read after DATA.
// Why (reference numbers are those of the test names in test/dialogues/smtp and test/unit/smtp):
// - the original hands bare CR and LF through; we must see them, because a peer behind us may take them for line ends
//   (SMTP smuggling), and refuse the message;
// - it unstuffs dots after a bare LF too, which changes bytes;
// - each dot-stuffed line costs it a turn of the event loop and escapes backpressure: 0.65 s of CPU per MiB of `..`;
// - it reads a message that is too big to the end, however long that takes.
// One pass over the octets, in place, finds the end, unstuffs and checks; what is kept is bounded by `limit`.
import { SMTPStream } from 'smtp-server/lib/smtp-stream.js';

export type Content =
  | { readonly kind: 'complete'; readonly bytes: Uint8Array }
  /** Read to its end but not kept. */
  | { readonly kind: 'refused'; readonly reason: 'bare line end' | 'too big' | 'no memory' };

export interface ContentLimits {
  /** Octets kept; more is refused at the final dot. */
  readonly limit: number;
  /** Octets read, kept or not; more ends the connection. */
  readonly cutOff: number;
  /** Asks for room for so many more octets; false refuses the message. */
  readonly reserve: (octets: number) => boolean;
}

export interface ContentListener {
  /** The final dot came. Commands that follow wait until `resume` is called. */
  readonly onEnd: (content: Content, resume: () => void) => void;
  /** The cut-off was passed; nothing more of this message is read. */
  readonly onCutOff: () => void;
}

// Where in a line the next octet is.
const lineStart = 0;
const inLine = 1;
const afterCr = 2;
const afterDot = 3; // a dot at the start of a line, withheld
const afterDotCr = 4; // and a CR after it, withheld
type Place = 0 | 1 | 2 | 3 | 4;

const cr = 0x0d;
const lf = 0x0a;
const dot = 0x2e;

interface Reading {
  readonly limits: ContentLimits;
  readonly listener: ContentListener;
  chunks: Buffer[];
  kept: number;
  read: number;
  place: Place;
  refusal: 'bare line end' | 'too big' | 'no memory' | undefined;
}

export class ContentParser extends SMTPStream {
  // Set by startContent(): the constructor of the parent runs before our fields exist.
  #reading: Reading | undefined;

  /** From the next octet on the input is content, until the final dot. */
  startContent(limits: ContentLimits, listener: ContentListener): void {
    this.#reading = { limits, listener, chunks: [], kept: 0, read: 0, place: lineStart, refusal: undefined };
    this._dataMode = true;
  }

  override _feedDataStream(chunk: Buffer, done: (error?: Error | null) => void): void {
    const reading = this.#reading;
    if (!reading || this.isClosed) {
      done();
      return;
    }
    const { consumed, kept, ended } = scan(reading, chunk);
    reading.read += consumed;
    keep(reading, chunk.subarray(0, kept));
    if (reading.read > reading.limits.cutOff) {
      this.#reading = undefined;
      this.isClosed = true;
      reading.listener.onCutOff();
      done();
      return;
    }
    if (!ended) {
      done();
      return;
    }
    this.#reading = undefined;
    this._dataMode = false;
    const rest = chunk.subarray(consumed);
    reading.listener.onEnd(assemble(reading), () => this._write(rest, 'buffer', done));
  }
}

/**
 * Reads `chunk` up to its end or to the end of the content. What is content is moved to the chunk's front, which is
 * ours: a socket gives every read a buffer of its own. RFC 5321 §4.5.2 (transparency), §2.3.8 (CRLF only).
 */
function scan(reading: Reading, chunk: Buffer): { consumed: number; kept: number; ended: boolean } {
  let place: Place = reading.place;
  let kept = 0;
  let at = 0;
  let bare = false;
  for (; at < chunk.length; at++) {
    const octet = chunk[at] as number;
    if (place === lineStart && octet === dot) {
      place = afterDot;
      continue;
    }
    if (place === afterDot && octet === cr) {
      place = afterDotCr;
      continue;
    }
    if (place === afterDotCr) {
      if (octet === lf) {
        reading.place = lineStart;
        if (bare) reading.refusal ??= 'bare line end';
        return { consumed: at + 1, kept, ended: true };
      }
      bare = true;
    }
    if (octet === lf) {
      if (place !== afterCr) bare = true;
      place = place === afterCr ? lineStart : inLine;
    } else {
      if (place === afterCr) bare = true;
      place = octet === cr ? afterCr : inLine;
    }
    if (kept !== at) chunk[kept] = octet;
    kept++;
  }
  reading.place = place;
  if (bare) reading.refusal ??= 'bare line end';
  return { consumed: at, kept, ended: false };
}

function keep(reading: Reading, octets: Buffer): void {
  if (reading.refusal === undefined && octets.length > 0) {
    if (reading.kept + octets.length > reading.limits.limit) reading.refusal = 'too big';
    else if (!reading.limits.reserve(octets.length)) reading.refusal = 'no memory';
    else {
      reading.chunks.push(octets);
      reading.kept += octets.length;
    }
  }
  if (reading.refusal !== undefined) reading.chunks = [];
}

function assemble(reading: Reading): Content {
  if (reading.refusal !== undefined) return { kind: 'refused', reason: reading.refusal };
  // A buffer of its own, not a slice of a shared pool: the store may hand it to another thread.
  const bytes = new Uint8Array(reading.kept);
  let at = 0;
  for (const chunk of reading.chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return { kind: 'complete', bytes };
}
