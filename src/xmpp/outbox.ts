// The one way out: every stanza is made legal, waits for its turn, and is paced.
//
// Three traps of the stream shape it. An octet that XML cannot carry, in a subject, would end the stream for
// everybody. Servers throttle by octets a second and then hold back everything, acknowledgements too, so that a link
// in good health looks dead: hence our own pace. And a stanza during whose flight the stream dies again and again is
// probably why it dies: it is refused after a few times, not repeated for ever.
//
// A message resolves when the server has acknowledged it (XEP-0198), or, from a server without acknowledgements, when
// it is written. It rejects when that is not known in time: it may have arrived, so the caller repeats it with the same id.
import type { Clock, Duration, Instant } from '../clock.ts';
import { minute, second } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Element } from './stanza.ts';
import { makeLegal } from './stanza.ts';

export type SendFailure = 'link-down' | 'timeout' | 'full' | 'lost' | 'too-large' | 'refused' | 'not-in-room';

export class SendError extends Error {
  readonly reason: SendFailure;
  /** Nothing of it was written. */
  readonly unsent: boolean;

  constructor(reason: SendFailure, text: string, unsent = false) {
    super(text);
    this.name = 'SendError';
    this.reason = reason;
    this.unsent = unsent;
  }
}

export interface OutboxLimits {
  readonly waiting: number;
  /** Not yet acknowledged; ejabberd ends a stream with too many. */
  readonly inFlight: number;
  readonly sendWithin: Duration;
  /** Octets of one stanza: servers end the stream at 256 kB, an unauthenticated or careful one much earlier. */
  readonly stanza: number;
  /** Times that the session may be lost with the same stanza in flight. */
  readonly losses: number;
}

export const outboxLimits: OutboxLimits = {
  waiting: 2_000,
  inFlight: 50,
  sendWithin: 30 * second,
  stanza: 65_536,
  losses: 3,
};

/** Somebody who wants to know what has become of a stanza. */
interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: SendError) => void;
}

interface Item {
  readonly stanza: Element;
  readonly octets: number;
  /** Of losses and repetitions; null: neither is known. */
  readonly key: string | null;
  readonly text: string;
  /** None: everybody has given up, and it is still on its way. */
  readonly waiters: Set<Waiter>;
}

/** Of what was taken late and not asked about again. */
const mostLate = 1_000;

interface Wire {
  send(stanza: Element): Promise<void>;
  requestAck(): void;
}

export class Outbox {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #wire: Wire;
  readonly #rate: number;
  readonly #limits: OutboxLimits;
  #waiting: Item[] = [];
  readonly #inFlight = new Map<Element, Item>();
  readonly #losses = new Map<string, { count: number; at: Instant }>();
  /** Key → text of what was acknowledged when nobody waited for it any more. */
  readonly #late = new Map<string, string>();
  #ready: { readonly acks: boolean } | null = null;
  #pumping = false;
  /** The instant at which all that was written so far has left at `rate`; at most a burst ahead of now. */
  #paidUntil: Instant = 0;
  #woken = new AbortController();

