// Faults: opened once for each kind and subject, changed by compare-and-set on their revision.
import type { Fault, NewFault, Store, Written } from '../store.ts';
import type { Work } from './work.ts';

interface Row {
  readonly number: number;
  readonly kind: string;
  readonly subject: string;
  readonly severity: Fault['severity'];
  readonly text: string;
  readonly opened_at: number;
  readonly last_at: number;
  readonly count: number;
  readonly owner: string | null;
  readonly owned_since: number | null;
  readonly cleared_at: number | null;
  readonly cleared_by: string | null;
  readonly revision: number;
  readonly announced: number;
}

const from = (row: Row): Fault => ({
  number: row.number,
  kind: row.kind,
  subject: row.subject,
  severity: row.severity,
  text: row.text,
  openedAt: row.opened_at,
  lastAt: row.last_at,
  count: row.count,
  owner: row.owner,
  ownedSince: row.owned_since,
  clearedAt: row.cleared_at,
  clearedBy: row.cleared_by,
  revision: row.revision,
  announced: row.announced,
});

/** The one that is open already when there is one: it counts once more. */
export function openFault(work: Work, { kind, subject, severity, text, at }: NewFault): Fault {
  const repeated = work.sql.run(
    `UPDATE faults SET count = count + 1, last_at = max(last_at, ?), text = ?, severity = ?
     WHERE kind = ? AND subject = ? AND cleared_at IS NULL`,
    ...[at, text, severity, kind, subject],
  );
  if (repeated === 0) {
    work.sql.run(
      `INSERT INTO faults (kind, subject, severity, text, opened_at, last_at, count, revision, announced)
       VALUES (?, ?, ?, ?, ?, ?, 1, 1, 0)`,
      ...[kind, subject, severity, text, at, at],
    );
  }
  const row = work.sql.get<Row>(
    'SELECT * FROM faults WHERE kind = ? AND subject = ? AND cleared_at IS NULL',
    kind,
    subject,
  );
  if (!row) throw new Error(`the fault ${kind} of ${subject} was not kept`);
  return from(row);
}

export function changeFault(work: Work, fault: Fault): Written {
  const changed = work.sql.run(
    `UPDATE faults SET owner = ?, owned_since = ?, cleared_at = ?, cleared_by = ?, revision = ?
     WHERE number = ? AND revision = ?`,
    ...[fault.owner, fault.ownedSince, fault.clearedAt, fault.clearedBy, fault.revision],
    ...[fault.number, fault.revision - 1],
  );
  return changed === 0 ? 'stale' : 'done';
}

export function announcedFault(work: Work, number: number, revision: number): void {
  work.sql.run(
    'UPDATE faults SET announced = ? WHERE number = ? AND announced < ? AND revision >= ?',
    ...[revision, number, revision, revision],
  );
}

/** Oldest first; `untold` are those with a change nobody was told of, open or not. */
export function faults(work: Work, which: Parameters<Store['faults']>[0]): readonly Fault[] {
  const condition = {
    open: 'cleared_at IS NULL',
    untold: '(announced < revision OR cleared_at IS NULL) AND announced < revision',
    all: 'TRUE',
  }[which];
  return work.sql
    .all<Row>(`SELECT * FROM faults WHERE ${condition} ORDER BY number ${which === 'all' ? 'DESC' : ''} LIMIT 1000`)
    .map(from);
}

export function faultSubjects(work: Work, kind: string): readonly string[] {
  const rows = work.sql.all<{ subject: string }>('SELECT DISTINCT subject FROM faults WHERE kind = ?', kind);
  return rows.map(({ subject }) => subject);
}
