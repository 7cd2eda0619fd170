// `pointsman table`: the process that OpenSMTPD starts for a table. What smtpd asks on standard input is asked of the
// lookup door of the running Pointsman, whose answers stand for themselves: what cannot be asked is "try later".
import { connect, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Clock, type Duration, second } from '../clock.ts';
import { describeError } from '../mail/error.ts';
import type { SocketAddress } from '../milter/listening.ts';
import { protocolOf, type TableProtocol, type TableQuestion } from './opensmtpd.ts';
import { type Found, readSocketmapAnswer, socketmapQuestion } from './wire.ts';

/** smtpd waits for the answer, and the sender of a mail with it. */
const patience: Duration = 5 * second;

/** `host:port` or `unix:/path`. @throws RangeError */
export function doorOf(text: string): SocketAddress {
  if (text.startsWith('unix:/')) return { path: text.slice(5) };
  const [, host, port] = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw new RangeError(`${JSON.stringify(text)} is neither host:port, such as 127.0.0.1:10028, nor unix:/path`);
  return { host, port: Number(port) };
}

/** Until smtpd closes its end. @param door as doorOf reads it @param complain for smtpd's log @param smtpd both directions: it gives a socket */
export async function serveTable(
  door: string,
  map: string,
  complain: (line: string) => void,
  clock: Clock,
  smtpd: Duplex = new Socket({ fd: 0 }),
): Promise<void> {
  const lookups = new Lookups(doorOf(door), map, clock);
  let rest: Buffer = Buffer.alloc(0);
  let protocol: TableProtocol | undefined;
  try {
    for await (const chunk of smtpd as AsyncIterable<Buffer>) {
      rest = Buffer.concat([rest, chunk]);
      protocol ??= protocolOf(rest);
      for (let read = protocol?.read(rest); protocol && read; read = protocol.read(rest)) {
        rest = rest.subarray(read.used);
        if (read.question.kind === 'close') return;
        const found = await answerTo(read.question, lookups);
        if (found.kind === 'temporary' || found.kind === 'permanent') complain(`pointsman: ${found.why}\n`);
        const said = protocol.answer(read.question, found);
        if (said) smtpd.write(said);
      }
    }
  } finally {
    lookups.close();
    smtpd.destroy();
  }
}

async function answerTo(question: TableQuestion, lookups: Lookups): Promise<Found> {
  return question.kind === 'lookup' || question.kind === 'check' ? lookups.ask(question.key) : { kind: 'not found' };
}

/** One connection to the door, kept while it holds. */
class Lookups {
  readonly #door: SocketAddress;
  readonly #map: string;
  readonly #clock: Clock;
  #socket: Socket | undefined;

  constructor(door: SocketAddress, map: string, clock: Clock) {
    this.#door = door;
    this.#map = map;
    this.#clock = clock;
  }

  async ask(key: string): Promise<Found> {
    const kept = this.#socket;
    try {
      return await this.#askOn(kept ?? this.#dial(), key);
    } catch (error) {
      this.close();
      // Pointsman may have been restarted since the last question.
      if (kept === undefined) return { kind: 'temporary', why: `Pointsman cannot be asked: ${describeError(error)}` };
      return this.ask(key);
    }
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #dial(): Socket {
    const socket = connect({ ...this.#door, noDelay: true });
    // Whoever waits for an answer hears of it there.
    socket.on('error', () => undefined);
    this.#socket = socket;
    return socket;
  }

  #askOn(socket: Socket, key: string): Promise<Found> {
    return new Promise((resolve, reject) => {
      let octets: Buffer = Buffer.alloc(0);
      const answered = new AbortController();
      const over = (error: Error | undefined, found?: Found): void => {
        answered.abort();
        socket.off('data', hear).off('error', over).off('close', closed);
        if (found) resolve(found);
        else reject(error);
      };
      const closed = (): void => over(new Error('it closed the connection'));
      const hear = (chunk: Buffer): void => {
        octets = Buffer.concat([octets, chunk]);
        try {
          const read = readSocketmapAnswer(octets);
          if (read) over(undefined, read.found);
        } catch (error) {
          over(error instanceof Error ? error : new Error(String(error)));
        }
      };
      const late = (): void => over(new Error('no answer in time'));
      void this.#clock.sleepUntil(this.#clock.now() + patience, answered.signal).then(late);
      socket.on('data', hear).on('error', over).on('close', closed);
      if (socket.destroyed) closed();
      else socket.write(socketmapQuestion(this.#map, key));
    });
  }
}
