// The link: keeps one session with the XMPP server for as long as it is wanted, through one stream after the other.
//
//   off ── start ──▶ connecting ── session ──▶ up ── stream ended ──▶ down ── back-off over ──▶ connecting
//                    connecting ── no session ──▶ down                      any ── stop ──▶ off
//
// Each attempt is a fresh stream with a hard time limit. The pause after it grows with full jitter; after a refusal
// (wrong password, conflict, no TLS, bad certificate) it is the longest at once, because asking again soon changes
// nothing. A silent server is asked, and if it stays silent the socket is destroyed without a goodbye: so the session
// can still be resumed (XEP-0198 §5) when the network, not the server, was the reason.
import type { Clock, Duration, Instant, Random } from '../clock.ts';
import { minute, second } from '../clock.ts';
import type { XmppConfig } from '../config.ts';
import type { Log } from '../log.ts';
import type { LinkCause, LinkStatus } from '../presence/watcher.ts';
import type { LookupSrv } from './dial.ts';
import { DnsError, dial, findTargets, lookupSrv, tlsOptions } from './dial.ts';
import type { Resumable, Session, StreamEnd } from './session.ts';
import type { Element } from './stanza.ts';
import { domainOf, XmppStream } from './stream.ts';

export interface LinkLimits {
  /** From dialling to a session. */
  readonly attempt: Duration;
  /** One address among several that DNS names. */
  readonly connect: Duration;
  readonly firstPause: Duration;
  readonly longestPause: Duration;
  /** Silence after which the server is asked, and how long it may take to answer. */
  readonly askAfter: Duration;
  readonly answerWithin: Duration;
  /** A session that lasted this long was a good one: the pauses begin anew. */
  readonly goodAfter: Duration;
  /** For the goodbye. */
  readonly stop: Duration;
}

export const linkLimits: LinkLimits = {
  attempt: 15 * second,
  connect: 5 * second,
  firstPause: 500,
  longestPause: minute,
  askAfter: 10 * second,
  answerWithin: 15 * second,
  goodAfter: 30 * second,
  stop: 2 * second,
};

/** Never less: a server that refuses at once must not be hammered by a lucky draw. */
const leastPause: Duration = 100;

export interface LinkEvents {
  /** A session stands; `resumed`: it is the former one and nothing was missed. */
  up(session: Session): void;
  down(reason: string, heardAt: Instant): void;
  stanza(stanza: Element): void;
  acked(stanza: Element): void;
  /** The server has been silent: send it something that it must answer. */
  askAlive(): void;
}

export interface LinkOptions {
  readonly config: XmppConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly events: LinkEvents;
  readonly limits?: Partial<LinkLimits>;
  readonly lookup?: LookupSrv;
}

