// What operators do to deliveries, each in one transaction with the record of who did it. What is being attempted is
// never taken away: its outcome is not known yet.
import type { Instant } from '../../clock.ts';
import type { QueueId } from '../../mail/queue-id.ts';
import type { DeliveryState, Intervened, Intervention, Replacement, Store } from '../store.ts';
import { insertDelivery, nextSeq } from './deliveries.ts';
import { appendEvent } from './look.ts';
import { reopen } from './messages.ts';
import { dropTimer } from './timers.ts';
import { changeTracked, insertTracked, trackedOne } from './tracked.ts';
import { count, ended, never, type Work, whole } from './work.ts';

interface Row {
  readonly seq: number;
  readonly state: DeliveryState;
  readonly on_hold_by: string | null;
  readonly lease_until: Instant | null;
}

const isWaiting = (row: Row): boolean => row.state === 'queued' || row.state === 'held';

export function intervene(work: Work, queueId: QueueId, intervention: Intervention): Intervened {
  const rows = work.sql.all<Row>(
    `SELECT d.seq, d.state, d.on_hold_by, t.lease_until FROM deliveries d
     LEFT JOIN timers t ON t.kind = 'attempt' AND t.queue_id = d.queue_id AND t.seq = d.seq AND t.ref = ''
     WHERE d.queue_id = ? ORDER BY d.seq`,
    queueId,
  );
  const wanted = rows.filter((row) => concerns(intervention, row));
  const inHand = (row: Row) => row.lease_until !== null && row.lease_until > intervention.at;
  // A hold counts from the next attempt on; what ends a delivery must not cross with the attempt.
  const ends = intervention.action === 'drop' || intervention.action === 'requeue';
  const busy = wanted.filter((row) => ends && isWaiting(row) && inHand(row));
  const free = wanted.filter((row) => !busy.includes(row));
  for (const row of free) apply(work, queueId, row, intervention);
  if (intervention.action === 'requeue' && free.length > 0) {
    add(work, queueId, intervention.replacement, intervention.at);
  }
  for (const { seq } of free) {
    const { at, by, says: action } = intervention;
    appendEvent(work, { event: 'operated', at, queueId, seq, action, by });
  }
  return { done: free.map(({ seq }) => seq), busy: busy.map(({ seq }) => seq) };
}

function concerns({ action }: Intervention, row: Row): boolean {
  switch (action) {
    case 'hold':
      return isWaiting(row) && row.on_hold_by === null;
    case 'release':
      return isWaiting(row) && row.on_hold_by !== null;
    case 'drop':
      return isWaiting(row) || row.state === 'dead';
    case 'requeue':
      // A report has been sent about what failed; sending the mail itself once more is still what they may want.
      return isWaiting(row) || row.state === 'dead' || row.state === 'failed';
    default:
      return action satisfies never;
  }
}

function apply(work: Work, queueId: QueueId, row: Row, { action, at, by, says }: Intervention): void {
  switch (action) {
    case 'hold':
      setHold(work, queueId, row.seq, by, never);
      return;
    case 'release':
      setHold(work, queueId, row.seq, null, at);
      return;
    case 'drop':
    case 'requeue':
      if (row.state !== 'failed') drop(work, queueId, row, { at, by, says });
      return;
    default:
      action satisfies never;
  }
}

/** The lease is left alone: an attempt that is under way ends as it ends. */
function setHold(work: Work, queueId: QueueId, seq: number, by: string | null, due: Instant): void {
  work.sql.run(
    'UPDATE deliveries SET on_hold_by = ?, next_attempt_at = ? WHERE queue_id = ? AND seq = ?',
    by,
    whole(due),
    queueId,
    seq,
  );
  work.sql.run(
    `UPDATE timers SET due_at = ? WHERE kind = 'attempt' AND queue_id = ? AND seq = ? AND ref = ''`,
    whole(due),
    queueId,
    seq,
  );
}

