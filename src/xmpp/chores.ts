// What is done again and again while we run; that one round fails costs only that round.
import type { Clock, Duration, Instant } from '../clock.ts';
import type { Log } from '../log.ts';

/** Resolves when stopped. */
export async function keepDoing(
  chore: (now: Instant) => void,
  every: Duration,
  { clock, log, stopped }: { readonly clock: Clock; readonly log: Log; readonly stopped: AbortSignal },
): Promise<void> {
  while (!stopped.aborted) {
    await clock.sleepUntil(clock.now() + every, stopped);
    if (stopped.aborted) return;
    try {
      chore(clock.now());
    } catch (error) {
      log.error({ err: error }, 'a chore of the XMPP adapter failed');
    }
  }
}
