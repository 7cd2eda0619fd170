// Handing a tracked message to somebody by a person's word: its owner's, an operator's by instant message, or one's at
// the console. Whoever gets it owns it from now on and gets the time of the step anew; whoever had it is told, unless it
// was their own word.
import type { Instant } from '../clock.ts';
import { movedOnText } from '../notify/nudge.ts';
import type { Person, PersonName } from '../routing/rules.ts';
import type { Consequences } from '../store/store.ts';
import { clockFor } from '../tracking/advance.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { factsOf, notice } from './nudging.ts';
import { forward } from './onward.ts';
import type { Stage } from './parts.ts';

export interface Handed {
  /** To be written by compare-and-set, together with what follows from it. */
  readonly tracked: Tracked;
  readonly also: Consequences;
}

/** @param word what was said, for the record: `pass`, `redirect`, `reassign` */
export function handOver(
  stage: Stage,
  before: Tracked,
  to: Person,
  said: { readonly word: string; readonly by: string; readonly speaker: PersonName | null },
  now: Instant,
): Handed {
  const { owner } = before;
  const { word, by, speaker } = said;
  const { [to.name]: _again, ...others } = before.tried;
  const words = owner !== null && owner === speaker ? `has passed it to ${to.name}` : `${by} gave it to ${to.name}`;
  const tried = owner === null ? others : { ...others, [owner]: words };
  // A word of the former owner's binds nobody else.
  const moved = { ...before, revision: before.revision + 1, owner: to.name, ownedSince: now, tried, pledge: null };
  const tracked: Tracked = { ...moved, nextStepAt: clockFor(moved, now) };
  const { queueId, seq, plan } = tracked;
  const tellFormer = owner !== null && owner !== speaker;
  return {
    tracked,
    also: {
      events: [
        { event: 'operated', at: now, queueId, seq, action: `${word} to ${to.name}`, by },
        {
          event: 'escalated',
          group: plan.group,
          at: now,
          queueId,
          seq,
          step: `${word} by ${by}`,
          trigger: 'passed',
          ...(owner === null ? {} : { from: owner }),
          to: to.name,
        },
      ],
      withdrawNudgesOf: [{ queueId, seq }],
      nudges: tellFormer
        ? notice(stage, tracked, owner, movedOnText(factsOf(stage, tracked, now), to.name, by), now)
        : [],
      forwards: [
        forward(tracked, { mailbox: to.mail, person: to.name }, `${word} by ${by}; was with ${owner ?? 'nobody'}`, now),
      ],
    },
  };
}

/** Once it is written: whoever got it has had the group's last message. */
export function handedOver(stage: Stage, { queueId, seq, plan }: Tracked, to: PersonName, now: Instant): void {
  stage.ledger.assign({ queueId, seq }, to, plan.group, now, null);
}
