// What the embedded server can be told.
import type { Clock, Duration } from '../../clock.ts';
import { second } from '../../clock.ts';

/** Who is subscribed to whom from the start, without anybody accepting. */
export type SharedRoster =
  /** Everybody with everybody. */
  | true
  /** Everybody with this one account. */
  | { readonly hub: string }
  /** The members of each group with each other. */
  | { readonly groups: Readonly<Record<string, readonly string[]>> };

export interface XmppServerOptions {
  readonly domain: string;
  /** A loopback address; any other is refused. */
  readonly host?: string;
  /** 0 takes a free one, which is kept over stop() and start(). */
  readonly port?: number;
  /** Local part → password. */
  readonly accounts: Readonly<Record<string, string>>;
  readonly sharedRoster?: SharedRoster;
  /** Local parts of the rooms that are always there, under `rooms.<domain>`; others come and go with their occupants. */
  readonly rooms?: readonly string[];
  /** PEM. Offers STARTTLS; `required` refuses to authenticate without it. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly required?: boolean };
  /** What a new session hears of a contact who is offline: bare-JID unavailable (Prosody) or nothing (ejabberd). */
  readonly offlinePresence?: 'unavailable' | 'silence';
  /** How long a cut session can be resumed. Prosody's default is 600 s. */
  readonly resumeTimeout?: Duration;
  readonly clock?: Clock;
  /** Plain lines for people. */
  readonly log?: (line: string) => void;
}

// Prosody's and ejabberd's limits, where they have one.
export const limits = {
  stanzaBytes: 262_144,
  stanzaBytesBeforeLogin: 10_000,
  connections: 500,
  sessionsPerAccount: 20,
  unackedStanzas: 1_000,
  offlineMessages: 100,
  rosterItems: 2_000,
  rooms: 100,
  occupants: 200,
  loginAttempts: 3,
  /** What may wait in memory for a client that does not read. */
  outputBytes: 8 * 1024 * 1024,
} as const;

export const defaultResumeTimeout = 600 * second;
