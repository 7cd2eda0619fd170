// The append-only records (events, evidence, presence, memories) and what people look at.
import type { QueueId } from '../../mail/queue-id.ts';
import type { PresenceChange } from '../../presence/presence.ts';
import type { Choice } from '../../routing/choose.ts';
import type { GroupPlan, Plan } from '../../routing/plan.ts';
import type { StoryEvent } from '../../tracking/event.ts';
import type { Evidence } from '../../tracking/evidence.ts';
import type { Tracked, TrackState } from '../../tracking/tracked.ts';
import type { Decision, DeliveryState, History, Nudge, QueueFilter, QueueRow, Recorded, Store } from '../store.ts';
import { oldestPassing } from './passing.ts';
import {
  type DecisionRow,
  type DeliveryRow,
  decisionFrom,
  deliveryFrom,
  type EvidenceRow,
  evidenceFrom,
  type MessageRow,
  messageFrom,
  type NudgeRow,
  nudgeFrom,
} from './rows.ts';
import { type TrackedRow, trackedFrom } from './tracked-row.ts';
import type { Work } from './work.ts';

type Message = NonNullable<Awaited<ReturnType<Store['message']>>>;
type Counts = Awaited<ReturnType<Store['counts']>>;
type PresenceRecord = Awaited<ReturnType<Store['presenceHistory']>>[number];

export function appendEvent(work: Work, event: StoryEvent): void {
  work.sql.run('INSERT INTO events (queue_id, event) VALUES (?, ?)', event.queueId, JSON.stringify(event));
}

