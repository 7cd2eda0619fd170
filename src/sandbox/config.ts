// The configuration of the sandbox, made in code instead of read from a file: everything on loopback, all state in the
// scratch folder. Usual ports where they are free.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Duration, day, second } from '../clock.ts';
import type { Config } from '../config.ts';
import { expectBareJid } from '../presence/jid.ts';
import type { Cast } from './cast.ts';

export const loopback = '127.0.0.1';
export const usualPorts = { smtp: 2525, http: 8025, console: 8026, xmpp: 5222 } as const;

/** The port if it is free, else 0: the system then gives another. Somebody may still be quicker; that is told. */
export async function usualOrAny(port: number): Promise<number> {
  const probe = createServer();
  try {
    probe.listen(port, loopback);
    await once(probe, 'listening');
    probe.close();
    await once(probe, 'close');
    return port;
  } catch (error) {
    if (['EADDRINUSE', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return 0;
    throw error;
  }
}

export interface Surroundings {
  /** The scratch folder. */
  readonly folder: string;
  readonly rules: string;
  readonly smtpPort: number;
  readonly httpPort: number;
  readonly consolePort: number;
  readonly sink: { readonly host: string; readonly port: number };
  readonly xmpp: { readonly host: string; readonly port: number; readonly password: string };
  /** Mail may go there, besides the domains of the rules. */
  readonly strangers: readonly string[];
  /** How long what happened is remembered. */
  readonly keep: Duration;
}

/** The first listener is for everybody; the second carries the people's own mail, so a reply through it is evidence. */
export function sandboxConfig(cast: Cast, around: Surroundings): Config {
  return {
    hostname: `mx.${cast.domain}`,
    state: join(around.folder, 'state'),
    rules: around.rules,
    listen: [
      { host: loopback, port: around.smtpPort, carriesMembers: false },
      { host: loopback, port: 0, carriesMembers: true },
    ],
    http: { host: loopback, port: around.httpPort, hosts: [] },
    console: { host: loopback, port: around.consolePort, urls: [] },
    peers: [{ network: '127.0.0.0/8', carriesMembers: false }],
    domains: [...new Set([...cast.mailDomains, ...around.strangers])],
    nextHops: {
      default: { name: 'sink', host: around.sink.host, port: around.sink.port, tls: 'none', maxConnections: 5 },
      byDomain: new Map(),
    },
    size: 25 * 1024 * 1024,
    queue: {
      lifetime: day,
      firstRetry: 5 * second,
      longestRetry: 60 * second,
      keepContent: day,
      keepHistory: 30 * day,
      reportLifetime: day,
      delayNotice: null,
    },
    postmaster: null,
    limits: { messages: null, recipients: null, most: 1_000_000, leastFree: 0 },
    reports: { languages: [] },
    evidence: null,
    imap: null,
    xmpp: {
      jid: expectBareJid(`${cast.bot}@${cast.domain}`),
      resource: 'sandbox',
      password: around.xmpp.password,
      server: { host: around.xmpp.host, port: around.xmpp.port },
      tls: 'none',
      ca: null,
      nick: cast.bot,
      rate: 50_000,
    },
    operators: null,
    // The sandbox plays in seconds what takes minutes elsewhere: nobody flaps in it, and nobody waits.
    presence: { up: 0, down: 0, rooms: [], readStatusIn: null, keep: around.keep },
    log: { level: 'info', pretty: false },
  };
}
