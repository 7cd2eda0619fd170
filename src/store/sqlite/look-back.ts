// The audit, what has happened lately, and mail for groups by the moments that count.
import { type QueueId, queueIdsFrom } from '../../mail/queue-id.ts';
import type { State } from '../../presence/presence.ts';
import type { StoryEvent } from '../../tracking/event.ts';
import type { Audited, Handled, LookBack, Numbered, Standing } from '../look-back.ts';
import type { Work } from './work.ts';

interface AuditRow {
  readonly number: number;
  readonly at: number;
  readonly by_whom: string;
  readonly action: string;
  readonly subject: string;
  readonly wish: string;
  readonly before: string;
  readonly after: string;
  readonly outcome: Audited['outcome'];
}

export function audit(work: Work, { at, by, action, subject, wish, before }: Parameters<LookBack['audit']>[0]): number {
  return work.sql.insert(
    `INSERT INTO audit (at, by_whom, action, subject, wish, before, after, outcome)
     VALUES (?, ?, ?, ?, ?, ?, '{}', 'begun')`,
    ...[at, by, action, subject, JSON.stringify(wish), JSON.stringify(before)],
  );
}

export function auditEnd(work: Work, number: number, outcome: Audited['outcome'], after: Standing): void {
  work.sql.run('UPDATE audit SET outcome = ?, after = ? WHERE number = ?', outcome, JSON.stringify(after), number);
}

export function audited(work: Work, { before, text, limit }: Parameters<LookBack['audited']>[0]): Audited[] {
  const values: (string | number)[] = [before ?? Number.MAX_SAFE_INTEGER];
  let where = 'number < ?';
  if (text !== undefined) {
    const part = text.toLowerCase();
    where += ' AND (instr(lower(by_whom), ?) > 0 OR instr(lower(action), ?) > 0 OR instr(lower(subject), ?) > 0)';
    values.push(part, part, part);
  }
  return work.sql
    .all<AuditRow>(`SELECT * FROM audit WHERE ${where} ORDER BY number DESC LIMIT ?`, ...values, limit)
    .map(({ by_whom: by, wish, before: was, after, ...row }) => ({
      ...row,
      by,
      wish: JSON.parse(wish) as Standing,
      before: JSON.parse(was) as Standing,
      after: JSON.parse(after) as Standing,
    }));
}

/** Looked through at once; with some hundred octets an event this is a matter of milliseconds. */
const stretch = 5_000;

export function lately(
  work: Work,
  { before, kinds, limit }: Parameters<LookBack['lately']>[0],
): Awaited<ReturnType<LookBack['lately']>> {
  const from = before ?? Number.MAX_SAFE_INTEGER;
  const rows = work.sql.all<{ id: number; event: string }>(
    `SELECT id, event FROM (SELECT id, event FROM events WHERE id < ? ORDER BY id DESC LIMIT ${stretch})
     WHERE json_extract(event, '$.event') IN (${kinds.map(() => '?').join(', ')}) ORDER BY id DESC LIMIT ?`,
    ...[from, ...kinds, limit],
  );
  const events = rows.map(({ id, event }): Numbered => ({ ...(JSON.parse(event) as StoryEvent), number: id }));
  if (rows.length === limit) return { events, next: rows.at(-1)?.id ?? null };
  const end = work.sql.get<{ id: number }>(
    `SELECT id FROM (SELECT id FROM events WHERE id < ? ORDER BY id DESC LIMIT ${stretch}) ORDER BY id LIMIT 1`,
    from,
  );
  const more = end && work.sql.get('SELECT 1 FROM events WHERE id < ? LIMIT 1', end.id);
  return { events, next: more ? end.id : null };
}

interface HandledRow {
  readonly queue_id: QueueId;
  readonly seq: number;
  readonly group_name: string;
  readonly accepted_at: number;
  readonly state: Handled['state'];
  readonly closed_at: number | null;
  readonly owner: string | null;
}

interface Fact {
  readonly queue_id: QueueId;
  readonly seq: number;
}
interface EscalatedRow extends Fact {
  readonly to: string;
  readonly from: string | null;
  readonly at: number;
}

/**
 * By queue id, which begins with the moment of acceptance. What belongs to them is read for all of a page together: a
 * report looks at some hundred thousand, on the thread that makes mail safe.
 */
