// One SMTP connection to a next hop. A session of our own, because nodemailer's costs ten times as much a message and
// knows neither DSN parameters of one recipient nor a final dot that waits (docs/adr/0007). What can be said at once goes
// out in one segment (RFC 2920), and the content with its final dot in one more.
// - We dial ourselves: the system's resolver (hosts file included), our deadline, an abort that works in every phase.
// - A reply that is none, an answer to nothing, silence and a lost connection all end it: what we no longer understand
//   is not used for the next message.
import type net from 'node:net';
import tls from 'node:tls';
import { parseReply, type Reply } from '../mail/reply.ts';
import type { NextHop } from '../transport.ts';
import type { Ending } from './ending.ts';
import { authLine, dial, tlsOptionsOf, writeTogether, wrongPin } from './hop-dial.ts';
import {
  type Extensions,
  extensionsOf,
  type Failure,
  isAccepted,
  isFailure,
  type Letter,
  mailLine,
  noExtensions,
  type Parameters,
  type Result,
  rcptLines,
  refusal,
  type Timeouts,
} from './hop-words.ts';
import { ReplyReader } from './reply-reader.ts';

const finalDot = Buffer.from('.\r\n');
/** More replies than any transaction has, unread: a next hop that floods us. */
const mostReplies = 100_000;

export class HopConnection {
  readonly #hop: NextHop;
  readonly #hostname: string;
  #socket: net.Socket;
  #extensions = noExtensions;
  readonly #reader = new ReplyReader();
  readonly #replies: string[] = [];
  #waiter: { resolve(raw: string): void; reject(failure: Failure): void } | undefined;
  #lost: Failure | undefined;
  /** Replies are due; at other times an octet is one too many. */
  #asking = true;
  uses = 0;

  private constructor(hop: NextHop, hostname: string, socket: net.Socket) {
    this.#hop = hop;
    this.#hostname = hostname;
    this.#socket = socket;
    this.#listen();
  }

  /** @throws Failure */
  static async open(
    hop: NextHop,
    options: { hostname: string; timeouts: Timeouts; signal: AbortSignal; plain: boolean },
  ): Promise<HopConnection> {
    const { signal, timeouts } = options;
    const socket = await dial(hop, timeouts.connect, signal);
    const connection = new HopConnection(hop, options.hostname, socket);
    const aborted = (): void => connection.#lose({ cause: 'no greeting in time' });
    signal.addEventListener('abort', aborted, { once: true });
    try {
      if (signal.aborted) aborted();
      socket.setTimeout(timeouts.greeting);
      await connection.#handshake(hop.tls !== 'none' && !options.plain);
      if (hop.auth) await connection.#logIn(hop.auth);
      connection.#socket.setTimeout(timeouts.idle);
      return connection;
    } catch (error) {
      connection.abandon();
      throw error;
    } finally {
      connection.#asking = false;
      signal.removeEventListener('abort', aborted);
    }
  }

  get extensions(): Extensions {
    return this.#extensions;
  }

  get destroyed(): boolean {
    return this.#lost !== undefined;
  }

  async #handshake(wantsTls: boolean): Promise<void> {
    const greeting = await this.#reply();
    if (greeting.code !== 220) throw refusal('greeting refused', greeting);
    await this.#greet();
    if (!wantsTls) return;
    const mustHave = this.#hop.tls !== 'may';
    if (!this.#extensions.starttls && !mustHave) return;
    this.#say('STARTTLS\r\n');
    const reply = await this.#reply();
    if (reply.code === 220) {
      await this.#secure();
      await this.#greet();
    } else if (mustHave || reply.code === 421) throw refusal('STARTTLS refused', reply);
  }

  async #logIn(auth: NonNullable<NextHop['auth']>): Promise<void> {
    if (!this.#extensions.authPlain) throw { cause: 'AUTH PLAIN is not offered' } satisfies Failure;
    this.#say(authLine(auth), 'utf8');
    const reply = await this.#reply();
    // 535 is about us and our password, not about any message.
    if (reply.code !== 235) throw refusal('AUTH refused', reply);
  }

