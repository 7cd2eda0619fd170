// Port: what must be remembered. Verbs are named after intent and all async, so that PostgreSQL fits behind it.
// Every verb is one transaction: when its promise resolves, all of it is durable (synced), or it rejects and nothing is.
// Whatever is due at a moment has a row in the one timer queue; a lease on that row says who is working on it, so a
// crash is a lease that runs out, and the work is done again. No verb reads a clock.
import type { Duration, Instant } from '../clock.ts';
import type { Content, ContentFile, ContentWriter } from '../mail/content.ts';
import type { Envelope, ForwardPath } from '../mail/envelope.ts';
import type { MailFacts } from '../mail/facts.ts';
import type { Mailbox } from '../mail/path.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { BareJid } from '../presence/jid.ts';
import type { Presence, PresenceChange } from '../presence/presence.ts';
import type { Choice, Snapshot } from '../routing/choose.ts';
import type { GroupPlan, Plan } from '../routing/plan.ts';
import type { GroupName, PersonName } from '../routing/rules.ts';
import type { StoryEvent } from '../tracking/event.ts';
import type { Evidence } from '../tracking/evidence.ts';
import type { Forwards, Tracked, TrackState } from '../tracking/tracked.ts';
import type { Fault, NewFault } from './fault.ts';
import type { LookBack } from './look-back.ts';
import type { Expected, Onward } from './onward.ts';
import type { QueueFilter, QueueRow } from './queue-filter.ts';
import type { Recorded } from './recorded.ts';
import type { SetBack } from './set-back.ts';

export type { Fault, NewFault } from './fault.ts';
export type { QueueFilter, QueueRow } from './queue-filter.ts';
export type { Recorded } from './recorded.ts';
export { ShortIdTaken } from './short-id-taken.ts';

export interface DeliveryRef {
  readonly queueId: QueueId;
  readonly seq: number;
}

/** One forward-path of one message, or one forward of it that an escalation added. Ends in exactly one final state. */
export type DeliveryState =
  | 'queued' // a timer of kind `attempt` exists
  | 'held' // likewise; due when the hold runs out, or woken earlier
  | 'delivered' // final: accepted by the next hop
  | 'failed' // final: reported to the sender (or NOTIFY=NEVER: see dead)
  | 'dropped' // final: removed by a named rule or operator
  | 'dead'; // final: could not be delivered, and a report is forbidden

export interface Delivery extends DeliveryRef {
  readonly path: ForwardPath;
  readonly plan: Plan;
  readonly state: DeliveryState;
  readonly attempts: number;
  /** The delivery whose tracking asked for this forward; null for the sender's own recipients. */
  readonly forwardOf: number | null;
  /** Chosen before dialling; for a retry it may change. */
  readonly chosen: { readonly mailbox: Mailbox; readonly person: PersonName | null } | null;
  readonly lastReply: string | null;
  /** Next hop's name of the last attempt. */
  readonly lastHop: string | null;
  /** Set before the end of the content is written: an attempt that never settled after this may be a duplicate. */
  readonly finalDotAt: Instant | null;
  readonly nextAttemptAt: Instant | null;
  /** The operator who keeps it on hold: it is not attempted until it is released. */
  readonly onHoldBy: string | null;
  /** When its sender was told that it is delayed. */
  readonly delayToldAt: Instant | null;
}

export interface Message {
  readonly queueId: QueueId;
  readonly acceptedAt: Instant;
  readonly envelope: Omit<Envelope, 'forwardPaths'>;
  readonly facts: MailFacts;
  /** Octets of content. */
  readonly size: number;
  /** Header lines made at acceptance (Received), to be prepended on the way out. */
  readonly trace: string;
  /** `mail` from a peer; `report` is a DSN of ours, which is never reported on. */
  readonly kind: 'mail' | 'report';
}

export interface NewDelivery {
  readonly seq: number;
  readonly path: ForwardPath;
  readonly plan: Plan;
  readonly forwardOf: number | null;
  readonly chosen: Delivery['chosen'];
  readonly firstAttemptAt: Instant;
  /** By an MTA that asked us and delivers it itself: final from the beginning, `delivered`, and never attempted. */
  readonly taken?: { readonly reply: string; readonly nextHop: string; readonly assignment: Assignment | null };
  /** Whoever accepts it attempts it at once: leased from the start until then. */
  readonly leasedUntil?: Instant;
  /**
   * For one leased so: counts as written from the start, so that no second commit is needed before it really is. Until
   * the attempt is settled a crash makes this a possible duplicate, whether or not it came to the final dot.
   */
  readonly finalDotAt?: Instant;
}