export function handled(work: Work, filter: Parameters<LookBack['handled']>[0]): Handled[] {
  const { since, until, after, limit } = filter;
  const rows = work.sql.all<HandledRow>(
    `SELECT d.queue_id, d.seq, d.group_name, m.accepted_at, t.state, t.closed_at, t.owner
     FROM deliveries d JOIN messages m ON m.queue_id = d.queue_id
     LEFT JOIN tracked t ON t.queue_id = d.queue_id AND t.seq = d.seq
     WHERE (d.queue_id, d.seq) > (?, ?) AND d.queue_id < ? AND d.group_name IS NOT NULL AND d.forward_of IS NULL
     ORDER BY d.queue_id, d.seq LIMIT ?`,
    ...[after?.queueId ?? queueIdsFrom(since), after?.seq ?? -1, queueIdsFrom(until), limit],
  );
  const [first, last] = [rows[0]?.queue_id, rows.at(-1)?.queue_id];
  if (first === undefined || last === undefined) return [];
  const escalated = byDelivery(
    work.sql.all<EscalatedRow>(
      `SELECT queue_id, json_extract(event, '$.seq') AS seq, json_extract(event, '$.to') AS "to",
         json_extract(event, '$.from') AS "from", json_extract(event, '$.at') AS at
       FROM events WHERE queue_id BETWEEN ? AND ? AND json_extract(event, '$.event') = 'escalated' ORDER BY id`,
      first,
      last,
    ),
  );
  const assigned = byDelivery(
    work.sql.all<Fact & Handled['given'][number]>(
      'SELECT queue_id, seq, person, at FROM assignments WHERE queue_id BETWEEN ? AND ?',
      first,
      last,
    ),
  );
  const seen = byDelivery(
    work.sql.all<Fact & Handled['evidence'][number]>(
      `SELECT queue_id, seq, grade, min(at) AS at FROM evidence WHERE queue_id BETWEEN ? AND ? AND trusted = 1
       GROUP BY queue_id, seq, grade ORDER BY grade`,
      first,
      last,
    ),
  );
  return rows.map((row) => {
    const key = keyOf(row);
    // A reminder moves nothing.
    const moved = (escalated.get(key) ?? []).filter(({ to, from }) => to !== from);
    return {
      queueId: row.queue_id,
      seq: row.seq,
      group: row.group_name,
      acceptedAt: row.accepted_at,
      state: row.state,
      closedAt: row.closed_at,
      owner: row.owner,
      escalations: moved.length,
      given: givenTo(assigned.get(key) ?? [], moved),
      evidence: (seen.get(key) ?? []).map(({ grade, at }) => ({ grade, at })),
    };
  });
}

const keyOf = ({ queue_id, seq }: Fact): string => `${queue_id} ${seq}`;
const byDelivery = <Row extends Fact>(rows: readonly Row[]): ReadonlyMap<string, readonly Row[]> =>
  Map.groupBy(rows, keyOf);

/** By choice, and by escalation to a person: rooms and mailboxes have an @. Each once, the earliest first. */
function givenTo(assigned: Handled['given'], moved: readonly EscalatedRow[]): Handled['given'] {
  const escalated = moved.filter(({ to }) => !to.includes('@')).map(({ to, at }) => ({ person: to, at }));
  const all = new Map([...assigned, ...escalated].map(({ person, at }) => [`${at} ${person}`, { person, at }]));
  return [...all.values()].toSorted((one, other) => one.at - other.at);
}

/** More changes than these in a day are a client that has lost its way; the first of them are shown. */
const mostChanges = 1_000;

export function presenceSpans(
  work: Work,
  { jids, since, until }: Parameters<LookBack['presenceSpans']>[0],
): Awaited<ReturnType<LookBack['presenceSpans']>> {
  return jids.map((jid) => ({
    jid,
    first:
      work.sql.get<{ state: State }>(
        `SELECT json_extract(presence, '$.state') AS state FROM presence_changes
         WHERE jid = ? AND at < ? ORDER BY at DESC, id DESC LIMIT 1`,
        jid,
        since,
      )?.state ?? null,
    changes: work.sql.all<{ at: number; state: State }>(
      `SELECT at, json_extract(presence, '$.state') AS state FROM presence_changes
       WHERE jid = ? AND at >= ? AND at < ? ORDER BY at, id LIMIT ${mostChanges}`,
      ...[jid, since, until],
    ),
  }));
}
