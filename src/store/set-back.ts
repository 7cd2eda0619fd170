// Port, part of the store's: what a clock that was ahead and was set right has left behind.
import type { Instant } from '../clock.ts';
import type { Tracked } from '../tracking/tracked.ts';
import type { DeliveryRef } from './store.ts';

export interface SetBack {
  /** The latest moment at which any of the last events says it happened; null when there are none. */
  lastEventAt(): Promise<Instant | null>;
  /**
   * Open ones, by queue id and a portion at a time, whose next step is after `now` and of which an event says that it was
   * later than `at`: of those since the last that is `by: 'clock set back'`. `next`: where to go on, null at the end.
   */
  openWrittenAfter(request: { at: Instant; now: Instant; after: DeliveryRef | null; limit: number }): Promise<{
    readonly found: readonly { readonly tracked: Tracked; readonly lastEventAt: Instant }[];
    readonly next: DeliveryRef | null;
  }>;
}