export interface Acceptance {
  readonly message: Message;
  /** A file is one of openContent's, the store's from now. Null: nobody will forward it, an MTA that asked has it. */
  readonly content: Content | null;
  readonly deliveries: readonly NewDelivery[];
  /** For those deliveries whose plan has a policy. */
  readonly tracked: readonly Tracked[];
  readonly events: readonly StoryEvent[];
  /** For what is final from the beginning, so that nothing comes after to be stored with. */
  readonly also?: Pick<Consequences, 'nudges' | 'evidence' | 'decisions'>;
}

export interface NewNudge extends DeliveryRef {
  /** Idempotency key: a nudge with an id that exists already is not added again. Also the stanza id. */
  readonly id: string;
  readonly to:
    | { readonly kind: 'person'; readonly jid: BareJid; readonly person: PersonName | null }
    | { readonly kind: 'room'; readonly room: BareJid };
  readonly text: string;
  /** `nudge` asks for an answer and is withdrawn when overtaken; `notice` only tells. */
  readonly kind: 'nudge' | 'notice';
  readonly step: number;
  readonly dueAt: Instant;
  /** Not sent any more after this. */
  readonly staleAt: Instant;
}

export interface Nudge extends NewNudge {
  readonly state: 'pending' | 'sent' | 'withdrawn' | 'stale';
  readonly attempts: number;
  readonly sentAt: Instant | null;
}

/** What goes along, in the same transaction, with the change that caused it. */
export interface Consequences extends Expected {
  readonly events?: readonly StoryEvent[];
  readonly nudges?: readonly NewNudge[];
  readonly evidence?: readonly Evidence[];
  /** Deliveries an escalation adds to an existing message; `seq` is given by the store. */
  readonly forwards?: readonly (Omit<NewDelivery, 'seq'> & { readonly queueId: QueueId })[];
  /** Pending nudges (kind `nudge`) of these deliveries are withdrawn, before `nudges` are added. */
  readonly withdrawNudgesOf?: readonly DeliveryRef[];
  readonly decisions?: readonly NewDecision[];
  /** Reports to senders. */
  readonly reports?: readonly Acceptance[];
  /** Written only if the stored revision is `revision − 1`; otherwise the whole verb answers `stale` and changes nothing. */
  readonly tracked?: readonly Tracked[];
}

export interface NewDecision extends DeliveryRef {
  readonly id: string;
  readonly at: Instant;
  readonly why: 'dispatch' | 'retry' | 'escalation';
  readonly plan: Plan;
  readonly snapshot: Snapshot;
  readonly choice: Choice;
}
export type Decision = NewDecision;

export type Due =
  | { readonly kind: 'attempt'; readonly dueAt: Instant; readonly message: Message; readonly delivery: Delivery }
  | { readonly kind: 'step'; readonly dueAt: Instant; readonly tracked: Tracked; readonly forwards: Forwards }
  | { readonly kind: 'nudge'; readonly dueAt: Instant; readonly nudge: Nudge }
  | { readonly kind: 'retire'; readonly dueAt: Instant; readonly queueId: QueueId };
export type DueKind = Due['kind'];

/** How one attempt ended, per delivery. */
export type Settlement = DeliveryRef &
  (
    | { readonly to: 'delivered'; readonly at: Instant; readonly reply: string; readonly nextHop: string }
    | {
        readonly to: 'queued';
        readonly reply: string | null;
        readonly nextHop: string | null;
        readonly nextAttemptAt: Instant /** false: it was not an attempt (shutdown, breaker) */;
        readonly counts: boolean;
        /** A report of the delay goes along. */
        readonly delayToldAt?: Instant;
        /** The next hop it waits for, and not for its own time: see hastenHop. */
        readonly waitsFor?: string;
        readonly mayHaveArrived?: boolean;
      }
    /** `mayHaveArrived`: a final dot was recorded, of an attempt of which nothing is known: that stays so. */
    | { readonly to: 'held'; readonly until: Instant; readonly mayHaveArrived?: boolean }
    | {
        readonly to: 'failed' | 'dead' | 'dropped';
        readonly at: Instant;
        readonly reply: string;
        readonly nextHop: string | null;
      }
  );

export type Written = 'done' | 'stale';

export interface Assignment extends DeliveryRef {
  readonly person: PersonName;
  readonly group: GroupName;
  readonly at: Instant;
}

/** What load and history look like at start-up; kept up to date in memory afterwards. */
export interface History {
  readonly assignments: readonly { readonly person: PersonName; readonly group: GroupName; readonly lastAt: Instant }[];
  readonly open: readonly {
    readonly person: PersonName;
    readonly count: number;
    /** Units of capacity they take; as many as they are when absent. */
    readonly units?: number;
  }[];
  /** Held deliveries, oldest first. */
  readonly held?: readonly (DeliveryRef & {
    readonly plan: GroupPlan;
    readonly since: Instant;
    readonly until: Instant;
  })[];
}

