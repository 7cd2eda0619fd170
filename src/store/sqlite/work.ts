// What one verb has at hand while it runs: the connection, and what it owes at its end (counters, and messages that
// may be finished now). A verb that is undone leaves nothing of this behind.
import type { Duration, Instant } from '../../clock.ts';
import type { QueueId } from '../../mail/queue-id.ts';
import type { TrackState } from '../../tracking/tracked.ts';
import type { DeliveryState } from '../store.ts';
import type { Passing } from './passing.ts';
import type { Sql } from './sql.ts';

export type Counter = `delivery ${DeliveryState}` | `tracked ${TrackState}` | 'nudge pending';

export interface Work {
  readonly sql: Sql;
  readonly keepContent: Duration;
  /** By how much this verb changes each counter. */
  readonly counted: Map<string, number>;
  /** Messages of which something ended, and when. */
  readonly ended: Map<QueueId, Instant>;
  /** Files that no row names any more, once this is committed. */
  readonly gone: string[];
  /** Mail on its way out that has but one row; `moved` when this verb has changed it. */
  readonly passing: Passing;
  moved: boolean;
  /** The counter's value with everything before in this batch, and this verb. */
  valueOf(counter: Counter): number;
}

/** Later than anything is ever due: the end of the year 9999. */
export const never: Instant = 253_402_300_799_000;

/** Thrown to undo the verb and answer `stale`. */
export class Stale extends Error {
  constructor() {
    super('stale');
    this.name = 'Stale';
  }
}

export function count(work: Work, counter: Counter, by: number): void {
  work.counted.set(counter, (work.counted.get(counter) ?? 0) + by);
}

export function ended(work: Work, queueId: QueueId, at: Instant): void {
  work.ended.set(queueId, Math.max(at, work.ended.get(queueId) ?? at));
}

/** Computed moments (back-off with jitter) may have a fraction; stored ones are whole, and never earlier. */
export function whole(instant: Instant): Instant;
export function whole(instant: Instant | null): Instant | null;
export function whole(instant: Instant | null): Instant | null {
  return instant === null ? null : Math.ceil(instant);
}
