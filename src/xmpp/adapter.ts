// The XMPP adapter: presence and messages over one account. Behind two ports, Watcher and Notifier, and in front of
// the parts that each know one thing: link (a session, always again), outbox (the way out), iq, roster, rooms,
// messages, and the presence cache.
//
// With every session that is not a resumed one all knowledge begins anew, in this order: the cache is flushed, the
// roster is read, our presence is sent (which makes the server send everybody's), the rooms are entered; and after a
// while silence means offline.
import type { Clock, Duration, Instant } from '../clock.ts';
import { minute, second } from '../clock.ts';
import type { XmppConfig } from '../config.ts';
import type { Log } from '../log.ts';
import { silentLog } from '../log.ts';
import type { IncomingMessage, Notifier } from '../notify/notifier.ts';
import { type Heard, PresenceCache } from '../presence/cache.ts';
import type { PresenceFault } from '../presence/fault.ts';
import type { BareJid } from '../presence/jid.ts';
import { neverSeen, type Presence, type PresenceChange } from '../presence/presence.ts';
import type { Watcher } from '../presence/watcher.ts';
import { AdHoc } from './ad-hoc.ts';
import { keepDoing } from './chores.ts';
import { answerAbout } from './disco.ts';
import { DutyRooms } from './duty-rooms.ts';
import { Federation } from './federation.ts';
import { Iq } from './iq.ts';
import { Link } from './link.ts';
import { Listeners } from './listeners.ts';
import { Messages, type Receipt } from './messages.ts';
import { Openings } from './openings.ts';
import type { Xmpp, XmppOptions } from './options.ts';
import { Outbox, SendError } from './outbox.ts';
import { ownPresence, pingTo, sayGoodbye } from './own-presence.ts';
import { readPresence } from './presence-stanza.ts';
import { Probes } from './probes.ts';
import { publishing } from './publishing.ts';
import { Rooms } from './rooms.ts';
import { Roster } from './roster.ts';
import type { Session } from './session.ts';
import { Settling } from './settling.ts';
import type { Element } from './stanza.ts';
import { normaliseAddress, xml } from './stanza.ts';
import { domainOf } from './stream.ts';
import { Telling } from './telling.ts';
import { publishCard } from './vcard.ts';

export type { Xmpp, XmppOptions } from './options.ts';

const untrusted: Presence = { ...neverSeen, reason: 'untrusted' };
/** What was known when the link went down is used for this long. */
const staleAfter: Duration = 2 * minute;
const roomPatience: Duration = minute; // Out of a duty room for longer is a fault.

export function createXmpp(config: XmppConfig, options: XmppOptions): Xmpp {
  return publishing(new XmppAdapter(config, options), config, options);
}

class XmppAdapter implements Xmpp {
  readonly #config: XmppConfig;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #settling: Settling;
  readonly #federation: Federation;
  readonly #cache: PresenceCache;
  readonly #link: Link;
  readonly #outbox: Outbox;
  readonly iq: Iq;
  readonly #roster: Roster;
  readonly #rooms: Rooms;
  readonly #dutyRooms: DutyRooms;
  readonly #probes: Probes;
  readonly #staleAfter: Duration;
  readonly #messages: Messages;
  readonly #telling: Telling;
  readonly #adHoc: AdHoc;
  #status = 'Pointsman';
  readonly #incoming: Listeners<[IncomingMessage]>;
  readonly #receipts: Listeners<[Receipt]>;
  readonly #openings: Openings;
  readonly #occupants: Listeners<[BareJid, Presence | null]>;
  #fullJid: string;
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
    this.#telling = new Telling(log);
    this.#incoming = new Listeners(log);
    this.#receipts = new Listeners(log);
    this.#occupants = new Listeners(log);
    this.#settling = new Settling(options.settleAfter ?? 5 * second, options.settlePerPerson ?? 10);
    this.#fullJid = `${config.jid}/${config.resource}`;
    this.#staleAfter = options.staleAfter ?? staleAfter;
    this.#cache = new PresenceCache({ staleAfter: this.#staleAfter });
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
    this.iq = new Iq({
      clock,
      send,
      own: () => ({ bare: config.jid, full: normaliseAddress(this.#fullJid), domain }),
    });
    this.#adHoc = new AdHoc({ send, log });
    answerAbout(this.iq, { version: options.version, adHoc: this.#adHoc, own: () => this.#fullJid, clock });
    this.#roster = new Roster({
      clock,
      iq: this.iq,
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
    this.#dutyRooms = new DutyRooms(clock, (jid, presence) => this.#occupants.tell(jid, presence));
    this.#openings = new Openings(log);
    const events = this.#openings.and(this.#dutyRooms);
    this.#rooms = new Rooms({ clock, iq: this.iq, send, nick: config.nick, log, events });
    this.#probes = new Probes({ clock, iq: this.iq, send, log });
    this.#federation = new Federation({
      clock,
      iq: this.iq,
      log,
      cache: this.#cache,
      ownDomain: domain,
      trusted: config.trustedDomains,
      settleAfter: this.#settling.least,
      tell: (changes) => this.#tell(changes),
      probe: (jid) => this.#probes.probe(jid),
      askAgain: (jid) => this.#roster.askAgain(jid),
    });
    this.#messages = new Messages({
      clock,
      log,
      ownBare: config.jid,
      rooms: this.#rooms,
      send,
      watches: (jid) => this.#cache.watches(jid),
      events: {
        message: (message) => this.#incoming.tell(message),
        receipt: (receipt) => this.#receipts.tell(receipt),
      },
    });
  }

