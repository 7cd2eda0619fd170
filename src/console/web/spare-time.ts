// How busy the process is, and a way to let others go first: the console shares its event loop with the mail.
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Each call answers for the time since the one before: the share in which the event loop had work, from 0 to 1. */
export function busyShare(): () => number {
  let before = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    return utilization;
  };
}

export const breathe = (): Promise<void> => nextTurn();
