// Deliveries: queued and held ones have an `attempt` timer, final ones have none. Final states are never left.
import type { Instant } from '../../clock.ts';
import type { QueueId } from '../../mail/queue-id.ts';
import type { GroupName } from '../../routing/rules.ts';
import type { StoryEvent } from '../../tracking/event.ts';
import type { Assignment, Delivery, DeliveryRef, DeliveryState, NewDelivery, Settlement } from '../store.ts';
import { appendEvent } from './look.ts';
import { dropTimer, hastenAttempt, setTimer } from './timers.ts';
import { count, ended, never, Stale, type Work, whole } from './work.ts';

/** @param dueAt what is due first is claimed first: what an escalation asks for, as if it were due since ever */
export function insertDelivery(
  work: Work,
  queueId: QueueId,
  delivery: NewDelivery,
  dueAt: Instant = delivery.forwardOf === null ? delivery.firstAttemptAt : 0,
): void {
  work.sql.run(
    `INSERT INTO deliveries (queue_id, seq, state, group_name, path, plan, attempts, forward_of, chosen_mailbox,
       chosen_person, final_dot_at, next_attempt_at)
     VALUES (?, ?, 'queued', ?, ?, ?, 0, ?, ?, ?, ?, ?)`,
    queueId,
    delivery.seq,
    delivery.plan.kind === 'group' ? delivery.plan.group : null,
    JSON.stringify(delivery.path),
    JSON.stringify(delivery.plan),
    delivery.forwardOf,
    delivery.chosen?.mailbox ?? null,
    delivery.chosen?.person ?? null,
    whole(delivery.finalDotAt ?? null),
    whole(delivery.firstAttemptAt),
  );
  const timer = { queueId, seq: delivery.seq, leasedUntil: delivery.leasedUntil ?? null };
  setTimer(work, 'attempt', timer, dueAt);
  count(work, 'delivery queued', 1);
  if (delivery.taken === undefined) return;
  const { assignment, reply, nextHop } = delivery.taken;
  if (assignment) assign(work, assignment);
  settle(work, { queueId, seq: delivery.seq, to: 'delivered', at: delivery.firstAttemptAt, reply, nextHop });
}

export function nextSeq(work: Work, queueId: QueueId): number {
  const row = work.sql.get<{ last: number | null }>(
    'SELECT max(seq) AS last FROM deliveries WHERE queue_id = ?',
    queueId,
  );
  return (row?.last ?? -1) + 1;
}

/** @throws Stale when there is no such delivery or it is final */
function waitingState(work: Work, ref: DeliveryRef): { state: 'queued' | 'held'; onHold: boolean } {
  const row = work.sql.get<{ state: DeliveryState; on_hold_by: string | null }>(
    'SELECT state, on_hold_by FROM deliveries WHERE queue_id = ? AND seq = ?',
    ref.queueId,
    ref.seq,
  );
  if (row?.state !== 'queued' && row?.state !== 'held') throw new Stale();
  return { state: row.state, onHold: row.on_hold_by !== null };
}

export function choose(
  work: Work,
  choice: DeliveryRef & { chosen: NonNullable<Delivery['chosen']>; assignment: Assignment | null },
): void {
  waitingState(work, choice);
  work.sql.run(
    'UPDATE deliveries SET chosen_mailbox = ?, chosen_person = ? WHERE queue_id = ? AND seq = ?',
    choice.chosen.mailbox,
    choice.chosen.person,
    choice.queueId,
    choice.seq,
  );
  if (choice.assignment) assign(work, choice.assignment);
}

function assign(work: Work, assignment: Assignment): void {
  work.sql.run(
    `INSERT INTO assignments (queue_id, seq, person, group_name, at) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (queue_id, seq, person) DO UPDATE SET group_name = excluded.group_name, at = excluded.at`,
    assignment.queueId,
    assignment.seq,
    assignment.person,
    assignment.group,
    assignment.at,
  );
}

export function recordFinalDot(work: Work, refs: readonly DeliveryRef[], at: Instant): void {
  for (const ref of refs) {
    work.sql.run(
      `UPDATE deliveries SET final_dot_at = ? WHERE queue_id = ? AND seq = ? AND state IN ('queued', 'held')`,
      at,
      ref.queueId,
      ref.seq,
    );
  }
}

