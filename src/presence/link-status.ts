// What the link to the XMPP server is doing, and why it is down when it is: vocabulary for the port, metrics and faults.

/** The ways of being down. What an operator does about each is in fault.ts. */
export const linkCauses = [
  'dns', // no answer, or no such service
  'unreachable', // no connection
  'no-session', // connected, but no session in time: the server hangs
  'no-tls', // TLS is required and not offered: stripped, or not configured
  'tls', // no TLS, or not with whom we mean
  'login', // the account is refused
  'conflict', // another session has our resource
  'refused', // the server does not want us
  'stream-error', // the server ended the stream with another error
  'unreadable', // what the server sent is no XMPP, or larger than we take
  'closed', // the connection ended
  'silent', // a session stands, but nothing is heard
  'stopped', // by us
] as const;
export type LinkCause = (typeof linkCauses)[number];

export interface LinkStatus {
  readonly state: 'off' | 'connecting' | 'up' | 'down';
  readonly since: number;
  /** The last reason for being down, for people, and its kind; absent while up. */
  readonly reason?: string;
  readonly cause?: LinkCause;
  /** Since when no session stands; absent while up or off. */
  readonly downSince?: number;
  /** Since the process started. */
  readonly counts?: LinkCounts;
}

export interface LinkCounts {
  readonly sessions: number;
  /** Sessions that went on where they were cut. */
  readonly resumed: number;
  /** Attempts and sessions that ended, by how. */
  readonly ended: Readonly<Partial<Record<LinkCause, number>>>;
}