export function appendEvidence(work: Work, evidence: Evidence): void {
  work.sql.run(
    `INSERT INTO evidence (queue_id, seq, at, person, grade, source, reference, trusted)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    evidence.queueId,
    evidence.seq,
    evidence.at,
    evidence.person,
    evidence.grade,
    evidence.source,
    evidence.reference,
    evidence.trusted ? 1 : 0,
  );
}

export function appendPresence(work: Work, changes: readonly PresenceChange[]): void {
  for (const change of changes) {
    work.sql.run(
      'INSERT INTO presence_changes (jid, at, before, presence) VALUES (?, ?, ?, ?)',
      change.jid,
      change.at,
      change.before,
      JSON.stringify(change.presence),
    );
  }
}

/** From `since` up to but not `until`, oldest first. */
export function presenceHistory(work: Work, filter: Parameters<Store['presenceHistory']>[0]): PresenceRecord[] {
  const mine = filter.jid === undefined ? '' : 'jid = ? AND ';
  return work.sql
    .all<{ jid: PresenceRecord['jid']; at: number; presence: string }>(
      `SELECT jid, at, presence FROM presence_changes WHERE ${mine}at >= ? AND at < ? ORDER BY at, id LIMIT ?`,
      ...(filter.jid === undefined ? [] : [filter.jid]),
      filter.since,
      filter.until,
      filter.limit,
    )
    .map((row) => ({ jid: row.jid, at: row.at, presence: JSON.parse(row.presence) as PresenceRecord['presence'] }));
}

/** The last change of each up to and including `at`. */
export function presenceAt(work: Work, at: number): PresenceRecord[] {
  return work.sql
    .all<{ jid: PresenceRecord['jid']; at: number; presence: string }>(
      `SELECT jid, at, presence FROM presence_changes
       WHERE id IN (SELECT max(id) FROM presence_changes WHERE at <= ? GROUP BY jid) ORDER BY jid`,
      at,
    )
    .map((row) => ({ jid: row.jid, at: row.at, presence: JSON.parse(row.presence) as PresenceRecord['presence'] }));
}

/** Few at a time, so that no other work waits long for it; who calls it does so again. */
export function forgetPresence(work: Work, before: number): number {
  const old = work.sql.all<{ id: number }>(
    `SELECT id FROM presence_changes one
     WHERE at < ? AND EXISTS (SELECT 1 FROM presence_changes later
       WHERE later.jid = one.jid AND later.at BETWEEN one.at AND ? - 1 AND later.id > one.id)
     ORDER BY at LIMIT 500`,
    before,
    before,
  );
  for (const { id } of old) work.sql.run('DELETE FROM presence_changes WHERE id = ?', id);
  return old.length;
}

export function remember(work: Work, key: string, value: string): void {
  work.sql.run(
    'INSERT INTO memories (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    key,
    value,
  );
}

export function recall(work: Work, key: string): string | null {
  return work.sql.get<{ value: string }>('SELECT value FROM memories WHERE key = ?', key)?.value ?? null;
}

export function recallAll(work: Work, prefix: string): readonly (readonly [string, string])[] {
  return work.sql
    .all<{ key: string; value: string }>(
      'SELECT key, value FROM memories WHERE substr(key, 1, length(?)) = ?',
      prefix,
      prefix,
    )
    .map(({ key, value }) => [key, value] as const);
}

export function forget(work: Work, keys: readonly string[]): void {
  for (const key of keys) work.sql.run('DELETE FROM memories WHERE key = ?', key);
}

export function history(work: Work): History {
  return {
    assignments: work.sql.all<History['assignments'][number]>(
      `SELECT person, group_name AS "group", max(at) AS "lastAt"
       FROM (SELECT person, group_name, at FROM assignments UNION ALL SELECT * FROM last_assignments)
       GROUP BY person, group_name`,
    ),
    open: work.sql.all<History['open'][number]>(
      `SELECT owner AS person, count(*) AS count, sum(coalesce(json_extract(plan, '$.cost'), 1)) AS units FROM tracked
       WHERE state IN ('waiting', 'held', 'tracked') AND state = 'tracked' AND owner IS NOT NULL GROUP BY owner`,
    ),
    held: work.sql
      .all<{ queue_id: QueueId; seq: number; plan: string; since: number; until: number }>(
        `SELECT d.queue_id, d.seq, d.plan, m.accepted_at AS since, d.next_attempt_at AS until
         FROM deliveries d JOIN messages m ON m.queue_id = d.queue_id
         WHERE d.state = 'held' ORDER BY d.queue_id, d.seq`,
      )
      .map(({ queue_id: queueId, plan, ...row }) => ({ queueId, ...row, plan: JSON.parse(plan) as GroupPlan })),
  };
}

/** By queue id, which begins with the moment of acceptance. */
export function recorded(work: Work, filter: Parameters<Store['recorded']>[0]): Recorded[] {
  const span = [filter.since, filter.until, filter.after ?? ''];
  const messages = work.sql.all<{ queue_id: QueueId; facts: string }>(
    `SELECT queue_id, facts FROM messages
     WHERE kind = 'mail' AND accepted_at >= ? AND accepted_at < ? AND queue_id > ?
     UNION ALL
     SELECT queue_id, facts FROM passed_messages WHERE accepted_at >= ? AND accepted_at < ? AND queue_id > ?
     ORDER BY queue_id LIMIT ?`,
    ...span,
    ...span,
    filter.limit,
  );
  return messages.map((message) => ({
    facts: JSON.parse(message.facts) as Recorded['facts'],
    deliveries: recordedDeliveries(work, message.queue_id),
  }));
}

function recordedDeliveries(work: Work, queueId: QueueId): Recorded['deliveries'] {
  const story = events(work, queueId).filter(({ event }) => event === 'forwarded' || event === 'escalated');
  const rows = work.sql.all<RecordedRow>(
    `SELECT d.seq, d.path, d.plan, t.closed_at, t.state AS tracked_state, t.owned_since,
       (SELECT e.choice FROM decisions e WHERE e.queue_id = d.queue_id AND e.seq = d.seq
        AND json_extract(e.choice, '$.kind') <> 'hold' ORDER BY e.at, e.id LIMIT 1) AS choice
     FROM deliveries d LEFT JOIN tracked t ON t.queue_id = d.queue_id AND t.seq = d.seq
     WHERE d.queue_id = ? AND d.forward_of IS NULL
     UNION ALL SELECT seq, path, plan, NULL, NULL, NULL, NULL FROM passed_deliveries WHERE queue_id = ?
     ORDER BY 1`,
    queueId,
    queueId,
  );
  return rows.map((row) => recordedDelivery(row, story));
}

interface RecordedRow {
  readonly seq: number;
  readonly path: string;
  readonly plan: string;
  readonly choice: string | null;
  readonly closed_at: number | null;
  readonly tracked_state: Tracked['state'] | null;
  readonly owned_since: number | null;
}

function recordedDelivery(row: RecordedRow, story: readonly StoryEvent[]): Recorded['deliveries'][number] {
  const given = story.find((one) => one.event === 'forwarded' && one.seq === row.seq);
  const moves = story.flatMap((one) =>
    one.event === 'escalated' && one.seq === row.seq
      ? [{ at: one.at, trigger: one.trigger, ...(one.from === undefined ? {} : { from: one.from }), to: one.to }]
      : [],
  );
  const plan = JSON.parse(row.plan) as Plan;
  const choice = row.choice === null ? null : (JSON.parse(row.choice) as Choice);
  const where = choice === null || choice.kind === 'hold' ? null : choice;
  return {
    seq: row.seq,
    address: (JSON.parse(row.path) as { mailbox: Recorded['deliveries'][number]['address'] }).mailbox,
    plan:
      plan.kind === 'group'
        ? { kind: plan.kind, group: plan.group, ...(plan.mode ? { mode: plan.mode } : {}) }
        : { kind: plan.kind },
    person: where?.person ?? null,
    mailbox: where?.mailbox ?? null,
    choice: choice?.kind ?? null,
    ...(where?.also ? { also: where.also.map(({ person }) => person) } : {}),
    ...(where?.kind === 'member' && where.group !== undefined ? { of: where.group } : {}),
    ...(where?.kind === 'fallback' && where.refusal
      ? { refusal: { code: where.refusal.code, text: where.refusal.text } }
      : {}),
    because: [...plan.because, ...(choice?.because ?? [])],
    ...(given ? { givenAt: given.at } : {}),
    ...(moves.length > 0 ? { moves } : {}),
    closed:
      row.closed_at === null || row.tracked_state === null
        ? null
        : { at: row.closed_at, state: row.tracked_state, ownedSince: row.owned_since },
  };
}

type JoinedRow = DeliveryRow & Pick<MessageRow, 'accepted_at' | 'reverse_path' | 'size'>;
const joined = 'd.*, m.accepted_at, m.reverse_path, m.size';

/** Waiting ones (the default) oldest first; after them final ones, newest first. */
export function listQueue(work: Work, filter: Parameters<Store['listQueue']>[0]): QueueRow[] {
  const states = new Set<DeliveryState>(filter.states ?? ['queued', 'held']);
  const { where, values } = conditionsOf(filter);
  const among = (...some: DeliveryState[]) => some.filter((state) => states.has(state));
  const marks = (list: readonly unknown[]) => list.map(() => '?').join(', ');
  const rows: JoinedRow[] = [];
  const waiting = among('queued', 'held');
  if (waiting.length > 0) {
    // Through the timers: they are few and in order, the deliveries of all time are not.
    rows.push(
      ...work.sql.all<JoinedRow>(
        `SELECT ${joined} FROM timers t
         JOIN deliveries d ON d.queue_id = t.queue_id AND d.seq = t.seq JOIN messages m ON m.queue_id = t.queue_id
         WHERE t.kind = 'attempt' AND d.state IN (${marks(waiting)})${where} ORDER BY t.queue_id, t.seq LIMIT ?`,
        ...waiting,
        ...values,
        filter.limit,
      ),
    );
  }
  const final: JoinedRow[] = [];
  const undelivered = among('failed', 'dropped', 'dead');
  if (undelivered.length > 0) {
    final.push(
      ...work.sql.all<JoinedRow>(
        `SELECT ${joined} FROM deliveries d JOIN messages m ON m.queue_id = d.queue_id
         WHERE d.state IN ('failed', 'dropped', 'dead') AND d.state IN (${marks(undelivered)})${where}
         ORDER BY d.queue_id DESC, d.seq DESC LIMIT ?`,
        ...undelivered,
        ...values,
        filter.limit,
      ),
    );
  }
  if (states.has('delivered')) {
    final.push(
      ...work.sql.all<JoinedRow>(
        `SELECT ${joined} FROM deliveries d JOIN messages m ON m.queue_id = d.queue_id
         WHERE d.state = 'delivered'${where} ORDER BY d.queue_id DESC, d.seq DESC LIMIT ?`,
        ...values,
        filter.limit,
      ),
      ...work.sql.all<JoinedRow>(
        `SELECT ${joined} FROM passed m JOIN passed_deliveries d ON d.queue_id = m.queue_id
         WHERE true${where} ORDER BY m.queue_id DESC, d.seq DESC LIMIT ?`,
        ...values,
        filter.limit,
      ),
    );
  }
  final.sort((a, b) => (a.queue_id === b.queue_id ? b.seq - a.seq : a.queue_id < b.queue_id ? 1 : -1));
  return [...rows, ...final].slice(0, filter.limit).map((row) => ({
    ...deliveryFrom(row),
    acceptedAt: row.accepted_at,
    reversePath: row.reverse_path,
    size: row.size,
  }));
}

/** Words of people are parts of addresses, never patterns. */
function conditionsOf(filter: QueueFilter): { where: string; values: (string | number)[] } {
  const { to, from, hop, group, acceptedBefore, onHold } = filter;
  const all: (readonly [condition: string, ...values: (string | number)[]])[] = [];
  if (to !== undefined) {
    const part = to.toLowerCase();
    const mailbox = `lower(json_extract(d.path, '$.mailbox'))`;
    all.push([`(instr(${mailbox}, ?) > 0 OR instr(lower(coalesce(d.chosen_mailbox, '')), ?) > 0)`, part, part]);
  }
  if (from !== undefined) all.push(['instr(lower(m.reverse_path), ?) > 0', from.toLowerCase()]);
  if (hop !== undefined) all.push(['d.last_hop = ?', hop]);
  if (group !== undefined) all.push(['d.group_name = ?', group]);
  if (acceptedBefore !== undefined) all.push(['m.accepted_at < ?', acceptedBefore]);
  if (onHold) all.push(['d.on_hold_by IS NOT NULL']);
  return {
    where: all.map(([condition]) => ` AND ${condition}`).join(''),
    values: all.flatMap(([, ...values]) => values),
  };
}

export function message(work: Work, queueId: QueueId): Message | null {
  const row =
    work.sql.get<MessageRow>('SELECT * FROM messages WHERE queue_id = ?', queueId) ??
    work.sql.get<MessageRow>('SELECT * FROM passed_messages WHERE queue_id = ?', queueId);
  if (!row) return null;
  const from = (table: string) => `SELECT * FROM ${table} WHERE queue_id = ? ORDER BY seq`;
  return {
    message: messageFrom(row),
    deliveries: [
      ...work.sql.all<DeliveryRow>(from('passed_deliveries'), queueId),
      ...work.sql.all<DeliveryRow>(from('deliveries'), queueId),
    ].map(deliveryFrom),
    tracked: work.sql
      .all<TrackedRow>('SELECT * FROM tracked WHERE queue_id = ? ORDER BY seq', queueId)
      .map((one): Tracked => trackedFrom(one)),
    contentKept: work.sql.get('SELECT 1 FROM message_content WHERE queue_id = ?', queueId) !== undefined,
  };
}

export function events(work: Work, queueId: QueueId): StoryEvent[] {
  const passed = work.sql.get<{ record: string; outcome: string }>(
    'SELECT record, outcome FROM passed WHERE queue_id = ?',
    queueId,
  );
  const before = passed ? [passed.record, passed.outcome] : [];
  return [
    ...before.flatMap((text) => (JSON.parse(text) as { events: StoryEvent[] }).events),
    ...work.sql
      .all<{ event: string }>('SELECT event FROM events WHERE queue_id = ? ORDER BY id', queueId)
      .map((row) => JSON.parse(row.event) as StoryEvent),
  ];
}

export function evidence(work: Work, queueId: QueueId): Evidence[] {
  return work.sql.all<EvidenceRow>('SELECT * FROM evidence WHERE queue_id = ? ORDER BY id', queueId).map(evidenceFrom);
}

export function decisions(work: Work, queueId: QueueId): Decision[] {
  return work.sql
    .all<DecisionRow>('SELECT * FROM decisions WHERE queue_id = ? ORDER BY at, rowid', queueId)
    .map(decisionFrom);
}

export function nudges(work: Work, queueId: QueueId): Nudge[] {
  return work.sql
    .all<NudgeRow>('SELECT * FROM nudges WHERE queue_id = ? ORDER BY due_at, step, id', queueId)
    .map(nudgeFrom);
}

/** From maintained counters: it is scraped, and must not read tables. */
export function counts(work: Work): Counts {
  const delivery = (state: DeliveryState) => work.valueOf(`delivery ${state}`);
  const tracked = (state: TrackState) => work.valueOf(`tracked ${state}`);
  const oldest = work.sql.get<{ at: number }>(
    `SELECT m.accepted_at AS at FROM timers t
     JOIN deliveries d ON d.queue_id = t.queue_id AND d.seq = t.seq JOIN messages m ON m.queue_id = t.queue_id
     WHERE t.kind = 'attempt' AND d.state = 'queued' AND d.on_hold_by IS NULL ORDER BY t.queue_id, t.seq LIMIT 1`,
  );
  return {
    deliveries: {
      queued: delivery('queued'),
      held: delivery('held'),
      delivered: delivery('delivered'),
      failed: delivery('failed'),
      dropped: delivery('dropped'),
      dead: delivery('dead'),
    },
    tracked: {
      waiting: tracked('waiting'),
      held: tracked('held'),
      tracked: tracked('tracked'),
      acknowledged: tracked('acknowledged'),
      answered: tracked('answered'),
      expired: tracked('expired'),
      withdrawn: tracked('withdrawn'),
    },
    oldestQueuedAt: earlier(oldest?.at ?? null, oldestPassing(work.passing)),
    pendingNudges: work.valueOf('nudge pending'),
  };
}

const earlier = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? (one ?? other) : Math.min(one, other);
