// What the relay is made of: handed in by main.ts, replaced by scripted ones in the story tests.
import type { Clock, Instant, Random } from '../clock.ts';
import type { Config } from '../config.ts';
import type { FaultPoint } from '../fault-point.ts';
import type { Leisure } from '../leisure.ts';
import type { Log } from '../log.ts';
import type { ReportData } from '../mail/dsn.ts';
import type { MarkKey } from '../mail/loop-mark.ts';
import type { OurAddresses } from '../mail/our-address.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Mailboxes } from '../mailboxes.ts';
import type { FaultId } from '../notify/faults.ts';
import type { Notifier } from '../notify/notifier.ts';
import type { Watcher } from '../presence/watcher.ts';
import type { PersonName, RuleSource } from '../routing/rules.ts';
import type { HandedOn } from '../store/onward.ts';
import type { DueKind, Store } from '../store/store.ts';
import type { StoryEvent } from '../tracking/event.ts';
import type { Tracked } from '../tracking/tracked.ts';
import type { Transport } from '../transport.ts';
import type { Absences } from './absences.ts';
import type { FaultReport, OperatorTargets } from './faults/announcing.ts';
import type { CircleGuard } from './guard.ts';
import type { Hops } from './hops.ts';
import type { Ledger } from './ledger.ts';

export interface Parts {
  readonly config: Pick<
    Config,
    'hostname' | 'peers' | 'domains' | 'nextHops' | 'queue' | 'reports' | 'limits' | 'postmaster'
  >;
  readonly clock: Clock;
  readonly random: Random;
  /** For what nobody waits for. */
  readonly leisure: Leisure;
  readonly store: Store;
  readonly rules: RuleSource;
  readonly watcher: Watcher;
  /** Null when no XMPP account is configured: nobody is nudged then. */
  readonly notifier: Notifier | null;
  /** Null when members' mailboxes are not looked into. */
  readonly mailboxes?: Mailboxes | null;
  readonly transport: Transport;
  /** Where evidence is addressed to; null when no domain is set aside for it. */
  readonly ours: OurAddresses | null;
  /** Composes a delivery status notification. */
  readonly composeReport: (data: ReportData) => Promise<Uint8Array> | Uint8Array;
  /** Octets left where the state folder is. */
  readonly freeSpace: () => Promise<number>;
  /** Of the loop mark, newest first. */
  readonly markKeys: () => readonly MarkKey[];
  readonly log: Log;
  /** Called with every event once it is durable. Must not throw. */
  readonly tell: (event: StoryEvent) => void;
  readonly reach: FaultPoint;
  /**
   * What we send ourselves carries a mark made with this key: an MTA that asks us about all its mail asks about that,
   * too. Absent when no MTA asks.
   */
  readonly markKey?: string;
  /** Who is told of faults; null or absent: only the log is. */
  readonly operators?: OperatorTargets | null;
  /** Tells a program of a fault. Rejects when it could not be told. */
  readonly webhook?: (report: FaultReport) => Promise<void>;
  /** What only the machine knows: free disk, certificates, whether the rules were rejected. */
  readonly probe?: () => Promise<readonly Finding[]>;
}

/** One look at something that may be wrong. */
export interface Finding {
  readonly kind: FaultId;
  readonly subject: string;
  /** Null: it is well. */
  readonly wrong: string | null;
}

/** What the stages of the story share. */
export interface Stage extends Parts {
  /** One that this process has not drawn before. */
  readonly newQueueId: (now: Instant) => QueueId;
  readonly ledger: Ledger;
  readonly absences: Absences;
  readonly guard: CircleGuard;
  readonly hops: Hops;
  readonly startedAt: Instant;
  /**
   * Something of these kinds became due, or may have: those who take it look again. All of them when none is said.
   * @param at when, if it is known, and is yet to come
   */
  readonly wake: (kinds?: readonly DueKind[], at?: Instant) => void;
  /** Until when what an escalation forwards is leased, to be attempted from memory; null: it waits in the store. */
  readonly leaseOnward: (now: Instant) => Instant | null;
  /** What was leased so is attempted. */
  readonly sendOnward: (handed: readonly HandedOn[], standing: Tracked) => void;
  /** While mail comes fast: when what has become of such a forward is to be stored, with others. Null: at once. */
  readonly company: () => Promise<void> | null;
}

export function tellAll(stage: Pick<Stage, 'tell'>, events: readonly StoryEvent[] | undefined): void {
  for (const event of events ?? []) stage.tell(event);
}

/** The clocks of these run. */
export function wakeSteps(stage: Pick<Stage, 'wake'>, tracked: readonly Tracked[]): void {
  const moments = tracked.flatMap(({ nextStepAt }) => (nextStepAt === null ? [] : [nextStepAt]));
  if (moments.length > 0) stage.wake(['step'], Math.min(...moments));
}

/** Who has said that they are away, in words for the decision. */
export const awayNow = (stage: Pick<Stage, 'absences'>, now: Instant): Readonly<Record<PersonName, string>> =>
  stage.absences.excluded(now, (until) => awayWords(until));

const awayWords = (until: Instant | null): string =>
  until === null ? 'has said away' : `has said away until ${new Date(until).toISOString().slice(0, 16)}Z`;

/** How often a compare-and-set is tried again when somebody else was quicker. */
export const casTries = 8;
