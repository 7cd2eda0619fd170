// Leaving: whether an owner who is offline has gone, or only seems to be.
import { type Duration, second } from '../clock.ts';
import type { PresenceChange } from '../presence/presence.ts';
import { stepAt } from '../tracking/steps.ts';
import type { Tracked } from '../tracking/tracked.ts';
import type { Stage } from './parts.ts';

/**
 * A client that reconnects is offline for a moment, and a chat server that is shut down says goodbye for everybody
 * before it closes the stream; neither must move mail. Whoever is really gone still is after this.
 */
export const leavingLasts: Duration = 2 * second;

/**
 * After a new session the server says who is offline, but when it has been restarted that is everybody: people's
 * clients come back in their own time, and until then nobody has left.
 */
export const returningTakes: Duration = 60 * second;

/** Resolves after the time it takes to tell: true when they are still offline by that same departure. */
export async function hasLeft(stage: Stage, change: PresenceChange, stopping: AbortSignal): Promise<boolean> {
  const lasts = change.before === 'unknown' ? returningTakes : leavingLasts;
  await stage.clock.sleepUntil(change.at + lasts, stopping);
  if (stopping.aborted) return false;
  const now = stage.watcher.presenceOf(change.jid);
  return now.state === 'offline' && now.since === change.presence.since;
}

/**
 * A step that names a person does not ask whether they are there; their being offline moves nothing. Nor does it move
 * what somebody has acknowledged: that has a time of its own.
 */
export function chosenByPresence({ step, stepTaken, plan, pledge }: Tracked): boolean {
  if (pledge?.kind === 'ack') return false;
  const last = stepTaken > 0 ? stepAt(plan.policy, step) : stepAt(plan.policy, step - 1);
  return last?.to.kind !== 'person' && last?.to.kind !== 'mailbox';
}
