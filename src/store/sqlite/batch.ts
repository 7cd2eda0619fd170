// Group commit: everything that waits is run in one transaction, each verb in its own savepoint, so that one failing
// verb is undone alone. Answers are given only after COMMIT has returned, which with synchronous=FULL means synced. A
// batch of nothing but leases and plain deliveries is committed without: the next synced commit carries it along.
import type { Duration } from '../../clock.ts';
import type { Store } from '../store.ts';
import { mayWaitForSync, reads, type VerbName } from './company.ts';
import { scheduleRetirement } from './messages.ts';
import { concerned, type Passing, readPassing, unfold } from './passing.ts';
import type { Sql } from './sql.ts';
import { nextDueAt } from './timers.ts';
import { verbs } from './verbs.ts';
import { type Answer, failureOf, isBeyondRepair } from './wire.ts';
import { Stale, type Work } from './work.ts';

export interface VerbRequest {
  readonly id: number;
  readonly verb: VerbName;
  readonly args: readonly unknown[];
}

export interface BatchResult {
  readonly answers: readonly Answer[];
  readonly committed: number;
  /** The connection must not be used any more. */
  readonly fatal: unknown;
}

export class BatchRunner {
  readonly #sql: Sql;
  readonly #keepContent: Duration;
  readonly #remove: (file: string) => void;
  /** Of this batch's verbs so far. */
  readonly #gone: string[] = [];
  /** As committed. */
  readonly #counters = new Map<string, number>();
  /** The connection is opened with FULL. */
  #synced = true;
  /** Changes of this batch's verbs so far. */
  readonly #counted = new Map<string, number>();
  readonly #passing: Passing = new Map();
  /** A verb of this batch has changed it. */
  #moved = false;

