// For the tests of the XMPP adapter: a bot against the embedded server, waits for events, a certificate.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/clock.ts';
import type { XmppConfig } from '../../../src/config.ts';
import type { IncomingMessage } from '../../../src/notify/notifier.ts';
import { type BareJid, expectBareJid } from '../../../src/presence/jid.ts';
import type { PresenceChange } from '../../../src/presence/presence.ts';
import {
  createXmppServer,
  type XmppServer,
  type XmppServerOptions,
} from '../../../src/sandbox/xmpp-server/xmpp-server.ts';
import type { Xmpp, XmppOptions } from '../../../src/xmpp/adapter.ts';
import { createXmpp } from '../../../src/xmpp/adapter.ts';
import type { Receipt } from '../../../src/xmpp/messages.ts';
import { Journal } from '../../support/journal.ts';

export const alice = expectBareJid('alice@example.test');
export const team = expectBareJid('team@rooms.example.test');

/** Every field of the log, for tests that look for what must or must not be in it. */
export class LogBook {
  readonly lines: string[] = [];
  readonly #line = (fields: object, message: string): void => {
    this.lines.push(`${message} ${JSON.stringify(fields)}`);
  };
  readonly debug = this.#line;
  readonly info = this.#line;
  readonly warn = this.#line;
  readonly error = this.#line;
  readonly child = (): LogBook => this;
}

export interface Site extends AsyncDisposable {
  readonly server: XmppServer;
  readonly address: { readonly host: string; readonly port: number };
  bot(changes?: Partial<XmppConfig>, options?: Partial<XmppOptions>): Bot;
  /** Another client, by our own adapter: somebody to be seen and to write. */
  person(name: string, options?: { rooms?: readonly BareJid[] }): Promise<Bot>;
}

export interface Bot {
  readonly xmpp: Xmpp;
  readonly log: LogBook;
  readonly changes: Journal<PresenceChange>;
  readonly messages: Journal<IncomingMessage>;
  readonly receipts: Journal<Receipt>;
  becomes(state: string, jid?: BareJid): Promise<PresenceChange>;
  /** Resolves when the link's status fits: looked at after each turn of the event loop, never by sleeping. */
  link(fits: (status: ReturnType<Xmpp['link']>) => boolean): Promise<ReturnType<Xmpp['link']>>;
}

export async function openSite(options: Partial<XmppServerOptions> = {}): Promise<Site> {
  const server = createXmppServer({
    domain: 'example.test',
    accounts: { bot: 'pw-bot', alice: 'pw-alice', bob: 'pw-bob' },
    sharedRoster: { hub: 'bot' },
    rooms: ['team'],
    offlinePresence: 'silence',
    ...options,
  });
  const address = await server.start();
  const bots: Bot[] = [];

  function bot(changes: Partial<XmppConfig> = {}, more: Partial<XmppOptions> = {}): Bot {
    const config: XmppConfig = {
      jid: expectBareJid('bot@example.test'),
      resource: 'pm',
      password: 'pw-bot',
      server: address,
      tls: 'none',
      ca: null,
      nick: 'pointsman',
      rate: 1_000_000,
      ...changes,
    };
    const log = new LogBook();
    // The first pauses are short because a lucky draw of 0 gives the least there is.
    const xmpp = createXmpp(config, { clock: systemClock, random: () => 0, log, settleAfter: 0, ...more });
    const made: Bot = {
      xmpp,
      log,
      changes: new Journal('changes'),
      messages: new Journal('messages'),
      receipts: new Journal('receipts'),
      becomes: (state, jid = alice) =>
        made.changes.next((change) => change.jid === jid && change.presence.state === state, {
          what: `${jid} ${state}`,
        }),
      link: async (fits) => {
        const late = AbortSignal.timeout(15_000);
        while (!fits(xmpp.link())) {
          if (late.aborted)
            throw new Error(`the link is ${JSON.stringify(xmpp.link())}; ${log.lines.slice(-5).join('\n')}`);
          await new Promise((resolve) => setImmediate(resolve));
        }
        return xmpp.link();
      },
    };
    xmpp.onChange((change) => made.changes.add(change));
    xmpp.onMessage((message) => made.messages.add(message));
    xmpp.onReceipt((receipt) => made.receipts.add(receipt));
    bots.push(made);
    return made;
  }

  return {
    server,
    address,
    bot,
    async person(name, { rooms = [] } = {}) {
      const jid = expectBareJid(`${name}@example.test`);
      const made = bot({ jid, password: `pw-${name}`, resource: 'desk', nick: name });
      made.xmpp.watch([expectBareJid('bot@example.test')]);
      made.xmpp.join(rooms);
      const there = server.until(
        'stanza',
        ({ direction, stanza, jid: by }) =>
          direction === 'in' && by.startsWith(jid) && stanza.name === 'presence' && stanza.attrs.to === undefined,
      );
      made.xmpp.start();
      await there;
      return made;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(bots.map(({ xmpp }) => xmpp.stop()));
      await server.stop('abruptly');
    },
  };
}

/** A self-signed certificate for a name, in PEM. */
export function makeCertificate(name: string): { readonly key: string; readonly cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'pointsman-cert-'));
  try {
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
        ...['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`, '-keyout', key, '-out', cert],
      ],
      { stdio: 'pipe' },
    );
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
