// The MTA in front, in a process of its own: ten sessions, each connection kept for a hundred messages, at a pace, or as
// fast as it can. What it could not send in its time comes later, never faster: half of the peak stays half of the peak
// when something else has kept the machine busy. Told what to do, and telling how far it is, by messages.
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { contentOf, type Mix, recipientsOf, sender } from './mix.ts';

export interface Flow {
  readonly port: number;
  readonly sessions: number;
  /** Number of the first message. */
  readonly first: number;
  readonly messages: number;
  /** Messages a second; null: as fast as it goes. */
  readonly rate: number | null;
  readonly mix: Mix;
}

export type Told =
  | { readonly kind: 'sent'; readonly count: number; readonly behind: number }
  | { readonly kind: 'done'; readonly count: number }
  | { readonly kind: 'failed'; readonly message: string };

const perConnection = 100;
/** So much of what it is behind it makes good at once, in milliseconds; the rest moves its whole plan. */
const madeGood = 250;

class Session {
  readonly #socket: net.Socket;
  #text = '';
  #wake: (() => void) | undefined;
  #closed = false;
  uses = 0;

  private constructor(port: number) {
    this.#socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (chunk: string) => {
      this.#text += chunk;
      this.#wake?.();
    });
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      this.#closed = true;
      this.#wake?.();
    });
  }

  static async open(port: number): Promise<Session> {
    const session = new Session(port);
    await session.#reply('220');
    session.#socket.write('EHLO source.test\r\n');
    await session.#reply('250');
    return session;
  }

  async send(number: number, mix: Mix): Promise<void> {
    this.uses += 1;
    const recipients = recipientsOf(number, mix);
    const commands = [`MAIL FROM:<${sender}>`, ...recipients.map((each) => `RCPT TO:<${each}>`), 'DATA'];
    this.#socket.write(commands.map((command) => `${command}\r\n`).join(''));
    for (const _ of [sender, ...recipients]) await this.#reply('250');
    await this.#reply('354');
    this.#socket.write(contentOf(number, mix), 'latin1');
    await this.#reply('250');
  }

  async quit(): Promise<void> {
    this.#socket.write('QUIT\r\n');
    await this.#reply('221');
    if (!this.#closed) await once(this.#socket, 'close');
  }

  async #reply(code: string): Promise<void> {
    for (;;) {
      const reply = /^(?:\d{3}-[^\n]*\n)*\d{3} [^\n]*\n/.exec(this.#text);
      if (reply) {
        this.#text = this.#text.slice(reply[0].length);
        if (!reply[0].startsWith(code)) throw new Error(`not ${code}: ${reply[0].trim()}`);
        return;
      }
      if (this.#closed) throw new Error(`the connection is gone before ${code}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }
}

function tell(told: Told): void {
  process.send?.(told);
}

async function run(flow: Flow): Promise<void> {
  let started = performance.now();
  let taken = 0;
  let sent = 0;
  let behind = 0;
  const ticker = setInterval(() => {
    tell({ kind: 'sent', count: sent, behind });
    behind = 0;
  }, 1_000);
  const lane = async (): Promise<void> => {
    let session: Session | undefined;
    while (taken < flow.messages) {
      const number = flow.first + taken;
      const due = flow.rate === null ? 0 : started + (taken * 1_000) / flow.rate;
      taken += 1;
      const ahead = due - performance.now();
      if (flow.rate !== null && ahead > 1) await pause(ahead);
      else if (flow.rate !== null) {
        behind = Math.max(behind, -ahead);
        started += Math.max(0, -ahead - madeGood);
      }
      session ??= await Session.open(flow.port);
      await session.send(number, flow.mix);
      sent += 1;
      if (session.uses < perConnection) continue;
      await session.quit();
      session = undefined;
    }
    await session?.quit();
  };
  try {
    await Promise.all(Array.from({ length: flow.sessions }, lane));
    tell({ kind: 'done', count: sent });
  } catch (error) {
    tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  } finally {
    clearInterval(ticker);
  }
}

process.on('message', (flow: Flow) => void run(flow));
process.on('disconnect', () => process.exit());
