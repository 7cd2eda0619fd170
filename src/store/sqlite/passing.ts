// Mail that passes through, and is attempted the moment it is safe: one row while it is on its way out, one more when it
// has been delivered, instead of rows in six tables. Whoever looks at such a message meanwhile, and whatever else than
// delivery becomes of it, makes it mail like any other first (unfold): all other verbs need not know of this.
import type { Instant } from '../../clock.ts';
import { isFile } from '../../mail/content.ts';
import type { QueueId } from '../../mail/queue-id.ts';
import type { Acceptance, Settlement, Store } from '../store.ts';
import type { VerbName } from './company.ts';
import { settle } from './deliveries.ts';
import { accept } from './messages.ts';
import type { Sql } from './sql.ts';
import { count, type Work } from './work.ts';

/** As it goes to the worker: few words, the rest as text that is stored as it is. */
export type Parcel = readonly [
  queueId: QueueId,
  acceptedAt: Instant,
  reversePath: string,
  size: number,
  leasedUntil: Instant,
  deliveries: number,
  record: string,
  content: Uint8Array<ArrayBuffer>,
];

/** One delivery, and the events of all of them as JSON. */
export type Delivered = readonly [queueId: QueueId, seq: number, at: Instant, reply: string, nextHop: string];
export type Told = readonly [queueId: QueueId, event: string];

/** On the worker's thread: what is passing, by queue id. */
export type Passing = Map<QueueId, Entry>;

interface Entry {
  readonly row: number;
  readonly acceptedAt: Instant;
  readonly reversePath: string;
  readonly size: number;
  readonly leasedUntil: Instant;
  readonly deliveries: number;
  readonly record: string;
}

type Kept = Pick<Acceptance, 'message' | 'deliveries' | 'events'>;

/** Null for mail that has more to it: it has rows in every table from the start. */
export function parcelOf(acceptance: Acceptance): Parcel | null {
  const { message, content, deliveries, tracked, events, also } = acceptance;
  if (content === null || isFile(content) || tracked.length > 0 || also !== undefined || message.kind !== 'mail')
    return null;
  const leasedUntil = deliveries[0]?.leasedUntil;
  if (leasedUntil === undefined) return null;
  for (const one of deliveries) {
    const plain = one.plan.kind === 'pass' && one.forwardOf === null && one.chosen === null && one.taken === undefined;
    if (!plain || one.leasedUntil !== leasedUntil || one.finalDotAt === undefined) return null;
  }
  const { queueId, acceptedAt, envelope, size } = message;
  const record = JSON.stringify({ message, deliveries, events } satisfies Kept);
  // A copy, which changes hands: what was received is still to be sent.
  const own = new Uint8Array(content);
  return [queueId, acceptedAt, envelope.reversePath, size, leasedUntil, deliveries.length, record, own];
}

/** Null when something else than deliveries is settled, or more follows from it than events. */
export function deliveredOf(settlements: readonly Settlement[]): readonly Delivered[] | null {
  const delivered: Delivered[] = [];
  for (const one of settlements) {
    if (one.to !== 'delivered') return null;
    delivered.push([one.queueId, one.seq, one.at, one.reply, one.nextHop]);
  }
  return delivered;
}

/** At a start, and after a rollback. */
export function readPassing(sql: Sql, passing: Passing): void {
  passing.clear();
  for (const { id: row, record } of sql.all<{ id: number; record: string }>('SELECT id, record FROM passing')) {
    const { message, deliveries } = JSON.parse(record) as Kept;
    const { queueId, acceptedAt, envelope, size } = message;
    const leasedUntil = deliveries[0]?.leasedUntil ?? acceptedAt;
    const { reversePath } = envelope;
    passing.set(queueId, { row, acceptedAt, reversePath, size, leasedUntil, deliveries: deliveries.length, record });
  }
}

export function acceptPassing(work: Work, ...parcel: Parcel): void {
  const [queueId, acceptedAt, reversePath, size, leasedUntil, deliveries, record, content] = parcel;
  const known = 'SELECT 1 FROM messages WHERE queue_id = ? UNION ALL SELECT 1 FROM passed WHERE queue_id = ?';
  if (work.passing.has(queueId) || work.sql.get(known, queueId, queueId) !== undefined)
    throw new Error(`the queue id ${queueId} is taken`);
  const row = work.sql.insert(
    'INSERT INTO passing (queue_id, record, content) VALUES (?, ?, ?)',
    queueId,
    record,
    content,
  );
  work.passing.set(queueId, { row, acceptedAt, reversePath, size, leasedUntil, deliveries, record });
  work.moved = true;
  count(work, 'delivery queued', deliveries);
}

