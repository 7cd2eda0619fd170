// Flap damping: a client on a bad line comes and goes; mail must not follow each time. Who seems to leave is believed
// gone only after a while, who seems to come only after a shorter one. Pure, one value per person.
//
//   shown ── other side of online/offline ──▶ waiting ── it lasts ──▶ shown
//                                            waiting ── it turns back ──▶ shown, as if nothing had been
//
// Only the step between online and offline is damped. Between shows a person or a client has said something; and that we
// do not know (a lost link, an error) is never hidden, nor what follows it held back.
import type { Duration, Instant } from '../clock.ts';
import { second } from '../clock.ts';
import type { Presence } from './presence.ts';

export interface DampingTimes {
  /** Until who comes counts as here. */
  readonly up: Duration;
  /** Until who goes counts as gone. */
  readonly down: Duration;
}

export const dampingTimes: DampingTimes = { up: 3 * second, down: 20 * second };

export interface Damped {
  /** What counts. */
  readonly shown: Presence;
  /** What the stream says, and from when on it counts; null when that is what is shown. */
  readonly waiting: { readonly presence: Presence; readonly at: Instant } | null;
}

export function damp(before: Damped | null, next: Presence, times: DampingTimes, now: Instant): Damped {
  if (before === null) return { shown: next, waiting: null };
  const [was, is] = [sideOf(before.shown), sideOf(next)];
  if (was === 'unknown' || is === 'unknown' || was === is) return { shown: next, waiting: null };
  const pause = is === 'online' ? times.up : times.down;
  if (pause <= 0) return { shown: next, waiting: null };
  // The first moment of the new side counts, not each change within it.
  const sameWait = before.waiting !== null && sideOf(before.waiting.presence) === is;
  return settled(
    { shown: before.shown, waiting: { presence: next, at: sameWait ? before.waiting.at : now + pause } },
    now,
  );
}

/** What has waited long enough is shown. */
export function settled(damped: Damped, now: Instant): Damped {
  const { waiting } = damped;
  return waiting !== null && waiting.at <= now ? { shown: waiting.presence, waiting: null } : damped;
}

function sideOf({ state }: Presence): 'online' | 'offline' | 'unknown' {
  return state === 'offline' || state === 'unknown' ? state : 'online';
}
