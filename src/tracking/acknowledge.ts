// Evidence meets a tracked message. Pure. A late acknowledgement never reopens or double-closes anything: it is
// recorded, and the one who sent it is told how things stand.
import { formatDuration, type Instant } from '../clock.ts';
import type { PersonName } from '../routing/rules.ts';
import { type Evidence, grades, isPassive, stops } from './evidence.ts';
import { ackPledge } from './pledge.ts';
import type { Tracked } from './tracked.ts';

export type Acknowledged =
  | { readonly kind: 'closed'; readonly tracked: Tracked }
  /** Not enough under the policy's `until`; whoever took it owns it now. */
  | { readonly kind: 'owned'; readonly tracked: Tracked }
  /** Counts for nothing here; recorded. */
  | { readonly kind: 'recorded' }
  | { readonly kind: 'late'; readonly text: string };

/** @param by who is named as having closed it: a person, or e.g. `cli root` */
export function acknowledge(
  tracked: Tracked,
  evidence: Pick<Evidence, 'grade' | 'trusted' | 'person'>,
  by: string,
  now: Instant,
): Acknowledged {
  if (!evidence.trusted) return { kind: 'recorded' };
  if (tracked.state === 'waiting' || tracked.state === 'held') {
    return { kind: 'late', text: 'it has not been forwarded to anybody yet' };
  }
  if (tracked.state !== 'tracked' && tracked.state !== 'expired') return { kind: 'late', text: standing(tracked, now) };
  // Reading is no deed: it tells something of whoever is responsible now, not of one from whom the mail has moved on.
  if (isPassive(evidence.grade) && evidence.person !== tracked.owner) return { kind: 'recorded' };
  if (stops(evidence, tracked.plan.policy.until)) {
    // Where the policy gives it a life, an acknowledgement is not the end yet; an answer is.
    if (evidence.grade !== grades.answered && evidence.person !== null && tracked.state === 'tracked') {
      const pledged = ackPledge(tracked, evidence.person, now);
      if (pledged && !(isPassive(evidence.grade) && tracked.pledge?.kind === 'ack'))
        return { kind: 'owned', tracked: pledged };
      if (pledged) return { kind: 'recorded' };
    }
    const takenBy = takersOf(tracked, evidence);
    if (takenBy && takenBy.length < (tracked.plan.policy.takers ?? 1) && tracked.state === 'tracked')
      return { kind: 'owned', tracked: { ...owner(tracked, evidence.person, now), takenBy } };
    return {
      kind: 'closed',
      tracked: {
        ...owner(tracked, evidence.person, now),
        ...(takenBy ? { takenBy } : {}),
        state: evidence.grade === grades.answered ? 'answered' : 'acknowledged',
        nextStepAt: null,
        closedAt: now,
        closedBy: by,
      },
    };
  }
  if (evidence.grade === grades.taken && evidence.person !== null && tracked.state === 'tracked') {
    return { kind: 'owned', tracked: owner(tracked, evidence.person, now) };
  }
  return { kind: 'recorded' };
}

/** `already acknowledged by bob 3m ago` */
export function standing(tracked: Tracked, now: Instant): string {
  const who = tracked.closedBy === null ? '' : ` by ${tracked.closedBy}`;
  const when = tracked.closedAt === null ? '' : ` ${formatDuration(now - tracked.closedAt)} ago`;
  return tracked.state === 'tracked' ? `with ${tracked.owner ?? 'nobody'}` : `already ${tracked.state}${who}${when}`;
}

/** With this one; null where one is enough, and for an answer or an operator's word, which end it. */
function takersOf(
  { plan, takenBy = [] }: Tracked,
  { person, grade }: Pick<Evidence, 'grade' | 'person'>,
): readonly PersonName[] | null {
  if ((plan.policy.takers ?? 1) <= 1 || person === null || grade === grades.answered) return null;
  return takenBy.includes(person) ? takenBy : [...takenBy, person];
}

function owner(tracked: Tracked, person: PersonName | null, now: Instant): Tracked {
  const next = { ...tracked, revision: tracked.revision + 1, pledge: null };
  return person === null || person === tracked.owner ? next : { ...next, owner: person, ownedSince: now };
}
