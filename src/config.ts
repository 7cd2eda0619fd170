// The machine's facts, parsed once from pointsman.yaml into a frozen value. Nothing else reads files, environment or
// arguments for settings. Pure: what it needs of the disk it asks its caller for (config/load.ts).
import { resolve } from 'node:path';
import type { Duration } from './clock.ts';
import { configFileSchema, defaults, isLoopback } from './config/config-file.ts';
import { type DirectoryConfig, directoryOf, type ViewConfig } from './config/directory.ts';
import { checkDoors, type LookupConfig, lookupOf, type MilterConfig, milterOf } from './config/doors.ts';
import { nextHopsOf } from './config/next-hops.ts';
import { type ConfigSurroundings, certificatesIn, passwordOf, type TlsFiles, tlsOf } from './config/secrets.ts';
import type { Mailbox } from './mail/path.ts';
import type { Language } from './mail/report-text.ts';
import { type PublishedKind, publishedKinds } from './notify/published.ts';
import type { BareJid } from './presence/jid.ts';
import { quote, Report } from './routing/problem.ts';
import type { Place, Problem } from './routing/rules.ts';
import { readYaml } from './routing/yaml.ts';
import type { NextHop } from './transport.ts';

export type { ConfigSurroundings, Fetched, SecretSource } from './config/secrets.ts';

export interface Config {
  /** Our name in greetings, Received and reports. */
  readonly hostname: string;
  /** Absolute path; 0700, ours alone. */
  readonly state: string;
  /** Absolute path of the rules folder. */
  readonly rules: string;
  readonly listen: readonly { readonly host: string; readonly port: number; readonly carriesMembers: boolean }[];
  /** Absolute paths, PEM: the certificate that STARTTLS shows, and its key. Absent: STARTTLS is not offered. */
  readonly tls?: TlsFiles;
  /** /healthz, /readyz and /metrics, and with a token /api/v1/route; loopback only. */
  readonly http: {
    readonly host: string;
    readonly port: number;
    /** Lower-case names that a proxy before it is asked for; those of the loopback are always ours. */
    readonly hosts: readonly string[];
  };
  /** Pages for browsers; absent: none. */
  readonly console?: ConsoleConfig;
  /** Who may relay. Empty: nobody. CIDR or single addresses. */
  readonly peers: readonly {
    readonly network: string;
    readonly carriesMembers: boolean;
    /** Bare CR and LF from there become CRLF instead of being refused. */
    readonly normalize?: boolean;
  }[];
  /** Domains that mail may go to, lower-case, besides the addresses of groups and people. */
  readonly domains: readonly string[];
  readonly nextHops: { readonly default: NextHop; readonly byDomain: ReadonlyMap<string, NextHop> };
  /** Largest message, in octets. */
  readonly size: number;
  readonly queue: {
    /** Given up and reported after this. */
    readonly lifetime: Duration;
    readonly firstRetry: Duration;
    readonly longestRetry: Duration;
    /** The same for reports of ours. */
    readonly reportLifetime: Duration;
    /** The sender is told of the delay after this; null: never. */
    readonly delayNotice: Duration | null;
    /** Content of a finished message is deleted after this. */
    readonly keepContent: Duration;
    /** What was noted of a finished message is deleted after this. */
    readonly keepHistory: Duration;
    /** What becomes of mail that waits when other rules come into force; absent: it ends as it was planned. */
    readonly onReload?: 'finish' | 'replan';
  };
  /** Where MTAs ask us as their milter. */
  readonly milter?: MilterConfig;
  /** Where MTAs look up who shall have the mail for a group. */
  readonly lookup?: LookupConfig;
  /** Who reads mail to the postmaster of our own name; null: it goes on as it is. */
  readonly postmaster: Mailbox | null;
  readonly limits: {
    /** Of one peer address, a minute. */
    readonly messages: number | null;
    readonly recipients: number | null;
    /** Connections at one time, of all and of one peer address; absent: as many as the front door takes by itself. */
    readonly door?: { readonly connections?: number; readonly connectionsPerPeer?: number };
    /** Deliveries that may wait. */
    readonly most: number;
    /** Octets that must be free where the state folder is. */
    readonly leastFree: number;
  };
  /** Of the text of reports; none: as the mail suggests. */
  readonly reports: { readonly languages: readonly Language[] };
  readonly xmpp: XmppConfig | null;
  /** Who is told of faults. Null: the log alone is. */
  readonly operators: OperatorsConfig | null;
  /** Where reports and copies of members' mail are addressed to; null: none are asked for. */
  readonly evidence: { readonly domain: string } | null;
  /** Where members' mailboxes are looked into; null: nowhere. */
  readonly imap: ImapConfig | null;
  readonly presence: PresenceConfig;
  /** Where people and groups are read from; absent: the rules alone say who there is. */
  readonly directory?: DirectoryConfig;
  /** Where presence is shown to LDAP clients; absent: nowhere. */
  readonly view?: ViewConfig;
  readonly log: {
    readonly level: 'debug' | 'info' | 'warn' | 'error' /** null: pretty on a terminal */;
    readonly pretty: boolean | null;
  };
}

