// One Pointsman for a story: the real relay, rules and SQLite store; time, people, next hops and instant messages are
// scripted. A fake fails the test on what it does not expect.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { day, hour, type Instant, minute } from '../../src/clock.ts';
import type { Config } from '../../src/config.ts';
import { type FaultPoint, noFaults } from '../../src/fault-point.ts';
import type { Client } from '../../src/intake.ts';
import { turnByTurn } from '../../src/leisure.ts';
import type { Fields, Log } from '../../src/log.ts';
import { headOf } from '../../src/mail/content.ts';
import type { Envelope, ForwardPath } from '../../src/mail/envelope.ts';
import type { MarkKey } from '../../src/mail/loop-mark.ts';
import { ourAddresses } from '../../src/mail/our-address.ts';
import { expectMailbox, nullReversePath } from '../../src/mail/path.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import type { MailboxSight } from '../../src/mailboxes.ts';
import type { IncomingMessage, Notifier, NotifyTarget } from '../../src/notify/notifier.ts';
import { type BareJid, expectBareJid } from '../../src/presence/jid.ts';
import { neverSeen, type Presence, type PresenceChange, type State } from '../../src/presence/presence.ts';
import type { LinkStatus, Watcher } from '../../src/presence/watcher.ts';
import { createRelay, type Relay } from '../../src/relay.ts';
import { parseRules } from '../../src/routing/parse.ts';
import type { Rules } from '../../src/routing/rules.ts';
import { composeReport } from '../../src/smtp/report.ts';
import { reads, type VerbName } from '../../src/store/sqlite/company.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import type { Store } from '../../src/store/store.ts';
import { advance } from '../../src/tracking/advance.ts';
import type { EventKind, StoryEvent } from '../../src/tracking/event.ts';
import type { Outcome, Shipment, Transport } from '../../src/transport.ts';
import { settle, TestClock } from './clock.ts';

export interface Shipped {
  readonly hop: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly shipment: Shipment;
  /** Prepended headers and content as text. */
  readonly text: string;
}

export interface Said {
  readonly to: string;
  readonly text: string;
  readonly id: string;
}

const accepted: Outcome = { kind: 'accepted', reply: { code: 250, enhanced: '2.0.0', text: 'Ok' } };
const nextHop = { name: 'default', host: '127.0.0.1', port: 10026, tls: 'none', maxConnections: 5 } as const;

function rulesOf(text: string): Rules {
  const loaded = parseRules([{ name: 'rules/test.yaml', text }]);
  if (!loaded.rules) throw new Error(loaded.problems.map(({ message }) => message).join('\n'));
  return loaded.rules;
}

/** Round trips to the store in which nobody else asks it anything. */
const stillness = 4;

