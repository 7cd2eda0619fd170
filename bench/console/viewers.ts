// People who look at the console, in a process of their own: each has a page's stream open, as a browser has, and notes
// when it came to see what. Reads as little of it as it can: what it costs to look is not the relay's, yet on one machine
// it is taken from the same processors.
import net from 'node:net';

export interface Look {
  /** `/live/now` */
  readonly path: string;
  readonly cookie: string;
  readonly language: 'en' | 'de';
}

export type Asked =
  | { readonly kind: 'look'; readonly host: string; readonly port: number; readonly looks: readonly Look[] }
  | { readonly kind: 'leave' };

/** What one has seen: up to which event (its number) or which moment, and when it came. */
export interface Seen {
  readonly path: string;
  readonly octets: number;
  /** The highest number of an event on the page, and when the page came to show it. */
  readonly events: readonly (readonly [number: number, at: number])[];
  /** The moment at which the page was made, and when it came. */
  readonly moments: readonly (readonly [moment: number, at: number])[];
}

export type Told =
  | { readonly kind: 'looking'; readonly count: number }
  | { readonly kind: 'left'; readonly seen: readonly Seen[] }
  | { readonly kind: 'failed'; readonly message: string };

/** Both sides of this bench are on one machine, so its wall clock serves both. */
const now = (): number => performance.timeOrigin + performance.now();

class Viewer {
  readonly #socket: net.Socket;
  readonly #look: Look;
  readonly #events: [number, number][] = [];
  readonly #moments: [number, number][] = [];
  #octets = 0;
  #opened = Promise.withResolvers<void>();

  constructor(host: string, port: number, look: Look) {
    this.#look = look;
    this.#socket = net.connect({ host, port });
    this.#socket.on('connect', () => {
      const head = [
        `GET ${look.path} HTTP/1.1`,
        `Host: ${host}:${port}`,
        `Cookie: ${look.cookie}; zone=Europe%2FBerlin; language=${look.language}`,
        'Accept: text/event-stream',
      ];
      this.#socket.write(`${head.join('\r\n')}\r\n\r\n`);
    });
    this.#socket.on('data', (chunk) => this.#hear(chunk));
    this.#socket.on('error', (error) => this.#opened.reject(error));
    this.#socket.on('close', () => this.#opened.reject(new Error(`${look.path}: closed`)));
  }

  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  #hear(chunk: Buffer): void {
    if (this.#octets === 0) {
      const status = chunk.toString('latin1', 0, 12);
      if (status === 'HTTP/1.1 200') this.#opened.resolve();
      else this.#opened.reject(new Error(`${this.#look.path}: ${status}`));
    }
    this.#octets += chunk.length;
    const at = now();
    // The newest event stands first.
    const event = numberAfter(chunk, '<li id="e');
    if (event > (this.#events.at(-1)?.[0] ?? 0)) this.#events.push([event, at]);
    const moment = numberAfter(chunk, 'data-now="');
    if (moment > (this.#moments.at(-1)?.[0] ?? 0)) this.#moments.push([moment, at]);
  }

  leave(): Seen {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
    return { path: this.#look.path, octets: this.#octets, events: this.#events, moments: this.#moments };
  }
}

/** 0 when it is not there. */
function numberAfter(chunk: Buffer, mark: string): number {
  const at = chunk.indexOf(mark, 0, 'latin1');
  if (at < 0) return 0;
  return Number.parseInt(chunk.toString('latin1', at + mark.length, at + mark.length + 15), 10) || 0;
}

let viewers: Viewer[] = [];

async function answer(asked: Asked): Promise<Told> {
  if (asked.kind === 'look') {
    viewers = asked.looks.map((look) => new Viewer(asked.host, asked.port, look));
    await Promise.all(viewers.map((viewer) => viewer.opened));
    return { kind: 'looking', count: viewers.length };
  }
  const seen = viewers.map((viewer) => viewer.leave());
  viewers = [];
  return { kind: 'left', seen };
}

process.on('message', (asked: Asked) => {
  answer(asked).then(
    (told) => process.send?.(told),
    (error: unknown) => process.send?.({ kind: 'failed', message: String(error) } satisfies Told),
  );
});
process.on('disconnect', () => process.exit());
