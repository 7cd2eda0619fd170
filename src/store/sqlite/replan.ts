// A delivery that still waits gets another plan, and with it the right to be tracked, or the end of that.
import type { Store } from '../store.ts';
import { changeTracked, insertTracked, replanTracked, trackedOne } from './tracked.ts';
import { count, Stale, type Work } from './work.ts';

export function replan(work: Work, { queueId, seq, plan, tracked, at }: Parameters<Store['replan']>[0]): void {
  const found = work.sql.get<{ state: string }>(
    'SELECT state FROM deliveries WHERE queue_id = ? AND seq = ?',
    queueId,
    seq,
  );
  if (found?.state !== 'queued' && found?.state !== 'held') throw new Stale();
  // Only what is for a group can be held.
  const state = plan.kind === 'group' ? found.state : 'queued';
  work.sql.run(
    'UPDATE deliveries SET plan = ?, group_name = ?, state = ? WHERE queue_id = ? AND seq = ?',
    JSON.stringify(plan),
    plan.kind === 'group' ? plan.group : null,
    state,
    queueId,
    seq,
  );
  count(work, `delivery ${found.state}`, -1);
  count(work, `delivery ${state}`, 1);
  const before = trackedOne(work, { queueId, seq });
  if (before === null) {
    if (tracked !== null) insertTracked(work, tracked);
    return;
  }
  // Somebody has it, or it is over: that stands.
  if (before.state !== 'waiting' && before.state !== 'held') throw new Stale();
  if (tracked !== null) replanTracked(work, before, tracked.plan);
  else {
    const end = { state: 'withdrawn', closedAt: at, closedBy: 'reload', nextStepAt: null } as const;
    changeTracked(work, { ...before, ...end, revision: before.revision + 1 }, at);
  }
}