export class Story {
  readonly clock = new TestClock();
  readonly folder = mkdtempSync(join(tmpdir(), 'pointsman-story-'));
  readonly events: StoryEvent[] = [];
  readonly shipped: Shipped[] = [];
  readonly said: Said[] = [];
  readonly logged: { level: string; fields: Fields; message: string }[] = [];
  store!: Store;
  relay!: Relay;
  rules: Rules;
  /** Outcomes by mailbox, used up in order; the last one stays. Who is not named accepts. */
  readonly outcomes = new Map<string, Outcome[]>();
  markKeys: readonly MarkKey[] = [{ id: 'k1', secret: Buffer.from('a secret of the test') }];
  /** Transactions with a next hop of this name end only when the promise does. */
  readonly hanging = new Map<string, Promise<void>>();
  /** What happens between the final dot and the next hop's reply to it. */
  onFinalDot: ((shipment: Shipment) => Promise<void>) | null = null;
  /** Next hops that take their time: so many connections, so long for each transaction. */
  readonly paced = new Map<string, { readonly connections: number; readonly takes: number }>();
  readonly #lines = new Map<string, { free: number; readonly waiting: (() => void)[] }>();
  freeSpace = 1_000_000;
  /** For the stories that begin after. */
  static limits: Partial<Config['limits']> = {};
  static queue: Partial<Config['queue']> = {};
  link: LinkStatus = { state: 'up', since: 0 };
  /** What their clients answer when they are asked whether anybody is there; who is not named cannot be asked. */
  readonly there = new Map<string, boolean>();
  readonly asked: string[] = [];
  /** While set, instant messages fail. */
  mute = false;
  /** What happens while an instant message is on its way; one that throws there does not arrive. */
  onSay: ((to: string) => Promise<void>) | null = null;
  /** While set, they go, and word of it is lost. */
  wordLost = false;
  readonly ours = ourAddresses(Buffer.alloc(32, 1), 'track.example.org');
  readonly #presence = new Map<BareJid, Presence>();
  readonly #changes: ((change: PresenceChange) => void)[] = [];
  readonly #hearers: ((message: IncomingMessage) => void)[] = [];
  readonly #receipts: Parameters<Notifier['onReceipt']>[0][] = [];
  readonly #openings: ((room: BareJid | null) => void)[] = [];
  readonly #waiting: { fits: () => unknown; done: (value: unknown) => void }[] = [];
  /** Called in the windows between two durable steps; one that throws there ends what is being done, as a crash does. */
  reach: FaultPoint = noFaults;
  /** Whoever else is told of what happens; may fail at that. */
  told: (event: StoryEvent) => void = () => undefined;
  /** Transactions so far; at which of them the process ends, before it or with its answer unheard. */
  writes = 0;
  dieAt: { readonly write: number; readonly when: 'before' | 'after' } | null = null;
  died: Promise<void> = new Promise(() => undefined);
  #asks = 0;
  #unanswered = 0;
  #random = 1;
  #markKey: string | undefined;
  #mailboxes = false;
  readonly #sights: ((sight: MailboxSight) => void)[] = [];

  constructor(rules: string) {
    this.rules = rulesOf(rules);
  }

  /** Other rules come into force. `asleep`: while no Pointsman runs, so that nobody is told. */
  reload(rules: string, { asleep = false } = {}): void {
    this.rules = rulesOf(rules);
    if (!asleep) this.relay.rulesChanged();
  }

  /** @param markKey as where an MTA asks us about all its mail @param mailboxes are looked into: see `sees` */
  static async begin(
    rules: string,
    { markKey, mailboxes = false }: { markKey?: string; mailboxes?: boolean } = {},
  ): Promise<Story> {
    const story = new Story(rules);
    story.#markKey = markKey;
    story.#mailboxes = mailboxes;
    await story.#open();
    return story;
  }

