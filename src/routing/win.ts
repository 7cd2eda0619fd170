// Why this one of those who are eligible, in words: what set them apart from the others. Pure.
import type { Member, Snapshot } from './choose.ts';
import { unitsOf } from './eligibility.ts';
import type { Pool } from './plan.ts';
import { describeIdle, rankingOf } from './ranking.ts';

export function describeWin(
  pool: Pool,
  { candidate, measure, known }: Member,
  ready: readonly Member[],
  snapshot: Snapshot,
): string {
  if (pool.strategy === 'sticky' && snapshot.lastHandler === candidate.person) return 'handled the thread before';
  // What set them apart from all the others before the strategy had a say.
  if (ready.every((other) => other.candidate === candidate || (other.candidate.tier ?? 1) > (candidate.tier ?? 1)))
    return `the only one of tier ${candidate.tier ?? 1}`;
  if (
    ready.every(
      (other) => other.candidate === candidate || (other.candidate.preferred ?? 0) < (candidate.preferred ?? 0),
    )
  )
    return 'has more of the preferred skills';
  const ranking = rankingOf(pool);
  switch (ranking) {
    case 'in-order':
      return 'first in order';
    case 'round-robin': {
      const last = snapshot.others?.[pool.group]?.last ?? snapshot.lastInGroup;
      if (last === candidate.person && measure === 0) return `goes on: weight ${candidate.weight ?? 1}`;
      return last === null ? 'first in turn: the group has had no message' : `next in turn after ${last}`;
    }
    case 'longest-idle':
      return `longest idle: ${describeIdle(known.lastAssignedAt, snapshot.now)}`;
    case 'least-busy':
      return `least busy: ${unitsOf(known)} open`;
    case 'most-spare':
      return candidate.capacity === undefined
        ? 'most spare: no limit'
        : `most spare: ${candidate.capacity - unitsOf(known)} of ${candidate.capacity}`;
    default:
      return ranking satisfies never;
  }
}
