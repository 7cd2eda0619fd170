// Front door one: mail comes in over SMTP. smtp-server listens, holds the certificate and closes; session.ts speaks. Who
// may send, to whom, and when a message is safe is the Intake's to say.
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { SMTPServer } from 'smtp-server';
import { type Clock, type Duration, minute, second, systemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import type { Intake } from '../intake.ts';
import { type Log, silentLog } from '../log.ts';
import type { ContentWriter } from '../mail/content.ts';
import { describeError } from '../mail/error.ts';
import { type Network, parseNetwork } from '../mail/network.ts';
import { type Reply, replies } from '../mail/reply.ts';
import type { Hall } from './hall.ts';
import { Session } from './session.ts';

export interface FrontDoorOptions {
  readonly listen: Config['listen'];
  readonly hostname: string;
  /** Largest message, in octets. */
  readonly size: number;
  readonly intake: Intake;
  /** Which peers carry members' own mail. Admission is the Intake's. */
  readonly peers: Config['peers'];
  /** STARTTLS is offered only with a certificate of our own: the one in use when a connection asks for it. */
  readonly tls?: { context(): SecureContext };
  readonly log?: Log;
  readonly onEvent?: (event: FrontDoorEvent) => void;
  readonly clock?: Clock;
  readonly limits?: Partial<Limits>;
}

export interface Limits {
  readonly connections: number;
  /** Of one address that may relay; one that may not gets `strangers`. */
  readonly connectionsPerPeer: number;
  readonly strangers: number;
  readonly recipients: number;
  /** RFC 5321 §4.5.3.2.7: five minutes between commands. */
  readonly idle: Duration;
  /** From MAIL to the final dot, however steadily it trickles. */
  readonly transaction: Duration;
  /** Content being received at one moment, over all connections, in octets. */
  readonly memory: number;
  /** How long close() waits for messages on their way in. */
  readonly drain: Duration;
}

/** For counters. Labels: `admitted`, `refused`, `busy`; the reply's code. */
export type FrontDoorEvent =
  | { readonly kind: 'connection'; readonly outcome: 'admitted' | 'refused' | 'busy' }
  /** The reply to content, and how long after its end. */
  | { readonly kind: 'message'; readonly reply: Reply; readonly took: Duration }
  /** Any negative reply. */
  | { readonly kind: 'refusal'; readonly reply: Reply };

export interface FrontDoor {
  /** Where it listens; the port is the real one where the configuration says 0. Rejects when an address is taken. */
  start(): Promise<readonly { readonly host: string; readonly port: number }[]>;
  /** Stops listening, lets messages on their way in finish, answers every new command with 421. */
  close(): Promise<void>;
  readonly connections: number;
}

export function createFrontDoor(options: FrontDoorOptions): FrontDoor {
  const limits: Limits = {
    connections: 500,
    connectionsPerPeer: 200,
    strangers: 10,
    recipients: 1_000,
    idle: 5 * minute,
    transaction: 30 * minute,
    memory: Math.max(256 * 1_048_576, 4 * options.size),
    drain: 30 * second,
    ...options.limits,
  };
  return new SmtpFrontDoor(options, limits);
}

class SmtpFrontDoor implements FrontDoor, Hall {
  readonly hostname: string;
  readonly size: number;
  readonly maxRecipients: number;
  readonly intake: Intake;
  readonly openContent?: () => ContentWriter;
  readonly clock: Clock;
  readonly log: Log;
  readonly #options: FrontDoorOptions;
  readonly #limits: Limits;
  readonly #listeners: Listener[];
  readonly #stop = new AbortController();
  readonly #normalizing: readonly Network[];
  readonly #carrying: readonly Network[];
  #held = 0;

  constructor(options: FrontDoorOptions, limits: Limits) {
    this.#options = options;
    this.#limits = limits;
    this.hostname = options.hostname;
    this.size = options.size;
    this.maxRecipients = limits.recipients;
    this.intake = options.intake;
    const openContent = options.intake.openContent?.bind(options.intake);
    if (openContent) this.openContent = openContent;
    this.clock = options.clock ?? systemClock;
    this.log = options.log ?? silentLog;
    this.#normalizing = options.peers.filter((peer) => peer.normalize).map((peer) => expectNetwork(peer.network));
    this.#carrying = options.peers.filter((peer) => peer.carriesMembers).map((peer) => expectNetwork(peer.network));
    this.#listeners = options.listen.map((listen) => new Listener(this, listen, options, limits));
  }

  async start(): Promise<readonly { host: string; port: number }[]> {
    const bound = await Promise.allSettled(this.#listeners.map((listener) => listener.start()));
    const failed = bound.find((result) => result.status === 'rejected');
    if (failed) {
      await this.close();
      throw failed.reason;
    }
    void this.#watchSlow();
    return bound.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#listeners.map((listener) => listener.stop()));
  }

  get connections(): number {
    return this.#listeners.reduce((sum, listener) => sum + listener.sessions.size, 0);
  }

  draining(): boolean {
    return this.#stop.signal.aborted;
  }

  admit(address: string): Reply | undefined {
    const refusal = this.#askAbout(address);
    const [all, same] = this.#count(address);
    const perPeer = refusal ? this.#limits.strangers : this.#limits.connectionsPerPeer;
    const busy = all > this.#limits.connections || same > perPeer;
    const outcome = busy ? 'busy' : refusal ? 'refused' : 'admitted';
    if (outcome !== 'admitted') this.log.warn({ peer: address, outcome, all, same }, 'client not admitted');
    this.#tell({ kind: 'connection', outcome });
    return busy ? replies.tooManyConnections : refusal;
  }

  normalizes(address: string): boolean {
    return this.#normalizing.some((includes) => includes(address));
  }

  carriesMembers(address: string): boolean {
    return this.#carrying.some((includes) => includes(address));
  }

  reserve(octets: number): boolean {
    if (this.#held + octets > this.#limits.memory) return false;
    this.#held += octets;
    return true;
  }

  release(octets: number): void {
    this.#held -= octets;
  }

  onMessage(reply: Reply, took: Duration): void {
    this.#tell({ kind: 'message', reply, took });
  }

  onRefusal(reply: Reply): void {
    this.#tell({ kind: 'refusal', reply });
  }

  /** Nobody is admitted by a mistake of ours, and nobody is told that he may never come. */
  #askAbout(address: string): Reply | undefined {
    try {
      return this.intake.admitClient(address);
    } catch (error) {
      this.log.error({ peer: address, cause: describeError(error) }, 'could not decide about a client');
      return { ...replies.localError, code: 421 };
    }
  }

  #tell(event: FrontDoorEvent): void {
    try {
      this.#options.onEvent?.(event);
    } catch (error) {
      this.log.error({ cause: describeError(error) }, 'a listener to front door events failed');
    }
  }

  #count(address: string): readonly [all: number, same: number] {
    let all = 0;
    let same = 0;
    for (const listener of this.#listeners) {
      for (const session of listener.sessions) {
        all++;
        if (session.address === address) same++;
      }
    }
    return [all, same];
  }

  async #watchSlow(): Promise<void> {
    const every = Math.min(this.#limits.idle, this.#limits.transaction) / 10;
    while (!this.draining()) {
      await this.clock.sleepUntil(this.clock.now() + every, this.#stop.signal);
      const now = this.clock.now();
      for (const listener of this.#listeners)
        for (const session of listener.sessions) session.endIfSlow(now, this.#limits);
    }
  }
}

/** One address we listen on. */
class Listener extends SMTPServer {
  readonly #hall: Hall;
  readonly #listen: Config['listen'][number];
  readonly #idle: Duration;
  readonly #tls: FrontDoorOptions['tls'];
  readonly sessions = new Set<Session>();
  #started = false;

  constructor(hall: Hall, listen: Config['listen'][number], options: FrontDoorOptions, limits: Limits) {
    super({
      name: hall.hostname,
      logger: false,
      closeTimeout: limits.drain,
      // smtp-server brings a certificate whose key everyone can read: ours, or none, is shown by session.ts.
      hideSTARTTLS: true,
      // Given to net.createServer: who closes their side still hears our replies (connection.ts).
      ...{ allowHalfOpen: true },
    });
    this.#idle = limits.idle;
    this.#tls = options.tls;
    this.#hall = hall;
    this.#listen = listen;
    this.on('error', (error: Error) => hall.log.info({ cause: describeError(error) }, 'connection failed'));
  }

  start(): Promise<{ host: string; port: number }> {
    return new Promise((resolve, reject) => {
      const failed = (error: Error): void => reject(error);
      this.server.once('error', failed);
      this.server.listen({ host: this.#listen.host, port: this.#listen.port }, () => {
        this.server.off('error', failed);
        this.#started = true;
        const address = this.server.address();
        const port = address !== null && typeof address === 'object' ? address.port : this.#listen.port;
        resolve({ host: this.#listen.host, port });
      });
    });
  }

  stop(): Promise<void> {
    if (!this.#started) return Promise.resolve();
    this.#started = false;
    return new Promise((resolve) => {
      // When all have gone, or when the time for that is over.
      this.close(() => {
        for (const session of this.sessions) session.drain(true);
        resolve();
      });
      for (const session of this.sessions) session.drain();
    });
  }

  /** No PROXY protocol here, and no id drawn by chance: a connection begins in the turn in which it came. */
  override _handleProxy(_socket: Socket, begin: (error: null, options: { id: string }) => void): void {
    begin(null, { id: '' });
  }

  // The one place where smtp-server makes its connections.
  override connect(socket: Socket): void {
    socket.setNoDelay(true);
    const session: Session = new Session(socket, this.#hall, {
      carriesMembers: this.#listen.carriesMembers,
      idle: this.#idle,
      secureContext: () => this.#tls?.context(),
      onEnd: () => this.sessions.delete(session),
    });
    this.sessions.add(session);
    session.greet();
  }
}

function expectNetwork(text: string): Network {
  const network = parseNetwork(text);
  if (!network) throw new RangeError(`not a network: ${JSON.stringify(text)}`);
  return network;
}
