// Which deliveries of the queue somebody wants to see.
import type { Instant } from '../clock.ts';
import type { GroupName } from '../routing/rules.ts';
import type { DeliveryState } from './store.ts';

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
