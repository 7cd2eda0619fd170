// The store on SQLite: a Store whose verbs are run by one worker thread, so that the network thread never waits for
// the disk. Verbs are performed in the order in which they were called; reads too, so they see what was written before.
import { mkdirSync } from 'node:fs';
import { basename } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Duration } from '../../clock.ts';
import { isFile } from '../../mail/content.ts';
import { describeError, PointsmanError } from '../../mail/error.ts';
import { replies } from '../../mail/reply.ts';
import type { Acceptance, Consequences, Store } from '../store.ts';
import { mayWaitForCompany, type ShortVerbName, type VerbName } from './company.ts';
import { createContentWriter, readContentFile, removeContentFile } from './content-files.ts';
import { deliveredOf, parcelOf } from './passing.ts';
import type { Result } from './verbs.ts';
import { type Answer, errorFrom, type FromWorker, type Request, type Requests, type WorkerOptions } from './wire.ts';

export interface SqliteStoreOptions {
  /** The state folder; created (0700) when missing. The database in it is `pointsman.db`. */
  readonly folder: string;
  /** How long content is kept after everything about its message has ended. */
  readonly keepContent: Duration;
  /** The worker is gone: every verb rejects from now on. Whoever runs the process should end it. */
  readonly onFatal?: (error: Error) => void;
  /** After each commit: how many verbs it made durable. */
  readonly onCommit?: (verbs: number) => void;
  readonly onWarning?: (text: string) => void;
  /** Most pages (of 4 kB) the database may have; past that the store is full. */
  readonly maxPages?: number;
}

/**
 * Plain deliveries have nobody waiting for them, so they go over when the worker has just answered, and is idle while a
 * peer gets its reply; or with the next acceptance. A crash in between sends them again, as one between the next hop's
 * reply and any commit does, and says so.
 */
const longestWait: Duration = 3;

interface Gathered {
  readonly request: Request;
  readonly transfer: readonly ArrayBuffer[];
}

interface Pending {
  readonly verb: string;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** @throws Error in words for the admin: in use by another process, newer schema, readable by others … */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  const link = new WorkerLink(options);
  await link.ready;
  type Named = Exclude<VerbName, ShortVerbName>;
  const verb = <V extends Named>(name: V): Store[V] =>
    ((...args: readonly unknown[]) => link.call({ verb: name, args })) as Store[V];
  // The content goes over by handing on a copy, which is cheaper than the two that serialising makes.
  const withReports = <V extends Named>(name: V): Store[V] =>
    ((...args: readonly unknown[]) => {
      const reports = (args.at(-1) as Consequences).reports ?? [];
      if (reports.length === 0) return link.call({ verb: name, args });
      const own = reports.map(ownContent);
      const also = { ...(args.at(-1) as Consequences), reports: own };
      return link.call({ verb: name, args: [...args.slice(0, -1), also] }, own.flatMap(bufferOf));
    }) as Store[V];
  const settleAny = withReports('settle');
  return {
    accept(acceptance) {
      const parcel = parcelOf(acceptance);
      if (parcel) return link.call({ verb: 'acceptPassing', args: parcel }, [parcel[7].buffer]) as Promise<void>;
      if (acceptance.content === null)
        return link.call({ verb: 'acceptTold', args: [JSON.stringify(acceptance)] }) as Promise<void>;
      const own = ownContent(acceptance);
      return link.call({ verb: 'accept', args: [own] }, bufferOf(own)) as Promise<void>;
    },
    claimDue: verb('claimDue'),
    nextDueAt: verb('nextDueAt'),
    releaseLeases: verb('releaseLeases'),
    async content(queueId) {
      const found = (await link.call({ verb: 'content', args: [queueId] })) as Result<'content'>;
      return found instanceof Uint8Array ? found : readContentFile(options.folder, found.file, found.length);
    },
    openContent: () => createContentWriter(options.folder),
    async dropContent({ path }) {
      if (!link.failed) removeContentFile(options.folder, basename(path));
    },
    recordChoice: withReports('recordChoice'),
    recordFinalDot: verb('recordFinalDot'),
    async settle(settlements, also) {
      const delivered = mayWaitForCompany('settle', [settlements, also]) ? deliveredOf(settlements) : null;
      if (delivered === null) return settleAny(settlements, also);
      const told = (also.events ?? []).map((event) => [event.queueId, JSON.stringify(event)] as const);
      const written = await link.call({ verb: 'settleDelivered', args: [delivered, told] });
      return written === 'stale' ? 'stale' : 'done';
    },
    wakeHeld: verb('wakeHeld'),
    replan: verb('replan'),
    advance: withReports('advance'),
    advanceOnward: verb('advanceOnward'),
    record: withReports('record'),
    hastenNudges: verb('hastenNudges'),
    putOffNudges: verb('putOffNudges'),
    settleNudge: withReports('settleNudge'),
    trackedByShortId: verb('trackedByShortId'),
    tracked: verb('tracked'),
    forwardsOf: verb('forwardsOf'),
    openTracked: verb('openTracked'),
    soonestTracked: verb('soonestTracked'),
    trackedByMessageId: verb('trackedByMessageId'),
    history: verb('history'),
    lastEventAt: verb('lastEventAt'),
    openWrittenAfter: verb('openWrittenAfter'),
    recordPresence: verb('recordPresence'),
    presenceHistory: verb('presenceHistory'),
    recorded: verb('recorded'),
    presenceAt: verb('presenceAt'),
    forgetPresence: verb('forgetPresence'),
    retireContent: verb('retireContent'),
    prune: verb('prune'),
    retryNow: verb('retryNow'),
    intervene: verb('intervene'),
    hastenBeyond: verb('hastenBeyond'),
    hastenHop: verb('hastenHop'),
    queuePage: verb('queuePage'),
    listQueue: verb('listQueue'),
    listTracked: verb('listTracked'),
    message: verb('message'),
    events: verb('events'),
    evidence: verb('evidence'),
    decisions: verb('decisions'),
    nudges: verb('nudges'),
    counts: verb('counts'),
    openFault: verb('openFault'),
    changeFault: verb('changeFault'),
    announcedFault: verb('announcedFault'),
    faults: verb('faults'),
    faultSubjects: verb('faultSubjects'),
    audit: verb('audit'),
    auditEnd: verb('auditEnd'),
    audited: verb('audited'),
    lately: verb('lately'),
    handled: verb('handled'),
    presenceSpans: verb('presenceSpans'),
    remember: verb('remember'),
    recall: verb('recall'),
    recallAll: verb('recallAll'),
    forget: verb('forget'),
    close: () => link.close(),
  };
}

