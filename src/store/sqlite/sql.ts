// A connection with its prepared statements: each text is prepared once and kept.
import type { Database, Statement } from 'better-sqlite3';

export type Value = string | number | Uint8Array | null;

export class Sql {
  readonly #database: Database;
  readonly #statements = new Map<string, Statement<Value[]>>();
  #writes = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  /** How many statements were run that may have changed something. */
  get writes(): number {
    return this.#writes;
  }

  /** Answers how many rows were changed. */
  run(text: string, ...values: Value[]): number {
    this.#writes += 1;
    return this.#prepared(text).run(...values).changes;
  }

  /** Answers the new row's id. */
  insert(text: string, ...values: Value[]): number {
    this.#writes += 1;
    return Number(this.#prepared(text).run(...values).lastInsertRowid);
  }

  get<Row>(text: string, ...values: Value[]): Row | undefined {
    return this.#prepared(text).get(...values) as Row | undefined;
  }

  all<Row>(text: string, ...values: Value[]): Row[] {
    return this.#prepared(text).all(...values) as Row[];
  }

  /** Not kept: for what is rare, or is done while it is prepared (PRAGMA synchronous). */
  exec(text: string): void {
    this.#database.exec(text);
  }

  get inTransaction(): boolean {
    return this.#database.inTransaction;
  }

  #prepared(text: string): Statement<Value[]> {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.#database.prepare<Value[]>(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }
}
