// Subscriptions: asked for, and granted to, the people who are watched, and nobody else.
//
// Nothing is ever taken back here: who is no longer watched stays in the roster, because a mistaken reload of the rules
// must not make a whole company answer subscription requests again. Who withdraws (`unsubscribed`) is not asked again
// while we run: that person opted out.

import type { Clock, Duration, Instant } from '../clock.ts';
import { hour } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Subscription } from '../presence/cache.ts';
import type { PresenceFault } from '../presence/fault.ts';
import type { BareJid } from '../presence/jid.ts';
import { parseJid } from '../presence/jid.ts';
import type { Answer, Iq } from './iq.ts';
import { inSlices } from './slices.ts';
import type { Element } from './stanza.ts';
import { normaliseAddress, ns, xml } from './stanza.ts';
import { Twins } from './twins.ts';

export interface RosterEvents {
  /** Also for watched people who are not in the roster at all (`none`). */
  subscription(jid: BareJid, subscription: Subscription): void;
}

interface Item {
  readonly subscription: Subscription;
  /** RFC 6121 §2.1.2.2: asked, not answered. */
  readonly asked: boolean;
}

const mostPending = 1_000;
/** People are on holiday; a day without an answer is worth a word to an operator. */
const answerWithin: Duration = 24 * hour;
/** Named in one fault. */
const mostNamed = 10;

export class Roster {
  readonly #clock: Clock;
  readonly #iq: Iq;
  readonly #send: (stanza: Element) => Promise<void>;
  readonly #ownBare: BareJid;
  readonly #log: Log;
  readonly #events: RosterEvents;
  readonly #items = new Map<BareJid, Item>();
  readonly #twins: Twins;
  #watched: ReadonlySet<BareJid> = new Set();
  /** Asked us while not watched: granted when they are. */
  readonly #pending = new Set<BareJid>();
  readonly #optedOut = new Map<BareJid, Instant>();
  /** Since when we know that they were asked and have not answered; not told by the server. */
  readonly #askedSince = new Map<BareJid, Instant>();
  readonly #toAsk = new Set<BareJid>();
  #asking = false;
  #loaded = false;
  /** Counts sessions, so that what was begun in one ends with it. */
  #session = 0;
  /** Pushed while the roster was being read: newer than what is read. */
  readonly #pushed = new Set<BareJid>();

  constructor(options: {
    clock: Clock;
    iq: Iq;
    send: (stanza: Element) => Promise<void>;
    ownBare: BareJid;
    log: Log;
    events: RosterEvents;
  }) {
    this.#clock = options.clock;
    this.#iq = options.iq;
    this.#send = options.send;
    this.#ownBare = options.ownBare;
    this.#twins = new Twins(options.clock, options.ownBare);
    this.#log = options.log;
    this.#events = options.events;
    this.#iq.answer('set', 'query', ns.roster, (query, from) => this.#onPush(query, from));
  }