export interface ConsoleConfig {
  readonly host: string;
  readonly port: number;
  /** Where browsers reach it: `https://pointsman.example.org`; none: at the address it listens on. */
  readonly urls: readonly string[];
}

export interface OperatorsConfig {
  readonly room: BareJid | null;
  /** Names of people in the rules. */
  readonly people: readonly string[];
  /** The first of its members who is eligible is told. */
  readonly group: string | null;
  /** Told when no instant message goes. */
  readonly mailbox: Mailbox | null;
  readonly webhook: string | null;
  /** Whether the room's subject is the list of what is open. */
  readonly subject: boolean;
}

export interface ImapConfig {
  readonly host: string;
  readonly port: number;
  /** `verify`: TLS from the first octet. `none` is for loopback alone. */
  readonly tls: 'verify' | 'starttls' | 'none';
  /** PEM of the authorities trusted for this link only; null for the system's. */
  readonly ca: string | null;
  /** `{mail}` stands for the member's address. */
  readonly user: string;
  readonly password: string;
  readonly folder: string;
  /** At the same time. */
  readonly connections: number;
}

export interface XmppConfig {
  readonly jid: BareJid;
  readonly resource: string;
  /** Read from the file named in the config; never logged. */
  readonly password: string;
  /** `host:port`, or null for what DNS says of the JID's domain. */
  readonly server: { readonly host: string; readonly port: number } | null;
  /** `none` is for the sandbox alone: the config parser refuses it. */
  readonly tls: 'required' | 'none';
  /** PEM of the authorities trusted for this link only; null for the system's. */
  readonly ca: string | null;
  /** SHA-256 fingerprints (upper-case hex with colons): only a certificate with one of them is believed, whoever signed it. */
  readonly pins?: readonly string[];
  /** The name the certificate must have, and that we ask for (SNI); otherwise the domain of the JID. */
  readonly serverName?: string;
  /** TLS from the first octet (XEP-0368) with the configured server, instead of STARTTLS. */
  readonly directTls?: boolean;
  /** Other domains whose word on presence counts; absent: all that the rules name people of. */
  readonly trustedDomains?: readonly string[];
  /** Our nick in rooms. */
  readonly nick: string;
  /** Outbound pace in octets per second (servers throttle: see the reference). */
  readonly rate: number;
  /** Where events are published for other programs; absent: nowhere. */
  readonly pubsub?: PubsubConfig;
}

export interface PubsubConfig {
  /** The JID of the service. */
  readonly service: string;
  readonly node: string;
  readonly events: readonly PublishedKind[];
  /** Who may subscribe. */
  readonly subscribers: readonly BareJid[];
}

export interface PresenceConfig {
  /** Flap damping: until who comes counts as here, who goes as gone. */
  readonly up: Duration;
  readonly down: Duration;
  /** Duty rooms: whoever sits in one counts as present. */
  readonly rooms: readonly BareJid[];
  /** The zone in which times in status texts are read; null: they are not read. */
  readonly readStatusIn: string | null;
  /** Changes of presence are forgotten after this. */
  readonly keep: Duration;
}

/** `problems` beside a config are warnings; without one at least one of them is an error. */
export type ParsedConfig =
  | { readonly config: Config; readonly problems: readonly Problem[] }
  | { readonly config?: never; readonly problems: readonly Problem[] };

