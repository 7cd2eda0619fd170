// The connections to one next hop: at most `maxConnections`, kept open for a while after use, handed out again most
// recently used first. Whoever finds none free waits in line.
import type { Clock, Instant } from '../clock.ts';
import type { NextHop } from '../transport.ts';
import type { Ending } from './ending.ts';
import { HopConnection } from './hop-connection.ts';
import { isFailure, type Timeouts } from './hop-words.ts';

export interface Lease {
  readonly connection: HopConnection;
  /** It served a message before, so the next hop may have closed it meanwhile. */
  readonly reused: boolean;
}

// Some servers end a session after so many messages; better that we choose the moment.
const maxUses = 100;

interface Kept {
  readonly connection: HopConnection;
  readonly until: Instant;
}

export class Pool {
  readonly #hop: NextHop;
  readonly #hostname: string;
  readonly #timeouts: Timeouts;
  readonly #clock: Clock;
  /** The one that was used last is last. */
  readonly #kept: Kept[] = [];
  readonly #end = new AbortController();
  #sweeping = false;
  readonly #waiting: (() => void)[] = [];
  #open = 0;
  #closed = false;

  constructor(hop: NextHop, hostname: string, timeouts: Timeouts, clock: Clock) {
    this.#hop = hop;
    this.#hostname = hostname;
    this.#timeouts = timeouts;
    this.#clock = clock;
  }

  /** `fresh`: not a kept one. @throws Failure */
  async acquire(ending: Ending, fresh = false): Promise<Lease> {
    for (;;) {
      if (this.#closed) throw { cause: 'shutting down' };
      if (ending.aborted) throw { cause: 'no connection free in time' };
      const kept = this.#take();
      if (kept && !fresh) return { connection: kept, reused: true };
      if (kept) this.#discard(kept);
      if (this.#open < Math.max(1, this.#hop.maxConnections))
        return { connection: await this.#dial(ending.signal), reused: false };
      await this.#turn(ending.signal);
    }
  }

  /** Gives the connection back. `fit`: the last transaction ended cleanly. */
  release(connection: HopConnection, fit: boolean): void {
    if (!fit || this.#closed || connection.destroyed || connection.uses >= maxUses) {
      this.#discard(connection);
      return;
    }
    this.#kept.push({ connection, until: this.#clock.now() + this.#timeouts.kept });
    this.#waiting.shift()?.();
    if (!this.#sweeping) void this.#closeWhenIdle();
  }

  close(): void {
    this.#closed = true;
    this.#end.abort();
    for (const kept of this.#kept.splice(0)) this.#discard(kept.connection);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #take(): HopConnection | undefined {
    for (let kept = this.#kept.pop(); kept; kept = this.#kept.pop()) {
      if (!kept.connection.destroyed) return kept.connection;
      this.#forget();
    }
    return undefined;
  }

  async #dial(signal: AbortSignal): Promise<HopConnection> {
    this.#open++;
    try {
      return await this.#connect(signal);
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  /** tls `may`: a next hop whose TLS is broken gets the mail in the clear, as it would if it offered none. */
  async #connect(signal: AbortSignal): Promise<HopConnection> {
    const options = { hostname: this.#hostname, timeouts: this.#timeouts, signal };
    try {
      return await HopConnection.open(this.#hop, { ...options, plain: false });
    } catch (error) {
      if (this.#hop.tls !== 'may' || !isFailure(error) || !error.tls) throw error;
      return await HopConnection.open(this.#hop, { ...options, plain: true });
    }
  }

  #discard(connection: HopConnection): void {
    connection.leave();
    this.#forget();
  }

  #forget(): void {
    this.#open--;
    this.#waiting.shift()?.();
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake);
        const at = this.#waiting.indexOf(wake);
        if (at >= 0) this.#waiting.splice(at, 1);
        resolve();
      };
      this.#waiting.push(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  /** One sleeper for all: the first in line has waited longest. */
  async #closeWhenIdle(): Promise<void> {
    this.#sweeping = true;
    for (let first = this.#kept[0]; first; first = this.#kept[0]) {
      if (first.until <= this.#clock.now() || first.connection.destroyed) {
        this.#kept.shift();
        this.#discard(first.connection);
      } else await this.#clock.sleepUntil(first.until, this.#end.signal);
    }
    this.#sweeping = false;
  }
}
