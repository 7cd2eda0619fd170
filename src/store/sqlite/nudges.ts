// Nudges: pending ones have a `nudge` timer. An id is used once; adding it again changes nothing.
import type { Instant } from '../../clock.ts';
import type { DeliveryRef, NewNudge, Nudge, Store } from '../store.ts';
import { dropTimer, setTimer } from './timers.ts';
import { count, Stale, type Work, whole } from './work.ts';

export function addNudge(work: Work, nudge: NewNudge): void {
  const added = work.sql.run(
    `INSERT INTO nudges (id, queue_id, seq, kind, recipient_kind, recipient, person, text, step, due_at, stale_at, state,
       attempts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', 0)
     ON CONFLICT (id) DO NOTHING`,
    nudge.id,
    nudge.queueId,
    nudge.seq,
    nudge.kind,
    nudge.to.kind,
    nudge.to.kind === 'person' ? nudge.to.jid : nudge.to.room,
    nudge.to.kind === 'person' ? nudge.to.person : null,
    nudge.text,
    nudge.step,
    whole(nudge.dueAt),
    whole(nudge.staleAt),
  );
  if (added === 0) return;
  setTimer(work, 'nudge', { queueId: nudge.queueId, seq: nudge.seq, ref: nudge.id }, nudge.dueAt);
  count(work, 'nudge pending', 1);
}

/** Notices stay: they tell what has happened, and that stays true. */
export function withdrawNudges(work: Work, of: DeliveryRef): void {
  const pending = work.sql.all<{ id: string }>(
    `SELECT id FROM nudges WHERE queue_id = ? AND seq = ? AND kind = 'nudge' AND state = 'pending'`,
    of.queueId,
    of.seq,
  );
  for (const { id } of pending) {
    work.sql.run(`UPDATE nudges SET state = 'withdrawn' WHERE id = ?`, id);
    dropTimer(work, 'nudge', { queueId: of.queueId, seq: of.seq, ref: id });
    count(work, 'nudge pending', -1);
  }
}

/** Only the timers: when it was meant to go still tells what it waited for. */
export function hastenNudges(work: Work, at: Instant): number {
  return work.sql.run(
    `UPDATE timers SET due_at = ? WHERE kind = 'nudge' AND due_at > ? AND lease_until IS NULL`,
    whole(at),
    whole(at),
  );
}

/** Only the timers, as above. Together, for there may be thousands: each by itself costs more than saying them. */
export function putOffNudges(work: Work, ...[to, claimed, until]: Parameters<Store['putOffNudges']>): void {
  for (const { id, queueId, seq } of claimed) {
    work.sql.run(
      `UPDATE timers SET due_at = ?, lease_until = NULL WHERE kind = 'nudge' AND queue_id = ? AND seq = ? AND ref = ?`,
      whole(until),
      queueId,
      seq,
      id,
    );
  }
  work.sql.run(
    `UPDATE timers SET due_at = ?, lease_until = NULL WHERE kind = 'nudge' AND coalesce(lease_until, due_at) < ?
       AND EXISTS (SELECT 1 FROM nudges WHERE id = timers.ref AND recipient_kind = ? AND recipient = ? AND stale_at > ?)`,
    whole(until),
    whole(until),
    to.kind,
    to.kind === 'person' ? to.jid : to.room,
    whole(until),
  );
}

/** @throws Stale when it is not pending any more */
export function settleNudge(work: Work, id: string, outcome: Parameters<Store['settleNudge']>[1]): void {
  const row = work.sql.get<{ queue_id: DeliveryRef['queueId']; seq: number; state: Nudge['state'] }>(
    'SELECT queue_id, seq, state FROM nudges WHERE id = ?',
    id,
  );
  if (row?.state !== 'pending') throw new Stale();
  const timer = { queueId: row.queue_id, seq: row.seq, ref: id };
  if (outcome.to === 'pending') {
    work.sql.run('UPDATE nudges SET attempts = attempts + 1, due_at = ? WHERE id = ?', whole(outcome.dueAt), id);
    setTimer(work, 'nudge', timer, outcome.dueAt);
    return;
  }
  if (outcome.to === 'sent') {
    work.sql.run(`UPDATE nudges SET state = 'sent', attempts = attempts + 1, sent_at = ? WHERE id = ?`, outcome.at, id);
  } else {
    work.sql.run(`UPDATE nudges SET state = 'stale' WHERE id = ?`, id);
  }
  dropTimer(work, 'nudge', timer);
  count(work, 'nudge pending', -1);
}
