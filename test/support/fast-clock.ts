// The system's clock, running faster or put forward: for what takes minutes or days with peers that live in real time.
import { type Clock, type Duration, systemClock } from '../../src/clock.ts';

export function fastClock(factor: number): Clock {
  const began = systemClock.now();
  return {
    ...systemClock,
    now: () => began + Math.floor((systemClock.now() - began) * factor),
    sleepUntil: (at, signal) => systemClock.sleepUntil(began + Math.ceil((at - began) / factor), signal),
  };
}

/** Runs as the system's does; `forward` puts it on, and whoever sleeps sleeps on. */
export function clockToPutOn(): Clock & { forward(by: Duration): void } {
  let ahead = 0;
  return {
    ...systemClock,
    now: () => systemClock.now() + ahead,
    sleepUntil: (at, signal) => systemClock.sleepUntil(at - ahead, signal),
    forward: (by) => {
      ahead += by;
    },
  };
}
