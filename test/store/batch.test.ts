// Group commit when the commit itself fails, on a connection that fails on schedule.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sqliteMigrations } from '../../src/store/migrations/sqlite.ts';
import { type BatchResult, BatchRunner, type VerbRequest } from '../../src/store/sqlite/batch.ts';
import { type Opened, openDatabase } from '../../src/store/sqlite/database.ts';
import { Sql, type Value } from '../../src/store/sqlite/sql.ts';
import type { Store } from '../../src/store/store.ts';
import * as make from './fixtures.ts';
import { id } from './fixtures.ts';

class FailingSql extends Sql {
  readonly commits: ('ok' | string)[] = [];
  /** Codes with which the next commits fail, in turn; `ok` lets one pass. */
  script: string[] = [];

  begun = 0;

  override run(text: string, ...values: Value[]): number {
    if (text === 'BEGIN IMMEDIATE') this.begun += 1;
    if (text === 'COMMIT') {
      const code = this.script.shift() ?? 'ok';
      this.commits.push(code);
      if (code !== 'ok') throw new Database.SqliteError('as the test wants it', code);
    }
    return super.run(text, ...values);
  }
}

describe('a batch', () => {
  let folder: string;
  let opened: Opened;
  let sql: FailingSql;
  let runner: BatchRunner;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pointsman-batch-'));
    opened = openDatabase(folder, sqliteMigrations, { maxPages: null });
    sql = new FailingSql(opened.database);
    runner = new BatchRunner(sql, 1_000);
  });
  afterEach(() => {
    opened.close();
    rmSync(folder, { recursive: true });
  });

  const accept = (name: string): VerbRequest => ({ id: 1, verb: 'accept', args: [make.acceptance(id(name))] });
  const counts: VerbRequest = { id: 2, verb: 'counts', args: [] };
  const queued = () => {
    const answer = runner.run([counts]).answers[0];
    return answer?.ok ? (answer.value as Awaited<ReturnType<Store['counts']>>).deliveries.queued : undefined;
  };
  const kinds = (result: BatchResult) =>
    result.answers.map((answer) => (answer.ok ? 'ok' : answer.failure.kind === 'full' ? 'full' : 'local'));

  it('is repeated one by one when the disk was full for all of it', () => {
    sql.script = ['SQLITE_FULL', 'ok', 'SQLITE_FULL', 'ok'];
    const result = runner.run([accept('A'), accept('B'), accept('C')]);
    expect(kinds(result)).toEqual(['ok', 'full', 'ok']);
    expect(result).toMatchObject({ committed: 2, fatal: undefined });
    expect(queued()).toBe(2);
    expect(runner.run([{ id: 3, verb: 'message', args: ['B'] }]).answers).toEqual([{ id: 3, ok: true, value: null }]);
  });

  it('does not let a read answer with what was not kept', () => {
    sql.script = ['SQLITE_FULL', 'SQLITE_FULL'];
    const result = runner.run([accept('A'), counts]);
    expect(kinds(result)).toEqual(['full', 'ok']);
    expect(result.answers[1]).toMatchObject({ value: { deliveries: { queued: 0 } } });
  });

  it('ends the connection after an I/O error, and says so to everybody', () => {
    sql.script = ['SQLITE_IOERR_FSYNC'];
    const result = runner.run([accept('A'), accept('B')]);
    expect(kinds(result)).toEqual(['local', 'local']);
    expect(result.fatal).toMatchObject({ code: 'SQLITE_IOERR_FSYNC' });
    expect(sql.commits).toEqual(['SQLITE_IOERR_FSYNC']);
  });

  it('stops at the first that is beyond repair, also one by one', () => {
    sql.script = ['SQLITE_FULL', 'ok', 'SQLITE_IOERR_WRITE'];
    const result = runner.run([accept('A'), accept('B'), accept('C')]);
    expect(kinds(result)).toEqual(['ok', 'local', 'local']);
    expect(result.fatal).toMatchObject({ code: 'SQLITE_IOERR_WRITE' });
    expect(sql.commits).toHaveLength(3);
  });

  describe('with something that comes too late', () => {
    const a = id('A');
    const ref = { queueId: a, seq: 0 };
    const late = make.trackedOf(a, { revision: 7, state: 'tracked' });
    const answers = (result: BatchResult) =>
      result.answers.map((answer) => (answer.ok ? answer.value : answer.failure));
    beforeEach(() => {
      expect(kinds(runner.run([{ id: 1, verb: 'accept', args: [make.groupAcceptance(a)] }]))).toEqual(['ok']);
      sql.commits.length = 0;
      sql.begun = 0;
    });

    it('is committed all the same when that has written nothing yet', () => {
      const advance: VerbRequest = { id: 2, verb: 'advanceOnward', args: [late, { evidence: [make.evidenceOf(a)] }] };
      expect(answers(runner.run([advance, accept('B')]))).toEqual(['stale', undefined]);
      expect(sql.begun).toBe(1);
      expect(sql.all('SELECT 1 FROM evidence')).toEqual([]);
      expect(queued()).toBe(2);
    });

    it('is repeated one by one when that has: nothing of it is kept', () => {
      const settled = { ...ref, to: 'delivered', at: 1, reply: '250 Ok', nextHop: 'default' };
      const settle: VerbRequest = { id: 2, verb: 'settle', args: [[settled], { tracked: [late] }] };
      expect(answers(runner.run([accept('B'), settle, accept('C')]))).toEqual([undefined, 'stale', undefined]);
      expect(sql.commits).toEqual(['ok', 'ok']);
      expect(sql.get('SELECT state FROM deliveries WHERE queue_id = ?', a)).toEqual({ state: 'queued' });
      expect(queued()).toBe(3);
    });
  });

  it('goes on after a failure with counters that are right', () => {
    sql.script = ['SQLITE_FULL'];
    expect(kinds(runner.run([accept('A')]))).toEqual(['full']);
    expect(kinds(runner.run([accept('A'), accept('B')]))).toEqual(['ok', 'ok']);
    expect(queued()).toBe(2);
    expect(sql.all('SELECT value FROM counters')).toEqual([{ value: 2 }]);
  });
});