export function parseConfig(text: string, surroundings: ConfigSurroundings): ParsedConfig {
  const report = new Report();
  const { root, problems } = readYaml(text, surroundings.file);
  report.add(problems);
  const whole: Place = { file: surroundings.file, line: 1, column: 1 };
  if (root === undefined && !report.failed) report.error(whole, 'the file is empty; "pointsman init" writes one');
  const read = root && configFileSchema.read(root, report);
  if (read === undefined) return Object.freeze({ problems: report.problems });

  const { folder } = surroundings;
  const queue = { ...defaults.queue, ...defined(read.queue?.value ?? {}, Object.keys(defaults.queue)) };
  const config = {
    hostname: read.hostname ?? '',
    state: resolve(folder, read.state ?? ''),
    rules: resolve(folder, read.rules ?? ''),
    listen: (read.listen?.value ?? [{ value: { address: defaults.listen, carries: undefined } }]).flatMap(
      ({ value }) => (value.address ? [{ ...value.address, carriesMembers: value.carries === 'members' }] : []),
    ),
    ...tlsOf(read.tls, surroundings, report),
    ...(read.console?.address ? { console: { ...read.console.address, urls: read.console.url ?? [] } } : {}),
    http: { ...(read.http?.address ?? defaults.http), hosts: read.http?.hosts ?? [] },
    peers: (read.peers?.value ?? []).flatMap(({ address, carries, lineEnds }) =>
      address === undefined
        ? []
        : [
            {
              network: address,
              carriesMembers: carries === 'members',
              ...(lineEnds === 'normalize' ? { normalize: true } : {}),
            },
          ],
    ),
    domains: [...new Set(read.domains ?? [])],
    nextHops: nextHopsOf(read.nextHops, read.place, surroundings, report),
    size: read.size ?? defaults.size,
    queue,
    ...milterOf(read.milter),
    ...lookupOf(read.lookup?.value),
    postmaster: read.postmaster ?? null,
    limits: {
      messages: read.limits?.messagesPerMinute ?? null,
      recipients: read.limits?.recipientsPerMinute ?? null,
      ...(read.limits ? { door: doorOf(read.limits) } : {}),
      most: read.limits?.waiting ?? defaults.limits.waiting,
      leastFree: read.limits?.freeSpace ?? defaults.limits.freeSpace,
    },
    reports: { languages: [...new Set(read.reports?.languages ?? [])] },
    xmpp: read.xmpp ? xmppOf(read.xmpp, surroundings, report) : null,
    operators: read.operators ? operatorsOf(read.operators) : null,
    evidence: read.evidence?.domain === undefined ? null : { domain: read.evidence.domain },
    imap: read.evidence?.imap ? imapOf(read.evidence.imap, surroundings, report) : null,
    presence: presenceOf(read),
    ...directoryOf(read.directory, surroundings, report),
    log: { level: read.log?.level ?? 'info', pretty: prettyOf(read.log?.pretty) },
  } satisfies Config;
  checkListeners(read, report);
  checkDoors(read, report);
  checkQueue(queue, read.queue?.place, report);
  return report.failed
    ? Object.freeze({ problems: report.problems })
    : Object.freeze({ config: deepFreeze(config), problems: report.problems });
}

type ConfigFile = NonNullable<ReturnType<typeof configFileSchema.read>>;

/** A relay that others can reach but that lets nobody in is a mistake; so is one with no listener at all. */
function checkListeners({ listen, peers, place }: ConfigFile, report: Report): void {
  if (listen?.count === 0) report.error(listen.place, 'the list is empty; name at least one address to listen on');
  const seen = new Set<string>();
  for (const { value, place } of listen?.value ?? []) {
    if (value.address === undefined) continue;
    const { host, port } = value.address;
    const key = `${host.toLowerCase()} ${port}`;
    if (port !== 0 && seen.has(key)) report.error(place, `${quote(host)} with port ${port} stands twice`);
    seen.add(key);
  }
  const open = listen?.value.find(({ value }) => value.address !== undefined && !isLoopback(value.address.host));
  if (open && (peers === undefined || peers.count === 0)) {
    const host = open.value.address?.host ?? '';
    const message = `${quote(host)} can be reached from other machines, but there are no peers, so nobody may relay; list the addresses of your mail servers under "peers"`;
    report.error(peers?.place ?? open.place ?? place, message);
  }
}

function checkQueue(queue: Config['queue'], place: Place | undefined, report: Report): void {
  if (place === undefined) return;
  if (queue.firstRetry > queue.longestRetry) report.error(place, '"firstRetry" is longer than "longestRetry"');
  if (queue.longestRetry > queue.lifetime) report.error(place, '"longestRetry" is longer than "lifetime"');
}

