// Faults of presence: what is wrong for a while, by id, with its severity and what an operator does about it. Pure: read
// from the state of things, so that a fault opens and clears with it and is never forgotten open.
import type { Duration, Instant } from '../clock.ts';
import { formatDuration, minute } from '../clock.ts';
import type { LinkCause, LinkStatus } from './link-status.ts';

export interface PresenceFault {
  /** Fixed: `xmpp-link-login`, `presence-not-shared`. */
  readonly id: string;
  /** Whom or what: two of an id about different things are two faults. */
  readonly about: string;
  readonly severity: 'error' | 'warning';
  readonly since: Instant;
  /** For people. */
  readonly text: string;
  /** What to do about it. */
  readonly action: string;
}

interface Known {
  readonly severity: PresenceFault['severity'];
  readonly action: string;
}

/** What an operator does about each way of being down; `error` is what does not heal by itself. */
const linkFaults: Readonly<Record<Exclude<LinkCause, 'stopped'>, Known>> = {
  dns: {
    severity: 'warning',
    action: 'check the resolver of this machine and the SRV records of the domain, or set xmpp.server',
  },
  unreachable: {
    severity: 'warning',
    action: 'check that the XMPP server runs, and that a firewall lets us through to its port',
  },
  'no-session': {
    severity: 'warning',
    action: 'the server takes connections and says nothing: look at its load and its log',
  },
  'no-tls': {
    severity: 'error',
    action: 'give the XMPP server a certificate; if it has one, somebody between us and it removes STARTTLS',
  },
  tls: {
    severity: 'error',
    action: 'compare the certificate of the XMPP server with the domain of the JID, xmpp.caFile and xmpp.pin',
  },
  login: { severity: 'error', action: 'check the account and the file with its password; both are read at start' },
  conflict: {
    severity: 'error',
    action: 'find the second Pointsman that uses this account, or give one of them another xmpp.resource',
  },
  refused: { severity: 'error', action: 'the log of the XMPP server says why it does not want this account' },
  'stream-error': { severity: 'warning', action: 'none, unless it lasts; the log of the XMPP server says why' },
  unreadable: {
    severity: 'warning',
    action: 'check what answers on that port: what it sent is not XMPP as we take it',
  },
  closed: { severity: 'warning', action: 'none, unless it lasts: a restart of the server, or a network that cuts' },
  silent: { severity: 'warning', action: 'check whether the machine of the XMPP server or the way to it hangs' },
};

/** An interruption shorter than this is no fault: the session is resumed, and nothing was missed. */
const patience: Duration = minute;

/** Null while the link is up or off, or down for a moment only. */
export function linkFault(link: LinkStatus, now: Instant): PresenceFault | null {
  const { cause, downSince } = link;
  if (link.state === 'up' || link.state === 'off' || downSince === undefined || cause === undefined) return null;
  if (cause === 'stopped') return null;
  const { severity, action } = linkFaults[cause];
  // What does not heal by itself is told of at once.
  if (severity === 'warning' && now - downSince < patience) return null;
  return {
    id: `xmpp-link-${cause}`,
    about: 'xmpp',
    severity,
    since: downSince,
    text: `no XMPP session for ${formatDuration(now - downSince)}${link.reason ? `: ${link.reason}` : ''}`,
    action,
  };
}
