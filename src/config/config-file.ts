// The language of pointsman.yaml: what the file may say, key by key. What it means together is in ../config.ts.
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { type Duration, day, hour, minute, parseDuration, second } from '../clock.ts';
import { isDomain, parseMailbox } from '../mail/path.ts';
import { languages } from '../mail/report-text.ts';
import { publishedKinds } from '../notify/published.ts';
import { parseJid } from '../presence/jid.ts';
import type { Place } from '../routing/rules.ts';
import {
  bareJid,
  bool,
  counted,
  describe,
  duration,
  fields,
  integer,
  list,
  located,
  mailbox,
  name,
  oneOf,
  oneOrMore,
  optional,
  orNone,
  record,
  required,
  type Schema,
  scalar,
  text,
} from '../routing/schema.ts';
import { isZone } from '../zone.ts';
import { domain, type Endpoint, isHost, loopbackOnly, nextHopAddress, parseEndpoint } from './addresses.ts';
import { directorySchema } from './directory-keys.ts';

export { type Endpoint, isLoopback, parseEndpoint } from './addresses.ts';
export { defaults } from './defaults.ts';

const expectsListen = 'an address and port such as 127.0.0.1:2525 or [::1]:2525';
const listenAddress: Schema<Endpoint> = scalar(expectsListen, (value) => {
  const endpoint = parseEndpoint(value, 0);
  if (endpoint && isIP(endpoint.host) === 0 && endpoint.host !== 'localhost')
    return { wrong: `is not ${expectsListen}: a name may stand for another address tomorrow` };
  return endpoint;
});

const expectsNetwork = 'an IP address or network such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32';
const network: Schema<string> = scalar(expectsNetwork, (value) => {
  const [address = '', length, ...rest] = value.split('/');
  if (rest.length > 0 || isIP(address) === 0 || address.includes('%')) return undefined;
  if (length === undefined) return address;
  const bits = isIP(address) === 4 ? 32 : 128;
  if (!/^\d{1,3}$/.test(length) || Number(length) > bits) return undefined;
  if (Number(length) === 0) return { wrong: 'is everybody; name the networks of the mail servers that may relay' };
  const base = (bits === 32 ? ipaddr.IPv4 : ipaddr.IPv6).networkAddressFromCIDR(value).toString();
  const given = ipaddr.parse(address).toString();
  return base === given ? value : { wrong: `has host bits set; the network is ${base}/${length}` };
});

const units: Readonly<Record<string, number>> = { '': 1, B: 1, kB: 1e3, KB: 1e3, MB: 1e6, KiB: 1024, MiB: 1_048_576 };
const size = (min: number, max: number): Schema<number> =>
  scalar('a size such as 25MB or 512kB', (value) => {
    const parts = /^(\d{1,12})\s?([A-Za-z]*)$/.exec(value);
    const unit = parts?.[2] !== undefined && Object.hasOwn(units, parts[2]) ? units[parts[2]] : undefined;
    if (parts === null || unit === undefined) return undefined;
    const octets = Number(parts[1]) * unit;
    if (octets < min) return { wrong: `is less than ${min} octets` };
    return octets > max ? { wrong: `is more than ${max} octets` } : octets;
  });

const carries = optional(oneOf(['members']));

type Written<M> = Omit<M, 'place' | 'given'>;

/** One text, or a map of which that text is the key `address`. */
function addressOr<T, M extends { readonly place: Place; readonly given: readonly string[] }>(
  address: Schema<T>,
  map: Schema<M>,
  lift: (value: T) => Written<M>,
): Schema<Written<M>> {
  return {
    expects: address.expects,
    read(node, report) {
      if (node.kind === 'map') return map.read(node, report);
      if (node.kind === 'list') {
        report.error(node.place, `${describe(node)} is not ${address.expects}`);
        return undefined;
      }
      const value = address.read(node, report);
      return value === undefined ? undefined : lift(value);
    },
  };
}

const listen = located(
  addressOr(listenAddress, fields('a listener', { address: required(listenAddress), carries }), (address) => ({
    address,
    carries: undefined,
  })),
);
const peer = addressOr(
  network,
  fields('a peer', { address: required(network), carries, lineEnds: optional(oneOf(['refuse', 'normalize'])) }),
  (address) => ({
    address,
    carries: undefined,
    lineEnds: undefined,
  }),
);
/** What a next hop that is only host and port leaves open. */
const noEntry = {
  socket: undefined,
  protocol: undefined,
  tls: undefined,
  caFile: undefined,
  pins: undefined,
  user: undefined,
  passwordFile: undefined,
  passwordCredential: undefined,
  fallbacks: undefined,
  maxConnections: undefined,
};
const tlsWords = ['none', 'may', 'encrypt', 'verify'] as const;
const hostName = scalar('a host name or IP address', (value) =>
  isIP(value) !== 0 || isHost(value) ? value : undefined,
);
const nextHop = addressOr(
  nextHopAddress,
  fields('a next hop', {
    host: optional(hostName),
    port: optional(integer(1, 65_535)),
    socket: optional(text('the path of a unix socket', 100)),
    protocol: optional(oneOf(['smtp', 'lmtp'])),
    tls: optional(oneOf(tlsWords)),
    caFile: optional(located(text('the path of a file'))),
    pins: optional(
      list(
        scalar('a SHA-256 fingerprint such as AB:CD:… of 32 octets', (value) =>
          /^[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){31}$/.test(value) ? value.toUpperCase() : undefined,
        ),
        'a list of fingerprints',
      ),
    ),
    user: optional(text('a user name', 200)),
    passwordFile: optional(located(text('the path of a file'))),
    passwordCredential: optional(located(text('the name of a systemd credential', 255))),
    fallbacks: optional(list(nextHopAddress, 'a list of hosts with ports')),
    maxConnections: optional(integer(1, 1000)),
  }),
  ({ host, port }) => ({ ...noEntry, host, port }),
);
export type NextHopEntry = NonNullable<ReturnType<typeof nextHop.read>>;

