// The XMPP adapter: presence and messages over one account. Behind two ports, Watcher and Notifier, and in front of
// the parts that each know one thing: link (a session, always again), outbox (the way out), iq, roster, rooms,
// messages, and the presence cache.
//
// With every session that is not a resumed one all knowledge begins anew, in this order: the cache is flushed, the
// roster is read, our presence is sent (which makes the server send everybody's), the rooms are entered; and after a
// while silence means offline.
import { randomUUID } from 'node:crypto';
import type { Clock, Duration, Instant, Random } from '../clock.ts';
import { second } from '../clock.ts';
import type { XmppConfig } from '../config.ts';
import type { Log } from '../log.ts';
import { silentLog } from '../log.ts';
import type { IncomingMessage, Notifier } from '../notify/notifier.ts';
import { PresenceCache } from '../presence/cache.ts';
import type { BareJid } from '../presence/jid.ts';
import type { PresenceChange } from '../presence/presence.ts';
import type { Watcher } from '../presence/watcher.ts';
import { AdHoc } from './ad-hoc.ts';
import type { LookupSrv } from './dial.ts';
import { answerAbout } from './disco.ts';
import { Iq } from './iq.ts';
import type { LinkLimits } from './link.ts';
import { Link } from './link.ts';
import type { Receipt } from './messages.ts';
import { Messages } from './messages.ts';
import type { OutboxLimits } from './outbox.ts';
import { Outbox, SendError } from './outbox.ts';
import { ownPresence } from './own-presence.ts';
import { readPresence } from './presence-stanza.ts';
import { Rooms } from './rooms.ts';
import { Roster } from './roster.ts';
import type { Session } from './session.ts';
import type { Element } from './stanza.ts';
import { normaliseAddress, ns, xml } from './stanza.ts';
import { domainOf } from './stream.ts';
import { publishCard } from './vcard.ts';

export interface XmppOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Log;
  /** For XEP-0092. */
  readonly version?: string;
  /** How long the server may take to tell who is there, before silence means offline; and more for each person. */
  readonly settleAfter?: Duration;
  readonly settlePerPerson?: Duration;
  /** What was known when the link went down is used for this long. */
  readonly staleAfter?: Duration;
  readonly limits?: { readonly link?: Partial<LinkLimits>; readonly outbox?: Partial<OutboxLimits> };
  readonly lookup?: LookupSrv;
}

export interface Xmpp extends Watcher, Notifier {
  start(): void;
  /** Says goodbye and closes within a few seconds, whatever the server does. */
  stop(): Promise<void>;
}

/** How often what is due is looked for: rooms, silence, staleness. */
const choresEvery: Duration = second;
/** After a presence error: the person is asked about again. */
const firstRecheck: Duration = 60 * second;
const lastRecheck: Duration = 300 * second;

export function createXmpp(config: XmppConfig, options: XmppOptions): Xmpp {
  return new XmppAdapter(config, options);
}

class XmppAdapter implements Xmpp {
  readonly #config: XmppConfig;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #settleAfter: Duration;
  readonly #settlePerPerson: Duration;
  readonly #cache: PresenceCache;
  readonly #link: Link;
  readonly #outbox: Outbox;
  readonly #iq: Iq;
  readonly #roster: Roster;
  readonly #rooms: Rooms;
  readonly #messages: Messages;
  readonly #adHoc: AdHoc;
  #status = 'Pointsman';
  readonly #changeListeners: ((change: PresenceChange) => void)[] = [];
  readonly #messageListeners: ((message: IncomingMessage) => void)[] = [];
  readonly #receiptListeners: ((receipt: Receipt) => void)[] = [];
  readonly #rechecks = new Map<BareJid, { at: Instant; pause: Duration }>();
  readonly #queue: PresenceChange[] = [];
  #telling = false;
  #fullJid: string;
  #settleAt: Instant | null = null;
  #present = false;
  /** Counts sessions, so that what was begun in one does not act in the next. */
  #session = 0;
  #stopped: AbortController | null = null;

