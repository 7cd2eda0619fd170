// The one timer queue. Whatever is due at a moment has a row here; a lease on it says that somebody is working on it,
// and a lease that has run out makes it claimable again.
import type { Instant } from '../../clock.ts';
import type { QueueId } from '../../mail/queue-id.ts';
import type { Due, DueKind, Store } from '../store.ts';
import { forwardsOf } from './forwards.ts';
import { nextLeaseEnd } from './passing.ts';
import { type DeliveryRow, deliveryFrom, type MessageRow, messageFrom, type NudgeRow, nudgeFrom } from './rows.ts';
import { type TrackedRow, trackedFrom } from './tracked-row.ts';
import { type Work, whole } from './work.ts';

interface TimerRow {
  readonly queue_id: QueueId;
  readonly seq: number;
  readonly ref: string;
  readonly due_at: Instant;
  readonly claimable_at: Instant;
}

/** Sets or replaces; what was leased is leased no more, unless so said. */
export function setTimer(
  work: Work,
  kind: DueKind,
  timer: { queueId: QueueId; seq: number; ref?: string; leasedUntil?: Instant | null },
  dueAt: Instant,
): void {
  work.sql.run(
    `INSERT INTO timers (kind, queue_id, seq, ref, due_at, lease_until) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (kind, queue_id, seq, ref) DO UPDATE SET due_at = excluded.due_at, lease_until = excluded.lease_until`,
    kind,
    timer.queueId,
    timer.seq,
    timer.ref ?? '',
    whole(dueAt),
    whole(timer.leasedUntil ?? null),
  );
}

export function dropTimer(work: Work, kind: DueKind, timer: { queueId: QueueId; seq: number; ref?: string }): void {
  work.sql.run(
    'DELETE FROM timers WHERE kind = ? AND queue_id = ? AND seq = ? AND ref = ?',
    kind,
    timer.queueId,
    timer.seq,
    timer.ref ?? '',
  );
}

/** Never later than it was, and without touching a lease. */
export function hastenAttempt(work: Work, queueId: QueueId, seq: number, at: Instant): void {
  work.sql.run(
    `UPDATE timers SET due_at = ? WHERE kind = 'attempt' AND queue_id = ? AND seq = ? AND ref = '' AND due_at > ?`,
    whole(at),
    queueId,
    seq,
    whole(at),
  );
}

/**
 * Said in the text: where SQLite's plan may depend on a value that is bound (a limit, what an index begins with), it makes
 * a new one each time, which takes four times as long as the look itself. Rounded up, so that the texts are few.
 */
const enough = (limit: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, limit)));

/**
 * Oldest first: by the moment it became claimable, then by queue id. One query a kind, so that each walks the index
 * and stops at the limit; then one get by primary key for each item, which inside the process costs less than a join
 * over a list of keys.
 */
export function claimDue(work: Work, request: Parameters<Store['claimDue']>[0]): readonly Due[] {
  const found = [...new Set(request.kinds)].flatMap((kind) =>
    work.sql
      .all<TimerRow>(
        `SELECT queue_id, seq, ref, due_at, coalesce(lease_until, due_at) AS claimable_at FROM timers
         WHERE kind = '${kind}' AND coalesce(lease_until, due_at) <= ?
         ORDER BY coalesce(lease_until, due_at), queue_id, seq LIMIT ${enough(request.limit)}`,
        request.now,
      )
      .map((row) => ({ kind, row })),
  );
  found.sort((a, b) => a.row.claimable_at - b.row.claimable_at || compare(a.row.queue_id, b.row.queue_id));
  const due: Due[] = [];
  for (const { kind, row } of found.slice(0, request.limit)) {
    work.sql.run(
      'UPDATE timers SET lease_until = ? WHERE kind = ? AND queue_id = ? AND seq = ? AND ref = ?',
      whole(request.now + request.leaseFor),
      kind,
      row.queue_id,
      row.seq,
      row.ref,
    );
    const item = load(work, kind, row);
    if (item) due.push(item);
  }
  return due;
}

function load(work: Work, kind: DueKind, timer: TimerRow): Due | undefined {
  const dueAt = timer.due_at;
  switch (kind) {
    case 'attempt': {
      const message = work.sql.get<MessageRow>('SELECT * FROM messages WHERE queue_id = ?', timer.queue_id);
      const delivery = work.sql.get<DeliveryRow>(
        'SELECT * FROM deliveries WHERE queue_id = ? AND seq = ?',
        timer.queue_id,
        timer.seq,
      );
      return message && delivery && { kind, dueAt, message: messageFrom(message), delivery: deliveryFrom(delivery) };
    }
    case 'step': {
      const tracked = work.sql.get<TrackedRow>(
        'SELECT * FROM tracked WHERE queue_id = ? AND seq = ?',
        timer.queue_id,
        timer.seq,
      );
      if (!tracked) return undefined;
      const forwards = forwardsOf(work, { queueId: timer.queue_id, seq: timer.seq });
      return { kind, dueAt, tracked: trackedFrom(tracked), forwards };
    }
    case 'nudge': {
      const nudge = work.sql.get<NudgeRow>('SELECT * FROM nudges WHERE id = ?', timer.ref);
      return nudge && { kind, dueAt, nudge: nudgeFrom(nudge) };
    }
    case 'retire':
      return { kind, dueAt, queueId: timer.queue_id };
    default:
      return kind satisfies never;
  }
}

export function nextDueAt(work: Pick<Work, 'sql' | 'passing'>, kinds: readonly DueKind[]): Instant | null {
  const moments = kinds.flatMap((kind) => {
    const row = work.sql.get<{ at: Instant }>(
      `SELECT coalesce(lease_until, due_at) AS at FROM timers WHERE kind = '${kind}'
       ORDER BY coalesce(lease_until, due_at) LIMIT 1`,
    );
    return row ? [row.at] : [];
  });
  const passing = kinds.includes('attempt') ? nextLeaseEnd(work.passing) : null;
  if (passing !== null) moments.push(passing);
  return moments.length === 0 ? null : Math.min(...moments);
}

export function releaseLeases(work: Work): number {
  return work.sql.run('UPDATE timers SET lease_until = NULL WHERE lease_until IS NOT NULL');
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
