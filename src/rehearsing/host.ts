// Rehearsals on a thread beside the program, one after the other: the thread that moves mail never waits for one, and
// one that goes on for too long is ended.
import { Worker } from 'node:worker_threads';
import { type Clock, type Duration, second } from '../clock.ts';
import { RefusedError } from '../operations.ts';
import type { Answered, Task } from '../rehearsal/tasks.ts';

const longest: Duration = 60 * second;
/** Each may hold some hundred megabytes of recorded mail. */
const mostWaiting = 3;

/** @param clock of the wall */
export function createRehearsals(clock: Clock): (task: Task) => Promise<Answered> {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return (task) => {
    if (waiting >= mostWaiting)
      return Promise.reject(new RefusedError('others are trying rules out just now; try again in a moment'));
    waiting += 1;
    const next = last
      .then(() => perform(task, clock))
      .finally(() => {
        waiting -= 1;
      });
    last = next.catch(() => undefined);
    return next;
  };
}

async function perform(task: Task, clock: Clock): Promise<Answered> {
  // Packed for npm this file is .js, in a checkout .ts; compilers rewrite imports, not URLs.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
    name: 'rehearsal',
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: 512 },
  });
  // The program may end while one goes on.
  worker.unref();
  const ended = Promise.withResolvers<Answered>();
  worker.once('message', ended.resolve);
  worker.once('error', (error: NodeJS.ErrnoException) =>
    ended.reject(
      error.code === 'ERR_WORKER_OUT_OF_MEMORY'
        ? new RefusedError('that was too much to rehearse at once; take fewer days')
        : error,
    ),
  );
  worker.once('exit', () => ended.reject(new Error('the rehearsal has ended without a word')));
  const done = new AbortController();
  const late = clock.sleepUntil(clock.now() + longest, done.signal).then((): Answered => {
    if (done.signal.aborted) return { version: null, problems: [] };
    throw new RefusedError(`the rehearsal took longer than ${longest / second} s and was ended`);
  });
  try {
    return await Promise.race([ended.promise, late]);
  } finally {
    done.abort();
    await worker.terminate();
  }
}
