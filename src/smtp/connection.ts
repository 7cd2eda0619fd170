// The wire of one connection to us: octets in, command lines and content out to whoever speaks the protocol
// (session.ts), replies back. What is answered in one turn of the event loop leaves in one segment. One thing at a time:
// while a command or a message is being dealt with, nothing more is read.
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import type { Duration } from '../clock.ts';
import { atEndOfTurn } from '../end-of-turn.ts';
import { describeError } from '../mail/error.ts';
import { Attention, type Peer } from './attention.ts';
import { ContentParser } from './content-parser.ts';

/** After our last word the peer has this long to close its side. */
const lingering: Duration = 10_000;

// Session ids: one draw a process, then counted.
const thisProcess = `${randomUUID().slice(0, 8)}-`;
let count = 0;

/** With more connections one or the other has something to say anyway. */
const few = 3;
let connected = 0;
/** There is one event loop, so there is one attention. */
const attention = new Attention(
  () => performance.now(),
  (work) => void setImmediate(work),
);

export interface Speaker {
  /** Answers at once or later; `next` asks for the next line. `bare`: it ended in LF alone. */
  onLine(line: Buffer, next: () => void, bare: boolean): void;
  /** Too long a line: there is no way back into step. */
  onNonsense(reason: string): void;
  /** Nothing came for the idle time. */
  onIdle(): void;
  /** For the log. */
  onFailure(cause: string): void;
  onClose(): void;
}

export class Connection implements Peer {
  readonly id = `${thisProcess}${(++count).toString(36)}`;
  /** As the socket says, never what the peer says. */
  readonly address: string;
  readonly port: number;
  #socket: Socket;
  #parser: ContentParser;
  readonly #speaker: Speaker;
  readonly #idle: Duration;
  #secure = false;
  /** A handshake is under way: nothing can be said, and nobody is there to wait for. */
  #upgrading = false;
  #said = '';
  readonly #flush = (): void => this.flush();
  #ending = false;
  #closed = false;
  #lingers: NodeJS.Timeout | undefined;
  answeredAt: number | null = null;
  /** Something was heard or said last. */
  #activeAt = 0;
  #watch: NodeJS.Timeout | undefined;

  constructor(socket: Socket, speaker: Speaker, idle: Duration) {
    this.#socket = socket;
    this.#speaker = speaker;
    this.#idle = idle;
    this.address = (socket.remoteAddress ?? '').replace(/^::ffff:(?=[\d.]+$)/i, '');
    this.port = socket.remotePort ?? 0;
    this.#parser = this.#newParser();
    connected += 1;
    this.#listen();
  }

  get secure(): boolean {
    return this.#secure;
  }

  /** Until the peer was told to go, or went. */
  get open(): boolean {
    return !this.#ending && !this.#closed;
  }

  get parser(): ContentParser {
    return this.#parser;
  }

