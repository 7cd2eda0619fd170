// A real XMPP server, people on slixmpp, and the adapter under test: what the live suites over Prosody and ejabberd share.
import { readFileSync } from 'node:fs';
import { systemClock, systemRandom } from '../../src/clock.ts';
import type { XmppConfig } from '../../src/config.ts';
import type { IncomingMessage } from '../../src/notify/notifier.ts';
import { type BareJid, expectBareJid } from '../../src/presence/jid.ts';
import type { PresenceChange } from '../../src/presence/presence.ts';
import type { LinkStatus } from '../../src/presence/watcher.ts';
import type { Xmpp, XmppOptions } from '../../src/xmpp/adapter.ts';
import { createXmpp } from '../../src/xmpp/adapter.ts';
import type { Receipt } from '../../src/xmpp/messages.ts';
import { Journal } from './journal.ts';
import { type Peer, People, type Person, type PersonOptions } from './person.ts';
import { TcpProxy } from './tcp-proxy.ts';

export interface ServerPeer extends Peer, AsyncDisposable {
  start(): Promise<void>;
  stop(): Promise<void>;
  kill9(): Promise<void>;
  freeze(): void;
  thaw(): void;
  log(): Promise<string>;
}

export interface Bot {
  readonly xmpp: Xmpp;
  readonly changes: Journal<PresenceChange>;
  readonly messages: Journal<IncomingMessage>;
  readonly receipts: Journal<Receipt>;
  becomes(state: string, jid?: BareJid): Promise<PresenceChange>;
  link(fits: (link: LinkStatus) => boolean, within?: number): Promise<LinkStatus>;
}

export const pause = (ms: number): Promise<void> => systemClock.sleepUntil(systemClock.now() + ms);

export class XmppSite implements AsyncDisposable {
  readonly server: ServerPeer;
  readonly people: People;
  readonly proxy: TcpProxy;
  readonly #cleanups: (() => Promise<void>)[] = [];
  readonly alice: BareJid;
  readonly bob: BareJid;

  private constructor(server: ServerPeer, proxy: TcpProxy) {
    this.server = server;
    this.proxy = proxy;
    this.people = new People(server);
    this.alice = expectBareJid(`alice@${server.domain}`);
    this.bob = expectBareJid(`bob@${server.domain}`);
  }

  static readonly accounts = {
    pointsman: 'pw-ß-日本',
    alice: 'pw-alice',
    bob: 'pw-bob',
    carol: 'pw-carol',
    // These are in no shared roster group: they must be asked.
    dora: 'pw-dora',
    erik: 'pw-erik',
    fay: 'pw-fay',
  } as const;
  static readonly shared = ['pointsman', 'alice', 'bob', 'carol'] as const;

  static async open(server: ServerPeer): Promise<XmppSite> {
    return new XmppSite(server, await TcpProxy.start(server.port));
  }

  jid(name: string): BareJid {
    return expectBareJid(`${name}@${this.server.domain}`);
  }

  bot(changes: Partial<XmppConfig> = {}, options: Partial<XmppOptions> = {}): Bot {
    const config: XmppConfig = {
      jid: this.jid('pointsman'),
      resource: 'pointsman',
      password: XmppSite.accounts.pointsman,
      server: { host: '127.0.0.1', port: this.proxy.port },
      tls: 'required',
      ca: readFileSync(this.server.caFile, 'utf8'),
      nick: 'pointsman',
      rate: 100_000,
      ...changes,
    };
    const xmpp = createXmpp(config, { clock: systemClock, random: systemRandom, settleAfter: 1_000, ...options });
    const made: Bot = {
      xmpp,
      changes: new Journal<PresenceChange>('presence'),
      messages: new Journal<IncomingMessage>('messages'),
      receipts: new Journal<Receipt>('receipts'),
      becomes: (state, jid = this.alice) =>
        made.changes.next((change) => change.jid === jid && change.presence.state === state, {
          what: `${jid} ${state}`,
        }),
      link: async (fits, within = 20_000) => {
        const late = AbortSignal.timeout(within);
        while (!fits(xmpp.link())) {
          if (late.aborted) throw new Error(`the link is ${JSON.stringify(xmpp.link())}`);
          await pause(20);
        }
        return xmpp.link();
      },
    };
    xmpp.onChange((change) => made.changes.add(change));
    xmpp.onMessage((message) => made.messages.add(message));
    xmpp.onReceipt((receipt) => made.receipts.add(receipt));
    xmpp.start();
    this.#cleanups.push(() => xmpp.stop());
    return made;
  }

  async login(name: keyof typeof XmppSite.accounts, more: PersonOptions = {}): Promise<Person> {
    const person = this.people.person(name, XmppSite.accounts[name], more);
    await person.login();
    this.#cleanups.push(() => person.logout());
    return person;
  }

  async until(holds: () => boolean, what: string, within = 20_000): Promise<void> {
    const late = AbortSignal.timeout(within);
    while (!holds()) {
      if (late.aborted) throw new Error(`not within ${within} ms: ${what}`);
      await pause(20);
    }
  }

  /** Until a room has let us in, say. */
  async untilSent(send: () => Promise<void>, within = 20_000): Promise<void> {
    const late = AbortSignal.timeout(within);
    for (;;) {
      try {
        await send();
        return;
      } catch (error) {
        if (late.aborted) throw error;
        await pause(50);
      }
    }
  }

  /** Between two tests. */
  async tidy(): Promise<void> {
    this.proxy.slow(null);
    this.proxy.strip(null);
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tidy();
    await this.proxy[Symbol.asyncDispose]();
    await this.people[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}