  async #greet(): Promise<void> {
    this.#extensions = noExtensions;
    const lmtp = this.#hop.protocol === 'lmtp';
    this.#say(`${lmtp ? 'LHLO' : 'EHLO'} ${this.#hostname}\r\n`);
    const raw = await this.#raw();
    const reply = this.#understand(raw);
    if (reply.code === 250) {
      this.#extensions = extensionsOf(raw);
      return;
    }
    // RFC 5321 §3.2: one that does not know EHLO.
    if (reply.code < 500 || lmtp) throw refusal(`${lmtp ? 'LHLO' : 'EHLO'} refused`, reply);
    this.#say(`HELO ${this.#hostname}\r\n`);
    const second = await this.#reply();
    if (second.code !== 250) throw refusal('HELO refused', second);
  }

  async #secure(): Promise<void> {
    // What came in the clear behind the 220 must not count as said inside TLS (RFC 3207 §6).
    if (this.#reader.isWithin || this.#replies.length > 0)
      throw { cause: 'octets before TLS', tls: true } satisfies Failure;
    const plain = this.#socket;
    for (const event of ['data', 'error', 'end', 'close', 'timeout']) plain.removeAllListeners(event);
    plain.setTimeout(0);
    const secure = tls.connect({ socket: plain, ...tlsOptionsOf(this.#hop) });
    this.#socket = secure;
    this.#listen();
    await new Promise<void>((resolve, reject) => {
      this.#waiter = { resolve: () => resolve(), reject: (failure) => reject({ ...failure, tls: true }) };
      secure.once('secureConnect', () => {
        this.#waiter = undefined;
        const wrong = wrongPin(this.#hop, secure);
        if (wrong) reject(wrong);
        else resolve();
      });
    });
  }

  /** One message. @throws nothing that a next hop does */
  async transfer(parameters: Parameters, letter: Letter, ending: Ending): Promise<Result> {
    this.uses++;
    ending.onAbort = () => this.#lose({ cause: 'transaction took too long, or was stopped' });
    if (ending.aborted) ending.onAbort();
    this.#asking = true;
    const own: (Reply | undefined)[] = parameters.to.map(() => undefined);
    const progress = { answered: 0 };
    try {
      return await this.#exchange(parameters, letter, own, progress);
    } catch (error) {
      if (!isFailure(error)) throw error;
      return { kind: 'failed', failure: error, own, begun: progress.answered > 0, reusable: false };
    } finally {
      this.#rest();
      ending.onAbort = undefined;
    }
  }

  async #exchange(
    parameters: Parameters,
    letter: Letter,
    own: (Reply | undefined)[],
    progress: { answered: number },
  ): Promise<Result> {
    const lines = [mailLine(parameters, this.#extensions), ...rcptLines(parameters, this.#extensions)];
    const encoding = parameters.smtputf8 ? 'utf8' : 'latin1';
    const together = this.#extensions.pipelining;
    const say = (line: string): void => {
      if (!together) this.#say(line, encoding);
    };
    const fail = (cause: string, reply: Reply | undefined): Result => {
      const failure = { cause, ...(reply ? { reply } : {}) };
      const reusable = !this.destroyed && reply?.code !== 421;
      return { kind: 'failed', failure, own, begun: progress.answered > 0, reusable };
    };
    if (together) this.#say(`${lines.join('')}DATA\r\n`, encoding);

    say(lines[0] ?? '');
    const mail = this.#ready() ?? (await this.#reply());
    const sender = isAccepted(mail);
    if (!sender && !together) return fail('sender refused', mail);
    for (const index of own.keys()) {
      say(lines[index + 1] ?? '');
      const reply = this.#ready() ?? (await this.#reply());
      // Without a sender the rest is refused for want of one: it says nothing about the recipients.
      if (!sender) continue;
      progress.answered++;
      if (!isAccepted(reply)) own[index] = reply;
      if (reply.code === 421) throw refusal('recipient refused', reply);
    }
    const taken = sender && own.includes(undefined);
    if (!taken && !together) return fail('every recipient refused', undefined);
    say('DATA\r\n');
    const data = this.#ready() ?? (await this.#reply());
    if (data.code !== 354) return taken ? fail('DATA refused', data) : fail('refused', sender ? undefined : mail);
    if (!taken) {
      // RFC 2920 §3.1: a 354 for nobody is answered with an empty message, which goes nowhere.
      this.#write(finalDot);
      await this.#reply();
      return fail('refused', sender ? undefined : mail);
    }
    const sent = this.#send(letter);
    if (sent) await sent;
    if (this.#hop.protocol === 'lmtp') {
      await this.#eachReply(own);
      return { kind: 'done', reply: data, own };
    }
    const reply = await this.#reply();
    return isAccepted(reply) ? { kind: 'done', reply, own } : fail('message refused', reply);
  }

  /** RFC 2033 §4.2: one reply for each recipient that was accepted, in their order; each holds whatever comes of the rest. */
  async #eachReply(own: (Reply | undefined)[]): Promise<void> {
    for (const [index, before] of own.entries()) if (before === undefined) own[index] = await this.#reply();
  }

  /** Nothing to wait for: it is on its way. */
  #send(letter: Letter): Promise<void> | undefined {
    const { whole, onFinalDot } = letter;
    if (!whole) return this.#sendPieces(letter);
    const write = (): void => writeTogether(this.#socket, [...whole, finalDot]);
    const recorded = this.#dot(onFinalDot);
    if (recorded) return recorded.then(write);
    return void write();
  }

  async #sendPieces({ pieces, onFinalDot }: Letter): Promise<void> {
    for await (const piece of pieces()) {
      if (this.#lost) throw this.#lost;
      if (!this.#write(piece)) await this.#drained();
    }
    await this.#dot(onFinalDot);
    this.#write(finalDot);
  }

  /** @throws Failure */
  #dot(onFinalDot: Letter['onFinalDot']): Promise<void> | undefined {
    this.#mustBeSilent();
    // The content must not end now, so nothing else can be said on this connection.
    const failed = (error: unknown): void =>
      this.#lose({ cause: error instanceof Error ? error.message : String(error) });
    try {
      const recorded = onFinalDot();
      if (recorded) return recorded.catch(failed).then(() => this.#mustBeSilent());
    } catch (error) {
      failed(error);
    }
    this.#mustBeSilent();
    return undefined;
  }

  /** Before the final dot content can be refused, not accepted: a 250 taken for the reply to it would lose the message. */
  #mustBeSilent(): void {
    const [raw] = this.#replies;
    if (raw !== undefined || this.#reader.isWithin) {
      const reply = raw === undefined ? undefined : parseReply(raw);
      const cause = 'the next hop answered before the content ended';
      this.#lose(reply && reply.code >= 400 ? { cause, reply } : { cause });
    }
    if (this.#lost) throw this.#lost;
  }

  #drained(): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve) => {
      const done = (): void => {
        socket.off('drain', done);
        socket.off('close', done);
        resolve();
      };
      socket.on('drain', done);
      socket.on('close', done);
      if (socket.destroyed) done();
    });
  }

  /** RFC 5321 §4.1.1.5, after a transaction that ended before the content. False when the connection is lost by it. */
  async clear(): Promise<boolean> {
    this.#asking = true;
    try {
      this.#say('RSET\r\n');
      return (await this.#reply()).code === 250;
    } catch (error) {
      if (!isFailure(error)) throw error;
      return false;
    } finally {
      this.#rest();
    }
  }

  /** One reply too many, come with the last: taken for the first of the next message it would shift them all. */
  #rest(): void {
    this.#asking = false;
    if (this.#replies.length > 0 || this.#reader.isWithin)
      this.#lose({ cause: 'the next hop spoke without being asked' });
  }

  /** Says QUIT and closes. */
  leave(): void {
    if (this.#lost) return;
    this.#lost = { cause: 'left' };
    const socket = this.#socket;
    socket.end('QUIT\r\n');
    setTimeout(() => socket.destroy(), 2_000).unref();
  }

  /** Closes at once: what is in flight must not go on. */
  abandon(): void {
    this.#lose({ cause: 'given up' });
  }

  #say(text: string, encoding: 'latin1' | 'utf8' = 'latin1'): void {
    if (this.#lost) throw this.#lost;
    this.#socket.write(text, encoding);
  }

  #write(octets: Buffer): boolean {
    if (this.#lost) throw this.#lost;
    return this.#socket.write(octets);
  }

  /** What came with the one before it. @throws Failure */
  #ready(): Reply | undefined {
    const raw = this.#replies.shift();
    return raw === undefined ? undefined : this.#understand(raw);
  }

  /** @throws Failure */
  async #reply(): Promise<Reply> {
    return this.#understand(await this.#raw());
  }

  #understand(raw: string): Reply {
    const reply = parseReply(raw);
    if (reply) return reply;
    // What is no reply leaves us out of step: unknown means temporary, and the connection is not used any more.
    const text = `not an SMTP reply: ${raw.replace(/[^\x20-\x7e]/g, '?').slice(0, 100)}`;
    this.#lose({ cause: text });
    throw { cause: text } satisfies Failure;
  }

  /** The lines of the next reply. @throws Failure */
  #raw(): Promise<string> {
    const raw = this.#replies.shift();
    if (raw !== undefined) return Promise.resolve(raw);
    return new Promise((resolve, reject) => {
      if (this.#lost) reject(this.#lost);
      else this.#waiter = { resolve, reject };
    });
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on('data', (chunk: Buffer) => this.#hear(chunk));
    socket.on('error', (error) => this.#lose({ cause: error.message.replace(/[\x00-\x1f]+/g, ' ') }));
    socket.on('end', () => this.#lose({ cause: 'connection closed by the next hop' }));
    socket.on('close', () => this.#lose({ cause: 'connection closed' }));
    socket.on('timeout', () => this.#lose({ cause: 'no answer in time' }));
  }

  #hear(octets: Buffer): void {
    for (const raw of this.#reader.read(octets)) this.#answer(raw);
    if (this.#reader.isEndless) this.#lose({ cause: 'the reply does not end' });
    else if (this.#replies.length > mostReplies) this.#lose({ cause: 'replies to nothing' });
  }

  #answer(raw: string): void {
    if (!this.#asking) {
      // While it is kept: a farewell, or worse.
      this.#lose({ cause: 'the next hop spoke without being asked' });
      return;
    }
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter) waiter.resolve(raw);
    else this.#replies.push(raw);
  }

  #lose(failure: Failure): void {
    if (this.#lost) return;
    this.#lost = failure;
    this.#socket.destroy();
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.reject(failure);
  }
}