  start(): void {
    if (this.#stopped) throw new Error('already started');
    this.#stopped = new AbortController();
    this.#link.start();
    keepDoing((now) => this.#chore(now), this.#clock, this.#log, this.#stopped.signal);
  }

  async stop(): Promise<void> {
    const stopped = this.#stopped;
    if (!stopped) return;
    this.#stopped = null;
    stopped.abort();
    this.#session += 1;
    this.#rooms.stop();
    if (this.#link.status().state === 'up') sayGoodbye(this.#link, this.#log);
    await this.#link.stop();
    this.iq.fail();
    this.#outbox.stop();
    this.#telling.stop();
  }

  presenceOf(jid: BareJid): ReturnType<Watcher['presenceOf']> {
    return this.#federation.trusts(jid) ? this.#cache.presenceOf(jid) : untrusted;
  }

  onChange(listener: (change: PresenceChange) => void): void {
    this.#telling.changes.add(listener);
  }

  onHeard(listener: (jid: BareJid, presence: Presence) => void): void {
    this.#telling.heard.add(({ jid, presence }) => listener(jid, presence));
  }

  watch(people: readonly BareJid[]): void {
    const wanted = new Set(people.filter((jid) => this.#federation.trusts(jid)));
    this.#federation.watch(wanted);
    const added = [...wanted].filter((jid) => !this.#cache.watches(jid));
    this.#cache.watch(wanted);
    this.#probes.keepOnly(wanted);
    this.#roster.watch(wanted);
    if (!this.#present) return;
    // Whoever was in the roster told us before anybody listened: silence would now be taken for absence.
    for (const jid of added) this.#probes.probe(jid);
    this.#settleLater();
  }

  link(): ReturnType<Watcher['link']> {
    return this.#link.status();
  }

  onAsk(...how: Parameters<NonNullable<Notifier['onAsk']>>): void {
    this.#adHoc.answerWith(...how);
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
    if (!this.#rooms.isIn(room)) throw new SendError('not-in-room', `not in the room ${room} now`, true);
    await this.#outbox.send(xml('message', { to: room, type: 'groupchat' }, xml('subject', {}, text)));
  }

  async send(...[target, text, id, more]: Parameters<Notifier['send']>): Promise<void> {
    if (target.kind === 'room' && this.#link.status().state === 'up' && !this.#rooms.isIn(target.room)) {
      throw new SendError('not-in-room', `not in the room ${target.room} now`, true);
    }
    await this.#outbox.send(this.#messages.compose(target, text, id, more), id);
  }

  join(rooms: readonly BareJid[]): void {
    this.#rooms.join(rooms);
  }

  watchRooms(rooms: readonly BareJid[]): void {
    this.#dutyRooms.watch(rooms);
  }

  onOccupant(listener: (jid: BareJid, presence: Presence | null) => void): void {
    this.#occupants.add(listener);
  }

  faults(): readonly PresenceFault[] {
    // Without a link there is one fault, and the link tells of it.
    if (this.#link.status().state !== 'up') return [];
    const now = this.#clock.now();
    return [...this.#dutyRooms.faults(now, roomPatience), ...this.#federation.faults(), ...this.#roster.faults(now)];
  }

  async verify(jid: BareJid, within: Duration): Promise<boolean | null> {
    const here = await this.#probes.ping(jid, this.#cache.presenceOf(jid), within);
    if (here !== null && this.#link.status().state === 'up')
      this.#tellOf(jid, this.#cache.verified(jid, here, this.#clock.now()));
    return here;
  }

  onMessage(listener: (message: IncomingMessage) => void): void {
    this.#incoming.add(listener);
  }

  onOpen(listener: (room: BareJid | null) => void): void {
    this.#openings.add(listener);
  }

  onReceipt(listener: (receipt: Receipt) => void): void {
    this.#receipts.add(listener);
  }

  #onUp(session: Session): void {
    this.#fullJid = session.jid;
    this.#outbox.open(session);
    if (session.resumed) {
      this.#tell(this.#cache.resumed(this.#clock.now()));
      this.#dutyRooms.unmute();
      this.#rooms.sessionUp(true);
      // The session may have been cut before it was set up.
      if (this.#present) this.#openings.tell(null);
      if (this.#present) return;
    } else {
      this.#present = false;
      this.iq.fail();
      this.#roster.reset();
      this.#federation.reset();
      this.#dutyRooms.unmute();
      this.#tell(this.#cache.flush(this.#clock.now()));
    }
    this.#session += 1;
    this.#setUp(this.#session).catch((error: Error) => {
      this.#log.error({ err: error }, 'the session could not be set up');
    });
  }

  /** RFC 6121 §2.2, §4.2: the roster first, so that every presence that comes is of somebody known. */
  async #setUp(session: number): Promise<void> {
    this.#settling.cancel();
    // A server without rosters, or one too slow: what presence tells is still worth having.
    await this.#roster.load().catch((error: Error) => this.#log.error({ err: error }, 'the roster could not be read'));
    if (session !== this.#session || this.#link.status().state !== 'up') return;
    this.#present = true;
    await this.#outbox.send(ownPresence(this.#status)).catch((error: Error) => {
      this.#present = false;
      this.#log.warn({ err: error }, 'our presence could not be sent');
    });
    if (session !== this.#session) return;
    this.#openings.tell(null);
    this.#settleLater();
    this.#rooms.sessionUp(false);
    await publishCard(this.iq, this.#log);
  }

  #onDown(heardAt: Instant): void {
    this.#outbox.close();
    this.#rooms.sessionDown();
    this.#tell(this.#cache.linkDown(this.#clock.now(), heardAt));
  }

  #onStanza(stanza: Element): void {
    switch (stanza.name) {
      case 'iq':
        if (!this.#adHoc.handle(stanza)) this.iq.handle(stanza);
        return;
      case 'message':
        this.#federation.hear(stanza);
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
    if (this.#cache.watches(bare)) {
      this.#settling.heard(now);
      this.#federation.hear(stanza);
      // The way to their server is broken: that has been told, of all of them.
      if (this.#cache.presenceOf(bare).reason === 'remote-silent') return;
    }
    if (fact.kind === 'error' && this.#cache.watches(bare)) this.#probes.doubtful(bare);
    else this.#probes.heard(bare);
    if (this.#cache.watches(bare)) this.#tellOf(bare, this.#cache.apply(fact, now));
  }

  /** Past the pacing and the window: what waits there must not make a healthy link look dead. */
  #askAlive(): void {
    this.#link.requestAck();
    this.#link.send(pingTo(domainOf(this.#config))).catch((error: Error) => {
      this.#log.debug({ err: error }, 'a ping was not sent');
    });
  }

  #settleLater(): void {
    if (this.#present) this.#settling.begin(this.#clock.now(), this.#cache.size);
  }

  #chore(now: Instant): void {
    this.#tell(this.#cache.tick(now));
    const { state, downSince } = this.#link.status();
    if (downSince !== undefined && now - downSince >= this.#staleAfter) this.#dutyRooms.mute();
    if (state !== 'up') return;
    this.#rooms.tick();
    if (this.#present) this.#federation.tick(now);
    if (!this.#probes.busy && this.#settling.isOver(now))
      this.#tell(this.#cache.settle(now, (jid) => this.#federation.isOwn(jid)));
    this.#probes.tick(now);
  }

  #tell(what: readonly (PresenceChange | Heard)[]): void {
    this.#telling.tell(what);
  }

  /** Of somebody whom something was heard of: a change, or else that it is so still. */
  #tellOf(jid: BareJid, changes: readonly PresenceChange[]): void {
    this.#tell(changes.length > 0 ? changes : [{ jid, presence: this.#cache.presenceOf(jid) }]);
  }
}