export function settle(work: Work, settlement: Settlement): void {
  const { state: before, onHold } = waitingState(work, settlement);
  count(work, `delivery ${before}`, -1);
  count(work, `delivery ${settlement.to}`, 1);
  switch (settlement.to) {
    case 'queued': {
      // Put on hold during the attempt: it stays there.
      const next = onHold ? never : settlement.nextAttemptAt;
      // Settled, so its final dot no longer hints at a duplicate; unless there was no attempt, and an earlier one was cut off.
      work.sql.run(
        `UPDATE deliveries SET state = 'queued', attempts = attempts + ?, last_reply = coalesce(?, last_reply),
           last_hop = coalesce(?, last_hop), final_dot_at = iif(?, final_dot_at, NULL), next_attempt_at = ?,
           delay_told_at = coalesce(?, delay_told_at), waits_for = ?
         WHERE queue_id = ? AND seq = ?`,
        settlement.counts ? 1 : 0,
        settlement.reply,
        settlement.nextHop,
        settlement.mayHaveArrived ? 1 : 0,
        whole(next),
        settlement.delayToldAt ?? null,
        settlement.waitsFor ?? null,
        settlement.queueId,
        settlement.seq,
      );
      setTimer(work, 'attempt', settlement, next);
      return;
    }
    case 'held': {
      const until = onHold ? never : settlement.until;
      work.sql.run(
        `UPDATE deliveries SET state = 'held', chosen_mailbox = NULL, chosen_person = NULL,
           final_dot_at = iif(?, final_dot_at, NULL), next_attempt_at = ? WHERE queue_id = ? AND seq = ?`,
        settlement.mayHaveArrived ? 1 : 0,
        whole(until),
        settlement.queueId,
        settlement.seq,
      );
      setTimer(work, 'attempt', settlement, until);
      return;
    }
    case 'delivered':
    case 'failed':
    case 'dead':
    case 'dropped':
      // Without a next hop there was no attempt (a horizon that passed, an operator's drop).
      work.sql.run(
        `UPDATE deliveries SET state = ?, attempts = attempts + ?, last_reply = ?, last_hop = coalesce(?, last_hop),
           waits_for = NULL, next_attempt_at = NULL, ended_at = ? WHERE queue_id = ? AND seq = ?`,
        settlement.to,
        settlement.nextHop === null ? 0 : 1,
        settlement.reply,
        settlement.nextHop,
        settlement.at,
        settlement.queueId,
        settlement.seq,
      );
      dropTimer(work, 'attempt', settlement);
      ended(work, settlement.queueId, settlement.at);
      return;
    default:
      settlement satisfies never;
  }
}

interface Waiting {
  readonly queue_id: QueueId;
  readonly seq: number;
}

/** At one moment: the timer queue's order among equals, by queue id, is the order in which they came. */
export function wakeHeld(work: Work, group: GroupName, at: Instant, limit?: number): number {
  const held = work.sql.all<Waiting>(
    `SELECT queue_id, seq FROM deliveries WHERE state = 'held' AND group_name = ? AND next_attempt_at > ?
     AND on_hold_by IS NULL ORDER BY queue_id, seq LIMIT ?`,
    group,
    at,
    limit ?? -1,
  );
  for (const row of held) hasten(work, row, at);
  return held.length;
}

export function retryNow(work: Work, queueId: QueueId, now: Instant, event: StoryEvent): number {
  const waiting = work.sql.all<Waiting>(
    `SELECT queue_id, seq FROM deliveries WHERE queue_id = ? AND state IN ('queued', 'held')
       AND on_hold_by IS NULL`,
    queueId,
  );
  for (const row of waiting) hasten(work, row, now);
  if (waiting.length > 0) appendEvent(work, event);
  return waiting.length;
}

function hasten(work: Work, row: Waiting, at: Instant): void {
  work.sql.run(
    'UPDATE deliveries SET next_attempt_at = ? WHERE queue_id = ? AND seq = ? AND next_attempt_at > ?',
    whole(at),
    row.queue_id,
    row.seq,
    whole(at),
  );
  hastenAttempt(work, row.queue_id, row.seq, at);
}
