// What is in force of the directory: read anew on a schedule and on demand, judged before it takes the place of what was
// read before, remembered over restarts. Nobody ever waits for it who has mail in hand: a directory that is down, slow
// or suddenly empty changes nothing but a fault.
import type { Clock, Duration, Instant } from './clock.ts';
import { formatDuration, minute, second } from './clock.ts';
import { type Directory, emptyDirectory, type Flaw } from './directory/directory.ts';
import { judge } from './directory/judge.ts';
import { DirectoryError, type DirectorySource } from './directory/source.ts';
import type { Log } from './log.ts';
import { describeError } from './mail/error.ts';
import type { FaultId } from './notify/faults.ts';
import type { DirectoryView } from './operations.ts';
import { RefusedError } from './operations.ts';
import { directoryText, usedGroups } from './routing/directory-text.ts';
import type { RuleText } from './routing/parse.ts';
import type { Store } from './store/store.ts';

export interface DirectoryBook {
  /** As one more text beside these rule files; null while nothing was ever read. */
  text(files: readonly RuleText[]): RuleText | null;
  /** Reads now, or joins the reading under way. Never rejects: what went wrong is in `view`. */
  refresh(): Promise<void>;
  /** For somebody who waits for what is there now: a reading begun after this call, and not longer than they have patience. */
  refreshWithin(): Promise<void>;
  /** Takes over what was held back. @throws RefusedError when nothing is */
  accept(): Promise<void>;
  view(): DirectoryView;
  /** What is wrong with it, each open or clear. */
  findings(): readonly { readonly kind: FaultId; readonly subject: string; readonly wrong: string | null }[];
  start(): void;
  stop(): void;
}

export interface BookOptions {
  readonly source: DirectorySource;
  readonly refresh: Duration;
  readonly mostGone: number;
  readonly store: Pick<Store, 'remember' | 'recall'>;
  readonly clock: Clock;
  readonly log: Log;
  /** The rule files as they were read last: which groups of the directory count. */
  readonly ruleFiles: () => readonly RuleText[];
  /** Something is different now: the rules are to be built anew. */
  readonly changed: () => Promise<unknown>;
}

const memory = 'directory';
/** When it was read, apart from what: that seldom changes, this every time. */
const readMemory = 'directory.read';
/** After a failure it is tried again this soon, or at the usual time when that is sooner. */
const retryAfter: Duration = minute;
/** What waits for a reading goes on after so long: a first start, or "pointsman reload". */
const patience: Duration = 20 * second;
const mostFlaws = 200;

interface Remembered {
  readonly source: string;
  readonly directory: Directory;
}

