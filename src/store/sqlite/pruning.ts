// Forgetting what has ended. A portion at a time, so that whoever waits for the next commit hardly notices; by queue id,
// which begins with the moment of acceptance, so that no index more is needed. Nothing goes that is still of use: what
// waits, what is open, content, dead letters.
import { newQueueId, type QueueId } from '../../mail/queue-id.ts';
import type { TrackState } from '../../tracking/tracked.ts';
import type { DeliveryState, Store } from '../store.ts';
import { count, type Work } from './work.ts';

type Request = Parameters<Store['prune']>[0];

export function prune(work: Work, { before, after, limit }: Request): Awaited<ReturnType<Store['prune']>> {
  const bound = newQueueId(before, () => 0);
  const passed = prunePassed(work, bound, limit);
  if (passed > 0) return { pruned: passed, next: after ?? ('' as QueueId) };
  const ids = candidates(work, after ?? '', bound, limit);
  let pruned = 0;
  for (const queueId of ids) {
    if (!isOver(work, queueId, before)) continue;
    forget(work, queueId);
    pruned += 1;
  }
  const last = ids.at(-1);
  if (last !== undefined && ids.length >= limit) return { pruned, next: last };
  // That somebody has seen to a dead letter is known as long as the letter is.
  pruned += work.sql.run(
    `DELETE FROM faults WHERE number IN
       (SELECT number FROM faults WHERE cleared_at < ? AND announced = revision AND NOT EXISTS
         (SELECT 1 FROM deliveries WHERE queue_id = subject AND state = 'dead') ORDER BY number LIMIT ?)`,
    before,
    limit,
  );
  return { pruned, next: null };
}

/** What has passed was delivered, and is nothing else: the record of it goes with its one row. */
function prunePassed(work: Work, bound: QueueId, limit: number): number {
  const rows = work.sql.all<{ queue_id: QueueId; deliveries: number }>(
    `SELECT queue_id, json_array_length(outcome, '$.deliveries') AS deliveries FROM passed
     WHERE queue_id < ? ORDER BY queue_id LIMIT ?`,
    bound,
    limit,
  );
  for (const { queue_id: queueId, deliveries } of rows) {
    work.sql.run('DELETE FROM passed WHERE queue_id = ?', queueId);
    // What was noted of it later.
    work.sql.run('DELETE FROM events WHERE queue_id = ?', queueId);
    count(work, 'delivery delivered', -deliveries);
  }
  return rows.length;
}

/** Messages, and events of what never became one. */
function candidates(work: Work, after: string, bound: QueueId, limit: number): QueueId[] {
  const from = (table: string) =>
    work.sql
      .all<{ queue_id: QueueId }>(
        `SELECT DISTINCT queue_id FROM ${table} WHERE queue_id > ? AND queue_id < ? ORDER BY queue_id LIMIT ?`,
        after,
        bound,
        limit,
      )
      .map((row) => row.queue_id);
  return [...new Set([...from('messages'), ...from('events')])].sort().slice(0, limit);
}

/** Ended before, with all that belongs to it. A dead letter is all that is left of a mail nobody was told about. */
function isOver(work: Work, queueId: QueueId, before: number): boolean {
  const keeps = [
    'SELECT 1 FROM message_content WHERE queue_id = ?',
    `SELECT 1 FROM timers WHERE kind IN ('attempt', 'step', 'nudge', 'retire') AND queue_id = ? LIMIT 1`,
    `SELECT 1 FROM tracked WHERE queue_id = ? AND state IN ('waiting', 'held', 'tracked') LIMIT 1`,
    `SELECT 1 FROM deliveries WHERE queue_id = ? AND state IN ('queued', 'held', 'dead') LIMIT 1`,
  ];
  if (work.passing.has(queueId) || keeps.some((text) => work.sql.get(text, queueId) !== undefined)) return false;
  const { at } = work.sql.get<{ at: number | null }>(
    `SELECT max(at) AS at FROM (SELECT ended_at AS at FROM deliveries WHERE queue_id = ?
       UNION ALL SELECT closed_at FROM tracked WHERE queue_id = ?)`,
    queueId,
    queueId,
  ) ?? { at: null };
  return at === null || at < before;
}

function forget(work: Work, queueId: QueueId): void {
  const { sql } = work;
  const states = <State>(table: 'deliveries' | 'tracked') =>
    sql.all<{ state: State; some: number }>(
      `SELECT state, count(*) AS some FROM ${table} WHERE queue_id = ? GROUP BY state`,
      queueId,
    );
  for (const { state, some } of states<DeliveryState>('deliveries')) count(work, `delivery ${state}`, -some);
  for (const { state, some } of states<TrackState>('tracked')) count(work, `tracked ${state}`, -some);
  // How long somebody has had nothing is still known afterwards.
  sql.run(
    `INSERT INTO last_assignments (person, group_name, at)
     SELECT person, group_name, max(at) FROM assignments WHERE queue_id = ? GROUP BY person, group_name
     ON CONFLICT (person, group_name) DO UPDATE SET at = max(at, excluded.at)`,
    queueId,
  );
  for (const table of ['evidence', 'decisions', 'assignments', 'nudges', 'tracked', 'deliveries', 'events']) {
    sql.run(`DELETE FROM ${table} WHERE queue_id = ?`, queueId);
  }
  sql.run('DELETE FROM messages WHERE queue_id = ?', queueId);
}
