// What an IM dialogue runs on: the real relay and store on a clock that stands still, the real XMPP adapter, and the
// embedded XMPP server with people who are sockets. Mail is accepted and forwarded at once.
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { day, hour, minute, systemClock } from '../../../src/clock.ts';
import { noFaults } from '../../../src/fault-point.ts';
import { turnByTurn } from '../../../src/leisure.ts';
import type { Log } from '../../../src/log.ts';
import { expectMailbox, nullReversePath } from '../../../src/mail/path.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { expectBareJid } from '../../../src/presence/jid.ts';
import { createPresenceDesk, type PresenceDesk } from '../../../src/presence-desk.ts';
import type { OperatorTargets } from '../../../src/relay/faults/announcing.ts';
import type { Finding } from '../../../src/relay/parts.ts';
import { createRelay, type Relay } from '../../../src/relay.ts';
import { parseRules } from '../../../src/routing/parse.ts';
import type { Rules } from '../../../src/routing/rules.ts';
import { createXmppServer, type Element, type XmppServer } from '../../../src/sandbox/xmpp-server/xmpp-server.ts';
import { composeReport } from '../../../src/smtp/report.ts';
import { openSqliteStore } from '../../../src/store/sqlite/open.ts';
import type { Store } from '../../../src/store/store.ts';
import type { StoryEvent } from '../../../src/tracking/event.ts';
import type { Outcome } from '../../../src/transport.ts';
import { createXmpp, type Xmpp } from '../../../src/xmpp/adapter.ts';
import { settle, TestClock } from '../../support/clock.ts';

export const domain = 'example.org';
export const room = `duty@rooms.${domain}`;
export const bot = `pointsman@${domain}`;

export interface SiteOptions {
  readonly rules: string;
  readonly people: readonly string[];
  /** People who come later: they have an account. */
  readonly others?: readonly string[];
  readonly operators?: Partial<OperatorTargets>;
  /** Who has not met the bot yet: everybody is greeted. */
  readonly strangersToBot?: boolean;
  /** Begins at the machine's time, so that presence and the relay agree on when somebody left. */
  readonly realTime?: boolean;
}

/** One thing a person got from the bot, as text. */
export interface Got {
  readonly text: string;
  readonly stanza: Element;
}

export class ImSite implements AsyncDisposable {
  readonly clock: TestClock;
  readonly logged: string[] = [];
  readonly events: StoryEvent[] = [];
  readonly clients = new Map<string, Client>();
  readonly server: XmppServer;
  readonly findings = new Map<string, Finding>();
  readonly webhooks: unknown[] = [];
  store!: Store;
  freeSpace = 1_000_000_000;
  relay!: Relay;
  xmpp!: Xmpp;
  desk!: PresenceDesk;
  outcome: Outcome = { kind: 'accepted', reply: { code: 250, enhanced: '2.0.0', text: 'Ok' } };
  readonly #options: SiteOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), 'pointsman-im-'));
  #address = { host: '', port: 0 };
  #random = 1;
  #mails = 0;

  constructor(options: SiteOptions) {
    this.#options = options;
    this.clock = options.realTime ? new TestClock(Date.now()) : new TestClock();
    const names = ['pointsman', 'eve', ...options.people, ...(options.others ?? [])];
    this.server = createXmppServer({
      domain,
      accounts: Object.fromEntries(names.map((name) => [name, `pw-${name}`])),
      sharedRoster: { hub: 'pointsman' },
      rooms: ['duty'],
      offlinePresence: 'unavailable',
    });
  }

  static async open(options: SiteOptions): Promise<ImSite> {
    const site = new ImSite(options);
    await site.#open();
    return site;
  }

