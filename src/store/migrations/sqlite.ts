// The migrations of the SQLite store, in order.
import { start } from './0001-start.ts';
import { operator } from './0002-operator.ts';
import { contentFiles } from './0003-content-files.ts';
import { pledge } from './0004-pledge.ts';
import { faults } from './0005-faults.ts';
import { passing } from './0006-passing.ts';
import { audit } from './0007-audit.ts';
import { takers } from './0008-takers.ts';
import { retention } from './0009-retention.ts';
import { contentFileIndex } from './0010-content-file-index.ts';
import type { Migration } from './migration.ts';

export const sqliteMigrations: readonly Migration[] = [
  start,
  operator,
  contentFiles,
  pledge,
  faults,
  passing,
  audit,
  takers,
  retention,
  contentFileIndex,
];
