// A promise: somebody says when they will see to it. It makes them the owner and lets the steps wait, no longer than it
// says; an unkept one sends the mail on at once.
import type { Duration } from '../clock.ts';
import type { PersonName } from '../routing/rules.ts';
import type { DeliveryRef } from '../store/store.ts';
import type { StoryEvent } from '../tracking/event.ts';
import { grades } from '../tracking/evidence.ts';
import { promise } from '../tracking/pledge.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { casTries, type Stage, tellAll } from './parts.ts';

/** Answers the message as it stands then; `kept: false` when it was too late for a promise. */
export async function takePromise(
  stage: Stage,
  { queueId, seq }: DeliveryRef,
  said: {
    readonly person: PersonName;
    readonly lasts: Duration;
    readonly source: string;
    readonly reference: string | null;
  },
): Promise<{ readonly kept: boolean; readonly tracked: Tracked | null }> {
  for (let attempt = 1; attempt <= casTries; attempt += 1) {
    const before = await stage.store.tracked({ queueId, seq });
    const now = stage.clock.now();
    const after = before && promise(before, said.person, said.lasts, now);
    if (!before || !after) return { kept: false, tracked: before };
    const { person, source, reference } = said;
    const fact = { queueId, seq, at: now, person, grade: grades.promise, source, trusted: true };
    const event: StoryEvent = { event: 'evidence', ...fact, ...(reference === null ? {} : { reference }) };
    const also = { evidence: [{ ...fact, reference }], events: [event], withdrawNudgesOf: [{ queueId, seq }] };
    if ((await stage.store.advance(after, also)) === 'stale') continue;
    stage.ledger.moved(before, after);
    tellAll(stage, also.events);
    stage.wake();
    return { kept: true, tracked: after };
  }
  throw new Error(`a promise for ${queueId} was overtaken ${casTries} times`);
}