export class Link {
  readonly #options: LinkOptions;
  readonly #limits: LinkLimits;
  #status: LinkStatus;
  #stopping: AbortController | null = null;
  #running: Promise<void> = Promise.resolve();
  #stream: XmppStream | null = null;
  #resumable: Resumable | null = null;
  /** Resumed sessions that ended at once, one after the other. */
  #badResumptions = 0;
  #failures = 0;
  #downSince: Instant | null = null;
  #sessions = 0;
  #resumed = 0;
  readonly #ended = new Map<LinkCause, number>();

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#limits = { ...linkLimits, ...options.limits };
    this.#status = { state: 'off', since: options.clock.now() };
  }

  status(): LinkStatus {
    return {
      ...this.#status,
      ...(this.#downSince === null ? {} : { downSince: this.#downSince }),
      counts: { sessions: this.#sessions, resumed: this.#resumed, ended: Object.fromEntries(this.#ended) },
    };
  }

  start(): void {
    if (this.#stopping) throw new Error('the link is started already');
    this.#stopping = new AbortController();
    this.#running = this.#run(this.#stopping.signal);
  }

  /** Says goodbye and ends, within a bound, whatever the server does. */
  async stop(): Promise<void> {
    const stopping = this.#stopping;
    if (!stopping) return;
    stopping.abort();
    const stream = this.#stream;
    if (stream) {
      stream.close();
      const waited = new AbortController();
      const { clock } = this.#options;
      await Promise.race([stream.ended, clock.sleepUntil(clock.now() + this.#limits.stop, waited.signal)]);
      waited.abort();
      stream.end('stopped', 'stopped', { session: 'gone' });
    }
    await this.#running;
    this.#stopping = null;
    this.#resumable = null;
    this.#enter('off');
  }

  /** Resolves when the kernel has the stanza; rejects when the link is not up. Sanitising and pacing: outbox.ts. */
  async send(stanza: Element): Promise<void> {
    if (!this.#stream || this.#status.state !== 'up') throw new Error('the link is not up');
    await this.#stream.send(stanza);
  }

  requestAck(): void {
    this.#stream?.requestAck();
  }

  async #run(stopped: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!stopped.aborted) {
      this.#enter('connecting', this.#status);
      const end = await this.#session(stopped);
      if (stopped.aborted) return;
      const pause = this.#pauseAfter(end);
      this.#ended.set(end.cause, (this.#ended.get(end.cause) ?? 0) + 1);
      this.#enter('down', end);
      log.warn({ reason: end.reason, cause: end.cause, resumable: end.resumable !== null, pause }, 'xmpp link down');
      await clock.sleepUntil(clock.now() + pause, stopped);
    }
  }

  /** One stream from dialling to its end. Never rejects. */
  async #session(stopped: AbortSignal): Promise<StreamEnd> {
    const { config, clock, log, events } = this.#options;
    const over = new AbortController();
    let upAt: Instant | null = null;
    const wasResuming = this.#resumable !== null;
    const stream = new XmppStream({
      config,
      clock,
      log,
      former: this.#resumable,
      events: {
        up: (session) => {
          upAt = clock.now();
          over.abort();
          this.#sessions += 1;
          if (session.resumed) this.#resumed += 1;
          this.#enter('up');
          log.info({ jid: session.jid, resumed: session.resumed, acks: session.acks }, 'xmpp link up');
          events.up(session);
        },
        stanza: events.stanza,
        acked: events.acked,
      },
    });
    this.#stream = stream;
    const ended = new AbortController();
    stream.ended.then(() => {
      over.abort();
      ended.abort();
    });
    stopped.addEventListener('abort', () => over.abort(), { once: true, signal: ended.signal });
    const within = clock.now() + this.#limits.attempt;
    clock.sleepUntil(within, over.signal).then(() => {
      if (!over.signal.aborted) stream.end(`no session within ${this.#limits.attempt / second} s`, 'no-session');
    });
    this.#connect(stream, AbortSignal.any([stopped, ended.signal]));
    this.#watchForSilence(stream, ended.signal);
    const end = await stream.ended;
    this.#stream = null;
    this.#resumable = this.#keptOf(end, upAt, wasResuming);
    if (end.wasUp) {
      if (upAt !== null && clock.now() - upAt >= this.#limits.goodAfter) this.#failures = 0;
      this.#tell(() => events.down(end.reason, stream.heardAt));
    }
    return end;
  }

  async #connect(stream: XmppStream, given: AbortSignal): Promise<void> {
    const { config, random, clock, lookup } = this.#options;
    const domain = domainOf(config);
    try {
      const targets = await findTargets(config, domain, lookup ?? lookupSrv, random, given);
      let last: Error = new Error('no address');
      for (const [index, target] of targets.entries()) {
        if (given.aborted) return;
        const slow = new AbortController();
        const done = new AbortController();
        // The last address may take what is left of the attempt.
        if (index < targets.length - 1) {
          clock.sleepUntil(clock.now() + this.#limits.connect, done.signal).then(() => slow.abort());
        }
        try {
          const socket = await dial(target, tlsOptions(config, domain), AbortSignal.any([given, slow.signal]), config);
          if (given.aborted) socket.destroy();
          else stream.begin(socket, target.directTls);
          return;
        } catch (error) {
          const { message, code } = error as NodeJS.ErrnoException;
          last = Object.assign(new Error(`${target.host}:${target.port}: ${message}`), { code });
        } finally {
          done.abort();
        }
      }
      throw last;
    } catch (error) {
      const { message, code } = error as Error & { code?: string };
      // With TLS from the first octet the handshake is part of connecting.
      const tls = code !== undefined && /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_PIN)/.test(code);
      const dns = error instanceof DnsError || code === 'ENOTFOUND' || code === 'EAI_AGAIN';
      stream.end(`cannot connect: ${message}`, dns ? 'dns' : tls ? 'tls' : 'unreachable', {
        kind: tls ? 'refused' : 'lost',
      });
    }
  }

  /** The only dead-peer detector; at most askAfter + answerWithin from the last octet heard. */
  async #watchForSilence(stream: XmppStream, ended: AbortSignal): Promise<void> {
    const { clock, events } = this.#options;
    const { askAfter, answerWithin } = this.#limits;
    let next = clock.now() + askAfter;
    while (!ended.aborted) {
      await clock.sleepUntil(next, ended);
      if (ended.aborted) return;
      const askedAt = clock.now();
      if (this.#status.state !== 'up' || askedAt - stream.heardAt < askAfter) {
        next = Math.max(stream.heardAt, askedAt - askAfter + second) + askAfter;
        continue;
      }
      this.#tell(() => events.askAlive());
      await clock.sleepUntil(askedAt + answerWithin, ended);
      // Heard in the very millisecond in which it was asked is an answer, too: before, it had been silent for long.
      if (!ended.aborted && stream.heardAt < askedAt) {
        stream.end(`the server has been silent for ${(clock.now() - stream.heardAt) / second} s`, 'silent');
        return;
      }
      next = stream.heardAt + askAfter;
    }
  }

  /** What the next stream may resume. */
  #keptOf(end: StreamEnd, upAt: Instant | null, wasResuming: boolean): Resumable | null {
    const endedAtOnce = end.wasUp && upAt !== null && this.#options.clock.now() - upAt < this.#limits.goodAfter;
    this.#badResumptions = wasResuming && endedAtOnce ? this.#badResumptions + 1 : end.wasUp ? 0 : this.#badResumptions;
    // Something in the queue may be what kills the stream: resuming would send it for ever.
    if (this.#badResumptions >= 3) {
      this.#badResumptions = 0;
      return null;
    }
    return end.resumable;
  }

  #pauseAfter(end: StreamEnd): Duration {
    const { firstPause, longestPause } = this.#limits;
    if (end.kind === 'refused') {
      this.#failures += 1;
      return longestPause;
    }
    const ceiling = Math.min(longestPause, firstPause * 2 ** Math.min(this.#failures, 20));
    this.#failures += 1;
    return Math.max(leastPause, Math.round(this.#options.random() * ceiling));
  }

  #enter(state: LinkStatus['state'], why: { readonly reason?: string; readonly cause?: LinkCause } = {}): void {
    const legal: Record<LinkStatus['state'], readonly LinkStatus['state'][]> = {
      off: ['connecting'],
      connecting: ['up', 'down', 'off'],
      up: ['down', 'off'],
      down: ['connecting', 'off'],
    };
    const from = this.#status.state;
    if (!legal[from].includes(state)) throw new Error(`the link cannot go from ${from} to ${state}`);
    const since = this.#options.clock.now();
    if (state === 'up' || state === 'off') this.#downSince = null;
    else this.#downSince ??= since;
    const { reason, cause } = why;
    this.#status = {
      state,
      since,
      ...(reason === undefined ? {} : { reason }),
      ...(cause === undefined ? {} : { cause }),
    };
  }

  #tell(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#options.log.error({ err: error }, 'a listener of the link failed');
    }
  }
}
