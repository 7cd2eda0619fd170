// What escalation has added to a delivery.
import type { Forwards } from '../../tracking/tracked.ts';
import type { DeliveryRef } from '../store.ts';
import type { Work } from './work.ts';

export function forwardsOf(work: Work, { queueId, seq }: DeliveryRef): Forwards {
  const row = work.sql.get<{ made: number; onTheirWay: number | null }>(
    `SELECT count(*) AS made, sum(state = 'queued' AND attempts = 0) AS "onTheirWay"
     FROM deliveries WHERE queue_id = ? AND forward_of = ?`,
    queueId,
    seq,
  );
  return { made: row?.made ?? 0, onTheirWay: row?.onTheirWay ?? 0 };
}
