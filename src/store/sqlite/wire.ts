// What the network thread and the store's worker say to each other.
import { PointsmanError } from '../../mail/error.ts';
import { replies } from '../../mail/reply.ts';
import { ShortIdTaken } from '../store.ts';
import type { VerbName } from './company.ts';

export interface WorkerOptions {
  readonly folder: string;
  readonly keepContent: number;
  readonly maxPages: number | null;
}

export type Request =
  | { readonly id: number; readonly verb: VerbName; readonly args: readonly unknown[] }
  | { readonly id: number; readonly verb: 'close' };

/** What was called in one turn of the network thread's event loop. */
export type Requests = readonly Request[];

export type Answer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly failure: Failure };

export type FromWorker =
  | { readonly kind: 'ready'; readonly warnings: readonly string[] }
  | { readonly kind: 'refused'; readonly message: string }
  /** One batch; `committed` is how many verbs one commit made durable, 0 for a batch that only read. */
  | { readonly kind: 'answers'; readonly answers: readonly Answer[]; readonly committed: number }
  /** The last word, after the answers of the batch in which it happened. */
  | { readonly kind: 'failed'; readonly message: string };

/** An error in a form that a thread boundary does not flatten. */
export type Failure =
  | { readonly kind: 'short id taken'; readonly shortId: string }
  | { readonly kind: 'full' | 'locked' | 'local'; readonly message: string };

export function failureOf(error: unknown): Failure {
  if (error instanceof ShortIdTaken) return { kind: 'short id taken', shortId: error.shortId };
  const code = sqliteCode(error);
  const message = error instanceof Error ? error.message : String(error);
  return {
    kind: code === 'SQLITE_FULL' ? 'full' : /^SQLITE_(BUSY|LOCKED)/.test(code ?? '') ? 'locked' : 'local',
    message: code === undefined ? message : `${message} (${code})`,
  };
}

export function errorFrom(failure: Failure, verb: string): PointsmanError {
  if (failure.kind === 'short id taken') return new ShortIdTaken(failure.shortId);
  const reply = { full: replies.storeFull, locked: replies.storeLocked, local: replies.localError }[failure.kind];
  return new PointsmanError(reply, `store, ${verb}: ${failure.message}`);
}

export function sqliteCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return error.code.startsWith('SQLITE_') ? error.code : undefined;
}

/**
 * After these nothing that the connection says can be relied upon: after a failed fsync the kernel may have dropped
 * the pages it could not write, and the next fsync would succeed. Only a new start, with recovery, tells what is there.
 */
export function isBeyondRepair(error: unknown): boolean {
  return /^SQLITE_(IOERR|CORRUPT|NOTADB)/.test(sqliteCode(error) ?? '');
}
