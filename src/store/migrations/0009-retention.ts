// What has ended is forgotten after a while. Timers lose their foreign key: without an index that begins with the queue
// id, each message that goes would have cost a walk through all timers, and such an index would cost each that comes.
import type { Migration } from './migration.ts';

export const retention: Migration = {
  number: 9,
  name: 'retention',
  // A program that knows nothing of it only takes those for new who had nothing for as long as records are kept.
  breaking: false,
  sql: `
CREATE TABLE unbound_timers (
  kind TEXT NOT NULL CHECK (kind IN ('attempt', 'step', 'nudge', 'retire')),
  queue_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  ref TEXT NOT NULL,
  due_at INTEGER NOT NULL,
  lease_until INTEGER,
  PRIMARY KEY (kind, queue_id, seq, ref),
  CHECK ((kind = 'nudge') = (ref <> '')),
  CHECK (kind <> 'retire' OR seq = 0)
) STRICT, WITHOUT ROWID;
INSERT INTO unbound_timers SELECT kind, queue_id, seq, ref, due_at, lease_until FROM timers;
DROP TABLE timers;
ALTER TABLE unbound_timers RENAME TO timers;
CREATE INDEX timers_claimable ON timers (kind, coalesce(lease_until, due_at), queue_id, seq);

-- Who had what last, of what is forgotten.
CREATE TABLE last_assignments (
  person TEXT NOT NULL,
  group_name TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (person, group_name)
) STRICT, WITHOUT ROWID;
`,
};
