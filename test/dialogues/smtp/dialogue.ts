// Runs a plain-text SMTP dialogue against a front door on loopback. A file says what the client writes and what it must
// be answered; anything else fails, also an answer too many.
//
//   # a comment; the first ones say what the dialogue shows
//   ! peer refused            a setting, see below
//   C: EHLO client.example    a line, CRLF added
//   C> QUIT                   pipelined: sent in one segment with the lines that follow, up to the next C:
//   X: hi\n.\r\n              octets with \r \n \\ \xNN, nothing added
//   S: 250 2.1.0 Sender ok    one whole line; `…` stands for anything
//   S* 250-                   lines that start so, any number, and the `250 ` that ends them
//   A: {"reversePath":"<>"}   what the Intake was handed: these members of the envelope
//   B: Subject: x\r\n         its content, escaped as above
//   F: {"helo":"c"}           what it was told of the client, besides that it is 127.0.0.1 without TLS
//   N:                        the Intake was handed nothing
//   D:                        the server closed the connection
//
// Settings: peer refused · busy (max connections 0) · size N · recipients N · refuse local@domain (550 5.1.1 at RCPT) ·
// accept fails temporarily|permanently|strangely · members (the listener carries members' mail) ·
// normalize (bare line ends are made whole)
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { expect } from 'vitest';
import type { Client, Intake } from '../../../src/intake.ts';
import { headOf } from '../../../src/mail/content.ts';
import type { Envelope } from '../../../src/mail/envelope.ts';
import { PointsmanError } from '../../../src/mail/error.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { replies } from '../../../src/mail/reply.ts';
import { createFrontDoor } from '../../../src/smtp/server.ts';

export interface Handed {
  readonly client: Client;
  readonly envelope: Envelope;
  readonly content: Buffer;
}

export async function runDialogue(file: string): Promise<void> {
  const lines = readFileSync(file, 'utf8').split('\n');
  const handed: Handed[] = [];
  const settings = lines.filter((line) => line.startsWith('! ')).map((line) => line.slice(2).trim());
  const value = (name: string): string | undefined =>
    settings.find((setting) => setting === name || setting.startsWith(`${name} `))?.slice(name.length + 1);
  const door = createFrontDoor({
    listen: [{ host: '127.0.0.1', port: 0, carriesMembers: value('members') !== undefined }],
    hostname: 'relay.example',
    size: Number(value('size') ?? 100_000),
    peers: value('normalize') === undefined ? [] : [{ network: '127.0.0.1', carriesMembers: false, normalize: true }],
    intake: scriptedIntake(value, handed),
    limits: {
      ...(value('busy') === undefined ? {} : { connections: 0 }),
      ...(value('recipients') === undefined ? {} : { recipients: Number(value('recipients')) }),
    },
  });
  const [bound] = await door.start();
  const peer = new Peer(bound?.port ?? 0);
  try {
    let queued = '';
    for (const [index, line] of lines.entries()) {
      const where = `${file}:${index + 1}`;
      const kind = line.slice(0, 2);
      const text = line.slice(3);
      if (kind === 'C>') queued += `${text}\r\n`;
      else if (kind === 'C:' || kind === 'X:') {
        peer.write(Buffer.concat([Buffer.from(queued), kind === 'C:' ? Buffer.from(`${text}\r\n`) : octetsOf(text)]));
        queued = '';
      } else if (kind === 'S:') expectLine(await peer.line(), text, where);
      else if (kind === 'S*') {
        for (;;) {
          const answer = await peer.line();
          expect(answer.startsWith(text.slice(0, 3)), `${where}: ${answer}`).toBe(true);
          if (answer[3] === ' ') break;
        }
      } else if (kind === 'A:') expect(handed.at(-1)?.envelope, where).toMatchObject(JSON.parse(text));
      else if (kind === 'B:')
        expect(handed.at(-1)?.content.toString('latin1'), where).toBe(octetsOf(text).toString('latin1'));
      else if (kind === 'F:') {
        const { port: _, ...client } = handed.at(-1)?.client ?? { port: 0 };
        expect(client, where).toEqual({ address: '127.0.0.1', tls: false, carriesMembers: false, ...JSON.parse(text) });
      } else if (kind === 'N:') expect(handed, where).toEqual([]);
      else if (kind === 'D:') expect(await peer.line(), where).toBe(closed);
      else if (!/^(?:#|!|$)/.test(line)) throw new SyntaxError(`${where}: not a line of a dialogue: ${line}`);
    }
    expect(peer.left(), `${file}: answers nobody expected`).toEqual([]);
  } finally {
    peer.end();
    await door.close();
  }
}

function scriptedIntake(value: (name: string) => string | undefined, handed: Handed[]): Intake {
  return {
    admitClient: () => (value('peer') === 'refused' ? replies.relayingDenied : undefined),
    admitRecipient: (_client, path) =>
      path.mailbox === value('refuse') ? { code: 550, enhanced: '5.1.1', text: 'No such recipient' } : undefined,
    accept: async (client, envelope, content) => {
      handed.push({ client, envelope, content: Buffer.from(headOf(content)) });
      const failure = value('accept');
      if (failure === 'fails temporarily') throw new PointsmanError(replies.storeFull, 'disk full at /secret/path');
      if (failure === 'fails permanently') throw new PointsmanError(replies.loop, 'hop count');
      if (failure === 'fails strangely') throw new TypeError('undefined is not a function');
      return '0123456789ABC' as QueueId;
    },
  };
}

function expectLine(answer: string, wanted: string, where: string): void {
  const pattern = wanted
    .split('…')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  expect(new RegExp(`^${pattern}$`).test(answer), `${where}\n  wanted ${wanted}\n  got    ${answer}`).toBe(true);
}

function octetsOf(text: string): Buffer {
  const octets = text.replace(/\\(r|n|\\|x[0-9a-f]{2})/g, (_, code: string) => {
    if (code === 'r') return '\r';
    if (code === 'n') return '\n';
    return code === '\\' ? '\\' : String.fromCharCode(Number.parseInt(code.slice(1), 16));
  });
  return Buffer.from(octets, 'latin1');
}

const closed = '(closed)';

/** A client that writes octets and reads lines. */
export class Peer {
  readonly #socket: net.Socket;
  readonly #lines: string[] = [];
  #partial = '';
  #waiting: (() => void) | undefined;
  #closed = false;

  constructor(port: number, host = '127.0.0.1') {
    this.#socket = net.connect({ port, host, noDelay: true });
    this.#socket.setEncoding('utf8');
    this.#socket.on('data', (text: string) => {
      const lines = (this.#partial + text).split('\r\n');
      this.#partial = lines.pop() ?? '';
      this.#lines.push(...lines);
      this.#waiting?.();
    });
    this.#socket.on('error', () => this.#end());
    this.#socket.on('close', () => this.#end());
  }

  write(octets: Buffer | string): boolean {
    return this.#socket.write(octets);
  }

  async line(): Promise<string> {
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) return line;
      if (this.#closed) return closed;
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
  }

  /** The whole reply, continuation lines included. */
  async reply(): Promise<string> {
    const lines: string[] = [];
    for (let line = await this.line(); ; line = await this.line()) {
      lines.push(line);
      if (line === closed || line[3] === ' ') return lines.join('\n');
    }
  }

  left(): readonly string[] {
    return this.#lines;
  }

  end(): void {
    this.#socket.destroy();
  }

  #end(): void {
    this.#closed = true;
    this.#waiting?.();
  }
}
