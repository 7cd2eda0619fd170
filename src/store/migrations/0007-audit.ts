// The audit: who did what by hand, written before it is done, and how it ended.
import type { Migration } from './migration.ts';

export const audit: Migration = {
  number: 7,
  name: 'audit',
  breaking: false,
  sql: `
CREATE TABLE audit (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  by_whom TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  wish TEXT NOT NULL,
  before TEXT NOT NULL,
  after TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('begun', 'done', 'refused', 'failed'))
) STRICT;
`,
};
