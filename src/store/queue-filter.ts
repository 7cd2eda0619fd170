// Which deliveries of the queue somebody wants to see, and what is seen of them.
import type { Instant } from '../clock.ts';
import type { GroupName } from '../routing/rules.ts';
import type { Delivery, DeliveryState } from './store.ts';

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

export interface QueueRow extends Delivery {
  readonly acceptedAt: Instant;
  readonly reversePath: string;
  readonly size: number;
}