function drop(
  work: Work,
  queueId: QueueId,
  row: Row,
  { at, by, says }: Pick<Intervention, 'at' | 'by' | 'says'>,
): void {
  count(work, `delivery ${row.state}`, -1);
  count(work, 'delivery dropped', 1);
  work.sql.run(
    `UPDATE deliveries SET state = 'dropped', last_reply = ?, on_hold_by = NULL, waits_for = NULL,
       next_attempt_at = NULL, ended_at = ?
     WHERE queue_id = ? AND seq = ?`,
    `${says} by ${by}`,
    at,
    queueId,
    row.seq,
  );
  dropTimer(work, 'attempt', { queueId, seq: row.seq });
  ended(work, queueId, at);
  const tracked = trackedOne(work, { queueId, seq: row.seq });
  if (tracked?.state === 'waiting' || tracked?.state === 'held') {
    const closed = { state: 'withdrawn', nextStepAt: null, closedAt: at, closedBy: by } as const;
    changeTracked(work, { ...tracked, ...closed, revision: tracked.revision + 1 }, at);
  }
}

function add(work: Work, queueId: QueueId, { delivery, tracked }: Replacement, at: Instant): void {
  reopen(work, queueId);
  const seq = nextSeq(work, queueId);
  insertDelivery(work, queueId, { ...delivery, seq, firstAttemptAt: at });
  if (tracked) insertTracked(work, { ...tracked, seq });
}

/** Those that wait for one next hop become due at `at`, oldest first. */
export function hastenHop(work: Work, hop: string, at: Instant, limit: number): number {
  const rows = work.sql.all<{ queue_id: QueueId; seq: number }>(
    `SELECT d.queue_id, d.seq FROM deliveries d
     JOIN timers t ON t.kind = 'attempt' AND t.queue_id = d.queue_id AND t.seq = d.seq AND t.ref = ''
     WHERE d.waits_for = ? AND d.state = 'queued' AND d.on_hold_by IS NULL AND t.lease_until IS NULL AND t.due_at > ?
     ORDER BY d.queue_id, d.seq LIMIT ?`,
    hop,
    whole(at),
    limit,
  );
  for (const { queue_id: queueId, seq } of rows) setHold(work, queueId, seq, null, at);
  return rows.length;
}

/** Those that were put off by a clock that was ahead: some at a time. What is on hold is never due. */
export function hastenBeyond(work: Work, latest: Instant, at: Instant): number {
  const rows = work.sql.all<{ queue_id: QueueId; seq: number }>(
    `SELECT d.queue_id, d.seq FROM timers t
     JOIN deliveries d ON d.queue_id = t.queue_id AND d.seq = t.seq
     WHERE t.kind = 'attempt' AND coalesce(t.lease_until, t.due_at) > ? AND coalesce(t.lease_until, t.due_at) < ?
       AND t.lease_until IS NULL AND d.state = 'queued' AND d.on_hold_by IS NULL LIMIT 500`,
    whole(latest),
    never,
  );
  for (const { queue_id: queueId, seq } of rows) setHold(work, queueId, seq, null, at);
  return rows.length;
}

type Page = Awaited<ReturnType<Store['queuePage']>>;

/** By primary key, so that each page costs the same however long the queue is. */
export function queuePage(work: Work, after: { queueId: QueueId; seq: number } | null, limit: number): Page {
  return work.sql.all<Page[number]>(
    `SELECT d.queue_id AS "queueId", d.seq, d.state, d.on_hold_by AS "onHoldBy", d.last_hop AS "lastHop",
       coalesce(d.chosen_mailbox, json_extract(d.path, '$.mailbox')) AS mailbox, m.accepted_at AS "acceptedAt"
     FROM timers t JOIN deliveries d ON d.queue_id = t.queue_id AND d.seq = t.seq
     JOIN messages m ON m.queue_id = t.queue_id
     WHERE t.kind = 'attempt' AND (t.queue_id, t.seq) > (?, ?) ORDER BY t.queue_id, t.seq LIMIT ?`,
    after?.queueId ?? '',
    after?.seq ?? 0,
    limit,
  );
}