const http = addressOr(
  loopbackOnly,
  fields('the http port', { address: optional(loopbackOnly), hosts: optional(oneOrMore(domain)) }),
  (address) => ({ address, hosts: undefined }),
);

const pagesUrl: Schema<string> = scalar('an address such as https://pointsman.example.org', (value) =>
  /^https?:\/\/[A-Za-z0-9.:[\]-]+\/?$/.test(value) && URL.canParse(value) ? value.replace(/\/$/, '') : undefined,
);
const pages = addressOr(
  loopbackOnly,
  fields('the console', { address: required(loopbackOnly), url: optional(oneOrMore(pagesUrl)) }),
  (address) => ({ address, url: undefined }),
);

const fingerprint: Schema<string> = scalar('the SHA-256 fingerprint of a certificate', (value) => {
  const hex = value.replace(/^sha-?256[:=\s]\s*/i, '').replace(/[:\s]/g, '');
  if (!/^[0-9a-f]{64}$/i.test(hex))
    return { wrong: 'is not 64 hexadecimal digits, as "openssl x509 -fingerprint -sha256" shows them' };
  return (hex.toUpperCase().match(/../g) ?? []).join(':');
});

const timeZone: Schema<string> = scalar('a time zone such as Europe/Berlin', (value) =>
  isZone(value) ? value : undefined,
);

const noTlsSwitch = 'TLS cannot be switched off; a server with a certificate of its own authority needs "caFile"';
const xmpp = fields(
  'the xmpp account',
  {
    jid: required(
      scalar('a JID such as pointsman@chat.example.org', (value) => {
        const jid = parseJid(value);
        if (jid?.resource !== undefined)
          return { wrong: `has a resource; write ${jid.bare}, and the resource as "resource"` };
        return jid?.bare;
      }),
    ),
    resource: optional(text('a resource', 200)),
    passwordFile: optional(located(text('the path of a file'))),
    passwordCredential: optional(
      located(
        scalar('the name of a systemd credential', (value) =>
          /^[A-Za-z0-9_.-]{1,255}$/.test(value) && !/^\.+$/.test(value) ? value : undefined,
        ),
      ),
    ),
    server: optional(nextHopAddress),
    caFile: optional(located(text('the path of a file'))),
    pin: optional(oneOrMore(fingerprint)),
    serverName: optional(domain),
    directTls: optional(bool),
    trustedDomains: optional(oneOrMore(domain)),
    nick: optional(text('a nick', 100)),
    rate: optional(size(500, 1_000_000)),
    pubsub: optional(
      fields('the published events', {
        service: optional(domain),
        node: optional(text('the name of a node', 200)),
        events: optional(oneOrMore(oneOf(publishedKinds))),
        subscribers: optional(oneOrMore(bareJid)),
      }),
    ),
  },
  {
    password: 'a password does not stand in this file; put it in a file of mode 0600 and name that as "passwordFile"',
    tls: noTlsSwitch,
    insecure: noTlsSwitch,
    rejectUnauthorized: noTlsSwitch,
  },
);

const expectsSocket = 'an address and port such as 127.0.0.1:8893, or "unix:" and the path of a socket';
export type SocketAddress = Endpoint | { readonly path: string };
const socketAddress: Schema<SocketAddress> = scalar(expectsSocket, (value) => {
  if (value.startsWith('unix:')) {
    const path = value.slice(5);
    // sun_path, less its closing NUL; others than Linux have a few octets less.
    if (!path.startsWith('/')) return { wrong: 'is not absolute: write unix:/path' };
    return Buffer.byteLength(path) > 103 ? { wrong: 'is longer than the 103 octets a socket may have' } : { path };
  }
  const endpoint = parseEndpoint(value, 0);
  return endpoint && isIP(endpoint.host) === 0 && endpoint.host !== 'localhost' ? undefined : endpoint;
});
const sockets = located(oneOrMore(socketAddress));

