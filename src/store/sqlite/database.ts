// Opens the database file: one owner, files for nobody else's eyes, settings that keep promise 1, schema up to date.
import { closeSync, fchmodSync, fsyncSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { type Migration, planMigrations } from '../migrations/migration.ts';
import { sqliteCode } from './wire.ts';

export const fileName = 'pointsman.db';
export const lockName = 'pointsman.lock';

export interface Opened {
  readonly database: Database.Database;
  readonly warnings: readonly string[];
  close(): void;
}

/** @throws Error in words for the admin */
export function openDatabase(
  folder: string,
  migrations: readonly Migration[],
  options: { maxPages: number | null },
): Opened {
  const unlock = lock(folder);
  try {
    const path = join(folder, fileName);
    createPrivate(folder, path);
    const database = new Database(path, { timeout: 5_000 });
    try {
      database.pragma('journal_mode = WAL');
      // NORMAL would give back a commit that a power cut undoes. Said after WAL: the library is compiled to take NORMAL
      // for WAL unless told otherwise.
      database.pragma('synchronous = FULL');
      database.pragma('foreign_keys = ON');
      // 16 MB of log between checkpoints: each one syncs twice. After a burst the log file shrinks to that again.
      database.pragma('wal_autocheckpoint = 4000');
      database.pragma(`journal_size_limit = ${16 * 1024 * 1024}`);
      database.pragma('cache_size = -8000');
      if (options.maxPages !== null) database.pragma(`max_page_count = ${options.maxPages}`);
      const warnings = migrate(database, migrations);
      return {
        database,
        warnings,
        close() {
          database.close();
          unlock();
        },
      };
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    unlock();
    throw error;
  }
}

/**
 * Two processes on one store would send everything twice (each takes back the other's leases). The lock is one of the
 * kernel's on an empty database beside it: it ends with the process, however that ends.
 */
function lock(folder: string): () => void {
  const path = join(folder, lockName);
  createPrivate(folder, path);
  const database = new Database(path, { timeout: 0 });
  try {
    database.pragma('journal_mode = MEMORY'); // Nothing is ever written: no journal file either.
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (sqliteCode(error) !== 'SQLITE_BUSY') throw error;
    throw new Error(`another process is using the store in ${folder}; only one may`, { cause: error });
  }
  return () => database.close();
}

/** Of SQLite's other files (log, shared memory) the mode is the database's. */
function createPrivate(folder: string, path: string): void {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode;
  if (mode !== undefined) {
    if ((mode & 0o077) === 0) return;
    throw new Error(`${path} has mode 0${(mode & 0o777).toString(8)}: others could read mail in it; chmod it to 0600`);
  }
  const file = openSync(path, 'wx', 0o600);
  try {
    fchmodSync(file, 0o600);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  // The file's name too must outlive a power cut.
  const directory = openSync(folder, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function migrate(database: Database.Database, migrations: readonly Migration[]): readonly string[] {
  database.exec(
    `CREATE TABLE IF NOT EXISTS migrations (
       number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, breaking INTEGER NOT NULL CHECK (breaking IN (0, 1))
     ) STRICT`,
  );
  const applied = database
    .prepare<[], { number: number; name: string; breaking: 0 | 1 }>('SELECT * FROM migrations ORDER BY number')
    .all()
    .map((row) => ({ ...row, breaking: row.breaking === 1 }));
  const plan = planMigrations(migrations, applied);
  if (plan.kind === 'refuse') throw new Error(plan.message);
  for (const migration of plan.todo) {
    database.transaction(() => {
      database
        .prepare('INSERT INTO migrations (number, name, breaking) VALUES (?, ?, ?)')
        .run(migration.number, migration.name, migration.breaking ? 1 : 0);
      database.exec(migration.sql);
    })();
  }
  return plan.newer.length === 0
    ? []
    : [`the store has migrations that this version does not know, but can live with: ${plan.newer.join(', ')}`];
}
