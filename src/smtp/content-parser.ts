// What a client writes, cut into command lines and, after DATA, the content of a message: one pass over the octets, in
// place, finds the end, unstuffs dots and checks line ends; what is kept is bounded by `limit`.
// Ours, because smtp-server's parser hands bare CR and LF through (a peer behind us may take them for line ends: SMTP
// smuggling), unstuffs dots after a bare LF, takes a turn of the event loop for each dot-stuffed line, and reads a
// message that is too big to the end, however long that takes.
import { type ContentWriter, longestLine, type Content as MailContent, mostInMemory } from '../mail/content.ts';
import { LongLines, vouchForLineEnds, WholeLineEnds, withWholeLineEnds } from './line-ends.ts';

/** `failed`: a file could not be written. */
export type Refusal = 'bare line end' | 'too big' | 'long line' | 'no memory' | 'failed';

export type Content =
  | { readonly kind: 'complete'; readonly bytes: MailContent /** Not as it was sent. */; readonly normalized?: true }
  /** Read to its end but not kept. */
  | { readonly kind: 'refused'; readonly reason: Refusal };

export interface ContentLimits {
  /** Octets kept; more is refused at the final dot. */
  readonly limit: number;
  /** Octets read, kept or not; more ends the connection. */
  readonly cutOff: number;
  /** Of a peer that is known to send them: a bare CR or LF becomes CRLF. The end of the content stays what it is. */
  readonly normalize?: boolean;
  /** Asks for room for so many more octets; false refuses the message. */
  readonly reserve: (octets: number) => boolean;
  /** Where content goes that is too large for memory, and the room that this gives back. */
  readonly spill?: { open(): ContentWriter; release(octets: number): void; failed(error: unknown): void };
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
  /** What the socket gave us, and nobody needs once `chunks` are put together. */
  spent: ArrayBufferLike[];
  kept: number;
  read: number;
  place: Place;
  /** There are bare line ends to be made whole. */
  bare: boolean;
  /** Octets in `chunks`. */
  held: number;
  writer: ContentWriter | undefined;
  /** What the file's next octets follow. */
  readonly wholeLineEnds: WholeLineEnds;
  readonly longLines: LongLines;
  refusal: Refusal | undefined;
}

// RFC 5321 §4.5.3.1.4 asks for 512 octets, RFC 3461 and 6531 for more; ORCPT and ENVID at their longest fit.
const longestCommand = 4_096;
// So many pipelined commands are dealt with before others get their turn.
const commandsAtOnce = 100;

export class ContentParser {
  /** The line without its end, which was CRLF or a bare LF. `next` is called, at once or later, to go on. */
  oncommand: (line: Buffer, next: () => void, bare: boolean) => void = (_line, next) => next();
  onerror: (error: Error) => void = () => undefined;
  #reading: Reading | undefined;
  #closed = false;
  /** A command line that has not ended. */
  #partial: Buffer | undefined;

  /** From the next octet on the input is content, until the final dot. */
  startContent(limits: ContentLimits, listener: ContentListener): void {
    this.#reading = {
      limits,
      listener,
      chunks: [],
      spent: [],
      kept: 0,
      held: 0,
      writer: undefined,
      wholeLineEnds: new WholeLineEnds(),
      longLines: new LongLines(longestLine),
      read: 0,
      place: lineStart,
      refusal: undefined,
      bare: false,
    };
  }

  /** What comes from now on is ignored, and what waits is forgotten. */
  close(): void {
    this.#closed = true;
    const writer = this.#reading?.writer;
    this.#reading = undefined;
    this.#partial = undefined;
    // What was being written to it fails, and nobody waits for that.
    if (writer) void writer.discard().catch(() => undefined);
  }

  /** The chunk becomes ours. `done`: it has been dealt with, and the next may come. */
  write(chunk: Buffer, done: () => void): void {
    let rest = chunk;
    if (this.#partial && !this.#reading) {
      rest = Buffer.concat([this.#partial, chunk]);
      this.#partial = undefined;
    }
    let running = false;
    let again = false;
    let count = 0;
    // A loop where the answer comes at once, a call from outside where it comes later.
    const go = (): void => {
      again = true;
      if (running) return;
      running = true;
      while (again) {
        again = false;
        if (this.#closed || rest.length === 0) {
          done();
          break;
        }
        if (this.#reading) rest = this.#content(this.#reading, rest, go);
        else {
          const end = rest.indexOf(lf);
          if ((end < 0 ? rest.length : end) > longestCommand) {
            this.close();
            this.onerror(new Error('Command line too long'));
          } else if (end < 0) {
            this.#partial = rest;
            rest = rest.subarray(rest.length);
          } else {
            const bare = end === 0 || rest[end - 1] !== cr;
            const line = rest.subarray(0, bare ? end : end - 1);
            rest = rest.subarray(end + 1);
            count += 1;
            this.oncommand(line, count % commandsAtOnce === 0 ? () => setImmediate(go) : go, bare);
            continue;
          }
          again = true;
        }
      }
      running = false;
    };
    go();
  }

  /** Answers what is left of the chunk. */
  #content(reading: Reading, chunk: Buffer, next: () => void): Buffer {
    const { consumed, kept, ended } = scan(reading, chunk);
    // Before the chunk may be given back.
    const left = chunk.subarray(consumed);
    reading.read += consumed;
    keep(reading, chunk.subarray(0, kept));
    if (consumed === chunk.buffer.byteLength) reading.spent.push(chunk.buffer);
    if (reading.read > reading.limits.cutOff) {
      this.close();
      reading.listener.onCutOff();
      next();
    } else if (ended) {
      this.#reading = undefined;
      if (reading.writer) void finish(reading).then((content) => reading.listener.onEnd(content, next));
      else reading.listener.onEnd(assemble(reading), next);
    } else if (reading.held > mostInMemory && reading.limits.spill) void spill(reading).then(next);
    else next();
    return left;
  }
}

/**
 * Reads `chunk` up to its end or to the end of the content. What is content is moved to the chunk's front, which is
 * ours: a socket gives every read a buffer of its own. RFC 5321 §4.5.2 (transparency), §2.3.8 (CRLF only).
 */
function scan(reading: Reading, chunk: Buffer): { consumed: number; kept: number; ended: boolean } {
  const words = new Int32Array(chunk.buffer, 0, chunk.buffer.byteLength >> 2);
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
        if (bare) foundBare(reading);
        return { consumed: at + 1, kept, ended: true };
      }
      bare = true;
      // The withheld CR cannot be given back here: what nobody sends by mistake is refused from everybody.
      reading.refusal ??= 'bare line end';
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
    // Inside a line nothing but its end matters.
    if (place === inLine) {
      const start = at + 1;
      const end = plainUntil(chunk, words, start);
      if (end > start) {
        if (kept !== start) chunk.copyWithin(kept, start, end);
        kept += end - start;
        at = end - 1;
      }
    }
  }
  reading.place = place;
  if (bare) foundBare(reading);
  return { consumed: at, kept, ended: false };
}

