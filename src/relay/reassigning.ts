// An operator's hand in a tracked message, from the console or the command line: who might have it now, giving it to
// one of them, and giving its owner more time.
import type { Duration } from '../clock.ts';
import { RefusedError } from '../operations.ts';
import { type Choice, choose } from '../routing/choose.ts';
import type { PersonName } from '../routing/rules.ts';
import type { DeliveryRef } from '../store/store.ts';
import { standing } from '../tracking/acknowledge.ts';
import { triedWords } from '../tracking/advance.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { roomFor } from './choosing.ts';
import { handedOver, handOver } from './handing.ts';
import { casTries, type Stage, tellAll } from './parts.ts';
import { takePromise } from './promising.ts';

/** Whom the rules would give it to now, and how everybody stands; those who had it say so, and may have it again. */
export function candidatesFor(stage: Stage, tracked: Tracked): Choice['considered'] {
  const now = stage.clock.now();
  const excluded = triedWords(tracked, 'time', now);
  const facts = { now, excluded, holdUntil: null };
  return choose(tracked.plan, stage.ledger.snapshot(tracked.plan, stage.watcher, facts)).considered;
}

/** @throws RefusedError when nobody has it, or it is over, or there is no such person */
export async function reassign(stage: Stage, ref: DeliveryRef, to: PersonName, by: string): Promise<Tracked> {
  const person = stage.rules.current().people.get(to);
  if (!person) throw new RefusedError(`the rules have nobody called ${JSON.stringify(to.slice(0, 100))}`);
  for (let attempt = 1; attempt <= casTries; attempt += 1) {
    const before = await open(stage, ref);
    const now = stage.clock.now();
    if (before.owner === to) throw new RefusedError(`#${before.shortId} is with ${to} already`);
    const { tracked: after, also } = handOver(stage, before, person, { word: 'reassign', by, speaker: null }, now);
    if ((await stage.store.advance(after, also)) === 'stale') continue;
    stage.ledger.moved(before, after);
    handedOver(stage, after, to, now);
    await roomFor(stage, before.owner);
    tellAll(stage, also.events);
    stage.wake();
    return after;
  }
  throw new Error(`reassigning ${ref.queueId} was overtaken ${casTries} times`);
}

/** More time for whoever has it: as if they had promised. @throws RefusedError */
export async function snooze(stage: Stage, ref: DeliveryRef, lasts: Duration, by: string): Promise<Tracked> {
  const { owner, shortId } = await open(stage, ref);
  if (owner === null) throw new RefusedError(`nobody has #${shortId}: there is nobody to give more time to`);
  const said = { person: owner, lasts, source: 'snoozed', reference: by };
  const { kept, tracked } = await takePromise(stage, ref, said);
  if (!kept || !tracked) throw new RefusedError(`#${shortId} cannot be snoozed: it has moved on`);
  const { queueId, seq } = tracked;
  const event = { event: 'operated', at: stage.clock.now(), queueId, seq, action: 'snooze', by } as const;
  await stage.store.record({ events: [event] });
  tellAll(stage, [event]);
  return tracked;
}

async function open(stage: Stage, { queueId, seq }: DeliveryRef): Promise<Tracked> {
  const tracked = await stage.store.tracked({ queueId, seq });
  if (!tracked) throw new RefusedError(`${queueId} is not tracked`);
  if (tracked.state === 'tracked') return tracked;
  throw new RefusedError(`#${tracked.shortId}: ${standing(tracked, stage.clock.now())}`);
}
