// What a clock that was ahead has left behind.
import type { Instant } from '../../clock.ts';
import { isOpen } from '../../tracking/tracked.ts';
import type { Store } from '../store.ts';
import { type TrackedRow, trackedFrom } from './tracked-row.ts';
import type { Work } from './work.ts';

/** More than anything writes in one moment. */
const lastFew = 1_000;

export function lastEventAt(work: Work): number | null {
  const row = work.sql.get<{ at: number | null }>(
    `SELECT max(json_extract(event, '$.at')) AS at FROM (SELECT event FROM events ORDER BY id DESC LIMIT ?)`,
    lastFew,
  );
  return row?.at ?? null;
}

/** What was written before the clock's error was made good counts no more. */
export function openWrittenAfter(
  work: Work,
  { at, now, after, limit }: Parameters<Store['openWrittenAfter']>[0],
): Awaited<ReturnType<Store['openWrittenAfter']>> {
  const rows = work.sql.all<TrackedRow & { last_event_at: Instant | null }>(
    `SELECT t.*, (SELECT max(json_extract(e.event, '$.at')) FROM events e WHERE e.queue_id = t.queue_id AND e.id > coalesce(
       (SELECT max(m.id) FROM events m WHERE m.queue_id = t.queue_id AND m.event ->> '$.by' = 'clock set back'), 0)
     ) AS last_event_at
     FROM tracked t WHERE (t.queue_id, t.seq) > (?, ?) ORDER BY t.queue_id, t.seq LIMIT ?`,
    after?.queueId ?? '',
    after?.seq ?? 0,
    limit,
  );
  const last = rows.at(-1);
  const found = rows.flatMap(({ last_event_at: lastEventAt, ...row }) =>
    isOpen(row.state) && row.next_step_at !== null && row.next_step_at > now && lastEventAt !== null && lastEventAt > at
      ? [{ tracked: trackedFrom(row), lastEventAt }]
      : [],
  );
  return { found, next: last && rows.length === limit ? { queueId: last.queue_id, seq: last.seq } : null };
}
