// A small XMPP server on loopback, for the sandbox and as the scriptable peer of the fault tests: RFC 6120, RFC 6121,
// rooms by XEP-0045, stream management by XEP-0198. Everything lives in memory. Real clients can log in.
//   stream.ts     one connection: negotiation, login, stanzas       stream-parser.ts, sasl.ts, sm.ts: its parts
//   router.ts     where a client's stanza goes, a session's life    deliver.ts, presence.ts, iq.ts, muc.ts: the rules
//   world.ts      accounts and events, shared by all                faults.ts, intercept.ts: scripted trouble
import { once } from 'node:events';
import { type AddressInfo, createServer, isIPv4, type Socket } from 'node:net';
import { expectAddress, parseAddress } from './address.ts';
import type { Events, ServerEvent } from './events.ts';
import { Faults } from './faults.ts';
import { roomJid } from './muc.ts';
import { limits, type XmppServerOptions } from './options.ts';
import { subscriptionOf } from './roster.ts';
import { Router } from './router.ts';
import { Stream } from './stream.ts';
import { World } from './world.ts';
import type { Element } from './xml.ts';

export type { ServerEvent } from './events.ts';
export type { Faults } from './faults.ts';
export type { Interception, Match } from './intercept.ts';
export type { SharedRoster, XmppServerOptions } from './options.ts';
export { Element, el, ns, parseXml } from './xml.ts';

export interface SessionView {
  readonly jid: string;
  readonly connected: boolean;
  /** `undefined` while unavailable; `available` without <show/>. */
  readonly show: string | undefined;
  readonly priority: number;
  readonly resumable: boolean;
  /** Stanzas the client has not acknowledged yet. */
  readonly unacked: number;
}

export interface RoomView {
  readonly jid: string;
  readonly subject: string;
  readonly occupants: readonly { readonly nick: string; readonly jid: string }[];
}

export interface XmppServer {
  readonly domain: string;
  readonly roomDomain: string;
  readonly faults: Faults;
  start(): Promise<{ host: string; port: number }>;
  /** Accounts, rosters and rooms' names stay; sessions end. `abruptly` says no goodbye, like kill -9. */
  stop(how?: 'politely' | 'abruptly'): Promise<void>;
  addAccount(local: string, password: string): void;
  setPassword(local: string, password: string): void;
  sessions(): readonly SessionView[];
  rooms(): readonly RoomView[];
  /** The subscription an account has with a contact; undefined when the contact is not in its roster. */
  subscription(local: string, contact: string): { state: 'none' | 'to' | 'from' | 'both'; asked: boolean } | undefined;
  /** Messages stored for an account that is offline. */
  offlineMessages(local: string): readonly Element[];
  /** XEP-0045 §8.2, status 307. `room` is its local part or JID. Throws when nobody there has that nick. */
  kick(room: string, nick: string, reason?: string): void;
  on(listener: (event: ServerEvent) => void): () => void;
  onStanza(listener: (stanza: Element, direction: 'in' | 'out', jid: string) => void): () => void;
  /** The next such event from now on. */
  until: Events['until'];
}

export function createXmppServer(options: XmppServerOptions): XmppServer {
  const host = loopback(options.host ?? '127.0.0.1');
  const world = new World(options);
  const router = new Router(world);
  const streams = new Set<Stream>();
  const sockets = new Set<Socket>();
  const spoken = new WeakSet<Socket>();
  const faults = new Faults(world, streams);
  let port = options.port ?? 0;
  let connections = 0;

  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    const id = ++connections;
    world.events.emit({ kind: 'connected', connection: id });
    if (faults.silent) {
      socket.on('error', (error) => world.log(`connection ${id}: ${error.message}`));
      return;
    }
    if (sockets.size > limits.connections) {
      world.log(`more than ${limits.connections} connections; refused one`);
      socket.destroy();
      return;
    }
    const stream = new Stream(id, socket, world, router, faults);
    streams.add(stream);
    spoken.add(socket);
    faults.adopt(stream);
    socket.on('close', () => streams.delete(stream));
  });

  const accountOf = (local: string) => {
    const account = world.accounts.get(local.toLowerCase());
    if (!account) throw new RangeError(`no account ${JSON.stringify(local)}`);
    return account;
  };

  return {
    domain: world.domain,
    roomDomain: world.roomDomain,
    faults,

    async start() {
      listener.listen(port, host);
      await once(listener, 'listening'); // rejects on 'error'
      port = (listener.address() as AddressInfo).port;
      return { host, port };
    },

    async stop(how = 'politely') {
      const closed = new Promise<void>((resolve) => {
        listener.close(() => resolve());
      });
      if (how === 'politely') for (const stream of streams) stream.fail('system-shutdown');
      else faults.cut();
      // Streams close by themselves, by their time limit at the latest; what never became one has nobody to tell.
      for (const socket of sockets) if (how === 'abruptly' || !spoken.has(socket)) socket.destroy();
      await closed;
      for (const session of world.sessions()) router.end(session);
    },

    addAccount: (local, password) => void world.addAccount(local, password),
    setPassword(local, password) {
      accountOf(local).password = password;
    },

    sessions: () =>
      world.sessions().map((session) => ({
        jid: session.jid,
        connected: session.link !== undefined,
        show: session.presence && (session.presence.getChildText('show') ?? 'available'),
        priority: session.priority,
        resumable: session.sm?.resumable ?? false,
        unacked: session.sm?.unacked.length ?? 0,
      })),
    rooms: () =>
      [...router.muc.rooms.values()].map((room) => ({
        jid: room.jid,
        subject: room.subject.text,
        occupants: [...room.occupants.values()].map(({ nick, session }) => ({ nick, jid: session.jid })),
      })),
    subscription(local, contact) {
      const item = accountOf(local).roster.get(expectAddress(contact).bare);
      return item?.listed ? { state: subscriptionOf(item), asked: item.pendingOut } : undefined;
    },
    offlineMessages: (local) => [...accountOf(local).offline],
    kick(room, nick, reason) {
      const jid = roomJid(world, room);
      if (!router.muc.kick(jid, nick, reason)) throw new RangeError(`nobody called ${nick} is in ${jid}`);
    },

    on: (heard) => world.events.on(heard),
    onStanza: (heard) =>
      world.events.on((event) => {
        if (event.kind === 'stanza') heard(event.stanza, event.direction, event.jid);
      }),
    until: (kind, fits, signal) => world.events.until(kind, fits, signal),
  };
}

/** Known passwords and no certificate checks belong on this machine only. */
function loopback(host: string): string {
  if (host === 'localhost') return '127.0.0.1';
  if ((isIPv4(host) && host.startsWith('127.')) || host === '::1') return host;
  throw new RangeError(`the embedded XMPP server binds to loopback only, not to ${JSON.stringify(host)}`);
}

/** For those who compare addresses the way the server does. */
export { parseAddress };
