// Port: what people and programs may look at and do. The control socket serves it; CLI and console speak to that.

import type { Duration, Instant } from './clock.ts';
import type { DirectoryGroup, Flaw } from './directory/directory.ts';
import type { Mailbox, ReversePath } from './mail/path.ts';
import type { QueueId } from './mail/queue-id.ts';
import type { Oversight } from './oversight.ts';
import type { PresenceFault } from './presence/fault.ts';
import type { Override } from './presence/override.ts';
import type { Presence, Source } from './presence/presence.ts';
import type { LinkStatus } from './presence/watcher.ts';
import type { Choice } from './routing/choose.ts';
import type { Origin, Privacy, Problem } from './routing/rules.ts';
import type {
  Decision,
  Delivery,
  Intervened,
  Message,
  Nudge,
  QueueFilter,
  QueueRow,
  Recorded,
  Store,
} from './store/store.ts';
import type { StoryEvent } from './tracking/event.ts';
import type { Evidence } from './tracking/evidence.ts';
import type { Tracked, TrackState } from './tracking/tracked.ts';

export interface Status {
  readonly version: string;
  readonly ready: boolean;
  /** What stands in the way of being ready, or is wrong though we are; for people. */
  readonly problems: readonly string[];
  readonly rulesVersion: string;
  readonly link: LinkStatus;
  /** What is wrong with presence, each with what to do about it. */
  readonly faults?: readonly PresenceFault[];
  readonly startedAt: number;
  /** Open SMTP connections. */
  readonly connections?: number;
  /** Of the certificate that STARTTLS shows; null: there is none. */
  readonly certificateExpiresAt?: Instant | null;
  readonly relay?: RelayState;
  /** Null when the store does not answer. */
  readonly counts: Awaited<ReturnType<Store['counts']>> | null;
}

/** What the relay is about at this moment. */
export interface RelayState {
  /** All that the configuration names. */
  readonly hops: readonly HopState[];
  /** Messages being attempted, and those that wait in memory for their turn. */
  readonly inHand: number;
  readonly waiting: number;
  /** Why no mail is taken for want of room; null: it is. */
  readonly full: string | null;
}

export interface HopState {
  readonly name: string;
  /** Of the circuit breaker: open means that nothing is sent. */
  readonly state: 'closed' | 'open' | 'probing';
  /** Transactions at one time at most, and under way. */
  readonly level: number;
  readonly under: number;
  /** Why the last session failed; empty when it did not. */
  readonly cause: string;
}

export interface PersonView {
  readonly name: string;
  readonly mail: string;
  readonly jid: string | null;
  readonly groups: readonly string[];
  /** What of them the directory says; absent: the rule files say all of it. */
  readonly directory?: Origin;
  readonly presence: Presence;
  /** Which source decided, and how old its word is; null: it has never said anything. */
  readonly source: Source;
  readonly age: Duration | null;
  readonly open: number;
  readonly lastAssignedAt: number | null;
}

export interface Story {
  readonly message: Message;
  readonly deliveries: readonly Delivery[];
  readonly tracked: readonly Tracked[];
  readonly contentKept: boolean;
  readonly events: readonly StoryEvent[];
  readonly evidence: readonly Evidence[];
  readonly decisions: readonly Decision[];
  readonly nudges: readonly Nudge[];
}

export interface RouteQuestion {
  readonly from: ReversePath;
  readonly to: readonly Mailbox[];
  /** Lines of a header, CRLF line ends. */
  readonly header: string;
}

/** For one recipient, in the order of the question. */
export interface RouteAnswer {
  readonly to: Mailbox;
  readonly decision: 'pass' | 'reject' | 'member' | 'fallback' | 'hold';
  /** Who would have the mail; absent for what is refused or held. */
  readonly mailbox?: Mailbox;
  readonly person?: string;
  readonly group?: string;
  readonly reply?: string;
  readonly until?: number;
  /** Also those who get it besides. */
  readonly also?: readonly Mailbox[];
  /** To be put above the mail: by these it is known when it comes back to the group. */
  readonly addHeaders?: readonly { readonly name: string; readonly value: string }[];
  readonly because: readonly string[];
  readonly considered: Choice['considered'];
  readonly rulesVersion: string;
}

export type AckOutcome =
  | { readonly kind: 'done'; readonly tracked: Tracked }
  | {
      readonly kind: 'late';
      readonly tracked: Tracked /** for people: who closed it and when */;
      readonly text: string;
    }
  | { readonly kind: 'unknown' };

/** What may be told of a token; the token itself was told once, when it was made. */
export interface TokenView {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: Instant;
  /** Null: until it is revoked. */
  readonly until: Instant | null;
}

/** What was asked cannot be done as things stand; the message says why, for people. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** Of whom; both absent: of everybody. */
export interface PresenceFilter {
  readonly person?: string;
  readonly group?: string;
}

/** One group as the rules in force have it. */
export interface GroupView {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly members: readonly string[];
  readonly strategy: string;
  readonly eligible: readonly string[];
  /** How long mail waits for somebody; null: not at all. */
  readonly hold: Duration | null;
  readonly policy: string | null;
  /** What of its mail is told to whom; absent: everything. */
  readonly privacy?: Privacy;
  /** What would become now of a mail that is like most. */
  readonly next: RouteAnswer;
}