  constructor(options: {
    clock: Clock;
    log: Log;
    wire: Wire;
    rate: number;
    limits?: Partial<OutboxLimits>;
  }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#wire = options.wire;
    this.#rate = options.rate;
    this.#limits = { ...outboxLimits, ...options.limits };
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** A session stands. What was in flight in the former one is known to be lost unless that one was resumed. */
  open(session: { readonly resumed: boolean; readonly acks: boolean }): void {
    if (!session.resumed) this.#loseInFlight('the session was lost before the server had taken it');
    this.#ready = { acks: session.acks };
    this.#pump();
  }

  /** The link is down: what waits stays and may still go in time; what is in flight may be resumed. */
  close(): void {
    this.#ready = null;
  }

  /** No session will follow. */
  stop(): void {
    this.#ready = null;
    for (const item of this.#waiting.splice(0))
      this.#reject(item, new SendError('link-down', 'the XMPP link was stopped', true));
    for (const item of [...this.#inFlight.values()])
      this.#reject(item, new SendError('link-down', 'the XMPP link was stopped'));
    this.#inFlight.clear();
  }

  acked(stanza: Element): void {
    const item = this.#inFlight.get(stanza);
    if (!item) return;
    this.#inFlight.delete(stanza);
    if (item.key !== null) {
      this.#losses.delete(item.key);
      if (item.waiters.size === 0) this.#takenLate(item.key, item.text);
    }
    this.#resolve(item);
    this.#wake();
  }

  /**
   * `key`: the same for every repetition of the same stanza. A repetition of what this session has under way is not
   * written again: it waits for the same acknowledgement.
   */
  send(stanza: Element, key: string | null = null): Promise<void> {
    makeLegal(stanza);
    const text = stanza.toString();
    const octets = Buffer.byteLength(text);
    const refusal = this.#refuse(octets, key);
    if (refusal) return Promise.reject(refusal);
    if (key !== null && this.#late.get(key) === text) {
      this.#late.delete(key);
      return Promise.resolve();
    }
    const known = key === null ? undefined : this.#underWay(key, text);
    const item = known ?? { stanza, octets, key, text, waiters: new Set() };
    const sent = this.#waitFor(item);
    if (!known) this.#waiting.push(item);
    this.#pump();
    return sent;
  }

  #underWay(key: string, text: string): Item | undefined {
    const same = (item: Item) => item.key === key && item.text === text;
    return [...this.#inFlight.values()].find(same) ?? this.#waiting.find(same);
  }

  #waitFor(item: Item): Promise<void> {
    const settled = new AbortController();
    return new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        resolve: () => {
          settled.abort();
          resolve();
        },
        reject: (error) => {
          settled.abort();
          reject(error);
        },
      };
      item.waiters.add(waiter);
      this.#clock.sleepUntil(this.#clock.now() + this.#limits.sendWithin, settled.signal).then(() => {
        if (!settled.signal.aborted) this.#giveUp(item, waiter);
      });
    });
  }

  /** The caller gave up before the server said so: the repetition that will come is to know. */
  #takenLate(key: string, text: string): void {
    this.#late.set(key, text);
    const [oldest] = this.#late.keys();
    if (this.#late.size > mostLate && oldest !== undefined) this.#late.delete(oldest);
  }

  #resolve(item: Item): void {
    for (const waiter of item.waiters) waiter.resolve();
    item.waiters.clear();
  }

  #reject(item: Item, error: SendError): void {
    for (const waiter of item.waiters) waiter.reject(error);
    item.waiters.clear();
  }

  #refuse(octets: number, key: string | null): SendError | null {
    if (!this.#ready) return new SendError('link-down', 'the XMPP link is not up', true);
    if (octets > this.#limits.stanza) {
      return new SendError('too-large', `a stanza of ${octets} octets; at most ${this.#limits.stanza} are sent`, true);
    }
    if (this.#waiting.length >= this.#limits.waiting) {
      return new SendError('full', `${this.#waiting.length} stanzas wait already`, true);
    }
    const lost = key === null ? undefined : this.#losses.get(key);
    if (lost && lost.count >= this.#limits.losses && this.#clock.now() - lost.at < 60 * minute) {
      return new SendError('refused', `the session was lost ${lost.count} times while this was in flight`, true);
    }
    return null;
  }

  #giveUp(item: Item, waiter: Waiter): void {
    item.waiters.delete(waiter);
    const index = item.waiters.size > 0 ? -1 : this.#waiting.indexOf(item);
    if (index >= 0) this.#waiting.splice(index, 1);
    const waits = index >= 0 || this.#waiting.includes(item);
    // What was written with a key stays known: a repetition must not put it on the wire again.
    if (item.key === null && item.waiters.size === 0) this.#inFlight.delete(item.stanza);
    const what = waits ? 'was not sent' : 'was not acknowledged';
    waiter.reject(new SendError('timeout', `${what} within ${this.#limits.sendWithin / second} s`, waits));
    this.#wake();
  }

  #loseInFlight(why: string): void {
    const now = this.#clock.now();
    for (const [key, lost] of this.#losses) if (now - lost.at >= 60 * minute) this.#losses.delete(key);
    for (const item of [...this.#inFlight.values()]) {
      if (item.key !== null) {
        const count = (this.#losses.get(item.key)?.count ?? 0) + 1;
        this.#losses.set(item.key, { count, at: now });
        if (count >= this.#limits.losses)
          this.#log.error({ id: item.key, count }, 'a stanza that keeps losing the session');
      }
      this.#reject(item, new SendError('lost', why));
    }
    this.#inFlight.clear();
  }

  #wake(): void {
    this.#woken.abort();
  }

  /** Writes what waits, one at a time, at the pace. */
  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#ready && this.#waiting.length > 0) {
        const pause = this.#inFlight.size >= this.#limits.inFlight ? minute : this.#owed();
        if (pause > 0) {
          this.#woken = new AbortController();
          await this.#clock.sleepUntil(this.#clock.now() + pause, this.#woken.signal);
          continue;
        }
        const item = this.#waiting.shift();
        if (item) this.#write(item, this.#ready.acks);
      }
    } finally {
      this.#pumping = false;
    }
  }

  #write(item: Item, acks: boolean): void {
    const now = this.#clock.now();
    this.#paidUntil = Math.max(this.#paidUntil, now) + (item.octets / this.#rate) * second;
    if (acks) this.#inFlight.set(item.stanza, item);
    this.#wire.send(item.stanza).then(
      () => {
        if (!acks) this.#resolve(item);
      },
      (error: Error) => {
        // Inside a session that can be resumed it may still go; then the acknowledgement or the time limit decides.
        if (!acks) this.#reject(item, new SendError('link-down', error.message));
      },
    );
    // Asked for once for all that goes in one turn, and before the window is full.
    if (acks && (this.#waiting.length === 0 || this.#inFlight.size % 10 === 0)) this.#wire.requestAck();
  }

  /** How long until the next may go: two seconds' worth may go at once, or one stanza that is larger than that. */
  #owed(): Duration {
    const [next] = this.#waiting;
    if (!next) return 0;
    const now = this.#clock.now();
    const cost = (next.octets / this.#rate) * second;
    return Math.max(0, Math.ceil(Math.max(this.#paidUntil, now) + cost - now - Math.max(2 * second, cost)));
  }
}