  watch(people: ReadonlySet<BareJid>): void {
    this.#watched = people;
    for (const jid of people) if (this.#pending.delete(jid)) this.#grant(jid);
    if (this.#loaded) this.#reviewInBackground();
  }

  /** A new session: what the former one knew is not known any more. */
  reset(): void {
    this.#session += 1;
    this.#loaded = false;
    this.#toAsk.clear();
    this.#items.clear();
    this.#twins.reset();
  }

  async load(): Promise<void> {
    const session = this.#session;
    const current = (): boolean => session === this.#session;
    const result = await this.#iq.request('get', null, xml('query', { xmlns: ns.roster }));
    this.#items.clear();
    this.#pushed.clear();
    const items = result.getChild('query', ns.roster)?.getChildren('item') ?? [];
    if (!(await inSlices(items, (item) => this.#take(item, { read: true }), current))) return;
    this.#loaded = true;
    this.#pushed.clear();
    await this.#review();
  }

  /** RFC 6121 §3: subscription stanzas. True when it was one. */
  onPresence(stanza: Element): boolean {
    const { type, from } = stanza.attrs;
    const jid = parseJid(from ?? '')?.bare;
    switch (type) {
      case 'subscribe':
        if (jid) this.#onSubscribe(jid);
        return true;
      case 'unsubscribed':
        // The roster push that comes with it tells the cache.
        if (jid && this.#watched.has(jid) && !this.#optedOut.has(jid)) {
          this.#optedOut.set(jid, this.#clock.now());
          this.#log.warn({ jid }, 'took back or refused the subscription: their presence is not known any more');
        }
        return true;
      case 'subscribed':
        if (jid) this.#optedOut.delete(jid);
        return true;
      case 'unsubscribe':
      case 'probe':
        return true;
      default:
        this.#twins.see(stanza);
        return false;
    }
  }

  /** Who does not share their presence with us: refused, or silent for long. */
  faults(now: Instant): readonly PresenceFault[] {
    if (!this.#loaded) return [];
    const shares = (jid: BareJid): boolean => {
      const { subscription } = this.#items.get(jid) ?? { subscription: 'none' };
      return subscription === 'to' || subscription === 'both';
    };
    const among = (people: ReadonlyMap<BareJid, Instant>, before: Instant): [BareJid, Instant][] =>
      [...people].filter(([jid, since]) => this.#watched.has(jid) && since <= before && !shares(jid));
    const refused = among(this.#optedOut, now);
    const silent = among(this.#askedSince, now - answerWithin).filter(([jid]) => !this.#optedOut.has(jid));
    return [
      ...this.#twins.faults(),
      ...notShared('presence-refused', refused, 'refused to share their presence, or took it back'),
      ...notShared('presence-not-answered', silent, 'have not answered whether they share their presence'),
    ];
  }

  #onSubscribe(jid: BareJid): void {
    if (this.#watched.has(jid)) {
      this.#optedOut.delete(jid);
      this.#grant(jid);
      if (this.#loaded) this.#ask(jid);
      return;
    }
    if (this.#pending.size < mostPending) this.#pending.add(jid);
    this.#log.info({ jid }, 'asks for our presence but is in no group; not answered');
  }

  /** RFC 6121 §2.1.6: from our own account or without a sender; from anybody else it is an attack. */
  #onPush(query: Element, from: string | null): Answer | null {
    if (from !== null && normaliseAddress(from) !== this.#ownBare) {
      this.#log.warn({ from }, 'a roster push from somebody else was refused');
      return null;
    }
    const item = query.getChild('item');
    const jid = item ? this.#take(item) : undefined;
    if (jid && this.#watched.has(jid)) {
      this.#events.subscription(jid, this.#items.get(jid)?.subscription ?? 'none');
    }
    return { result: null };
  }

  #take(item: Element, { read = false }: { readonly read?: boolean } = {}): BareJid | undefined {
    const jid = parseJid(item.attrs.jid ?? '')?.bare;
    if (!jid) return undefined;
    if (read && this.#pushed.has(jid)) return jid;
    if (!read && !this.#loaded) this.#pushed.add(jid);
    const { subscription } = item.attrs;
    if (item.attrs.ask !== 'subscribe') this.#askedSince.delete(jid);
    else if (!this.#askedSince.has(jid)) this.#askedSince.set(jid, this.#clock.now());
    if (subscription === 'remove') this.#items.delete(jid);
    else this.#items.set(jid, { subscription: readSubscription(subscription), asked: item.attrs.ask === 'subscribe' });
    return jid;
  }

  /** Ends early when others are watched now, or in another session: then another review has begun. */
  async #review(): Promise<void> {
    const [session, people] = [this.#session, this.#watched];
    const each = (jid: BareJid): void => {
      this.#events.subscription(jid, this.#items.get(jid)?.subscription ?? 'none');
      this.#ask(jid);
    };
    await inSlices(people, each, () => session === this.#session && people === this.#watched);
  }

  #reviewInBackground(): void {
    this.#review().catch((error: unknown) => this.#log.error({ err: error }, 'the roster could not be reviewed'));
  }

  #ask(jid: BareJid): void {
    const item = this.#items.get(jid);
    if (item?.asked || item?.subscription === 'to' || item?.subscription === 'both') return;
    if (this.#optedOut.has(jid) || jid === this.#ownBare) return;
    // Remembered at once, so that a second review before the push does not ask again.
    this.#items.set(jid, { subscription: item?.subscription ?? 'none', asked: true });
    this.#toAsk.add(jid);
    this.#askAll();
  }

  /** Whoever was asked while their server could not be reached may never have heard of it. */
  askAgain(jid: BareJid): void {
    const item = this.#items.get(jid);
    if (!item?.asked || !this.#watched.has(jid)) return;
    this.#items.set(jid, { ...item, asked: false });
    this.#ask(jid);
  }

  /** One after the other: thousands at once would fill the way out, and what waits there for long is given up. */
  async #askAll(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      for (const jid of this.#toAsk) {
        this.#toAsk.delete(jid);
        this.#log.info({ jid }, 'asking for their presence');
        await this.#send(xml('presence', { to: jid, type: 'subscribe' }));
      }
    } catch (error) {
      // The next session reviews the roster and asks again whom this one did not.
      this.#toAsk.clear();
      this.#log.debug({ err: error }, 'not everybody could be asked for their presence');
    } finally {
      this.#asking = false;
    }
  }

  #grant(jid: BareJid): void {
    this.#post(xml('presence', { to: jid, type: 'subscribed' }));
  }

  #post(stanza: Element): void {
    // What does not go now is asked again with the next session.
    this.#send(stanza).catch((error: Error) => this.#log.debug({ err: error }, 'a subscription stanza was not sent'));
  }
}

function notShared(
  id: string,
  people: readonly (readonly [BareJid, Instant])[],
  what: string,
): readonly PresenceFault[] {
  if (people.length === 0) return [];
  const names = people.slice(0, mostNamed).map(([jid]) => jid);
  const more = people.length > names.length ? ` and ${people.length - names.length} more` : '';
  return [
    {
      id,
      about: 'presence',
      severity: 'warning',
      since: Math.min(...people.map(([, since]) => since)),
      text: `${names.join(', ')}${more} ${what}: whether they are there is not known`,
      action: 'ask them to accept Pointsman in their client, or put them into a shared roster group with it',
    },
  ];
}

function readSubscription(text: string | undefined): Subscription {
  return text === 'to' || text === 'from' || text === 'both' ? text : 'none';
}