  async #open(): Promise<void> {
    this.store = this.#observed(await openSqliteStore({ folder: this.folder, keepContent: hour }));
    await this.store.releaseLeases();
    this.#changes.length = 0;
    this.#hearers.length = 0;
    this.#receipts.length = 0;
    this.#openings.length = 0;
    this.#sights.length = 0;
    this.relay = await createRelay({
      config: {
        hostname: 'mx.example.org',
        peers: [{ network: '127.0.0.0/8', carriesMembers: false }],
        domains: ['example.org', 'example.net'],
        nextHops: { default: nextHop, byDomain: new Map([['elsewhere.example', { ...nextHop, name: 'elsewhere' }]]) },
        queue: {
          lifetime: 5 * day,
          firstRetry: 5 * minute,
          longestRetry: 4 * hour,
          keepContent: hour,
          keepHistory: 30 * day,
          reportLifetime: 2 * day,
          delayNotice: 4 * hour,
          ...Story.queue,
        },
        reports: { languages: [] },
        postmaster: expectMailbox('chief@example.org'),
        limits: { messages: 60_000, recipients: null, most: 100_000, leastFree: 1_000, ...Story.limits },
      },
      clock: this.clock,
      leisure: turnByTurn,
      random: () => {
        // Park and Miller's minimal generator: repeatable chance.
        this.#random = (this.#random * 48_271) % 2_147_483_647;
        return this.#random / 2_147_483_647;
      },
      store: this.store,
      rules: { current: () => this.rules },
      watcher: this.#watcher(),
      notifier: this.#notifier(),
      transport: this.#transport(),
      composeReport,
      freeSpace: async () => this.freeSpace,
      ours: this.ours,
      markKeys: () => this.markKeys,
      log: this.#log(),
      tell: (event) => {
        this.events.push(event);
        this.#look();
        this.told(event);
      },
      reach: (window) => this.reach(window),
      ...(this.#markKey === undefined ? {} : { markKey: this.#markKey }),
      ...(this.#mailboxes
        ? { mailboxes: { watch: () => undefined, onSight: (listener) => void this.#sights.push(listener) } }
        : {}),
    });
    this.relay.start();
  }

  /** The process ends without warning and is started again on the same state. Nothing in hand is settled. */
  async crash(): Promise<void> {
    await this.store.close();
    await this.#open();
  }

  /** Takes the due step of the only message as the relay does, and ends there: as if it crashed before forwarding. */
  async giveTo(person: string): Promise<void> {
    const [before] = await this.store.listTracked({ limit: 1 });
    if (!before) throw new Error('nothing is tracked');
    const excluded = {};
    const people = Object.fromEntries(
      before.plan.candidates.map(({ person: name, jid }) => [
        name,
        { presence: (jid && this.#presence.get(jid)) ?? neverSeen, open: 0, lastAssignedAt: null },
      ]),
    );
    const snapshot = { now: this.clock.now(), people, lastInGroup: null, excluded, holdUntil: null };
    const { tracked, move } = advance(before, 'time', snapshot);
    if (move.kind !== 'reassign' || move.person !== person) throw new Error(`it went to ${JSON.stringify(move)}`);
    const forward = {
      queueId: before.queueId,
      path: { mailbox: move.mailbox, notify: ['never'] as const },
      plan: before.plan,
      forwardOf: before.seq,
      chosen: { mailbox: move.mailbox, person },
      firstAttemptAt: this.clock.now(),
    };
    await this.store.advance(tracked, { forwards: [forward] });
  }

  async end(): Promise<void> {
    await this.relay.drain();
    await this.store.close();
    rmSync(this.folder, { recursive: true, force: true });
    const errors = this.logged.filter(({ level }) => level === 'error');
    if (errors.length > 0) throw new Error(`unexpected errors in the log: ${JSON.stringify(errors, errorAsText)}`);
  }

  /** Errors in the log that this story provokes. */
  expectErrors(pattern: RegExp): void {
    const rest = this.logged.filter(({ level, message }) => !(level === 'error' && pattern.test(message)));
    if (rest.length === this.logged.length) throw new Error(`no error in the log matches ${pattern}`);
    this.logged.splice(0, this.logged.length, ...rest);
  }

  /** Errors in the log of a process that was killed: it does not know that it is dead. */
  ignoreErrors(pattern: RegExp): void {
    const rest = this.logged.filter(({ level, message }) => !(level === 'error' && pattern.test(message)));
    this.logged.splice(0, this.logged.length, ...rest);
  }

  // People

  presence(
    person: string,
    state: State,
    at: Instant = this.clock.now(),
    more: Pick<Presence, 'substitute' | 'source' | 'live'> = {},
  ): void {
    const jid = expectBareJid(`${person}@example.org`);
    const before = this.#presence.get(jid) ?? neverSeen;
    const presence: Presence = {
      state,
      since: at,
      asOf: at,
      ...(state === 'unknown' ? { reason: 'link-down' as const } : {}),
      ...more,
    };
    this.#presence.set(jid, presence);
    for (const listener of this.#changes) listener({ jid, at, before: before.state, presence });
  }

  /** Somebody writes to the bot, or in a room. */
  async says(from: string, body: string, more: Partial<IncomingMessage> = {}): Promise<void> {
    const message = {
      from: expectBareJid(from.includes('@') ? from : `${from}@example.org`),
      body,
      at: this.clock.now(),
      delayed: false,
      ...more,
    };
    for (const listener of this.#hearers) listener(message);
    await settle();
  }

  /** Their client has it. */
  received(who: string, id: string): void {
    for (const listener of this.#receipts)
      listener({ from: expectBareJid(`${who}@example.org`), id, kind: 'received', at: this.clock.now() });
  }

  /** In their mailbox the mail is marked as read. */
  sees(person: string, messageId: string): void {
    for (const listener of this.#sights) listener({ person, messageId, what: 'seen', reference: 'INBOX uid 1' });
  }

  /** Messages go again. */
  reopened(room: string | null = null): void {
    for (const listener of this.#openings) listener(room === null ? null : expectBareJid(room));
  }

  // Mail

  async mail(
    to: string | readonly (string | ForwardPath)[],
    more: {
      from?: string;
      subject?: string;
      headers?: string;
      /** Instead of all that: these octets. */
      content?: Uint8Array;
      envelope?: Partial<Envelope>;
      client?: Partial<Client>;
    } = {},
  ): Promise<QueueId> {
    const recipients = typeof to === 'string' ? [to] : to;
    const from = more.from ?? 'ann@example.net';
    const envelope: Envelope = {
      reversePath: from === nullReversePath ? nullReversePath : expectMailbox(from),
      forwardPaths: recipients.map((each) => (typeof each === 'string' ? { mailbox: expectMailbox(each) } : each)),
      body: '7BIT',
      smtputf8: false,
      ...more.envelope,
    };
    const content = `From: Ann <${from}>\r\nTo: ${recipients.map((each) => (typeof each === 'string' ? each : each.mailbox)).join(', ')}\r\nSubject: ${more.subject ?? 'The printer is on fire'}\r\nMessage-ID: <${this.clock.now()}.${this.events.length}@example.net>\r\n${more.headers ?? ''}\r\nPlease come.\r\n`;
    const client: Client = {
      address: '127.0.0.1',
      port: 4711,
      helo: 'mta.example.net',
      tls: false,
      carriesMembers: false,
      ...more.client,
    };
    return this.relay.accept(client, envelope, more.content ?? Buffer.from(content));
  }

  /**
   * Before asserting that nothing happened: whatever was set off so far has run its course through the store.
   * @param most round trips: no reaction takes more, but a flood goes on
   */
  async quiet(most = 40): Promise<void> {
    // Every reaction goes by way of the store; when nobody but us has asked it anything for some round trips, all are over.
    for (let still = 0, trips = 0; still < stillness && trips < most; trips += 1) {
      const before = this.#asks;
      await this.store.counts();
      await settle();
      still = this.#asks === before + 1 && this.#unanswered === 0 ? still + 1 : 0;
    }
  }

  /** Counts what the store is asked, and what it has yet to answer; and ends the process where `dieAt` says. */
  #observed(store: Store): Store {
    this.#unanswered = 0;
    const { promise, resolve: die } = Promise.withResolvers<void>();
    let dead = false;
    this.died = promise.then(() => {
      dead = true;
    });
    const never = new Promise<never>(() => undefined);
    const isTheEnd = (): boolean => {
      this.writes += 1;
      dead = this.writes === this.dieAt?.write;
      if (dead) die();
      return dead;
    };
    const answered = (): void => {
      this.#unanswered -= 1;
    };
    return new Proxy(store, {
      get: (target, name, receiver) => {
        const verb: unknown = Reflect.get(target, name, receiver);
        if (typeof verb !== 'function' || name === 'close') return verb;
        // That nothing was claimed is no transaction.
        const claims = name === 'claimDue';
        return (...args: unknown[]) => {
          if (dead) return never;
          const ends = !claims && !reads.has(name as VerbName) && isTheEnd();
          if (ends && this.dieAt?.when === 'before') return never;
          const answer: unknown = Reflect.apply(verb, target, args);
          if (!(answer instanceof Promise)) return answer;
          this.#asks += 1;
          this.#unanswered += 1;
          answer.then(answered, answered);
          return answer.then((value: unknown) => {
            if (claims && !dead && (value as readonly unknown[]).length > 0) isTheEnd();
            return dead ? never : value;
          });
        };
      },
    });
  }

  // Waiting: for what is there already or comes; never for time.

  /** The first event of this kind (and of this message) that is there or comes. */
  event<Kind extends EventKind>(
    kind: Kind,
    fits: (event: Extract<StoryEvent, { event: Kind }>) => boolean = () => true,
  ): Promise<Extract<StoryEvent, { event: Kind }>> {
    type Wanted = Extract<StoryEvent, { event: Kind }>;
    return this.#until(() =>
      this.events.find((event): event is Wanted => event.event === kind && fits(event as Wanted)),
    );
  }

  /** The first thing said to them (a person's name or a JID) that matches. */
  hears(who: string, pattern: RegExp): Promise<Said> {
    const jid = who.includes('@') ? who : `${who}@example.org`;
    return this.#until(() => this.said.find(({ to, text }) => to === jid && pattern.test(text)));
  }

  ships(to: string): Promise<Shipped> {
    return this.#until(() => this.shipped.find((each) => each.to.includes(to)));
  }

  #until<Found>(find: () => Found | undefined): Promise<Found> {
    return new Promise((resolve) => {
      this.#waiting.push({ fits: find, done: resolve as (value: unknown) => void });
      this.#look();
    });
  }

  #look(): void {
    for (const waiting of [...this.#waiting]) {
      const found = waiting.fits();
      if (found === undefined) continue;
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.done(found);
    }
  }

  #watcher(): Watcher {
    return {
      presenceOf: (jid) => this.#presence.get(jid) ?? neverSeen,
      onChange: (listener) => void this.#changes.push(listener),
      watch: () => undefined,
      link: () => this.link,
      verify: async (jid) => {
        const person = jid.split('@')[0] ?? '';
        this.asked.push(person);
        const here = this.there.get(person) ?? null;
        const known = this.#presence.get(jid);
        if (here === true && known) this.#presence.set(jid, { ...known, asOf: this.clock.now() });
        if (here === false) this.#presence.set(jid, { ...neverSeen, reason: 'no-answer' });
        return here;
      },
    };
  }

  #notifier(): Notifier {
    return {
      send: async (target: NotifyTarget, text, id) => {
        await this.onSay?.(target.kind === 'room' ? target.room : target.jid);
        if (this.mute) throw Object.assign(new Error('the link is down'), { unsent: true });
        this.said.push({ to: target.kind === 'room' ? target.room : target.jid, text, id });
        this.#look();
        if (this.wordLost) throw new Error('not acknowledged within 30 s');
      },
      join: () => undefined,
      onMessage: (listener) => void this.#hearers.push(listener),
      onReceipt: (listener) => void this.#receipts.push(listener),
      onOpen: (listener) => void this.#openings.push(listener),
    };
  }

  #transport(): Transport {
    return {
      ship: async (hop, shipment, { onFinalDot }) => {
        await this.hanging.get(hop.name);
        await this.#served(hop.name);
        const outcomes = shipment.recipients.map(({ mailbox }) => {
          const script = this.outcomes.get(mailbox) ?? [];
          return (script.length > 1 ? script.shift() : script[0]) ?? accepted;
        });
        if (outcomes.some(({ kind }) => kind === 'accepted')) {
          await onFinalDot();
          await this.onFinalDot?.(shipment);
        }
        this.shipped.push({
          hop: hop.name,
          from: shipment.envelope.reversePath,
          to: shipment.recipients.map(({ mailbox }) => mailbox),
          shipment,
          text: shipment.prepend + Buffer.from(headOf(shipment.content)).toString('latin1'),
        });
        this.#look();
        return outcomes;
      },
      close: async () => undefined,
    };
  }

  /** First come, first served, as a pool of connections does. */
  async #served(hop: string): Promise<void> {
    const pace = this.paced.get(hop);
    if (!pace) return;
    const line = this.#lines.get(hop) ?? { free: pace.connections, waiting: [] };
    this.#lines.set(hop, line);
    if (line.free === 0) await new Promise<void>((resolve) => line.waiting.push(resolve));
    else line.free -= 1;
    await this.clock.sleepUntil(this.clock.now() + pace.takes);
    const next = line.waiting.shift();
    if (next) next();
    else line.free += 1;
  }

  #log(): Log {
    const line = (level: string) => (fields: Fields, message: string) =>
      void this.logged.push({ level, fields, message });
    const log: Log = {
      debug: line('debug'),
      info: line('info'),
      warn: line('warn'),
      error: line('error'),
      child: () => log,
    };
    return log;
  }
}

const errorAsText = (_key: string, value: unknown): unknown => (value instanceof Error ? value.stack : value);
