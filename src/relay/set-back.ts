// A clock that was ahead, and was set right: what it had put off while it was ahead would come late by as much. Looked
// for when a clock goes back while we run, and at a start; there only when what was written last is of a time that has
// yet to come, for to look at every message that is tracked takes minutes where there are a million.
import { type Duration, minute, second } from '../clock.ts';
import type { DeliveryRef } from '../store/store.ts';
import type { StoryEvent } from '../tracking/event.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { type Stage, tellAll } from './parts.ts';
import { longestWait } from './putting-back.ts';

/** Within this a clock may be corrected without anybody's noticing. */
const tolerance: Duration = 2 * second;

const unfinished = 'clock set back';
/** Of tracked messages that are looked at together. */
const portion = 200;

/** At a start. */
export async function hastenAtStart(stage: Stage): Promise<void> {
  const last = await stage.store.lastEventAt();
  const wasAhead = last !== null && last > stage.clock.now() + tolerance;
  // Or it was being put right when the process ended.
  if (wasAhead || (await stage.store.recall(unfinished)) !== null) return hastenPutOff(stage);
}

/** The clock was set back. */
export async function hastenPutOff(stage: Stage): Promise<void> {
  await stage.store.remember(unfinished, String(stage.clock.now()));
  const deliveries = (await hastenRetries(stage)) + (await hastenHeld(stage));
  const steps = await hastenSteps(stage);
  await stage.store.forget([unfinished]);
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
  for (let after: DeliveryRef | null = null; ; ) {
    const now = stage.clock.now();
    const request = { at: now + tolerance, now, after, limit: portion };
    const { found, next }: Awaited<ReturnType<Stage['store']['openWrittenAfter']>> =
      await stage.store.openWrittenAfter(request);
    for (const { tracked, lastEventAt } of found)
      if (await bring(stage, tracked, lastEventAt - stage.clock.now())) hastened += 1;
    if (next === null) return hastened;
    after = next;
  }
}

/** @param ahead so much was the clock, when something last happened to it */
async function bring(stage: Stage, tracked: Tracked, ahead: Duration): Promise<boolean> {
  const now = stage.clock.now();
  const { queueId, seq, nextStepAt, revision } = tracked;
  if (nextStepAt === null || ahead <= tolerance) return false;
  for (const { id, state, dueAt } of await stage.store.nudges(queueId)) {
    if (state !== 'pending' || dueAt <= now) continue;
    await stage.store.settleNudge(id, { to: 'pending', dueAt: Math.max(now, dueAt - ahead) }, {});
  }
  const after = { ...tracked, revision: revision + 1, nextStepAt: Math.max(now, nextStepAt - ahead) };
  // On the record, so that it is not brought nearer a second time.
  const event = {
    event: 'operated',
    at: now,
    queueId,
    seq,
    action: 'step brought near',
    by: 'clock set back',
  } as const;
  // Whoever changes it in between sets its time anew.
  if ((await stage.store.advance(after, { events: [event] })) === 'stale') return false;
  tellAll(stage, [event]);
  return true;
}