  /** `remove`: a content file whose row has gone for good. */
  constructor(sql: Sql, keepContent: Duration, remove: (file: string) => void = () => undefined) {
    this.#sql = sql;
    this.#remove = remove;
    this.#keepContent = keepContent;
    for (const row of sql.all<{ name: string; value: number }>('SELECT name, value FROM counters')) {
      this.#counters.set(row.name, row.value);
    }
    readPassing(sql, this.#passing);
  }

  run(requests: readonly VerbRequest[]): BatchResult {
    if (requests.every((request) => this.#onlyLooks(request))) {
      const errors: unknown[] = [];
      const answers = requests.map((request) => this.#read(request, errors));
      return { answers, committed: 0, fatal: errors.find(isBeyondRepair) };
    }
    try {
      this.#sync(!requests.every((request) => mayWaitForSync(request.verb, request.args)));
      this.#sql.run('BEGIN IMMEDIATE');
      const answers = requests.map((request) =>
        requests.length === 1 || goesUnguarded(request.verb) ? this.#unguarded(request) : this.#write(request),
      );
      this.#writeCounters();
      this.#sql.run('COMMIT');
      this.#keepCounters();
      for (const file of this.#gone) this.#remove(file);
      const committed = requests.filter((request) => !reads.has(request.verb)).length;
      return { answers, committed, fatal: undefined };
    } catch (error) {
      const fatal = this.#rollBack() ?? (isBeyondRepair(error) ? error : undefined);
      this.#counted.clear();
      this.#gone.length = 0;
      if (fatal === undefined) this.#putBack();
      if (fatal === undefined && requests.length > 1) return this.#oneByOne(requests);
      return { answers: requests.map((request) => failed(request, error)), committed: 0, fatal };
    } finally {
      this.#counted.clear();
      this.#gone.length = 0;
      this.#moved = false;
      // Now, while nobody waits: the next one may be waited for.
      if (!this.#sql.inTransaction) this.#sync(true);
    }
  }

  /** Most of those who ask what is due are told that nothing is: that needs no transaction. */
  #onlyLooks({ verb, args }: VerbRequest): boolean {
    if (verb === 'claimDue') {
      const [{ kinds, now }] = args as Parameters<Store['claimDue']>;
      const next = nextDueAt({ sql: this.#sql, passing: this.#passing }, kinds);
      return next === null || next > now;
    }
    return reads.has(verb) && concerned(this.#passing, verb, args).length === 0;
  }

  /**
   * Nothing of the batch was kept, so each may be done again, alone: on a full disk one large mail must not take with
   * it the settlement of another, which would be sent twice for that. What the reads had answered is void likewise.
   */
  #oneByOne(requests: readonly VerbRequest[]): BatchResult {
    const answers: Answer[] = [];
    let committed = 0;
    for (const [index, request] of requests.entries()) {
      const result = this.run([request]);
      answers.push(...result.answers);
      committed += result.committed;
      if (result.fatal !== undefined) {
        answers.push(...requests.slice(index + 1).map((rest) => failed(rest, result.fatal)));
        return { answers, committed, fatal: result.fatal };
      }
    }
    return { answers, committed, fatal: undefined };
  }

  #read(request: VerbRequest, errors: unknown[]): Answer {
    try {
      // Seen a moment ago: nothing is due.
      const value = request.verb === 'claimDue' ? [] : this.#perform(request);
      return { id: request.id, ok: true, value };
    } catch (error) {
      errors.push(error);
      return failed(request, error);
    }
  }

  /**
   * A savepoint costs as much as a short verb, and each page that is changed under it a copy. When one fails, the
   * transaction is given up, and all in it done again one by one; unless it found that it was late before it had written
   * anything. @throws whatever else goes wrong
   */
  #unguarded(request: VerbRequest): Answer {
    const { writes } = this.#sql;
    try {
      return { id: request.id, ok: true, value: this.#perform(request) };
    } catch (error) {
      if (error instanceof Stale && this.#sql.writes === writes) return failed(request, error);
      throw error;
    }
  }

  /** @throws when the whole transaction is lost */
  #write(request: VerbRequest): Answer {
    this.#sql.run('SAVEPOINT verb');
    try {
      const value = this.#perform(request);
      this.#sql.run('RELEASE verb');
      return { id: request.id, ok: true, value };
    } catch (error) {
      // A full disk or an I/O error may already have rolled the transaction back, with what others did in it.
      if (!this.#sql.inTransaction || isBeyondRepair(error)) throw error;
      this.#sql.run('ROLLBACK TO verb');
      this.#sql.run('RELEASE verb');
      this.#putBack();
      return failed(request, error);
    }
  }

  #perform({ verb, args }: VerbRequest): unknown {
    const work: Work = {
      sql: this.#sql,
      keepContent: this.#keepContent,
      counted: new Map(),
      ended: new Map(),
      gone: [],
      passing: this.#passing,
      moved: false,
      valueOf: (counter) =>
        (this.#counters.get(counter) ?? 0) + (this.#counted.get(counter) ?? 0) + (work.counted.get(counter) ?? 0),
    };
    // The arguments are those of the Store method of this name: open.ts sends no others.
    const perform = verbs[verb] as (work: Work, ...args: readonly unknown[]) => unknown;
    let value: unknown;
    try {
      for (const queueId of concerned(this.#passing, verb, args)) unfold(work, queueId);
      value = perform(work, ...args);
    } finally {
      this.#moved ||= work.moved;
    }
    for (const [queueId, end] of work.ended) scheduleRetirement(work, queueId, end);
    for (const [name, by] of work.counted) this.#counted.set(name, (this.#counted.get(name) ?? 0) + by);
    this.#gone.push(...work.gone);
    return value;
  }

  /** Of a connection on WAL: FULL syncs the log at each commit, NORMAL only before a checkpoint. */
  #sync(needed: boolean): void {
    if (needed === this.#synced) return;
    this.#sql.exec(needed ? 'PRAGMA synchronous = FULL' : 'PRAGMA synchronous = NORMAL');
    this.#synced = needed;
  }

  /** After a rollback: what is passing is as it was. */
  #putBack(): void {
    if (this.#moved) readPassing(this.#sql, this.#passing);
  }

  #writeCounters(): void {
    for (const [name, by] of this.#counted) {
      if (by === 0) continue;
      const value = (this.#counters.get(name) ?? 0) + by;
      this.#sql.run(
        'INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
        name,
        value,
      );
    }
  }

  #keepCounters(): void {
    for (const [name, by] of this.#counted) this.#counters.set(name, (this.#counters.get(name) ?? 0) + by);
  }

  /** Answers the error when even that fails. */
  #rollBack(): unknown {
    if (!this.#sql.inTransaction) return undefined;
    try {
      this.#sql.run('ROLLBACK');
      return undefined;
    } catch (error) {
      return error;
    }
  }
}

/** What comes often, and seldom fails once it has begun to write. */
const goesUnguarded = (verb: VerbName): boolean =>
  verb === 'acceptPassing' ||
  verb === 'settleDelivered' ||
  verb === 'advanceOnward' ||
  verb === 'settle' ||
  verb === 'claimDue';

function failed(request: VerbRequest, error: unknown): Answer {
  if (error instanceof Stale) return { id: request.id, ok: true, value: 'stale' };
  return { id: request.id, ok: false, failure: failureOf(error) };
}
