// An operator's hand on the steps: the next one, or one by name, is taken now instead of at its time.
import { RefusedError } from '../operations.ts';
import type { DeliveryRef } from '../store/store.ts';
import { standing } from '../tracking/acknowledge.ts';
import { positionOf } from '../tracking/steps.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { bareRef, escalate } from './escalating.ts';
import { casTries, type Stage } from './parts.ts';

/**
 * @param name of a step of its policy; null: the one that comes next
 * @param seen the revision that was looked at; null: whatever stands now
 * @throws RefusedError when it is over, has moved on since, or its policy has no such step
 */
export async function takeStep(
  stage: Stage,
  of: DeliveryRef,
  name: string | null,
  by: string,
  seen: number | null = null,
): Promise<Tracked> {
  const ref = bareRef(of);
  for (let attempt = 1; attempt <= casTries; attempt += 1) {
    const before = await stage.store.tracked(ref);
    if (!before) throw new RefusedError(`${ref.queueId} is not tracked`);
    const { policy } = before.plan;
    if (before.state !== 'tracked')
      throw new RefusedError(`#${before.shortId}: ${standing(before, stage.clock.now())}; no step can be taken`);
    if (seen !== null && seen !== before.revision)
      throw new RefusedError(
        `#${before.shortId} has moved on meanwhile: ${standing(before, stage.clock.now())}; look at it again`,
      );
    const position = name === null ? before.step : positionOf(policy, name, before.step);
    if (position === null)
      throw new RefusedError(
        `the policy ${policy.name} has no step ${JSON.stringify(name?.slice(0, 64))}; it has ${policy.steps.map((step) => step.name).join(', ')}`,
      );
    const after = await escalate(stage, ref, {
      trigger: 'operator',
      steer: { position, by, revision: before.revision },
    });
    if (after) return after;
  }
  throw new Error(`the step of ${ref.queueId} was overtaken ${casTries} times`);
}