  /** Lines without their CRLF. */
  say(text: string): void {
    const socket = this.#socket;
    if (this.#ending || this.#upgrading || socket.destroyed || !socket.writable) return;
    if (this.#said === '') atEndOfTurn(this.#flush);
    this.#said += `${text}\r\n`;
    // So that a peer that pipelines and does not read is waited for: see whenRead.
    if (this.#said.length > 4_096) this.flush();
  }

  /** What was said until now, in one write: at the end of the turn by itself. */
  flush(): void {
    const said = this.#said;
    if (said === '') return;
    this.#said = '';
    if (this.#socket.destroyed || !this.#socket.writable) return;
    this.wait();
    // Replies are ASCII but for what an Intake says of an address.
    this.#socket.write(said, /[^\x00-\x7f]/.test(said) ? 'utf8' : 'latin1');
    if (connected <= few) attention.answered(this);
  }

  /** When the peer reads its replies: one that pipelines and never reads must not fill our memory. */
  whenRead(next: () => void): void {
    const socket = this.#socket;
    if (socket.writableNeedDrain && !socket.destroyed) socket.once('drain', next);
    else next();
  }

  /** What was said is sent; nothing more is heard. `quit`: the peer said its last word first, and sends nothing more. */
  end(quit = false): void {
    if (this.#ending || this.#closed) return;
    this.flush();
    this.#ending = true;
    this.#parser.close();
    if (this.#upgrading) {
      this.#socket.destroy();
      return;
    }
    if (quit) {
      // What it has taken to send is sent, also when it is closed.
      if (this.#socket.writableLength === 0) this.#socket.destroy();
      else this.#socket.destroySoon();
      return;
    }
    this.#socket.end();
    // Octets still on their way are read and thrown away, or closing would reset what we have just said.
    this.#socket.resume();
    this.#lingers = setTimeout(() => this.#socket.destroy(), lingering).unref();
  }

  /**
   * RFC 3207 §6: whatever came in the clear behind STARTTLS is forgotten unread. Called in the turn in which its 220 was
   * said; `secured` when TLS stands.
   */
  startTls(context: tls.SecureContext, secured: () => void): void {
    const plain = this.#socket;
    this.#parser.close();
    this.#upgrading = true;
    // The 220 must be on the wire before TLS takes the socket.
    this.flush();
    plain.removeAllListeners();
    plain.on('error', (error) => this.#speaker.onFailure(describeError(error)));
    const secure = new tls.TLSSocket(plain, { isServer: true, secureContext: context });
    this.#socket = secure;
    this.#parser = this.#newParser();
    this.#listen();
    // Not `on`: a TLS 1.2 peer may renegotiate.
    secure.once('secure', () => {
      this.#secure = true;
      this.#upgrading = false;
      secured();
    });
    plain.once('close', () => secure.destroy());
    secure.once('close', () => plain.destroy());
  }

  #newParser(): ContentParser {
    const parser = new ContentParser();
    parser.oncommand = (line, next, bare) => this.#speaker.onLine(line, next, bare);
    parser.onerror = (error) => this.#speaker.onNonsense(error.message);
    return parser;
  }

  #listen(): void {
    const socket = this.#socket;
    const parser = this.#parser;
    let waiting = false;
    let heardAll = false;
    // The peer has said its last word, and may still listen: all it has asked for is answered before we close. Exim
    // half-closes behind the final dot and QUIT, and without the 250 would send its message once more.
    const answeredAll = (): void =>
      this.whenRead(() => {
        this.flush();
        this.#socket.end();
      });
    const done = (): void => {
      if (!waiting) return;
      waiting = false;
      if (heardAll) answeredAll();
      else socket.resume();
    };
    socket.on('data', (chunk: Buffer) => {
      if (this.#ending) return;
      attention.heard(this);
      this.#activeAt = performance.now();
      waiting = true;
      parser.write(chunk, done);
      if (waiting) socket.pause();
    });
    socket.on('error', (error) => {
      // Many close without waiting for our last word.
      if (!this.#ending) this.#speaker.onFailure(describeError(error));
    });
    // Comes also while the socket is paused, when nothing is left to be read.
    socket.on('end', () => {
      heardAll = true;
      if (!waiting) answeredAll();
    });
    socket.on('close', () => this.#close());
    this.wait();
  }

  /** The idle time begins anew. */
  wait(): void {
    this.#activeAt = performance.now();
    this.#watch ??= setTimeout(() => this.#lookIfIdle(), this.#idle).unref();
  }

  /** One timer a connection, which looks when it ends: the socket's own is put off at every read and write. */
  #lookIfIdle(): void {
    this.#watch = undefined;
    if (this.#closed) return;
    const left = this.#activeAt + this.#idle - performance.now();
    if (left > 0) this.#watch = setTimeout(() => this.#lookIfIdle(), left).unref();
    else this.#speaker.onIdle();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    connected -= 1;
    clearTimeout(this.#lingers);
    clearTimeout(this.#watch);
    this.#parser.close();
    this.#speaker.onClose();
  }
}