export interface Store extends LookBack, Onward, SetBack {
  // Accept
  /** @throws ShortIdTaken */
  accept(acceptance: Acceptance): Promise<void>;

  /** For content that is too large for memory: written before it is accepted. */
  openContent(): ContentWriter;
  /** Its message was not accepted. Kept where the store has failed and may have accepted it: a start will tell. */
  dropContent(content: ContentFile): Promise<void>;

  // The timer queue
  /** Leases what is due: what escalations forward, then the oldest. What another lease covers is left alone until it runs out. */
  claimDue(request: {
    kinds: readonly DueKind[];
    now: Instant;
    limit: number;
    leaseFor: Duration;
  }): Promise<readonly Due[]>;
  /** The earliest moment at which something of these kinds can be claimed; null when nothing waits. */
  nextDueAt(kinds: readonly DueKind[]): Promise<Instant | null>;
  /** At start, when this process owns the state folder alone: what a dead process had leased is due again. */
  releaseLeases(): Promise<number>;

  // Forward
  content(queueId: QueueId): Promise<Content>;
  /** Before dialling: who was chosen, with the decision, and the assignment that history counts. */
  recordChoice(
    choice: DeliveryRef & { chosen: NonNullable<Delivery['chosen']>; assignment: Assignment | null },
    also: Consequences,
  ): Promise<Written>;
  recordFinalDot(refs: readonly DeliveryRef[], at: Instant): Promise<void>;
  /**
   * What only says "delivered", with nothing but events, is kept when this resolves, also if the process is killed, but
   * synced no later than with the next commit that must be: a power cut in between brings the attempt back, as one
   * between the next hop's reply and any commit does. The same goes for the leases of claimDue.
   */
  settle(settlements: readonly Settlement[], also: Consequences): Promise<Written>;
  /** Held deliveries of the group (the oldest `limit` of them) become due at `at`, oldest first; answers how many. */
  wakeHeld(group: GroupName, at: Instant, limit?: number): Promise<number>;
  /** What is queued or held, and had by nobody, gets another plan; `stale` when somebody has it or it is over. @throws ShortIdTaken */
  replan(
    change: DeliveryRef & { plan: Plan; tracked: Tracked | null; at: Instant },
    also: Consequences,
  ): Promise<Written>;

  // Watch, escalate, close
  /** Compare-and-set on `tracked` (revision) with all that follows. The step timer is set from nextStepAt. */
  advance(tracked: Tracked, also: Consequences): Promise<Written>;
  /** Evidence and events that change no state. */
  record(also: Consequences): Promise<Written>;
  /** What waits to be said and is not being said right now becomes due at `at`, unless it is due before; how many. */
  hastenNudges(at: Instant): Promise<number>;
  /** What waits for somebody, or is `claimed`, is due at `until`, unless stale by then. Not a try; synced like a lease. */
  putOffNudges(to: Nudge['to'], claimed: readonly (DeliveryRef & { id: string })[], until: Instant): Promise<void>;
  settleNudge(
    id: string,
    outcome: { to: 'sent'; at: Instant } | { to: 'pending'; dueAt: Instant } | { to: 'stale' },
    also: Consequences,
  ): Promise<Written>;
  trackedByShortId(shortId: string): Promise<Tracked | null>;
  tracked(ref: DeliveryRef): Promise<Tracked | null>;
  forwardsOf(ref: DeliveryRef): Promise<Forwards>;
  /** Open ones by owner (any of `owners`), oldest first. */
  openTracked(filter: { owner?: PersonName; group?: GroupName }): Promise<readonly Tracked[]>;
  /** Those whose next step is due first; of each group of equals, the oldest. */
  soonestTracked(limit: number): Promise<readonly Tracked[]>;
  /** Tracked deliveries of messages with one of these Message-IDs, open ones first. */
  trackedByMessageId(messageIds: readonly string[]): Promise<readonly Tracked[]>;
  history(): Promise<History>;

  // Presence
  recordPresence(changes: readonly PresenceChange[]): Promise<void>;
  presenceHistory(filter: {
    jid?: BareJid;
    since: Instant;
    until: Instant;
    limit: number;
  }): Promise<readonly { jid: BareJid; at: Instant; presence: Presence }[]>;
  /** What was known of everybody at a moment: the last change of each up to and including it. */
  presenceAt(at: Instant): Promise<readonly { jid: BareJid; at: Instant; presence: Presence }[]>;
  /** Changes before `before` go, some at a time, but for the last of each: it still held then. Answers how many went. */
  forgetPresence(before: Instant): Promise<number>;

