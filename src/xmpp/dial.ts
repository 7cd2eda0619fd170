// Finding the server and getting a socket to it: the configured host and port, or what DNS says of the domain
// (RFC 6120 §3.2, XEP-0368). Our own because the library's resolver ends for ever on a DNS failure, also asks over
// HTTP, and gives no way to bound a connect or to name the trusted authorities.
import { Resolver } from 'node:dns/promises';
import type { Socket } from 'node:net';
import { connect, isIP } from 'node:net';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { checkServerIdentity, connect as connectTls } from 'node:tls';
import type { Random } from '../clock.ts';
import type { XmppConfig } from '../config.ts';

export interface Target {
  readonly host: string;
  readonly port: number;
  /** TLS from the first octet instead of STARTTLS. */
  readonly directTls: boolean;
}

export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}
/** DNS did not answer, or says that there is no such service. */
export class DnsError extends Error {
  override readonly name = 'DnsError';
}

/** Empty when there is none; rejects when DNS did not answer. */
export type LookupSrv = (name: string, signal: AbortSignal) => Promise<readonly SrvRecord[]>;

export const lookupSrv: LookupSrv = async (name, signal) => {
  const resolver = new Resolver({ timeout: 3_000, tries: 2 });
  const cancel = (): void => resolver.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await resolver.resolveSrv(name);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENODATA' || code === 'ENOTFOUND') return [];
    throw new DnsError(`DNS: ${(error as Error).message}`, { cause: error });
  } finally {
    signal.removeEventListener('abort', cancel);
  }
};

export async function findTargets(
  config: Pick<XmppConfig, 'server' | 'tls' | 'directTls'>,
  domain: string,
  lookup: LookupSrv,
  random: Random,
  signal: AbortSignal,
): Promise<readonly Target[]> {
  if (config.server) return [{ ...config.server, directTls: config.directTls === true }];
  const failed = (error: Error): never => {
    throw error instanceof DnsError ? error : new DnsError(error.message, { cause: error });
  };
  const [plain, direct] = await Promise.all([
    lookup(`_xmpp-client._tcp.${domain}`, signal).catch(failed),
    // A server that only has this one is rare: no answer to it must not cost us the other.
    config.tls === 'none' ? [] : lookup(`_xmpps-client._tcp.${domain}`, signal).catch(() => []),
  ]);
  // RFC 2782: a target of "." says that the service is not there.
  const offered = [...tag(plain, false), ...tag(direct, true)].filter((record) => record.name !== '');
  if (offered.length > 0) {
    return inOrder(offered, random).map(({ name, port, directTls }) => ({ host: name, port, directTls }));
  }
  if (plain.length + direct.length > 0) throw new DnsError(`DNS says that ${domain} has no XMPP service for clients`);
  // RFC 6120 §3.2.2: without SRV records, the domain itself.
  return [{ host: domain, port: 5222, directTls: false }];
}

function tag(records: readonly SrvRecord[], directTls: boolean): (SrvRecord & { directTls: boolean })[] {
  return records.map((record) => ({ ...record, name: record.name.replace(/\.$/, ''), directTls }));
}

/** RFC 2782: lowest priority first; within one, chance weighted by weight. */
function inOrder<T extends SrvRecord>(records: readonly T[], random: Random): T[] {
  return records
    .map((record) => ({ record, lot: -Math.log(1 - random()) / Math.max(record.weight, 0.01) }))
    .sort((a, b) => a.record.priority - b.record.priority || a.lot - b.lot)
    .map(({ record }) => record);
}

/** What TLS to this link's server means: this link's authorities, the XMPP domain as the name (RFC 6120 §13.7.1.2). */
export function tlsOptions(config: Pick<XmppConfig, 'ca' | 'pins' | 'serverName'>, domain: string): ConnectionOptions {
  const name = config.serverName ?? domain;
  return {
    // RFC 6066 §3: no server name for an address literal.
    ...(isIP(name) ? {} : { servername: name }),
    host: name,
    ...(config.ca === null ? {} : { ca: config.ca }),
    minVersion: 'TLSv1.2',
    // With a pin it is notPinned() that decides, before an octet of ours is sent.
    rejectUnauthorized: config.pins === undefined,
  };
}

/** Why a TLS connection is not with the pinned server; null when it is, or when none is pinned. */
export function notPinned(socket: TLSSocket, { pins }: Pick<XmppConfig, 'pins'>): Error | null {
  if (pins === undefined) return null;
  const shown = socket.getPeerX509Certificate()?.fingerprint256;
  if (shown !== undefined && pins.includes(shown)) return null;
  return Object.assign(new Error(`the certificate (SHA-256 ${shown ?? 'none'}) is not the pinned one`), {
    code: 'ERR_PIN',
  });
}

/** The certificate is checked against the XMPP domain, though another host is dialled (RFC 6120 §13.7.1.2). */
function verifying({ host }: ConnectionOptions): ConnectionOptions {
  return host === undefined
    ? {}
    : { checkServerIdentity: (_dialled, certificate) => checkServerIdentity(host, certificate) };
}

/** A connected socket; for `directTls` already inside TLS. Rejects when `signal` aborts. */
export function dial(
  target: Target,
  tls: ConnectionOptions,
  signal: AbortSignal,
  config: Pick<XmppConfig, 'pins'> = {},
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(new Error('given up'));
      return;
    }
    const address = { host: target.host, port: target.port };
    const socket: Socket = target.directTls
      ? connectTls({ ...tls, ...address, ALPNProtocols: ['xmpp-client'], ...verifying(tls) })
      : connect({ ...address, noDelay: true, keepAlive: true });
    const settle = (error?: Error): void => {
      signal.removeEventListener('abort', onAbort);
      socket.off('error', settle);
      if (error) {
        // A late second error of a socket that is given up says nothing new.
        socket.on('error', () => undefined);
        socket.destroy();
        reject(error);
      } else resolve(socket);
    };
    const onAbort = (): void => settle(new Error('given up'));
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('error', settle);
    if (target.directTls)
      socket.once('secureConnect', () => settle(notPinned(socket as TLSSocket, config) ?? undefined));
    else socket.once('connect', () => settle());
  });
}