  constructor(config: XmppConfig, options: XmppOptions) {
    const { clock, random, lookup } = options;
    const log = (options.log ?? silentLog).child({ part: 'xmpp' });
    this.#config = config;
    this.#clock = clock;
    this.#log = log;
    this.#settleAfter = options.settleAfter ?? 5 * second;
    this.#settlePerPerson = options.settlePerPerson ?? 10;
    this.#fullJid = `${config.jid}/${config.resource}`;
    this.#cache = new PresenceCache(options.staleAfter === undefined ? {} : { staleAfter: options.staleAfter });
    this.#link = new Link({
      config,
      clock,
      random,
      log,
      ...(lookup ? { lookup } : {}),
      ...(options.limits?.link ? { limits: options.limits.link } : {}),
      events: {
        up: (session) => this.#onUp(session),
        down: (_reason, heardAt) => this.#onDown(heardAt),
        stanza: (stanza) => this.#onStanza(stanza),
        acked: (stanza) => this.#outbox.acked(stanza),
        askAlive: () => this.#askAlive(),
      },
    });
    this.#outbox = new Outbox({
      clock,
      log,
      wire: this.#link,
      rate: config.rate,
      ...(options.limits?.outbox ? { limits: options.limits.outbox } : {}),
    });
    const send = (stanza: Element): Promise<void> => this.#outbox.send(stanza);
    const domain = domainOf(config);
    this.#iq = new Iq({
      clock,
      send,
      own: () => ({ bare: config.jid, full: normaliseAddress(this.#fullJid), domain }),
    });
    this.#adHoc = new AdHoc({ send, log });
    answerAbout(this.#iq, { version: options.version, adHoc: this.#adHoc, own: () => this.#fullJid, clock });
    this.#roster = new Roster({
      iq: this.#iq,
      send,
      ownBare: config.jid,
      log,
      events: {
        subscription: (jid, subscription) => {
          this.#tell(this.#cache.subscription(jid, subscription, clock.now()));
          this.#settleLater();
        },
      },
    });
    this.#rooms = new Rooms({ clock, iq: this.#iq, send, nick: config.nick, log });
    this.#messages = new Messages({
      clock,
      log,
      ownBare: config.jid,
      rooms: this.#rooms,
      send,
      watches: (jid) => this.#cache.watches(jid),
      events: {
        message: (message) => this.#call(this.#messageListeners, message),
        receipt: (receipt) => this.#call(this.#receiptListeners, receipt),
      },
    });
  }

  start(): void {
    if (this.#stopped) throw new Error('already started');
    this.#stopped = new AbortController();
    this.#link.start();
    this.#chores(this.#stopped.signal);
  }

  async stop(): Promise<void> {
    const stopped = this.#stopped;
    if (!stopped) return;
    this.#stopped = null;
    stopped.abort();
    this.#session += 1;
    this.#rooms.stop();
    if (this.#link.status().state === 'up') {
      // Not through the pacing: whoever stops does not wait for what others still have to send.
      this.#link.send(xml('presence', { type: 'unavailable' })).catch((error: Error) => {
        this.#log.debug({ err: error }, 'the goodbye was not sent');
      });
    }
    await this.#link.stop();
    this.#iq.fail();
    this.#outbox.stop();
  }

  presenceOf(jid: BareJid): ReturnType<Watcher['presenceOf']> {
    return this.#cache.presenceOf(jid);
  }

  onChange(listener: (change: PresenceChange) => void): void {
    this.#changeListeners.push(listener);
  }

  watch(people: readonly BareJid[]): void {
    const wanted = new Set(people);
    const added = [...wanted].filter((jid) => !this.#cache.watches(jid));
    this.#cache.watch(wanted);
    for (const jid of this.#rechecks.keys()) if (!wanted.has(jid)) this.#rechecks.delete(jid);
    this.#roster.watch(wanted);
    if (!this.#present) return;
    // Whoever was in the roster already has told us before anybody listened: silence would now be taken for absence.
    for (const jid of added) this.#probe(jid);
    this.#settleLater();
  }

  link(): ReturnType<Watcher['link']> {
    return this.#link.status();
  }

  onAsk(answer: Parameters<NonNullable<Notifier['onAsk']>>[0]): void {
    this.#adHoc.answerWith(answer);
  }

  setStatus(text: string): void {
    if (text === this.#status) return;
    this.#status = text;
    if (!this.#present) return;
    this.#outbox.send(ownPresence(this.#status)).catch((error: Error) => {
      this.#log.debug({ err: error }, 'our presence could not be sent');
    });
  }

  async setSubject(room: BareJid, text: string): Promise<void> {
    if (!this.#rooms.isIn(room)) throw new SendError('not-in-room', `not in the room ${room} now`);
    await this.#outbox.send(xml('message', { to: room, type: 'groupchat' }, xml('subject', {}, text)));
  }

  async send(...[target, text, id, more]: Parameters<Notifier['send']>): Promise<void> {
    if (target.kind === 'room' && this.#link.status().state === 'up' && !this.#rooms.isIn(target.room)) {
      throw new SendError('not-in-room', `not in the room ${target.room} now`);
    }
    await this.#outbox.send(this.#messages.compose(target, text, id, more), id);
  }

  join(rooms: readonly BareJid[]): void {
    this.#rooms.join(rooms);
  }

  onMessage(listener: (message: IncomingMessage) => void): void {
    this.#messageListeners.push(listener);
  }

  onReceipt(listener: (receipt: Receipt) => void): void {
    this.#receiptListeners.push(listener);
  }

  #onUp(session: Session): void {
    this.#fullJid = session.jid;
    this.#outbox.open(session);
    if (session.resumed) {
      this.#tell(this.#cache.resumed(this.#clock.now()));
      this.#rooms.sessionUp(true);
      // The session may have been cut before it was set up.
      if (this.#present) return;
    } else {
      this.#present = false;
      this.#iq.fail();
      this.#roster.reset();
      this.#tell(this.#cache.flush(this.#clock.now()));
    }
    this.#session += 1;
    this.#setUp(this.#session).catch((error: Error) => {
      this.#log.error({ err: error }, 'the session could not be set up');
    });
  }

  /** RFC 6121 §2.2, §4.2: the roster first, so that every presence that comes is of somebody known. */
  async #setUp(session: number): Promise<void> {
    this.#settleAt = null;
    // A server without rosters, or one too slow: what presence tells is still worth having.
    await this.#roster.load().catch((error: Error) => this.#log.error({ err: error }, 'the roster could not be read'));
    if (session !== this.#session || this.#link.status().state !== 'up') return;
    this.#present = true;
    await this.#outbox.send(ownPresence(this.#status)).catch((error: Error) => {
      this.#present = false;
      this.#log.warn({ err: error }, 'our presence could not be sent');
    });
    if (session !== this.#session) return;
    this.#settleLater();
    this.#rooms.sessionUp(false);
    await publishCard(this.#iq, this.#log);
  }

  #onDown(heardAt: Instant): void {
    this.#outbox.close();
    this.#rooms.sessionDown();
    this.#cache.linkDown(this.#clock.now(), heardAt);
  }

  #onStanza(stanza: Element): void {
    switch (stanza.name) {
      case 'iq':
        if (!this.#adHoc.handle(stanza)) this.#iq.handle(stanza);
        return;
      case 'message':
        this.#messages.handle(stanza);
        return;
      case 'presence':
        this.#onPresence(stanza);
        return;
    }
  }

  #onPresence(stanza: Element): void {
    if (this.#rooms.onPresence(stanza) || this.#roster.onPresence(stanza)) return;
    const now = this.#clock.now();
    const fact = readPresence(stanza, now);
    if (!fact) return;
    const { bare } = fact.jid;
    if (fact.kind === 'error' && this.#cache.watches(bare)) {
      const pause = Math.min(lastRecheck, (this.#rechecks.get(bare)?.pause ?? firstRecheck / 2) * 2);
      this.#rechecks.set(bare, { at: now + pause, pause });
    } else this.#rechecks.delete(bare);
    this.#tell(this.#cache.apply(fact, now));
  }

  /** Past the pacing and the window: what waits there must not make a healthy link look dead. */
  #askAlive(): void {
    this.#link.requestAck();
    // RFC 6120 §8.4: a server must answer even what it does not know, so this also works without XEP-0198.
    const ping = xml(
      'iq',
      { type: 'get', id: randomUUID(), to: domainOf(this.#config) },
      xml('ping', { xmlns: ns.ping }),
    );
    this.#link.send(ping).catch((error: Error) => this.#log.debug({ err: error }, 'a ping was not sent'));
  }

  /** From now, unless it is sooner anyway. */
  #settleLater(): void {
    if (!this.#present) return;
    this.#settleAt = this.#clock.now() + this.#settleAfter + this.#settlePerPerson * this.#cache.size;
  }

  async #chores(stopped: AbortSignal): Promise<void> {
    while (!stopped.aborted) {
      await this.#clock.sleepUntil(this.#clock.now() + choresEvery, stopped);
      if (stopped.aborted) return;
      try {
        this.#chore(this.#clock.now());
      } catch (error) {
        this.#log.error({ err: error }, 'a chore of the XMPP adapter failed');
      }
    }
  }

  #chore(now: Instant): void {
    this.#tell(this.#cache.tick(now));
    if (this.#link.status().state !== 'up') return;
    this.#rooms.tick();
    if (this.#settleAt !== null && now >= this.#settleAt) {
      this.#settleAt = null;
      this.#tell(this.#cache.settle(now));
    }
    for (const [jid, recheck] of this.#rechecks) {
      if (recheck.at > now) continue;
      recheck.at = now + recheck.pause;
      this.#probe(jid);
    }
  }

  /** RFC 6121 §4.3: the server answers it for those we are subscribed to. */
  #probe(jid: BareJid): void {
    this.#outbox.send(xml('presence', { to: jid, type: 'probe' })).catch((error: Error) => {
      this.#log.debug({ err: error, jid }, 'a probe was not sent');
    });
  }

  /** In the order they happened, also when a listener causes a further change. */
  #tell(changes: readonly PresenceChange[]): void {
    this.#queue.push(...changes);
    if (this.#telling) return;
    this.#telling = true;
    try {
      for (let change = this.#queue.shift(); change; change = this.#queue.shift()) {
        this.#call(this.#changeListeners, change);
      }
    } finally {
      this.#telling = false;
    }
  }

  #call<T>(listeners: readonly ((value: T) => void)[], value: T): void {
    for (const listener of listeners) {
      try {
        listener(value);
      } catch (error) {
        this.#log.error({ err: error }, 'a listener of the XMPP adapter failed');
      }
    }
  }
}
