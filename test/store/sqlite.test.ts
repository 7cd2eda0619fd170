// The SQLite store: the contract, and what is SQLite's own: group commit, durability, files, faults.

import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { minute } from '../../src/clock.ts';
import { headOf } from '../../src/mail/content.ts';
import { PointsmanError } from '../../src/mail/error.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { openSqliteStore, type SqliteStoreOptions } from '../../src/store/sqlite/open.ts';
import { keepContent, type Opened, storeContract } from './contract.ts';
import * as make from './fixtures.ts';
import { id, t0 } from './fixtures.ts';

const scratch = () => mkdtempSync(join(tmpdir(), 'pointsman-store-'));

async function openIn(folder: string): Promise<Opened> {
  const store = await openSqliteStore({ folder, keepContent });
  return {
    store,
    async reopen() {
      await store.close();
      return openIn(folder);
    },
    async dispose() {
      await store.close();
      rmSync(folder, { recursive: true });
    },
  };
}

storeContract('SQLite', () => openIn(scratch()));

describe('SQLite', () => {
  let folder: string;
  beforeEach(() => {
    folder = scratch();
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const open = (more: Partial<SqliteStoreOptions> = {}) => openSqliteStore({ folder, keepContent, ...more });
  const database = () => new Database(join(folder, 'pointsman.db'));

  describe('group commit', () => {
    it('commits what arrived together once', async () => {
      const commits: number[] = [];
      await using store = disposable(await open({ onCommit: (verbs) => commits.push(verbs) }));
      await Promise.all(ids(100).map((one) => store.accept(make.acceptance(one))));
      expect(commits.reduce((sum, verbs) => sum + verbs, 0)).toBe(100);
      expect(commits.length).toBeLessThan(20);
    });

    it('undoes a failing verb alone', async () => {
      const commits: number[] = [];
      await using store = disposable(await open({ onCommit: (verbs) => commits.push(verbs) }));
      const many = ids(9);
      const [twice] = many as [QueueId];
      // Enough to be busy with: the rest gathers behind it in one batch.
      const first = store.accept(make.acceptance(id('FIRST')));
      const outcomes = await Promise.allSettled([
        ...many.map((one) => store.accept(make.acceptance(one))),
        store.accept(make.acceptance(twice)),
        store.record({ evidence: [make.evidenceOf(id('NOBODY'))] }),
        store.settle([{ queueId: twice, seq: 5, to: 'held', until: t0 }], { events: [make.event(twice)] }),
        store.remember('after', 'all'),
      ]);
      await first;
      expect(outcomes.map((one) => one.status)).toEqual([
        ...many.map(() => 'fulfilled'),
        'rejected',
        'rejected',
        'fulfilled',
        'fulfilled',
      ]);
      expect(commits.length).toBeLessThan(5);
      expect((await store.counts()).deliveries.queued).toBe(10);
      expect(await store.events(twice)).toHaveLength(1);
      expect(await store.recall('after')).toBe('all');
    });

    it('starts no transaction for a batch that only reads', async () => {
      const commits: number[] = [];
      await using store = disposable(await open({ onCommit: (verbs) => commits.push(verbs) }));
      await Promise.all([store.counts(), store.history(), store.message(id('A')), store.nextDueAt(['attempt'])]);
      expect(commits).toEqual([]);
    });
  });

  describe('durability', () => {
    it('syncs every commit', async () => {
      await using store = disposable(await open());
      await store.remember('a', 'b');
      // What the worker's connection was told cannot be asked from here; that nothing in its set-up undoes it can.
      const { openDatabase } = await import('../../src/store/sqlite/database.ts');
      const other = scratch();
      const opened = openDatabase(other, [], { maxPages: null });
      expect(opened.database.pragma('synchronous', { simple: true })).toBe(2);
      expect(opened.database.pragma('journal_mode', { simple: true })).toBe('wal');
      expect(opened.database.pragma('foreign_keys', { simple: true })).toBe(1);
      opened.close();
      rmSync(other, { recursive: true });
    });

    it('has everything it acknowledged after kill -9 in the middle of the flow', async () => {
      for (const [round, count] of [7, 153, 400].entries()) {
        const child = spawn(process.execPath, [childScript, folder, String(round), String(count)], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        const acknowledged = await untilKilled(child);
        expect(acknowledged.length).toBe(count);
        await using store = disposable(await open());
        await store.releaseLeases();
        for (const queueId of acknowledged) {
          const content = headOf(await store.content(queueId));
          expect(content.byteLength).toBe(10_240);
          expect(content.every((byte) => byte === content[0])).toBe(true);
        }
        // What was written but not acknowledged is whole or absent, and the counters agree with the tables.
        const check = database();
        expect(check.pragma('integrity_check', { simple: true })).toBe('ok');
        expect(check.pragma('foreign_key_check')).toEqual([]);
        const rows = (table: string) => check.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
        const queued = (await store.counts()).deliveries.queued;
        expect([rows('messages'), rows('message_content'), rows('timers')]).toEqual([queued, queued, queued]);
        check.close();
        expect(queued).toBeGreaterThanOrEqual(acknowledged.length);
      }
    });
  });

  describe('a full disk', () => {
    it('rejects with 452 what does not fit, keeps the rest, and goes on', async () => {
      await using store = disposable(await open({ maxPages: 200 }));
      await store.accept(make.acceptance(id('SMALL')));
      const content = new Uint8Array(64 * 1024);
      const outcomes = await Promise.allSettled(ids(30).map((one) => store.accept(make.acceptance(one, { content }))));
      const refused = outcomes.filter((one) => one.status === 'rejected');
      expect(refused.length).toBeGreaterThan(0);
      for (const { reason } of refused) {
        expect(reason).toBeInstanceOf(PointsmanError);
        expect(reason).toMatchObject({ reply: { code: 452, enhanced: '4.3.1' }, temporary: true });
      }
      const kept = outcomes.filter((one) => one.status === 'fulfilled').length;
      expect((await store.counts()).deliveries.queued).toBe(kept + 1);
      expect(await store.listQueue({ limit: 100 })).toHaveLength(kept + 1);
      // Reading still works, and so does what makes room.
      expect(headOf(await store.content(id('SMALL'))).byteLength).toBe(25);
    });
  });

  describe('a dead worker', () => {
    it('rejects what is pending and all that follows, and says so once', async () => {
      const worker = Promise.withResolvers<Worker>();
      process.once('worker', worker.resolve);
      const deaths: Error[] = [];
      const store = await open({ onFatal: (error) => deaths.push(error) });
      // From here on it takes no message any more, but its exit has not been heard of: the calls are pending.
      const gone = (await worker.promise).terminate();
      const outcomes = await Promise.allSettled([store.counts(), store.accept(make.acceptance(id('A')))]);
      await gone;
      for (const outcome of outcomes) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { reply: { code: 451 } } });
      }
      await expect(store.counts()).rejects.toThrow('the store has failed');
      expect(deaths).toHaveLength(1);
      await store.close();
      await using again = disposable(await open());
      expect(await again.message(id('A'))).toBeNull();
    });

    it('dies of a database that is beyond repair', async () => {
      const first = await open();
      await Promise.all(ids(50).map((one) => first.accept(make.acceptance(one))));
      await first.close();
      const file = database();
      file.unsafeMode(true);
      file.pragma('writable_schema = ON');
      // The table's root is now a page of the wrong kind.
      file.exec(`UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'timers_claimable')
                 WHERE name = 'messages'`);
      file.close();
      const dead = Promise.withResolvers<Error>();
      const store = await open({ onFatal: dead.resolve });
      await expect(store.accept(make.acceptance(id('LATER')))).rejects.toThrow('SQLITE_CORRUPT');
      expect((await dead.promise).message).toContain('malformed');
      await expect(store.counts()).rejects.toThrow('the store has failed');
    });
  });

  describe('files', () => {
    it('are for nobody else, whatever the umask', async () => {
      const before = process.umask(0);
      try {
        await using store = disposable(await open());
        await store.accept(make.acceptance(id('A')));
        const modes = readdirSync(folder).map((name) => [
          name,
          (statSync(join(folder, name)).mode & 0o777).toString(8),
        ]);
        expect(Object.fromEntries(modes)).toEqual({
          content: '700',
          'pointsman.db': '600',
          'pointsman.db-shm': '600',
          'pointsman.db-wal': '600',
          'pointsman.lock': '600',
        });
      } finally {
        process.umask(before);
      }
    });

    it('refuses a database that others may read', async () => {
      await (await open()).close();
      chmodSync(join(folder, 'pointsman.db'), 0o640);
      await expect(open()).rejects.toThrow(/mode 0640.*chmod it to 0600/);
    });

    it('refuses a second owner, and lets go at the end', async () => {
      const store = await open();
      await expect(open()).rejects.toThrow('another process is using the store');
      await store.close();
      await (await open()).close();
    });

    it('refuses what is not a database', async () => {
      const { writeFileSync } = await import('node:fs');
      writeFileSync(join(folder, 'pointsman.db'), 'not a database, but long enough to be looked at'.repeat(50), {
        mode: 0o600,
      });
      await expect(open()).rejects.toThrow('not a database');
    });
  });

  describe('migrations', () => {
    const pretend = async (breaking: 0 | 1) => {
      await (await open()).close();
      const file = database();
      file.prepare('INSERT INTO migrations (number, name, breaking) VALUES (99, ?, ?)').run('future', breaking);
      file.close();
    };

    it('refuses a newer breaking schema', async () => {
      await pretend(1);
      await expect(open()).rejects.toThrow(/newer Pointsman.*99 \(future\)/);
    });

    it('lives with a newer one that breaks nothing, and says so', async () => {
      await pretend(0);
      const warnings: string[] = [];
      await using store = disposable(await open({ onWarning: (text) => warnings.push(text) }));
      await store.accept(make.acceptance(id('A')));
      expect(warnings).toEqual([expect.stringContaining('99 (future)')]);
    });
  });

  it('claims along an index, without sorting', async () => {
    await (await open()).close();
    const file = database();
    const plan = file
      .prepare(
        `EXPLAIN QUERY PLAN SELECT queue_id, seq, ref, due_at, coalesce(lease_until, due_at) AS claimable_at FROM timers
         WHERE kind = ? AND coalesce(lease_until, due_at) <= ?
         ORDER BY coalesce(lease_until, due_at), queue_id, seq LIMIT ?`,
      )
      .all('attempt', t0 + minute, 5) as { detail: string }[];
    file.close();
    expect(plan.map((row) => row.detail)).toEqual([
      expect.stringContaining('USING INDEX timers_claimable (kind=? AND'),
    ]);
  });
});

const childScript = fileURLToPath(new URL('./accept-forever.ts', import.meta.url));

/** The queue ids that the child was told are safe, up to its death. */
async function untilKilled(child: ChildProcess): Promise<QueueId[]> {
  const exited = new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
  if (!child.stdout) throw new Error('no stdout');
  const acknowledged: QueueId[] = [];
  for await (const line of createInterface(child.stdout)) acknowledged.push(line as QueueId);
  expect(await exited).toBe('SIGKILL');
  return acknowledged;
}

function ids(count: number): QueueId[] {
  return Array.from({ length: count }, (_, index) => id(`M${String(index).padStart(12, '0')}`));
}

function disposable<T extends { close(): Promise<void> }>(store: T): T & AsyncDisposable {
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}
