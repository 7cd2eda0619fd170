// What has long ended is forgotten, a little at a time and seldom for long: between two portions the store has several
// times as long for everybody else as the portion took, so that a busy store is hardly given this to do as well.
import { type Duration, minute, second } from '../clock.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Stage } from './parts.ts';

const lookEvery: Duration = 5 * minute;
/** Messages: a few milliseconds of the store's time, with all that belongs to them. */
export const portion = 32;
const shortestPause: Duration = 20;
/** Of its time at most one part in so many. */
const restraint = 5;

/** Until `stopped`; never rejects. */
export async function forgetWhatIsOver(
  stage: Pick<Stage, 'store' | 'clock' | 'log' | 'config'>,
  stopped: AbortSignal,
): Promise<void> {
  const { store, clock, log } = stage;
  const { keepHistory } = stage.config.queue;
  // The first minute after a start has other things to do.
  let next = clock.now() + minute;
  for (;;) {
    await clock.sleepUntil(next, stopped);
    if (stopped.aborted) return;
    const before = clock.now() - keepHistory;
    let forgotten = 0;
    try {
      for (let after: QueueId | null = null; ; ) {
        const began = clock.now();
        const done = await store.prune({ before, after, limit: portion });
        // A clock may be set meanwhile.
        const took = Math.min(second, Math.max(0, clock.now() - began));
        forgotten += done.pruned;
        after = done.next;
        if (after === null) break;
        await clock.sleepUntil(clock.now() + Math.max(shortestPause, (restraint - 1) * took), stopped);
        if (stopped.aborted) return;
      }
    } catch (error) {
      log.warn({ err: error }, 'what has ended could not be forgotten; trying again in a few minutes');
    }
    if (forgotten > 0) log.info({ messages: forgotten }, 'records of what ended long ago were deleted');
    next = clock.now() + lookEvery;
  }
}
