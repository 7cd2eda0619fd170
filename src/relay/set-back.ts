// A clock that was ahead, and was set right: what it had put off while it was ahead would come late by as much. Looked
// for at a start, and when a clock goes back while we run.
import { type Duration, minute, second } from '../clock.ts';
import type { StoryEvent } from '../tracking/event.ts';
import { isOpen, type Tracked } from '../tracking/tracked.ts';
import { type Stage, tellAll } from './parts.ts';
import { longestWait } from './putting-back.ts';

/** Within this a clock may be corrected without anybody's noticing. */
const tolerance: Duration = 2 * second;

export async function hastenPutOff(stage: Stage): Promise<void> {
  const deliveries = (await hastenRetries(stage)) + (await hastenHeld(stage));
  const steps = await hastenSteps(stage);
  if (deliveries + steps === 0) return;
  stage.log.warn({ deliveries, steps }, 'the clock was set back: what it had put off while it was ahead comes earlier');
  stage.wake();
}

/** No retry is further off than this, but one that was set by a clock that was ahead. */
async function hastenRetries({ store, clock, config }: Stage): Promise<number> {
  const now = clock.now();
  const furthest = now + 2 * Math.max(longestWait, config.queue.longestRetry);
  for (let sum = 0; ; ) {
    const hastened = await store.hastenBeyond(furthest, now);
    sum += hastened;
    if (hastened === 0) return sum;
  }
}

/** Nobody waits for a member for longer than the rules say. */
async function hastenHeld(stage: Stage): Promise<number> {
  const now = stage.clock.now();
  const events: StoryEvent[] = [];
  for (const { queueId, seq, plan, until } of (await stage.store.history()).held ?? []) {
    const latest = now + Math.max(plan.hold ?? 0, minute);
    if (until <= latest + tolerance || plan.mode === 'propose') continue;
    const event = { at: now, queueId, seq, event: 'operated', action: 'hold shortened', by: 'clock set back' } as const;
    if ((await stage.store.retryNow(queueId, latest, event)) > 0) events.push(event);
  }
  tellAll(stage, events);
  return events.length;
}

/** The time that was left when something last happened to a message is what is left of it now. */
async function hastenSteps(stage: Stage): Promise<number> {
  let hastened = 0;
  for (const tracked of await stage.store.openTracked({})) {
    const after = await brought(stage, tracked);
    // Whoever changes it in between sets its time anew.
    if (after && (await stage.store.advance(after, {})) === 'done') hastened += 1;
  }
  return hastened;
}

async function brought(stage: Stage, tracked: Tracked): Promise<Tracked | null> {
  const now = stage.clock.now();
  const { queueId, nextStepAt, revision } = tracked;
  if (!isOpen(tracked.state) || nextStepAt === null || nextStepAt <= now) return null;
  const last = (await stage.store.events(queueId)).reduce((latest, { at }) => Math.max(latest, at), 0);
  const ahead = last - now;
  if (ahead <= tolerance) return null;
  for (const { id, state, dueAt } of await stage.store.nudges(queueId)) {
    if (state !== 'pending' || dueAt <= now) continue;
    await stage.store.settleNudge(id, { to: 'pending', dueAt: Math.max(now, dueAt - ahead) }, {});
  }
  return { ...tracked, revision: revision + 1, nextStepAt: Math.max(now, nextStepAt - ahead) };
}
