// Faults: one open row for each kind and subject; closed ones stay for the record. `announced` is the revision that the
// operators were told of last.
import type { Migration } from './migration.ts';

export const faults: Migration = {
  number: 5,
  name: 'faults',
  breaking: false,
  sql: `
CREATE TABLE faults (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  severity TEXT NOT NULL CHECK (severity IN ('critical', 'fatal', 'error', 'warning')),
  text TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  count INTEGER NOT NULL CHECK (count >= 1),
  owner TEXT,
  owned_since INTEGER,
  cleared_at INTEGER,
  cleared_by TEXT,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  announced INTEGER NOT NULL CHECK (announced BETWEEN 0 AND revision),
  CHECK ((owner IS NULL) = (owned_since IS NULL)),
  CHECK (cleared_by IS NULL OR cleared_at IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX faults_open ON faults (kind, subject) WHERE cleared_at IS NULL;
CREATE INDEX faults_untold ON faults (number) WHERE announced < revision OR cleared_at IS NULL;
`,
};