export async function openDirectoryBook(options: BookOptions): Promise<DirectoryBook> {
  const { source, store, clock, log } = options;
  const stopping = new AbortController();
  const remembered = readMemoryOf(await store.recall(memory));
  let directory: Directory | null = remembered?.directory ?? null;
  let written = remembered ? writeMemory(remembered) : '';
  // One that is read from elsewhere is another directory: nothing is held against it.
  let comparable = remembered?.source === source.name;
  let readAt: Instant | null = directory === null ? null : Number((await store.recall(readMemory)) ?? 0);
  let failure: { readonly kind: 'down' | 'refused'; readonly text: string; readonly since: Instant } | null = null;
  let held: ReadonlyMap<string, string> = new Map();
  let offered: Directory | null = null;
  let flaws: readonly Flaw[] = [];
  let under: Promise<void> | null = null;
  let following: Promise<void> | null = null;

  async function read(): Promise<void> {
    const before = clock.now();
    try {
      const reading = await source.read(stopping.signal);
      const used = usedGroups(options.ruleFiles(), directory ?? reading.directory);
      const judged =
        directory !== null && comparable
          ? judge(directory, reading.directory, used, options.mostGone)
          : { directory: reading.directory, held: new Map<string, string>() };
      flaws = reading.flaws.slice(0, mostFlaws);
      offered = judged.held.size > 0 ? reading.directory : null;
      if (offered && held.size === 0) log.warn({ held: Object.fromEntries(judged.held) }, 'a change is held back');
      held = judged.held;
      if (failure) log.info({ source: source.name }, 'the directory can be read again');
      failure = null;
      await take(judged.directory, clock.now());
      log.debug({ source: source.name, took: clock.now() - before, people: judged.directory.people.length }, 'read');
    } catch (error) {
      if (stopping.signal.aborted) return;
      const kind = error instanceof DirectoryError ? error.kind : 'down';
      const text = describeError(error);
      if (failure?.text !== text) log.warn({ source: source.name, cause: text }, 'the directory could not be read');
      failure = { kind, text, since: failure?.since ?? before };
    }
  }

  /** In force first, then remembered: a store that cannot write is no reason to go by what is old. */
  async function take(next: Directory, at: Instant): Promise<void> {
    const text = writeMemory({ source: source.name, directory: next });
    const isNew = text !== written;
    directory = next;
    readAt = at;
    comparable = true;
    written = text;
    if (isNew) await options.changed();
    try {
      if (isNew) await store.remember(memory, text);
      await store.remember(readMemory, String(at));
    } catch (error) {
      log.warn({ cause: describeError(error) }, 'what was read of the directory could not be remembered');
    }
  }

  function refresh(): Promise<void> {
    under ??= read().finally(() => {
      under = null;
    });
    return under;
  }

  /** The one under way may have begun before the change that somebody asks for. */
  function refreshAnew(): Promise<void> {
    if (under === null) return refresh();
    following ??= under.then(() => {
      following = null;
      return refresh();
    });
    return following;
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await refresh();
      const wait = failure === null ? options.refresh : Math.min(options.refresh, retryAfter);
      await clock.sleepUntil(clock.now() + wait, stopping.signal);
    }
  }

  const inUse = (): string =>
    readAt === null
      ? 'Nothing was ever read: the groups of the directory are empty.'
      : `What was read ${formatDuration(Math.max(second, clock.now() - readAt))} ago stays in force.`;

  async function refreshWithin(): Promise<void> {
    const waited = new AbortController();
    await Promise.race([refreshAnew(), clock.sleepUntil(clock.now() + patience, waited.signal)]);
    waited.abort();
  }

  const book: DirectoryBook = {
    text: (files) => (directory === null ? null : directoryText(files, directory, source.name)),
    refresh,
    refreshWithin,
    async accept() {
      if (offered === null) throw new RefusedError('no change of the directory is held back');
      const next = offered;
      offered = null;
      held = new Map();
      await take(next, readAt ?? clock.now());
    },
    view() {
      const used = usedGroups(options.ruleFiles(), directory ?? emptyDirectory);
      return {
        source: source.name,
        readAt,
        failure,
        held: [...held].map(([subject, text]) => ({ subject, text })),
        people: directory?.people.length ?? 0,
        groups: (directory?.groups ?? []).filter(({ id }) => used.has(id)),
        unused: (directory?.groups.length ?? 0) - used.size,
        flaws,
      };
    },
    findings() {
      const { groups } = book.view();
      const missing = groups.flatMap(({ name, missing = [] }) => missing.map((text) => `${name}: ${text}`));
      const subject = 'directory';
      const failed = (kind: 'down' | 'refused'): string | null =>
        failure?.kind === kind ? `${failure.text}. ${inUse()}` : null;
      return [
        { kind: 'directory-down', subject, wrong: failed('down') },
        { kind: 'directory-refused', subject, wrong: failed('refused') },
        {
          kind: 'directory-entries',
          subject,
          wrong: missing.length === 0 ? null : `${missing.length} of its members get no mail: ${some(missing)}`,
        },
        {
          kind: 'directory-change-held',
          subject,
          wrong: held.size === 0 ? null : [...held].map(([name, text]) => `${name}: ${text}.`).join(' '),
        },
      ];
    },
    start() {
      run().catch((error: unknown) => log.error({ err: error }, 'the directory is not read any more'));
    },
    stop: () => stopping.abort(),
  };
  if (directory === null) await refreshWithin();
  return book;
}

const some = (list: readonly string[]): string =>
  list.length <= 3 ? list.join('; ') : `${list.slice(0, 3).join('; ')} and ${list.length - 3} more`;

const writeMemory = (remembered: Remembered): string => JSON.stringify(remembered);

function readMemoryOf(text: string | null): Remembered | null {
  if (text === null) return null;
  try {
    // Written by us alone, into our own store.
    return JSON.parse(text) as Remembered;
  } catch {
    // Half a text is none: it is read anew.
    return null;
  }
}
