// The row of one tracked message.
import type { Instant } from '../../clock.ts';
import type { Mailbox, ReversePath } from '../../mail/path.ts';
import type { QueueId } from '../../mail/queue-id.ts';
import type { Tracked, TrackState } from '../../tracking/tracked.ts';

export interface TrackedRow {
  readonly queue_id: QueueId;
  readonly seq: number;
  readonly short_id: string;
  readonly state: TrackState;
  readonly revision: number;
  readonly plan: string;
  readonly owner: string | null;
  readonly owned_since: Instant | null;
  readonly step: number;
  readonly step_taken: number;
  readonly next_step_at: Instant | null;
  readonly tried: string;
  readonly pledge: string | null;
  readonly taken_by: string | null;
  readonly accepted_at: Instant;
  readonly closed_at: Instant | null;
  readonly closed_by: string | null;
  readonly message_id: string | null;
  readonly subject: string | null;
  readonly sender: string;
  readonly reverse_path: ReversePath;
  readonly address: Mailbox;
}

export const trackedFrom = (row: TrackedRow): Tracked => ({
  queueId: row.queue_id,
  seq: row.seq,
  shortId: row.short_id,
  state: row.state,
  revision: row.revision,
  plan: JSON.parse(row.plan) as Tracked['plan'],
  owner: row.owner,
  ownedSince: row.owned_since,
  step: row.step,
  stepTaken: row.step_taken,
  nextStepAt: row.next_step_at,
  tried: JSON.parse(row.tried) as Tracked['tried'],
  ...(row.pledge === null ? {} : { pledge: JSON.parse(row.pledge) as NonNullable<Tracked['pledge']> }),
  ...(row.taken_by === null ? {} : { takenBy: JSON.parse(row.taken_by) as NonNullable<Tracked['takenBy']> }),
  acceptedAt: row.accepted_at,
  closedAt: row.closed_at,
  closedBy: row.closed_by,
  messageId: row.message_id,
  subject: row.subject,
  from: row.sender,
  reversePath: row.reverse_path,
  address: row.address,
});
