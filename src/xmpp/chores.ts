// What is done again and again while we run; that one round fails costs only that round.
import { type Clock, type Duration, type Instant, second } from '../clock.ts';
import type { Log } from '../log.ts';

/** How often what is due is looked for: rooms, silence, staleness. */
const every: Duration = second;

/** Resolves when stopped. */
export async function keepDoing(
  chore: (now: Instant) => void,
  clock: Clock,
  log: Log,
  stopped: AbortSignal,
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