/** What is known of the directory. */
export interface DirectoryView {
  readonly source: string;
  /** When what is in force was read; null: nothing ever was. */
  readonly readAt: Instant | null;
  /** Why it could not be read the last time. */
  readonly failure: { readonly kind: 'down' | 'refused'; readonly text: string; readonly since: Instant } | null;
  /** Changes that were not taken over, by group or `people`. */
  readonly held: readonly { readonly subject: string; readonly text: string }[];
  /** How many there are in all. */
  readonly people: number;
  /** Those that the rules name. */
  readonly groups: readonly DirectoryGroup[];
  /** How many others there are. */
  readonly unused: number;
  /** Entries that cannot be used, the first of them. */
  readonly flaws: readonly Flaw[];
}

/** Who might have a tracked message now, the best first. */
export interface Candidates {
  readonly tracked: Tracked;
  readonly considered: Choice['considered'];
}

export type PresenceWish = Pick<Override, 'state' | 'until' | 'note' | 'substitute'> & {
  /** Absent: at once. */
  readonly from?: Instant;
};

/** How long ago what waits was accepted: counts of those younger than each bound, and older than the one before. */
export interface QueueCounts {
  /** In minutes; the last column counts what is older than the last bound. */
  readonly bounds: readonly number[];
  readonly rows: readonly {
    readonly nextHop: string;
    readonly total: number;
    readonly onHold: number;
    readonly ages: readonly number[];
  }[];
}

export interface Operations extends Oversight {
  status(): Promise<Status>;
  listQueue(filter: QueueFilter): Promise<readonly QueueRow[]>;
  /** By queue id, or by short id of a tracked message. Null when unknown. */
  story(id: string): Promise<Story | null>;
  /** How many deliveries are due now because of it. */
  retry(queueId: QueueId, by: string): Promise<number>;
  /** `by` is who did it, for the record. @throws RefusedError when there is nothing it could be done to. */
  intervene(queueId: QueueId, action: 'hold' | 'release' | 'drop', by: string): Promise<Intervened>;
  /** To another address of ours. @throws RefusedError */
  requeue(queueId: QueueId, to: string, by: string): Promise<Intervened>;
  /** What waits, by next hop and age. */
  countQueue(): Promise<QueueCounts>;
  listTracked(filter: { states?: readonly TrackState[]; group?: string; limit: number }): Promise<readonly Tracked[]>;
  /** Those whose next step is due first. */
  soonest(limit: number): Promise<readonly Tracked[]>;
  /** Null when no such message is tracked. */
  candidates(id: string): Promise<Candidates | null>;
  /** Gives it to somebody the rules name. @throws RefusedError */
  reassign(id: string, person: string, by: string): Promise<Tracked>;
  /** More time for its owner. @throws RefusedError */
  snooze(id: string, lasts: Duration, by: string): Promise<Tracked>;
  /** Takes a step of its policy now: the one of that name, or the one that comes. @throws RefusedError */
  takeStep(id: string, step: string | null, by: string): Promise<Tracked>;
  groups(): readonly GroupView[];
  /** `by` is who did it, for the record. */
  ack(id: string, by: string): Promise<AckOutcome>;
  /** Where copies of members' mail are to be sent; null when no domain is set aside for evidence. A secret. */
  copiesAddress(): Promise<string | null>;
  /** @throws RefusedError when there is no such person or group */
  presence(filter?: PresenceFilter): Promise<readonly PersonView[]>;
  /** What was known of people then: "who was there at 10:42". */
  presenceAt(at: Instant): Promise<readonly { readonly name: string; readonly presence: Presence }[]>;
  /** By hand, whatever clients say; null takes it back. @throws RefusedError */
  setPresence(name: string, wish: PresenceWish | null, by: string): Promise<PersonView>;
  /** Calls the listener with the new view of whoever's presence changes, until the returned function is called. */
  followPresence(listener: (view: PersonView) => void): () => void;
  /** What would become of such a mail now; nothing is sent, and nothing remembered. */
  route(mail: RouteQuestion): readonly RouteAnswer[];
  /** The replayed decisions of a message: stored snapshot, choice now, whether it equals the stored one. */
  explain(id: string): Promise<readonly { readonly decision: Decision; readonly replayed: boolean }[] | null>;
  /** Mail facts and presence as they were recorded, in pages: what replay needs. */
  recorded(filter: Parameters<Store['recorded']>[0]): Promise<readonly Recorded[]>;
  presenceHistory(filter: Parameters<Store['presenceHistory']>[0]): ReturnType<Store['presenceHistory']>;
  /** A new key for the mark by which we know our own mail again; answers the key's name. */
  rotateMarkKey(by: string): Promise<{ readonly key: string }>;
  /** Null when none is configured. */
  directory(): DirectoryView | null;
  /** Takes over a change of the directory that was held back. @throws RefusedError when there is none */
  acceptDirectory(by: string): Promise<DirectoryView>;
  reload(by: string): Promise<{ readonly version: string; readonly problems: readonly Problem[] }>;
}
