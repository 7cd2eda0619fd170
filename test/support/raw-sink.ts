// The end of the line: takes mail and keeps every octet of it, with the commands as they were said. What it offers and
// what it refuses is the test's choice.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { Journal } from './journal.ts';

export interface Taken {
  readonly connection: number;
  readonly mail: string;
  readonly rcpt: readonly string[];
  /** With dots unstuffed. */
  readonly content: Buffer;
  readonly head: string;
  readonly body: Buffer;
  readonly subject: string;
}

export interface RawSinkOptions {
  readonly extensions?: readonly string[];
  /** A reply to MAIL, RCPT or DATA other than the usual one. */
  readonly answer?: (line: string) => string | undefined;
}

const everything = ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'DSN', 'ENHANCEDSTATUSCODES', 'SIZE 50000000'];

export class RawSink implements AsyncDisposable {
  readonly arrivals = new Journal<Taken>('the sink');
  answer: RawSinkOptions['answer'];
  readonly #extensions: readonly string[];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #connections = 0;

  private constructor({ extensions = everything, answer }: RawSinkOptions) {
    this.#extensions = extensions;
    this.answer = answer;
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  }

  static async start(options: RawSinkOptions = {}): Promise<RawSink> {
    const sink = new RawSink(options);
    // At all of loopback.
    sink.#server.listen(0, '0.0.0.0');
    await once(sink.#server, 'listening');
    return sink;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The next mail with that subject. */
  next(subject: string | RegExp, within?: number): Promise<Taken> {
    const fits = (one: Taken) => (typeof subject === 'string' ? one.subject === subject : subject.test(one.subject));
    return this.arrivals.next(fits, { what: `mail with the subject ${subject}`, ...(within ? { within } : {}) });
  }

  #serve(socket: Socket): void {
    const connection = ++this.#connections;
    this.#sockets.add(socket);
    // Its clients go as they like.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    const say = (line: string): boolean => socket.write(`${line}\r\n`);
    say('220 sink.test ESMTP');
    let rest: Buffer = Buffer.alloc(0);
    let inContent = false;
    let mail = '';
    let rcpt: string[] = [];
    socket.on('data', (octets) => {
      rest = Buffer.concat([rest, octets]);
      for (;;) {
        if (inContent) {
          const end = rest.subarray(0, 3).equals(Buffer.from('.\r\n')) ? 0 : rest.indexOf('\r\n.\r\n') + 2;
          if (end === 1) return;
          const content = unstuffed(rest.subarray(0, end));
          rest = rest.subarray(end + 3);
          inContent = false;
          const at = content.indexOf('\r\n\r\n');
          const head = content.toString('latin1', 0, at < 0 ? content.length : at + 2);
          const subject = /^subject: (.*(?:\r\n[ \t].*)*)$/im.exec(head)?.[1]?.replaceAll('\r\n', '') ?? '';
          const body = at < 0 ? Buffer.alloc(0) : content.subarray(at + 4);
          this.arrivals.add({ connection, mail, rcpt, content, head, body, subject });
          say('250 2.0.0 Ok: taken');
          continue;
        }
        const end = rest.indexOf('\r\n');
        if (end < 0) return;
        const line = rest.toString('latin1', 0, end);
        rest = rest.subarray(end + 2);
        const verb = line.slice(0, 4).toUpperCase();
        const scripted = ['MAIL', 'RCPT', 'DATA'].includes(verb) ? this.answer?.(line) : undefined;
        if (scripted !== undefined) {
          say(scripted);
          continue;
        }
        if (verb === 'EHLO') say(['sink.test', ...this.#extensions].map(toReply).join('\r\n'));
        else if (verb === 'MAIL') {
          mail = line;
          rcpt = [];
          say('250 2.1.0 Ok');
        } else if (verb === 'RCPT') {
          rcpt.push(line);
          say('250 2.1.5 Ok');
        } else if (verb === 'DATA') {
          inContent = rcpt.length > 0;
          say(inContent ? '354 go on' : '554 5.5.1 nobody');
        } else if (verb === 'QUIT') {
          say('221 2.0.0 Bye');
          socket.end();
        } else say(verb === 'HELO' || verb === 'RSET' || verb === 'NOOP' ? '250 2.0.0 Ok' : '500 5.5.2 what?');
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const toReply = (word: string, index: number, all: readonly string[]): string =>
  `250${index === all.length - 1 ? ' ' : '-'}${word}`;

/** RFC 5321 §4.5.2. */
export function unstuffed(octets: Buffer): Buffer {
  return Buffer.from(octets.toString('latin1').replace(/(^|\r\n)\./g, '$1'), 'latin1');
}
