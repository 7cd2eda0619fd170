// The migrations of the SQLite store, in order.
import { start } from './0001-start.ts';
import { faults } from './0002-faults.ts';
import type { Migration } from './migration.ts';

export const sqliteMigrations: readonly Migration[] = [start, faults];