function operatorsOf(entry: NonNullable<ConfigFile['operators']>): OperatorsConfig {
  const { room = null, people = [], group = null, mailbox = null, webhook = null, subject = false } = entry;
  return { room, people, group, mailbox, webhook, subject };
}

type ImapEntry = NonNullable<NonNullable<ConfigFile['evidence']>['imap']>;

function imapOf(entry: ImapEntry, surroundings: ConfigSurroundings, report: Report): ImapConfig | null {
  const password = passwordOf(entry, surroundings, report, 'the IMAP server');
  const ca = entry.caFile ? certificatesIn(entry.caFile, surroundings, report) : null;
  const { server } = entry;
  if (entry.user && !entry.user.value.includes('{mail}'))
    report.error(
      entry.user.place,
      `${quote(entry.user.value)} would be one login for all; write {mail} where it differs`,
    );
  if (server === undefined || password === undefined) return null;
  const tls = entry.tls ?? (isLoopback(server.host) ? 'none' : 'verify');
  if (tls === 'none' && !isLoopback(server.host))
    report.error(entry.place, 'without TLS the password could be read on its way; say tls: verify or tls: starttls');
  return {
    ...server,
    tls,
    ca,
    user: entry.user?.value ?? '{mail}',
    password,
    folder: entry.folder ?? 'INBOX',
    connections: entry.connections ?? defaults.imapConnections,
  };
}

function presenceOf({ presence }: ConfigFile): PresenceConfig {
  const standard = defaults.presence;
  return {
    up: presence?.up === undefined ? standard.up : (presence.up ?? 0),
    down: presence?.down === undefined ? standard.down : (presence.down ?? 0),
    rooms: presence?.rooms ?? [],
    readStatusIn: presence?.readStatusIn ?? null,
    keep: presence?.keep ?? standard.keep,
  };
}

type XmppEntry = NonNullable<ConfigFile['xmpp']>;

type DoorLimits = Record<'connections' | 'connectionsPerPeer', number | undefined>;
const doorOf = ({ connections, connectionsPerPeer }: DoorLimits) => ({
  ...(connections === undefined ? {} : { connections }),
  ...(connectionsPerPeer === undefined ? {} : { connectionsPerPeer }),
});

function xmppOf(entry: XmppEntry, surroundings: ConfigSurroundings, report: Report): XmppConfig | null {
  const password = passwordOf(entry, surroundings, report, 'the xmpp account');
  const ca = entry.caFile ? certificatesIn(entry.caFile, surroundings, report) : null;
  if (entry.directTls === true && entry.server === undefined)
    report.error(entry.place, '"directTls" says how to speak to "server", which is missing; DNS says it by itself');
  if (entry.jid === undefined || password === undefined) return null;
  return {
    jid: entry.jid,
    resource: entry.resource ?? defaults.resource,
    password,
    server: entry.server ?? null,
    tls: 'required',
    ca,
    ...(entry.pin ? { pins: entry.pin } : {}),
    ...(entry.serverName === undefined ? {} : { serverName: entry.serverName }),
    ...(entry.directTls === undefined ? {} : { directTls: entry.directTls }),
    ...(entry.trustedDomains ? { trustedDomains: entry.trustedDomains } : {}),
    nick: entry.nick ?? defaults.nick,
    rate: entry.rate ?? defaults.rate,
    ...(entry.pubsub ? { pubsub: pubsubOf(entry.pubsub, entry.jid) } : {}),
  };
}

function pubsubOf(entry: NonNullable<XmppEntry['pubsub']>, jid: BareJid): PubsubConfig {
  return {
    service: entry.service ?? `pubsub.${jid.slice(jid.lastIndexOf('@') + 1)}`,
    node: entry.node ?? 'pointsman',
    events: entry.events ?? publishedKinds,
    subscribers: entry.subscribers ?? [],
  };
}

function prettyOf(word: 'true' | 'false' | 'auto' | undefined): boolean | null {
  return word === undefined || word === 'auto' ? null : word === 'true';
}

function defined<F extends object>(values: F, keys: readonly string[]): Partial<Config['queue']> {
  return Object.fromEntries(Object.entries(values).filter(([key, value]) => keys.includes(key) && value !== undefined));
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of value instanceof Map ? value.values() : Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