function ownContent(acceptance: Acceptance): Acceptance {
  const { content } = acceptance;
  if (content === null) return acceptance;
  // Of a file the name goes over, and none of its octets.
  return { ...acceptance, content: isFile(content) ? { ...content, head: new Uint8Array() } : new Uint8Array(content) };
}

const bufferOf = ({ content }: Acceptance): ArrayBuffer[] =>
  content === null || isFile(content) ? [] : [content.buffer as ArrayBuffer];

class WorkerLink {
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #options: SqliteStoreOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #gathered: Gathered[] = [];
  #soon: NodeJS.Immediate | undefined;
  #later: NodeJS.Timeout | undefined;
  /** Requests that the worker has and has not answered. */
  #awaited = 0;
  /** Somebody waits for what has gathered. */
  #urgent = false;
  #lastId = 0;
  #state: 'opening' | 'open' | 'closing' | 'closed' = 'opening';
  #fatal: Error | undefined;

  constructor(options: SqliteStoreOptions) {
    this.#options = options;
    // Packed for npm this file is .js, in a checkout .ts; compilers rewrite imports, not URLs.
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const workerData: WorkerOptions = {
      folder: options.folder,
      keepContent: options.keepContent,
      maxPages: options.maxPages ?? null,
    };
    this.#worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
      workerData,
      name: 'store',
      resourceLimits: { maxYoungGenerationSizeMb: 8 },
    });
    const started = Promise.withResolvers<void>();
    const exited = Promise.withResolvers<void>();
    this.ready = started.promise;
    this.#exited = exited.promise;
    this.#worker.on('message', (message: FromWorker) => {
      switch (message.kind) {
        case 'ready':
          this.#state = 'open';
          for (const text of message.warnings) options.onWarning?.(text);
          started.resolve();
          return;
        case 'refused':
          this.#state = 'closed';
          started.reject(new Error(message.message));
          return;
        case 'answers':
          this.#awaited -= message.answers.length;
          // First the next work for the worker, then what its answers mean; but who waits for an answer waits for nothing
          // that nobody waits for.
          if (this.#awaited === 0 && this.#urgent) this.#send();
          this.#answer(message);
          if (this.#awaited === 0 && this.#gathered.length > 0) this.#soon ??= setImmediate(() => this.#send());
          return;
        case 'failed':
          this.#die(new Error(message.message));
          return;
        default:
          message satisfies never;
      }
    });
    this.#worker.on('error', (error) => this.#die(error));
    this.#worker.on('exit', (code) => {
      if (this.#state === 'opening') started.reject(this.#fatal ?? new Error(`the store's worker ended, code ${code}`));
      // Its last answer and its end may come in one go, before whoever closes it has gone on: then nothing is left undone.
      else if (this.#state === 'open' || this.#pending.size > 0)
        this.#die(new Error(`the store's worker ended, code ${code}`));
      exited.resolve();
    });
  }

  call(request: { verb: VerbName; args: readonly unknown[] }, transfer: readonly ArrayBuffer[] = []): Promise<unknown> {
    if (this.#fatal) return Promise.reject(gone(request.verb, this.#fatal));
    if (this.#state !== 'open') {
      return Promise.reject(new PointsmanError(replies.shuttingDown, `store, ${request.verb}: the store is closed`));
    }
    return this.#post(request, transfer);
  }

  /** What it was doing may or may not have been committed. */
  get failed(): boolean {
    return this.#fatal !== undefined;
  }

  /** What was called before is done first. A second call waits for the same end. */
  async close(): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'closing';
      await this.#post({ verb: 'close' }, []);
      this.#state = 'closed';
    }
    await this.#exited;
  }

  #post(request: { verb: VerbName; args: readonly unknown[] } | { verb: 'close' }, transfer: readonly ArrayBuffer[]) {
    return new Promise<unknown>((resolve, reject) => {
      this.#lastId += 1;
      const id = this.#lastId;
      this.#pending.set(id, { verb: request.verb, resolve, reject });
      this.#gathered.push({ request: { ...request, id }, transfer });
      const mayWait = request.verb !== 'close' && 'args' in request && mayWaitForCompany(request.verb, request.args);
      this.#urgent ||= !mayWait;
      // While the worker is busy all gathers here, and goes over together when it answers.
      if (this.#awaited > 0) return;
      if (mayWait) this.#later ??= setTimeout(() => this.#send(), longestWait);
      else this.#soon ??= setImmediate(() => this.#send());
    });
  }

  /** All that has gathered goes over in one message. */
  #send(): void {
    clearTimeout(this.#later);
    clearImmediate(this.#soon);
    this.#later = undefined;
    this.#soon = undefined;
    this.#urgent = false;
    const gathered = this.#gathered.splice(0);
    if (gathered.length === 0) return;
    try {
      this.#postAll(gathered);
    } catch (error) {
      // What cannot be cloned is the fault of one call alone.
      for (const each of gathered) {
        try {
          if (gathered.length === 1) throw error;
          this.#postAll([each]);
        } catch (reason) {
          this.#answer({ kind: 'answers', answers: [refused(each.request, reason)], committed: 0 });
        }
      }
    }
  }

  #postAll(gathered: readonly Gathered[]): void {
    this.#worker.postMessage(
      gathered.map(({ request }) => request) satisfies Requests,
      gathered.flatMap(({ transfer }) => transfer),
    );
    this.#awaited += gathered.length;
  }

  #answer(message: FromWorker & { kind: 'answers' }): void {
    if (message.committed > 0) this.#options.onCommit?.(message.committed);
    for (const answer of message.answers) {
      const pending = this.#pending.get(answer.id);
      this.#pending.delete(answer.id);
      if (answer.ok) pending?.resolve(answer.value);
      else pending?.reject(errorFrom(answer.failure, pending.verb));
    }
  }

  #die(error: unknown): void {
    if (this.#fatal) return;
    const fatal = error instanceof Error ? error : new Error(describeError(error));
    this.#fatal = fatal;
    const opening = this.#state === 'opening';
    if (!opening) this.#state = 'closed';
    for (const { verb, reject } of this.#pending.values()) reject(gone(verb, fatal));
    this.#pending.clear();
    if (!opening) this.#options.onFatal?.(fatal);
  }
}

function refused({ id, verb }: Request, error: unknown): Answer {
  return { id, ok: false, failure: { kind: 'local', message: `${verb}: ${describeError(error)}` } };
}

function gone(verb: string, fatal: Error): PointsmanError {
  return new PointsmanError(replies.localError, `store, ${verb}: the store has failed: ${fatal.message}`, {
    cause: fatal,
  });
}