const tls = fields('tls', {
  certFile: required(located(text('the path of a file'))),
  keyFile: required(located(text('the path of a file'))),
});
const milter = fields('the milter', {
  listen: required(sockets),
  onFailure: optional(oneOf(['tempfail', 'accept'])),
  hold: optional(oneOf(['tempfail', 'quarantine'])),
  carries,
});
const lookup = fields('the lookup', {
  socketmap: optional(sockets),
  tcpTable: optional(sockets),
  steady: optional(duration(second, hour)),
});
const imap = fields(
  'the IMAP server',
  {
    server: required(nextHopAddress),
    tls: optional(oneOf(['verify', 'starttls', 'none'])),
    caFile: optional(located(text('the path of a file'))),
    user: optional(
      located(text('a login name in which {mail} stands for the member’s address, such as {mail}*pointsman', 200)),
    ),
    passwordFile: optional(located(text('the path of a file'))),
    passwordCredential: optional(
      located(
        scalar('the name of a systemd credential', (value) =>
          /^[A-Za-z0-9_.-]{1,255}$/.test(value) && !/^\.+$/.test(value) ? value : undefined,
        ),
      ),
    ),
    folder: optional(text('the name of a folder', 200)),
    connections: optional(integer(1, 10_000)),
  },
  { password: 'a password does not stand in this file; put it in a file of mode 0600 and name that as "passwordFile"' },
);

const durationOrNone: Schema<Duration | null> = scalar('a time such as 4h, or none', (value) =>
  value === 'none' ? null : parseDuration(value),
);

export const configFileSchema = fields('the configuration', {
  hostname: required(
    scalar('a host name such as pointsman.example.org', (value) => (isDomain(value) ? value.toLowerCase() : undefined)),
  ),
  state: required(text('the path of a folder')),
  rules: required(text('the path of a folder')),
  listen: optional(counted(list(listen, `a list of listeners, each ${expectsListen}`))),
  tls: optional(tls),
  http: optional(http),
  console: optional(pages),
  peers: optional(counted(list(peer, `a list of peers, each ${expectsNetwork}`))),
  domains: optional(list(domain, 'a list of domains')),
  nextHops: required(
    record('a map from "default" and domains to next hops', nextHop, (key) =>
      key === 'default' || isDomain(key) ? undefined : 'is neither "default" nor a domain',
    ),
  ),
  // RFC 5321 §4.5.3.1.7: 64K octets must be possible. The upper bound keeps one message in memory.
  size: optional(size(65_536, 500_000_000)),
  queue: optional(
    located(
      fields('the queue', {
        lifetime: optional(duration(minute, 30 * day)),
        firstRetry: optional(duration(second, day)),
        longestRetry: optional(duration(second, 7 * day)),
        reportLifetime: optional(duration(minute, 30 * day)),
        delayNotice: optional(durationOrNone),
        keepContent: optional(duration(second, 3650 * day)),
        keepHistory: optional(duration(minute, 3650 * day)),
        onReload: optional(oneOf(['finish', 'replan'])),
      }),
    ),
  ),
  milter: optional(milter),
  lookup: optional(located(lookup)),
  postmaster: optional(scalar('a mail address such as postmaster@example.org', (value) => parseMailbox(value))),
  limits: optional(
    fields('the limits', {
      messagesPerMinute: optional(integer(1, 1_000_000)),
      recipientsPerMinute: optional(integer(1, 10_000_000)),
      connections: optional(integer(1, 100_000)),
      connectionsPerPeer: optional(integer(1, 100_000)),
      waiting: optional(integer(1, 100_000_000)),
      freeSpace: optional(size(0, 1e12)),
    }),
  ),
  reports: optional(
    fields('the reports', {
      languages: optional(list(oneOf(languages), `a list of languages: ${languages.join(', ')}`)),
    }),
  ),
  xmpp: optional(xmpp),
  operators: optional(
    fields('the operators', {
      room: optional(bareJid),
      people: optional(list(name, 'a list of names of people')),
      group: optional(name),
      mailbox: optional(mailbox),
      webhook: optional(
        scalar('the URL of a program that takes POST requests', (value) =>
          /^https?:\/\/[^\s@]+$/.test(value) && URL.canParse(value) ? value : undefined,
        ),
      ),
      subject: optional(bool),
    }),
  ),
  directory: optional(directorySchema),
  evidence: optional(fields('evidence', { domain: optional(domain), imap: optional(imap) })),
  presence: optional(
    fields('presence', {
      up: optional(orNone(duration(second, 10 * minute))),
      down: optional(orNone(duration(second, 10 * minute))),
      rooms: optional(oneOrMore(bareJid)),
      readStatusIn: optional(orNone(timeZone)),
      keep: optional(duration(hour, 3650 * day)),
    }),
  ),
  log: optional(
    fields('the log', {
      level: optional(oneOf(['debug', 'info', 'warn', 'error'])),
      pretty: optional(oneOf(['true', 'false', 'auto'])),
    }),
  ),
});