  async #open(): Promise<void> {
    const { rules: text, people } = this.#options;
    const loaded = parseRules([{ name: 'rules/test.yaml', text }]);
    const { rules } = loaded;
    if (!rules) throw new Error(loaded.problems.map(({ message }) => message).join('\n'));
    this.#address = await this.server.start();
    this.store = await openSqliteStore({ folder: this.#folder, keepContent: hour });
    await this.#boot(rules);
    const eve = await this.login('eve');
    await eve.join('eve');
    for (const name of people) await (await this.login(name)).join(name);
    await this.#known(people);
    eve.seen = eve.got.length;
  }

  #known(people: readonly string[]): Promise<void> {
    return this.until('everybody known', () =>
      people.every((name) => this.xmpp.presenceOf(expectBareJid(`${name}@${domain}`)).state === 'available'),
    );
  }

  /** The program ends and starts again: what it knows is in the store. */
  async restart(): Promise<void> {
    await this.relay.drain();
    this.desk.stop();
    await this.xmpp.stop();
    await this.store.releaseLeases();
    const { rules } = parseRules([{ name: 'rules/test.yaml', text: this.#options.rules }]);
    if (rules) await this.#boot(rules);
    await this.#known(this.#options.people);
  }

  async #boot(rules: Rules): Promise<void> {
    const { operators } = this.#options;
    this.xmpp = createXmpp(
      {
        jid: expectBareJid(bot),
        resource: 'pm',
        password: 'pw-pointsman',
        server: this.#address,
        tls: 'none',
        ca: null,
        nick: 'pointsman',
        rate: 1_000_000,
      },
      { clock: systemClock, random: () => 0, log: this.#log(), settleAfter: 0, settlePerPerson: 0 },
    );
    const nextHop = { name: 'default', host: '127.0.0.1', port: 1, tls: 'none', maxConnections: 5 } as const;
    this.desk = await createPresenceDesk({
      stream: this.xmpp,
      clock: this.clock,
      log: this.#log(),
      store: this.store,
      damping: { up: 0, down: 0 },
    });
    this.relay = await createRelay({
      config: {
        hostname: `mx.${domain}`,
        peers: [{ network: '127.0.0.0/8', carriesMembers: false }],
        domains: [domain],
        nextHops: { default: nextHop, byDomain: new Map() },
        queue: {
          lifetime: 5 * day,
          firstRetry: 5 * minute,
          longestRetry: 4 * hour,
          keepContent: hour,
          keepHistory: 30 * day,
          reportLifetime: 2 * day,
          delayNotice: 4 * hour,
        },
        reports: { languages: [] },
        postmaster: null,
        limits: { messages: null, recipients: null, most: 100_000, leastFree: 1 },
      },
      freeSpace: async () => this.freeSpace,
      clock: this.clock,
      leisure: turnByTurn,
      random: () => {
        this.#random = (this.#random * 48_271) % 2_147_483_647;
        return this.#random / 2_147_483_647;
      },
      store: this.store,
      rules: { current: () => rules },
      watcher: this.desk,
      notifier: this.xmpp,
      ours: null,
      transport: {
        ship: async (_hop, shipment, { onFinalDot }) => {
          await onFinalDot();
          return shipment.recipients.map(() => this.outcome);
        },
        close: async () => undefined,
      },
      composeReport,
      markKeys: () => [{ id: 'k1', secret: Buffer.from('a secret of the test') }],
      log: this.#log(),
      tell: (event) => void this.events.push(event),
      reach: noFaults,
      operators: { room: null, people: [], group: null, mailbox: null, ...operators },
      webhook: async (report) => void this.webhooks.push(report),
      probe: async () => [...this.findings.values()],
    });
    if (this.#options.strangersToBot !== true) {
      for (const name of rules.people.keys()) await this.store.remember(`greeted ${name}@${domain}`, '1');
    }
    this.relay.start();
    this.desk.follow([...rules.people.values()].map(({ name, jid }) => ({ name, jid })));
    this.desk.start();
    this.xmpp.join([expectBareJid(room)]);
    this.xmpp.start();
    await this.until('the bot in the room', () => this.server.rooms().some(({ occupants }) => occupants.length > 0));
  }

  async login(name: string, resource = 'desk'): Promise<Client> {
    const client = new Client(name, connect(this.#address), this.server, resource);
    this.clients.set(name, client);
    await client.enter();
    return client;
  }

  client(name: string): Client {
    const client = this.clients.get(name);
    if (!client) throw new Error(`nobody called ${name} is here`);
    return client;
  }

  async mail(to: string, subject: string, from = 'ann@example.net'): Promise<{ queueId: QueueId; id: string }> {
    this.#mails += 1;
    const content = `From: Ann <${from}>\r\nTo: ${to}\r\nSubject: ${subject}\r\nMessage-ID: <${this.#mails}@example.net>\r\n\r\nPlease come.\r\n`;
    const queueId = await this.relay.accept(
      { address: '127.0.0.1', port: 4711, helo: 'mta.example.net', tls: false, carriesMembers: false },
      {
        reversePath: from === nullReversePath ? nullReversePath : expectMailbox(from),
        forwardPaths: [{ mailbox: expectMailbox(to) }],
        body: '7BIT',
        smtputf8: /[^\x20-\x7e]/.test(subject),
      },
      Buffer.from(content),
    );
    const tracked = (await this.store.message(queueId))?.tracked[0];
    return { queueId, id: tracked?.shortId ?? '' };
  }

  /** Looked at after each turn of the event loop; the deadline is generous and no pause. */
  async until(what: string, fits: () => boolean | Promise<boolean>): Promise<void> {
    const late = AbortSignal.timeout(15_000);
    while (!(await fits())) {
      if (late.aborted) throw new Error(`${what}: did not come\n${this.logged.slice(-10).join('\n')}`);
      await settle();
    }
  }

  /** All that was set off has run its course through the store, whatever the chat server does. */
  async settled(): Promise<void> {
    for (let trips = 0; trips < 40; trips += 1) {
      await this.store.counts();
      await settle();
    }
  }

  /** All that was set off has run its course, through the store and the chat server. */
  async quiet(): Promise<void> {
    for (let round = 0; round < 2; round += 1) {
      for (let trips = 0; trips < 25; trips += 1) {
        await this.store.counts();
        await settle();
      }
      // Answered in order: what the bot had to send before is with the server when this is.
      await this.xmpp.send({ kind: 'room', room: expectBareJid(room) }, '(mark)', `mark.${Math.random()}`);
      await this.client('eve').pong();
    }
  }

  #log(): Log {
    const line = (fields: object, message: string) =>
      void this.logged.push(
        `${message} ${JSON.stringify(fields, (_, value) => (value instanceof Error ? value.stack : value))}`,
      );
    const log: Log = { debug: line, info: line, warn: line, error: line, child: () => log };
    return log;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients.values()) client.socket.destroy();
    await this.relay.drain();
    this.desk.stop();
    await this.xmpp.stop();
    await this.store.close();
    await this.server.stop('abruptly');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A person at a client that is nothing but a socket. */
export class Client {
  readonly name: string;
  readonly jid: string;
  readonly socket: Socket;
  /** Everything from the bot, in order: messages, and the ends of ad-hoc commands. */
  readonly got: Got[] = [];
  /** How many of them a dialogue has looked at. */
  seen = 0;
  #heard = '';
  #count = 0;
  #lastMessage = '';

  constructor(name: string, socket: Socket, server: XmppServer, resource: string) {
    this.name = name;
    this.jid = `${name}@${domain}/${resource}`;
    this.socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text) => {
      this.#heard = (this.#heard + text).slice(-100_000);
    });
    // A test that ends cuts the line.
    socket.on('error', () => undefined);
    server.onStanza((stanza, direction, jid) => {
      if (direction === 'out' && jid === this.jid) this.#receive(stanza);
    });
  }

  #receive(stanza: Element): void {
    const from = stanza.attrs.from ?? '';
    const fromBot = from.startsWith(`${bot}/`) || from === `${room}/pointsman`;
    if (!fromBot || (stanza.attrs.type === 'error' && stanza.name !== 'iq')) return;
    const body = stanza.name === 'message' ? stanza.getChildText('body') : null;
    if (body !== null && body !== '(mark)') this.got.push({ text: body, stanza });
    if (stanza.name === 'message' && body === null && stanza.getChildText('subject') !== null) {
      this.got.push({ text: `(subject) ${stanza.getChildText('subject')}`, stanza });
    }
    if (stanza.name === 'iq' && (stanza.attrs.id ?? '').startsWith('adhoc'))
      this.got.push({ text: readAdHoc(stanza), stanza });
  }

  say(xml: string): void {
    this.socket.write(xml);
  }

  async hears(text: string): Promise<void> {
    const late = AbortSignal.timeout(10_000);
    while (!this.#heard.includes(text)) {
      if (late.aborted || this.socket.destroyed)
        throw new Error(`${this.name} did not hear ${text} but ${this.#heard.slice(-2_000)}`);
      await settle();
    }
    this.#heard = '';
  }

  async enter(): Promise<void> {
    const open = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='${domain}' version='1.0'>`;
    const secret = Buffer.from(`\0${this.name}\0pw-${this.name}`).toString('base64');
    const [, resource] = this.jid.split('/');
    this.say(open);
    await this.hears('</stream:features>');
    this.say(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${secret}</auth>`);
    await this.hears('<success');
    this.say(open);
    await this.hears('</stream:features>');
    this.say(
      `<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${resource}</resource></bind></iq>`,
    );
    await this.hears('</jid>');
    this.say('<presence/>');
    await this.pong();
  }

  async join(nick: string): Promise<void> {
    this.say(
      `<presence to='${room}/${nick}'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>`,
    );
    await this.hears('code="110"');
  }

  /** Whatever we said before has been handled by the server. */
  async pong(): Promise<void> {
    this.#count += 1;
    const id = `pong-${this.name}-${this.#count}`;
    this.say(`<iq type='get' id='${id}'><ping xmlns='urn:xmpp:ping'/></iq>`);
    await this.hears(id);
  }

  message(body: string, more = '', to = bot, type = 'chat'): void {
    this.#count += 1;
    this.#lastMessage = `${this.name}-${this.#count}`;
    this.say(
      `<message to='${to}' type='${type}' id='${this.name}-${this.#count}'><body>${escaped(body)}</body>${more}</message>`,
    );
  }

  /** Of the last message this person sent. */
  get lastId(): string {
    return this.#lastMessage;
  }

  /** The last thing from the bot about a mail that asks for something, as it is referred to. */
  about(id: string): Got {
    const asked = this.got.findLast(
      ({ text, stanza }) => text.includes(`#${id}`) && !/^answer\./.test(stanza.attrs.id ?? ''),
    );
    if (!asked) throw new Error(`${this.name} was never told of #${id}`);
    return asked;
  }
}

function readAdHoc(stanza: Element): string {
  const inside = (element: Element | undefined): Element[] =>
    (element?.children ?? []).filter((child): child is Element => typeof child !== 'string');
  const error = stanza.getChild('error');
  if (error) return `(error) ${inside(error)[0]?.name ?? ''}`;
  const [command] = inside(stanza);
  const form = command?.getChild('x');
  if (form?.attrs.type === 'form') {
    const names = inside(form).flatMap(({ name, attrs }) => (name === 'field' ? [attrs.var ?? ''] : []));
    return `(form) ${names.join(' ')}`;
  }
  return `(${command?.attrs.status ?? ''}) ${command?.getChildText('note') ?? ''}`;
}

export const escaped = (text: string): string => text.replace(/[&<>'"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
