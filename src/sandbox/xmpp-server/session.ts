// One bound resource of one account. It outlives its connection when it can be resumed (XEP-0198).
import type { Instant } from '../../clock.ts';
import type { RosterItem } from './roster.ts';
import type { StreamManagement } from './sm.ts';
import type { Element } from './xml.ts';

/** The connection, as its session sees it. */
export interface Link {
  send(element: Element): void;
  /** RFC 6120 §4.9: sends the error, closes the stream and the socket, and with them the session. */
  fail(condition: string, text?: string): void;
}

export interface Session {
  readonly jid: string;
  readonly resource: string;
  readonly account: Account;
  link: Link | undefined;
  sm: StreamManagement | undefined;
  /** Ends the wait for a resumption. */
  waiting: AbortController | undefined;
  /** The last broadcast presence; undefined while unavailable. */
  presence: Element | undefined;
  presenceSince: Instant;
  priority: number;
  /** It asked for the roster, so it gets pushes. RFC 6121 §2.1.6. */
  interested: boolean;
  carbons: boolean;
  /** Who got directed presence. RFC 6121 §4.6. */
  readonly directed: Set<string>;
}

export interface Account {
  readonly local: string;
  readonly bare: string;
  password: string;
  readonly roster: Map<string, RosterItem>;
  /** By resource. */
  readonly sessions: Map<string, Session>;
  offline: Element[];
  /** XEP-0049, by namespace and name. */
  readonly privateXml: Map<string, Element>;
  vcard: Element | undefined;
}

export function availableSessions(account: Account): Session[] {
  return [...account.sessions.values()].filter((session) => session.presence !== undefined);
}

/** RFC 6121 §8.5.2: those that messages to the bare JID may go to. */
export function reachableSessions(account: Account): Session[] {
  return availableSessions(account).filter((session) => session.priority >= 0);
}
