// One tracked message: mail for a group that has a policy. States and legal moves:
//
//   waiting ──▶ tracked ──▶ acknowledged | answered | expired | withdrawn
//      │  ▲        │ ▲
//      ▼  │        └─┘ (a new owner, a next step)
//      held        expired ──▶ acknowledged | answered   (a late answer is still worth recording)
//
// waiting: accepted, not yet with anybody. held: nobody is eligible. tracked: forwarded, the clock runs.
// expired: every step was taken and nobody has answered. withdrawn: dropped or undeliverable.
import type { Instant } from '../clock.ts';
import type { Mailbox, ReversePath } from '../mail/path.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { GroupPlan } from '../routing/plan.ts';
import type { PersonName } from '../routing/rules.ts';
import type { Pledge } from './pledge.ts';

export type TrackState = 'waiting' | 'held' | 'tracked' | 'acknowledged' | 'answered' | 'expired' | 'withdrawn';

export const openStates: readonly TrackState[] = ['waiting', 'held', 'tracked'];
export const isOpen = (state: TrackState): boolean => openStates.includes(state);

export interface Tracked {
  readonly queueId: QueueId;
  /** The delivery (forward-path) of the message that is tracked. */
  readonly seq: number;
  readonly shortId: string;
  readonly state: TrackState;
  /** Counts every change; a writer states the one it saw (compare-and-set). */
  readonly revision: number;
  readonly plan: GroupPlan & { readonly policy: NonNullable<GroupPlan['policy']> };
  readonly owner: PersonName | null;
  /** Since when the owner has it. */
  readonly ownedSince: Instant | null;
  /** How many of the policy's steps are behind us: 0 before the first. */
  readonly step: number;
  /** How often the current step (`step`) has been taken already. */
  readonly stepTaken: number;
  /** When the next step is due; null when no clock runs. Equal to its timer in the store. */
  readonly nextStepAt: Instant | null;
  /** While set, `nextStepAt` is when this word of the owner's runs out, not when the next step is due. */
  readonly pledge?: Pledge | null;
  /** Everybody who has had it or refused it, with the words for why not again. */
  readonly tried: Readonly<Record<PersonName, string>>;
  /** Who has taken it, where the policy wants more than one. */
  readonly takenBy?: readonly PersonName[];
  readonly acceptedAt: Instant;
  readonly closedAt: Instant | null;
  readonly closedBy: string | null;
  readonly messageId: string | null;
  readonly subject: string | null;
  /** Who wrote, for people: the From header, else the reverse-path. */
  readonly from: string;
  readonly reversePath: ReversePath;
  readonly address: Mailbox;
}

/** Of those that escalation has added for a delivery: how many, and how many were not attempted even once. */
export interface Forwards {
  readonly made: number;
  readonly onTheirWay: number;
}