  // Replay
  /** Mail accepted in [since, until) after the one named, in the order in which it came. */
  recorded(filter: { since: Instant; until: Instant; after?: QueueId; limit: number }): Promise<readonly Recorded[]>;

  // Retire
  /** Content goes; envelope, events and decisions stay. */
  retireContent(queueId: QueueId): Promise<void>;

  /**
   * Forgets, by queue id and a portion at a time, what was accepted and has ended before `before`, with all that was
   * noted of it; not what still has content, and no dead letters. `next`: where to go on, null at the end.
   */
  prune(request: { before: Instant; after: QueueId | null; limit: number }): Promise<{
    readonly pruned: number;
    readonly next: QueueId | null;
  }>;

  // Operate
  /** queued or held → due now; null when there is no such delivery or it is final. */
  retryNow(queueId: QueueId, now: Instant, event: StoryEvent): Promise<number>;

  /** Of one message, at an operator's word. */
  intervene(queueId: QueueId, intervention: Intervention): Promise<Intervened>;
  /** Those that wait for this next hop (by its name), at most so many, become due at `at`; answers how many. */
  hastenHop(hop: string, at: Instant, limit: number): Promise<number>;
  /** Queued ones due after `latest`, as no retry is but by a clock that was ahead, become due at `at`, some of them at a time; how many. */
  hastenBeyond(latest: Instant, at: Instant): Promise<number>;

  // Look
  /** What waits, by queue id, in pages: for counting a long queue without stopping everybody else. */
  queuePage(
    after: DeliveryRef | null,
    limit: number,
  ): Promise<
    readonly (DeliveryRef &
      Pick<QueueRow, 'state' | 'onHoldBy' | 'lastHop' | 'acceptedAt'> & { readonly mailbox: Mailbox })[]
  >;
  listQueue(filter: QueueFilter): Promise<readonly QueueRow[]>;
  listTracked(filter: {
    states?: readonly TrackState[];
    group?: GroupName;
    limit: number;
    before?: Instant;
  }): Promise<readonly Tracked[]>;
  message(queueId: QueueId): Promise<{
    message: Message;
    deliveries: readonly Delivery[];
    tracked: readonly Tracked[];
    contentKept: boolean;
  } | null>;
  events(queueId: QueueId): Promise<readonly StoryEvent[]>;
  evidence(queueId: QueueId): Promise<readonly Evidence[]>;
  decisions(queueId: QueueId): Promise<readonly Decision[]>;
  nudges(queueId: QueueId): Promise<readonly Nudge[]>;
  counts(): Promise<{
    deliveries: Readonly<Record<DeliveryState, number>>;
    tracked: Readonly<Record<TrackState, number>>;
    oldestQueuedAt: Instant | null;
    pendingNudges: number;
  }>;

  // Faults
  /** Opens it, or counts it once more when it is open already. */
  openFault(fault: NewFault): Promise<Fault>;
  /** Owner and clearing, by compare-and-set on the revision. */
  changeFault(fault: Fault): Promise<Written>;
  announcedFault(number: number, revision: number): Promise<void>;
  faults(which: 'open' | 'untold' | 'all'): Promise<readonly Fault[]>;
  /** What faults of this kind are and were about, as long as they are kept. */
  faultSubjects(kind: string): Promise<readonly string[]>;

  /** Small facts of ours that outlive a restart: whom we greeted, keys. */
  remember(key: string, value: string): Promise<void>;
  recall(key: string): Promise<string | null>;
  /** Those whose key begins so. */
  recallAll(prefix: string): Promise<readonly (readonly [key: string, value: string])[]>;
  forget(keys: readonly string[]): Promise<void>;

  close(): Promise<void>;
}

/** A delivery that stands in for those it replaces; `seq` is given by the store. */
export interface Replacement {
  readonly delivery: Omit<NewDelivery, 'seq' | 'firstAttemptAt'>;
  readonly tracked: Omit<Tracked, 'seq'> | null;
}

export type Intervention = {
  readonly at: Instant;
  readonly by: string;
  /** For the record: `put on hold`. */
  readonly says: string;
} & (
  | { readonly action: 'hold' | 'release' | 'drop' }
  | { readonly action: 'requeue'; readonly replacement: Replacement }
);

export interface Intervened {
  /** `seq` of those it was done to. */
  readonly done: readonly number[];
  /** Left alone because they are being attempted. */
  readonly busy: readonly number[];
}
