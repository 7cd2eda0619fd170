// Tracked messages: written by compare-and-set on their revision, along the legal moves only (tracking/tracked.ts has
// the picture). The step timer always equals nextStepAt.
import type { Instant } from '../../clock.ts';
import { PointsmanError } from '../../mail/error.ts';
import { replies } from '../../mail/reply.ts';
import { isOpen, type Tracked, type TrackState } from '../../tracking/tracked.ts';
import { type DeliveryRef, ShortIdTaken, type Store } from '../store.ts';
import { dropTimer, setTimer } from './timers.ts';
import { type TrackedRow, trackedFrom } from './tracked-row.ts';
import { count, ended, Stale, type Work, whole } from './work.ts';

const closed: readonly TrackState[] = ['acknowledged', 'answered', 'expired', 'withdrawn'];
/** What is mail for nobody yet can be closed too: dropped, undeliverable, or taken by an operator. */
const moves: Readonly<Record<TrackState, readonly TrackState[]>> = {
  waiting: ['waiting', 'held', 'tracked', ...closed],
  held: ['held', 'waiting', 'tracked', ...closed],
  tracked: ['tracked', ...closed],
  expired: ['acknowledged', 'answered'],
  acknowledged: [],
  answered: [],
  withdrawn: [],
};

export function insertTracked(work: Work, tracked: Tracked): void {
  if (
    isOpen(tracked.state) &&
    work.sql.get(
      `SELECT 1 FROM tracked WHERE short_id = ? AND state IN ('waiting', 'held', 'tracked')`,
      tracked.shortId,
    )
  ) {
    throw new ShortIdTaken(tracked.shortId);
  }
  work.sql.run(
    `INSERT INTO tracked (state, owner, revision, owned_since, step, step_taken, next_step_at, tried, closed_at,
       closed_by, pledge, taken_by, queue_id, seq, short_id, group_name, plan, accepted_at, message_id, subject, sender, reverse_path,
       address)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    tracked.state,
    tracked.owner,
    ...changing(tracked),
    tracked.queueId,
    tracked.seq,
    tracked.shortId,
    tracked.plan.group,
    JSON.stringify(tracked.plan),
    tracked.acceptedAt,
    tracked.messageId,
    tracked.subject,
    tracked.from,
    tracked.reversePath,
    tracked.address,
  );
  count(work, `tracked ${tracked.state}`, 1);
  setStepTimer(work, tracked);
}

/**
 * @param at when this is, for a closing that has no closedAt of its own
 * @throws Stale when somebody else has changed it since
 */
export function changeTracked(work: Work, tracked: Tracked, at: Instant | undefined): void {
  const stored = work.sql.get<Pick<TrackedRow, 'state' | 'owner' | 'revision' | 'next_step_at' | 'accepted_at'>>(
    'SELECT state, owner, revision, next_step_at, accepted_at FROM tracked WHERE queue_id = ? AND seq = ?',
    tracked.queueId,
    tracked.seq,
  );
  if (stored === undefined || stored.revision !== tracked.revision - 1) throw new Stale();
  if (!moves[stored.state].includes(tracked.state)) {
    throw new PointsmanError(
      replies.localError,
      `${tracked.queueId}/${tracked.seq} cannot go from ${stored.state} to ${tracked.state}`,
    );
  }
  // What is the same for its whole life (plan, ids, texts) is not written again; nor what indexes depend on, unless it
  // changes: SQLite would take it out of each and put it back, four pages far apart.
  const state = stored.state === tracked.state ? [] : [tracked.state];
  const owner = stored.owner === tracked.owner ? [] : [tracked.owner];
  work.sql.run(
    `UPDATE tracked SET ${state.length > 0 ? 'state = ?, ' : ''}${owner.length > 0 ? 'owner = ?, ' : ''}
       revision = ?, owned_since = ?, step = ?, step_taken = ?, next_step_at = ?,
       tried = ?, closed_at = ?, closed_by = ?, pledge = ?, taken_by = ? WHERE queue_id = ? AND seq = ?`,
    ...state,
    ...owner,
    ...changing(tracked),
    tracked.queueId,
    tracked.seq,
  );
  count(work, `tracked ${stored.state}`, -1);
  count(work, `tracked ${tracked.state}`, 1);
  setStepTimer(work, tracked);
  if (!isOpen(tracked.state)) {
    ended(work, tracked.queueId, tracked.closedAt ?? at ?? stored.next_step_at ?? stored.accepted_at);
  }
}

/** @throws Stale when it has moved on */
export function expectStanding(work: Work, { queueId, seq, revision }: DeliveryRef & Pick<Tracked, 'revision'>): void {
  const stored = work.sql.get<Pick<TrackedRow, 'revision'>>(
    'SELECT revision FROM tracked WHERE queue_id = ? AND seq = ?',
    queueId,
    seq,
  );
  if (stored?.revision !== revision) throw new Stale();
}

/** The one change of what else stays the same for its whole life: nobody has had it yet. */
export function replanTracked(work: Work, before: Tracked, plan: Tracked['plan']): void {
  work.sql.run(
    'UPDATE tracked SET plan = ?, group_name = ?, revision = ? WHERE queue_id = ? AND seq = ?',
    JSON.stringify(plan),
    plan.group,
    before.revision + 1,
    before.queueId,
    before.seq,
  );
}

/** Besides state and owner. */
function changing(tracked: Tracked) {
  return [
    tracked.revision,
    tracked.ownedSince,
    tracked.step,
    tracked.stepTaken,
    whole(tracked.nextStepAt),
    JSON.stringify(tracked.tried),
    tracked.closedAt,
    tracked.closedBy,
    // A word holds while somebody is asked; whoever ends that ends it.
    tracked.pledge && tracked.state === 'tracked' ? JSON.stringify(tracked.pledge) : null,
    tracked.takenBy ? JSON.stringify(tracked.takenBy) : null,
  ];
}

function setStepTimer(work: Work, tracked: Tracked): void {
  if (tracked.nextStepAt === null) dropTimer(work, 'step', tracked);
  else setTimer(work, 'step', tracked, tracked.nextStepAt);
}

/** The open one, else the one accepted last: short ids are used again. */
export function trackedByShortId(work: Work, shortId: string): Tracked | null {
  const rows = work.sql.all<TrackedRow>('SELECT * FROM tracked WHERE short_id = ?', shortId);
  return openFirst(rows.map(trackedFrom))[0] ?? null;
}

export function trackedOne(work: Work, ref: DeliveryRef): Tracked | null {
  const row = work.sql.get<TrackedRow>('SELECT * FROM tracked WHERE queue_id = ? AND seq = ?', ref.queueId, ref.seq);
  return row ? trackedFrom(row) : null;
}

export function openTracked(work: Work, filter: Parameters<Store['openTracked']>[0]): readonly Tracked[] {
  const conditions = [`state IN ('waiting', 'held', 'tracked')`];
  const values: string[] = [];
  if (filter.owner !== undefined) {
    conditions.push('owner = ?');
    values.push(filter.owner);
  }
  if (filter.group !== undefined) {
    conditions.push('group_name = ?');
    values.push(filter.group);
  }
  return work.sql
    .all<TrackedRow>(
      `SELECT * FROM tracked WHERE ${conditions.join(' AND ')} ORDER BY accepted_at, queue_id, seq`,
      ...values,
    )
    .map(trackedFrom);
}

/** Along the timers' own index; a leased one counts by the end of its lease. */
export function soonestTracked(work: Work, limit: number): readonly Tracked[] {
  return work.sql
    .all<TrackedRow>(
      `SELECT tracked.* FROM timers JOIN tracked ON tracked.queue_id = timers.queue_id AND tracked.seq = timers.seq
       WHERE timers.kind = 'step'
       ORDER BY timers.kind, coalesce(timers.lease_until, timers.due_at), timers.queue_id, timers.seq LIMIT ?`,
      limit,
    )
    .map(trackedFrom);
}

export function trackedByMessageId(work: Work, messageIds: readonly string[]): readonly Tracked[] {
  const rows = [...new Set(messageIds)].flatMap((messageId) =>
    work.sql.all<TrackedRow>('SELECT * FROM tracked WHERE message_id = ?', messageId),
  );
  return openFirst(rows.map(trackedFrom));
}

/** Newest first. */
export function listTracked(work: Work, filter: Parameters<Store['listTracked']>[0]): readonly Tracked[] {
  const conditions = ['accepted_at < ?'];
  const values: (string | number)[] = [filter.before ?? Number.MAX_SAFE_INTEGER];
  if (filter.states) {
    conditions.push(`state IN (${filter.states.map(() => '?').join(', ')})`);
    values.push(...filter.states);
    // Said in the index's own words, so that a list of open ones does not read all that were ever closed.
    if (filter.states.every(isOpen)) conditions.push(`state IN ('waiting', 'held', 'tracked')`);
  }
  if (filter.group !== undefined) {
    conditions.push('group_name = ?');
    values.push(filter.group);
  }
  return work.sql
    .all<TrackedRow>(
      `SELECT * FROM tracked WHERE ${conditions.join(' AND ')} ORDER BY accepted_at DESC, queue_id DESC, seq LIMIT ?`,
      ...values,
      filter.limit,
    )
    .map(trackedFrom);
}

function openFirst(list: readonly Tracked[]): readonly Tracked[] {
  return list.toSorted(
    (a, b) => Number(isOpen(b.state)) - Number(isOpen(a.state)) || b.acceptedAt - a.acceptedAt || a.seq - b.seq,
  );
}
