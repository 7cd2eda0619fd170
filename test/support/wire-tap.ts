// What an SMTP client and a server really say to each other: every octet passes unchanged, and each message is told of
// as it was on the wire.
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Journal } from './journal.ts';
import { unstuffed } from './raw-sink.ts';

export interface Overheard {
  /** Counted from 1. */
  readonly connection: number;
  /** MAIL, RCPT and DATA, without their line ends. */
  readonly commands: readonly string[];
  /** How many commands came in one segment, at most. */
  readonly together: number;
  /** With dots unstuffed. */
  readonly content: Buffer;
  /** To the final dot. */
  readonly reply: string;
}

export class WireTap implements AsyncDisposable {
  readonly messages = new Journal<Overheard>('the wire');
  /** All that was said in the clear, line by line, with the number of its connection and who said it. */
  readonly lines: string[] = [];
  connections = 0;
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();
  readonly #target: number;

  private constructor(target: number) {
    this.#target = target;
    this.#listener = createServer({ noDelay: true, allowHalfOpen: true }, (client) => this.#join(client));
  }

  static async start(target: number): Promise<WireTap> {
    const tap = new WireTap(target);
    tap.#listener.listen(0, '127.0.0.1');
    await once(tap.#listener, 'listening');
    return tap;
  }

  get port(): number {
    const address = this.#listener.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
    return address.port;
  }

  #join(client: Socket): void {
    const connection = ++this.connections;
    const server = connect({ host: '127.0.0.1', port: this.#target, noDelay: true, allowHalfOpen: true });
    const ear = new Ear(connection, this.messages, this.lines);
    for (const [from, to, who] of [
      [client, server, 'C'],
      [server, client, 'S'],
    ] as const) {
      this.#sockets.add(from);
      from.on('data', (octets) => {
        if (who === 'C') ear.client(octets);
        else ear.server(octets);
        to.write(octets);
      });
      from.on('end', () => {
        this.lines.push(`${connection} ${who}: (closed)`);
        to.end();
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroySoon();
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#listener.close(resolve));
  }
}

class Ear {
  #content: Buffer | undefined;
  #commands: string[] = [];
  #together = 0;
  #secure = false;
  #ended: { commands: string[]; together: number; content: Buffer } | undefined;
  readonly #connection: number;
  readonly #messages: Journal<Overheard>;
  readonly #lines: string[];

  constructor(connection: number, messages: Journal<Overheard>, lines: string[]) {
    this.#connection = connection;
    this.#messages = messages;
    this.#lines = lines;
  }

  client(octets: Buffer): void {
    if (this.#secure) return;
    if (this.#content) {
      this.#content = Buffer.concat([this.#content, octets]);
      const end = this.#content.subarray(0, 3).equals(Buffer.from('.\r\n'))
        ? 0
        : this.#content.indexOf('\r\n.\r\n') + 2;
      if (end === 1) return;
      this.#ended = {
        commands: this.#commands,
        together: this.#together,
        content: unstuffed(this.#content.subarray(0, end)),
      };
      const rest = this.#content.subarray(end + 3);
      this.#content = undefined;
      this.#commands = [];
      this.#lines.push(`${this.#connection} C: (content) .`);
      if (rest.length > 0) this.client(rest);
      return;
    }
    const lines = octets.toString('latin1').split('\r\n').slice(0, -1);
    for (const line of lines) {
      this.#lines.push(`${this.#connection} C: ${line}`);
      if (/^MAIL/i.test(line)) {
        this.#together = 0;
        this.#commands = [];
      }
      this.#together = Math.max(this.#together, lines.length);
      if (/^(?:MAIL|RCPT|DATA)/i.test(line)) this.#commands.push(line);
    }
  }

  server(octets: Buffer): void {
    if (this.#secure) return;
    for (const line of octets.toString('latin1').split('\r\n').slice(0, -1)) {
      this.#lines.push(`${this.#connection} S: ${line}`);
      if (this.#ended) {
        this.#messages.add({ connection: this.#connection, ...this.#ended, reply: line });
        this.#ended = undefined;
      } else if (line.startsWith('354')) this.#content = Buffer.alloc(0);
      else if (/^220 2\.0\.0 Ready to start TLS/.test(line)) this.#secure = true;
    }
  }
}
