// Words that let the steps wait, and what follows when they are not kept. Pure. A promise ("in ten minutes") and, where
// the policy says so, an acknowledgement have an end; at the end of an acknowledgement its owner is reminded first.
import { type Duration, day, type Instant } from '../clock.ts';
import type { PersonName } from '../routing/rules.ts';
import type { Tracked } from './tracked.ts';

export interface Pledge {
  readonly kind: 'promise' | 'ack';
  /** Since when. */
  readonly at: Instant;
  /** An acknowledgement has run out, and its owner was asked whether it still holds. */
  readonly reminded: boolean;
}

/** What an acknowledgement under this policy means: an end (null), or a pledge with a time. */
export function ackPledge(tracked: Tracked, person: PersonName, now: Instant): Tracked | null {
  const life = tracked.plan.policy.ack;
  return life === undefined
    ? null
    : pledged(tracked, person, { kind: 'ack', at: now, reminded: false }, now + life.lasts);
}

/** Null when nothing is waiting any more. A promise never lasts longer than a day: somebody must be able to rely on it. */
export function promise(tracked: Tracked, person: PersonName, lasts: Duration, now: Instant): Tracked | null {
  if (tracked.state !== 'tracked') return null;
  return pledged(tracked, person, { kind: 'promise', at: now, reminded: false }, now + Math.min(lasts, longestPromise));
}

export const longestPromise: Duration = day;

function pledged(tracked: Tracked, person: PersonName, pledge: Pledge, until: Instant): Tracked {
  const { [person]: _before, ...tried } = tracked.tried;
  return {
    ...tracked,
    state: 'tracked',
    revision: tracked.revision + 1,
    owner: person,
    ownedSince: person === tracked.owner ? tracked.ownedSince : pledge.at,
    tried,
    pledge,
    nextStepAt: until,
  };
}