/** Answers nothing when all is written, so that the answer costs little. */
export function settleDelivered(work: Work, delivered: readonly Delivered[], told: readonly Told[]): undefined {
  const [first] = delivered;
  const entry = first && work.passing.get(first[0]);
  // Those of one message, all of them.
  if (entry?.deliveries === delivered.length && delivered.every(([queueId]) => queueId === first?.[0])) {
    passOn(work, first?.[0] as QueueId, entry, delivered, told);
    return;
  }
  for (const [queueId, seq, at, reply, nextHop] of delivered) {
    unfold(work, queueId);
    settle(work, { queueId, seq, to: 'delivered', at, reply, nextHop });
  }
  for (const [queueId, event] of told)
    work.sql.run('INSERT INTO events (queue_id, event) VALUES (?, ?)', queueId, event);
}

function passOn(
  work: Work,
  queueId: QueueId,
  { row, acceptedAt, reversePath, size, record }: Entry,
  delivered: readonly Delivered[],
  told: readonly Told[],
): void {
  const ends = JSON.stringify(delivered.map(([, seq, at, reply, nextHop]) => [seq, at, reply, nextHop]));
  const outcome = `{"deliveries":${ends},"events":[${told.map(([, event]) => event).join(',')}]}`;
  work.sql.run('DELETE FROM passing WHERE id = ?', row);
  work.sql.run(
    'INSERT INTO passed (queue_id, accepted_at, reverse_path, size, record, outcome) VALUES (?, ?, ?, ?, ?, ?)',
    queueId,
    acceptedAt,
    reversePath,
    size,
    record,
    outcome,
  );
  work.passing.delete(queueId);
  work.moved = true;
  count(work, 'delivery queued', -delivered.length);
  count(work, 'delivery delivered', delivered.length);
}

/** From now on it is mail like any other. */
export function unfold(work: Work, queueId: QueueId): void {
  const entry = work.passing.get(queueId);
  if (!entry) return;
  const stored = work.sql.get<{ content: Uint8Array }>('SELECT content FROM passing WHERE id = ?', entry.row);
  if (!stored) throw new Error(`the content of ${queueId} is missing`);
  const kept = JSON.parse(entry.record) as Kept;
  // Counted when it came.
  count(work, 'delivery queued', -entry.deliveries);
  accept(work, { ...kept, content: stored.content, tracked: [] });
  work.sql.run('DELETE FROM passing WHERE id = ?', entry.row);
  work.passing.delete(queueId);
  work.moved = true;
}

/** What a verb asks about, besides what it is given: all that waits, or nothing of it. */
const aboutAll: ReadonlySet<VerbName> = new Set<VerbName>([
  'listQueue',
  'queuePage',
  'recorded',
  'releaseLeases',
  'hastenBeyond',
]);

/** Those that the verb may not find as they are. */
export function concerned(passing: Passing, verb: VerbName, args: readonly unknown[]): readonly QueueId[] {
  if (passing.size === 0) return [];
  if (aboutAll.has(verb)) return [...passing.keys()];
  return mentioned(passing, verb, args).filter((queueId) => passing.has(queueId));
}

function mentioned(passing: Passing, verb: VerbName, args: readonly unknown[]): readonly QueueId[] {
  switch (verb) {
    case 'content':
    case 'message':
    case 'events':
    case 'intervene':
    case 'retryNow':
    case 'retireContent':
      return [args[0] as QueueId];
    case 'recordChoice':
    case 'replan':
      return [(args as Parameters<Store['recordChoice'] | Store['replan']>)[0].queueId];
    case 'recordFinalDot':
      return (args as Parameters<Store['recordFinalDot']>)[0].map(({ queueId }) => queueId);
    case 'settle': {
      const [settlements, { events = [] }] = args as Parameters<Store['settle']>;
      return [...settlements, ...events].map(({ queueId }) => queueId);
    }
    case 'record': {
      const [{ events = [], evidence = [], forwards = [] }] = args as Parameters<Store['record']>;
      return [...events, ...evidence, ...forwards].map(({ queueId }) => queueId);
    }
    case 'claimDue': {
      // Its lease has run out: what was to be settled never was.
      const [{ kinds, now }] = args as Parameters<Store['claimDue']>;
      if (!kinds.includes('attempt')) return [];
      return [...passing].flatMap(([queueId, { leasedUntil }]) => (leasedUntil <= now ? [queueId] : []));
    }
    default:
      return [];
  }
}

/** The first moment at which one of them can be claimed. */
export function nextLeaseEnd(passing: Passing): Instant | null {
  let first: Instant | null = null;
  for (const { leasedUntil } of passing.values()) first = Math.min(first ?? leasedUntil, leasedUntil);
  return first;
}

export function oldestPassing(passing: Passing): Instant | null {
  let oldest: Instant | null = null;
  for (const { acceptedAt } of passing.values()) oldest = Math.min(oldest ?? acceptedAt, acceptedAt);
  return oldest;
}
