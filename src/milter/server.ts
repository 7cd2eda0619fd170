// Where MTAs connect: internet and unix sockets, each connection a Session. What is bounded is bounded here: how many
// connections, how long one may be silent, how many octets of mail are held at once.
import { createServer, type Server, type Socket } from 'node:net';
import { type Clock, type Duration, hour, type Instant, second } from '../clock.ts';
import { atEndOfTurn } from '../end-of-turn.ts';
import type { Handlers } from './handlers.ts';
import { listenOn, type SocketAddress } from './listening.ts';
import type { Wants } from './negotiate.ts';
import { Session } from './session.ts';
import { actions } from './wire.ts';

export interface Limits {
  readonly connections: number;
  /** A connection on which nothing was heard for so long is closed. Postfix keeps one as long as its SMTP client. */
  readonly idle: Duration;
  /** How often an MTA that waits for the end of a message is told to be patient. Sendmail waits for ten seconds. */
  readonly progress: Duration;
  /** Octets of one message. */
  readonly message: number;
  /** Octets of all messages at one moment. */
  readonly memory: number;
  /** How long close() waits for messages that have begun. */
  readonly drain: Duration;
}

export const usualLimits: Limits = {
  connections: 1_000,
  idle: 2 * hour,
  progress: 3 * second,
  message: 50_000_000,
  memory: 256 * 1_048_576,
  drain: 20 * second,
};

export interface ServerOptions {
  readonly handlers: Handlers;
  readonly clock: Clock;
  /** Whether bodies are wanted from a connection that begins now. Default: yes. */
  readonly body?: () => boolean;
  /** Whether there is anything to decide at RCPT on a connection that begins now. Default: when there is a handler. */
  readonly recipients?: () => boolean;
  /** Whether this address may ask us; on unix sockets the file's mode says so. Default: everybody. */
  readonly admit?: (address: string) => boolean;
  /** Of `actions`: what the handlers may do at the end of a message. Default: everything. */
  readonly actions?: number;
  /** Default `auto`: on unix sockets only. See Wants.fewReplies. */
  readonly fewReplies?: 'auto' | boolean;
  /** Default `tempfail`. */
  readonly onFailure?: 'tempfail' | 'accept';
  readonly limits?: Partial<Limits>;
  /** `protocol`: an MTA said what it must not; `handler`: one of the handlers failed; `overload`: a limit was met. */
  readonly onProblem?: (what: 'protocol' | 'handler' | 'overload', error: unknown) => void;
}

export interface Milter {
  /** Resolves with where it listens; the real port where 0 was asked for. */
  listen(address: SocketAddress): Promise<SocketAddress>;
  /** Lets messages that have begun end, then closes. */
  close(): Promise<void>;
  readonly connections: number;
}

const everything = Object.values(actions).reduce((all, action) => all | action, 0);

interface Guest {
  readonly socket: Socket;
  readonly session: Session;
  heardAt: Instant;
  /** What is to be written at the end of the turn. */
  said: Buffer[];
}

export class MilterServer implements Milter {
  readonly #options: ServerOptions;
  readonly #limits: Limits;
  readonly #servers: Server[] = [];
  readonly #guests = new Set<Guest>();
  readonly #stop = new AbortController();
  #held = 0;
  #onLeave: (() => void) | null = null;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#limits = { ...usualLimits, ...options.limits };
    void this.#tick();
  }

  get connections(): number {
    return this.#guests.size;
  }

  async listen(address: SocketAddress): Promise<SocketAddress> {
    const unix = 'path' in address;
    const server = createServer({ noDelay: true, keepAlive: true }, (socket) => this.#welcome(socket, unix));
    server.maxConnections = this.#limits.connections;
    // The MTA is not told; it finds the connection closed and does what milter_default_action says.
    server.on('drop', () => this.#complain('overload', new Error(`more than ${this.#limits.connections} connections`)));
    this.#servers.push(server);
    return listenOn(server, address);
  }

  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const closed = this.#servers.map((server) => new Promise<void>((resolve) => void server.close(() => resolve())));
    const patience = new AbortController();
    const enough = this.#options.clock.sleepUntil(this.#options.clock.now() + this.#limits.drain, patience.signal);
    const empty = new Promise<void>((resolve) => {
      this.#onLeave = () => {
        for (const guest of this.#guests) if (guest.session.idle) this.#sendAway(guest);
        if (this.#guests.size === 0) resolve();
      };
      this.#onLeave();
    });
    await Promise.race([empty, enough]);
    patience.abort();
    this.#stop.abort();
    for (const guest of this.#guests) this.#sendAway(guest);
    await Promise.all(closed);
  }

  #welcome(socket: Socket, unix: boolean): void {
    const { handlers, admit, onFailure = 'tempfail', fewReplies = 'auto' } = this.#options;
    if (!unix && admit && !admit(socket.remoteAddress ?? '')) {
      this.#complain('protocol', new Error(`${socket.remoteAddress} may not ask us`));
      socket.destroy();
      return;
    }
    const session = new Session({
      handlers,
      onFailure,
      wants: () => this.#wants(fewReplies === 'auto' ? unix : fewReplies),
      write: (octets) => {
        if (guest.said.push(octets) === 1) atEndOfTurn(() => flush(guest));
      },
      end: () => this.#sendAway(guest),
      complain: (what, error) => this.#complain(what, error),
      largestMessage: this.#limits.message,
      reserve: (octets) => this.#reserve(octets),
    });
    const guest: Guest = { socket, session, heardAt: this.#options.clock.now(), said: [] };
    this.#guests.add(guest);
    socket.on('data', (chunk: Buffer) => {
      guest.heardAt = this.#options.clock.now();
      session.receive(chunk);
      if (this.#onLeave) this.#onLeave();
    });
    // A connection that breaks is an everyday thing here; the MTA says on its side what it makes of it.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      session.close();
      this.#guests.delete(guest);
      this.#onLeave?.();
    });
  }

  #wants(fewReplies: boolean): Wants {
    const { handlers, body, recipients, actions: wanted = everything } = this.#options;
    const named = ['connect', 'helo', 'sender', 'recipient', 'headers'] as const;
    return {
      actions: wanted,
      decidesAt: new Set(
        named.filter((name) => handlers[name] !== undefined && (name !== 'recipient' || (recipients?.() ?? true))),
      ),
      body: body?.() ?? true,
      fewReplies,
    };
  }

  #sendAway(guest: Guest): void {
    const { socket, session } = guest;
    session.close();
    flush(guest);
    // What was written is still sent.
    socket.end();
    socket.destroySoon();
  }

  #reserve(octets: number): boolean {
    if (octets > 0 && this.#held + octets > this.#limits.memory) {
      this.#complain('overload', new Error(`more than ${this.#limits.memory} octets of mail at once`));
      return false;
    }
    this.#held += octets;
    return true;
  }

  #complain(what: 'protocol' | 'handler' | 'overload', error: unknown): void {
    this.#options.onProblem?.(what, error);
  }

  /** One clock for all connections. */
  async #tick(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#stop.signal.aborted) {
      await clock.sleepUntil(clock.now() + this.#limits.progress, this.#stop.signal);
      const silentSince = clock.now() - this.#limits.idle;
      for (const guest of this.#guests) {
        if (guest.session.atEndOfMessage) guest.session.progress();
        else if (guest.heardAt < silentSince) this.#sendAway(guest);
      }
    }
  }
}

function flush(guest: Guest): void {
  const { socket, said } = guest;
  const [first] = said;
  if (first === undefined) return;
  guest.said = [];
  if (socket.writable) socket.write(said.length === 1 ? first : Buffer.concat(said));
}
