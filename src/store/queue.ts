// What people look for in the queue, and what operators do to it.
import type { Instant } from '../clock.ts';
import type { GroupName } from '../routing/rules.ts';
import type { Tracked } from '../tracking/tracked.ts';
import type { Delivery, DeliveryState, NewDelivery } from './store.ts';

export interface QueueFilter {
  readonly states?: readonly DeliveryState[];
  readonly limit: number;
  /** Part of the recipient or of the chosen mailbox, and of the reverse-path; case does not matter. */
  readonly to?: string;
  readonly from?: string;
  /** Name of the next hop of the last attempt. */
  readonly hop?: string;
  readonly group?: GroupName;
  /** Accepted before this. */
  readonly acceptedBefore?: Instant;
  /** Only what an operator keeps on hold. */
  readonly onHold?: boolean;
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

export interface QueueRow extends Delivery {
  readonly acceptedAt: Instant;
  readonly reversePath: string;
  readonly size: number;
}