/** Where something else comes than lines that end as they must and begin with no dot; somewhere inside a line. */
function plainUntil(chunk: Buffer, words: Int32Array, from: number): number {
  let at = controlAt(chunk, words, from);
  while (at + 2 < chunk.length && chunk[at] === cr && chunk[at + 1] === lf) {
    const first = chunk[at + 2] as number;
    if (first === dot || first <= cr) break;
    at = controlAt(chunk, words, at + 3);
  }
  return at;
}

/**
 * Where the next octet is that may end a line: CR, LF or another one up to CR. The length, where there is none. Four at a
 * time: taking away 14 from an octet below it borrows, which shows in the highest bit.
 */
function controlAt(chunk: Buffer, words: Int32Array, from: number): number {
  const { length, byteOffset } = chunk;
  let at = from;
  while (at < length && ((byteOffset + at) & 3) !== 0) {
    if ((chunk[at] as number) <= cr) return at;
    at++;
  }
  for (let word = (byteOffset + at) >> 2; at + 4 <= length; at += 4, word++) {
    const four = words[word] as number;
    if (((four - 0x0e0e0e0e) & ~four & 0x80808080) !== 0) break;
  }
  while (at < length && (chunk[at] as number) > cr) at++;
  return at;
}

function foundBare(reading: Reading): void {
  if (reading.limits.normalize) reading.bare = true;
  else reading.refusal ??= 'bare line end';
}

function keep(reading: Reading, octets: Buffer): void {
  if (reading.refusal === undefined && octets.length > 0) {
    if (reading.kept + octets.length > reading.limits.limit) reading.refusal = 'too big';
    else if (!reading.limits.reserve(octets.length)) reading.refusal = 'no memory';
    else {
      reading.chunks.push(octets);
      reading.kept += octets.length;
      reading.held += octets.length;
    }
  }
  if (reading.refusal !== undefined) reading.chunks = [];
}

function assemble(reading: Reading): Content {
  if (reading.refusal !== undefined) return { kind: 'refused', reason: reading.refusal };
  // A buffer of its own, not a slice of a shared pool: the store may hand it to another thread.
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(reading.kept).buffer);
  vouchForLineEnds(bytes);
  let at = 0;
  for (const chunk of reading.chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  giveBack(reading);
  return reading.bare
    ? { kind: 'complete', bytes: withWholeLineEnds(bytes), normalized: true }
    : { kind: 'complete', bytes };
}

/** At once: left to the garbage collector, the memory of a busy minute comes back late, and cold. */
function giveBack(reading: Reading): void {
  for (const buffer of reading.spent) if (buffer instanceof ArrayBuffer) buffer.transfer(0);
  reading.spent = [];
}

/** What is in memory goes into the file. */
async function spill(reading: Reading): Promise<void> {
  const { spill: to } = reading.limits;
  if (!to) return;
  const octets = Buffer.concat(reading.chunks);
  giveBack(reading);
  reading.chunks = [];
  reading.held = 0;
  try {
    reading.writer ??= to.open();
    await write(reading, reading.writer, reading.limits.normalize ? reading.wholeLineEnds.add(octets) : octets);
  } catch (error) {
    reading.refusal ??= 'failed';
    to.failed(error);
  }
  to.release(octets.length);
}

/** Nobody has all of it in memory again: what is wrong with its lines is found here. */
async function write(reading: Reading, writer: ContentWriter, octets: Buffer): Promise<void> {
  if (reading.longLines.add(octets)) reading.refusal ??= 'long line';
  if (reading.refusal === undefined && octets.length > 0) await writer.write(octets);
}

async function finish(reading: Reading): Promise<Content> {
  await spill(reading);
  const { writer, limits } = reading;
  if (writer && reading.refusal === undefined) {
    try {
      await write(reading, writer, reading.wholeLineEnds.end());
      return {
        kind: 'complete',
        bytes: await writer.finish(),
        ...(reading.bare ? { normalized: true } : {}),
      };
    } catch (error) {
      reading.refusal = 'failed';
      limits.spill?.failed(error);
    }
  }
  await writer?.discard().catch((error: unknown) => limits.spill?.failed(error));
  return { kind: 'refused', reason: reading.refusal ?? 'failed' };
}
