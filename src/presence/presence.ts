// What we know of one person's presence, in the words of RFC 6121 §4.7. Unknown is a state of its own: that we lost
// the stream, or never heard, says nothing about the person.
import type { Duration, Instant } from '../clock.ts';
import type { BareJid } from './jid.ts';

/** The words rules use. `available` is presence without `<show/>`; `offline` is unavailable. */
export const states = ['chat', 'available', 'away', 'xa', 'dnd', 'offline', 'unknown'] as const;
export type State = (typeof states)[number];

export type UnknownReason =
  | 'never-seen'
  | 'not-subscribed' // they do not share it with us
  | 'link-down'
  | 'resync' // a new session: the server has not told yet
  | 'error' // their server answered with an error
  | 'remote-silent' // their server cannot be reached from ours
  | 'no-answer' // asked whether they are there, none of their clients answered
  | 'untrusted' // their domain's word does not count here
  | 'no-jid';

/** Where what we believe comes from. Stored: old decisions name these for ever. */
export const sources = ['manual', 'absence', 'schedule', 'status', 'xmpp', 'room'] as const;
export type Source = (typeof sources)[number];

/** One connected resource. RFC 6121 §4.7.2. */
export interface Resource {
  readonly name: string;
  readonly show: 'chat' | 'available' | 'away' | 'xa' | 'dnd';
  /** −128..127, absent means 0; negative never counts as reachable. */
  readonly priority: number;
  readonly status?: string;
  /** XEP-0319. */
  readonly idleSince?: Instant;
  /** When the person entered this state: the server's `<delay/>` stamp, or when we heard. */
  readonly since: Instant;
  /** When the status text was written; absent without one. */
  readonly statusSince?: Instant;
}

/** The roll-up over a person's resources. */
export interface Presence {
  readonly state: State;
  readonly since: Instant | null;
  /** When we last had word of it; the age of what we know is now − asOf. */
  readonly asOf: Instant | null;
  readonly status?: string;
  readonly idleSince?: Instant;
  /** For `away` and `xa`: whether the client says so because nobody was at it, or the person did. */
  readonly awayBy?: 'idle' | 'person';
  readonly statusSince?: Instant;
  /** What decided; absent: the stream (`xmpp`). */
  readonly source?: Source;
  /** When that ends by itself, as far as its source knows. */
  readonly until?: Instant;
  /** Who does the work meanwhile, by name. */
  readonly substitute?: string;
  /** What the stream says, when something else decided or a flap is being waited out. */
  readonly live?: {
    readonly state: State;
    readonly since: Instant | null;
    readonly asOf: Instant | null;
    readonly reason?: UnknownReason;
  };
  /** For `unknown`. */
  readonly reason?: UnknownReason;
  /** What was known before it became unknown. */
  readonly lastKnown?: { readonly state: State; readonly asOf: Instant };
  /** For people to see; the roll-up has already judged them. */
  readonly resources?: readonly Resource[];
}

export interface PresenceChange {
  readonly jid: BareJid;
  readonly at: Instant;
  readonly before: State;
  readonly presence: Presence;
}

export const neverSeen: Presence = { state: 'unknown', since: null, asOf: null, reason: 'never-seen' };

export function ageOf(presence: Presence, now: Instant): Duration | null {
  return presence.asOf === null ? null : Math.max(0, now - presence.asOf);
}
