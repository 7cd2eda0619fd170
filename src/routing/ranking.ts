// Ranks: what each strategy compares among eligible members, and the same in words. Pure.
import { formatDuration, type Instant } from '../clock.ts';
import type { PersonSnapshot } from './choose.ts';
import { unitsOf } from './eligibility.ts';
import type { Candidate, Pool } from './plan.ts';
import type { Ranking } from './rules.ts';

export const rankingOf = ({ strategy, otherwise }: Pool): Ranking => {
  if (strategy === 'sticky') return otherwise ?? 'longest-idle';
  return strategy === 'everyone' || strategy === 'first-to-claim' ? 'in-order' : strategy;
};

/** How many turns until it is theirs: 1 for the next after the last one, who is the last to be asked again. */
export function turnsUntil(position: number, last: number, size: number, goesOn: boolean): number {
  if (position === last && goesOn) return 0;
  return position > last ? position - last : position - last + size;
}

interface Measured {
  readonly position: number;
  readonly turns: number;
  readonly candidate: Candidate;
  readonly known: PersonSnapshot;
  readonly weight: number;
  readonly now: Instant;
}

/** What the ranking compares, less is better, and the same in words. */
export function measureOf(
  ranking: Ranking,
  { position, turns, candidate, known, weight, now }: Measured,
): [number, string] {
  const { lastAssignedAt } = known;
  switch (ranking) {
    case 'in-order':
      return [position + 1, `number ${position + 1} in order`];
    case 'round-robin': {
      const words =
        turns === 0
          ? `goes on: weight ${weight}`
          : turns === 1
            ? 'next in turn'
            : `in ${turns - 1} ${turns === 2 ? 'turn' : 'turns'}`;
      return [turns, words];
    }
    case 'longest-idle': {
      // With weights: so many times as long as it really was.
      const since = lastAssignedAt === null ? -Infinity : now - (now - lastAssignedAt) * weight;
      const words = weight === 1 || lastAssignedAt === null ? '' : `, times ${weight}`;
      return [since, `${describeIdle(lastAssignedAt, now)}${words}`];
    }
    case 'least-busy': {
      const units = unitsOf(known);
      return [
        units / weight,
        `${units} ${units === 1 ? 'unit' : 'units'} open${weight === 1 ? '' : `, over ${weight}`}`,
      ];
    }
    case 'most-spare': {
      const { capacity } = candidate;
      if (capacity === undefined) return [-Infinity, 'capacity without end'];
      const spare = capacity - unitsOf(known);
      return [-spare, `${spare} of ${capacity} units spare`];
    }
    default:
      return ranking satisfies never;
  }
}

export function describeMember({ tier = 1, preferred = 0 }: Candidate, sticks: boolean, standing: string): string {
  // The usual case, for each member of every decision.
  if (!sticks && tier === 1 && preferred === 0) return standing;
  const extra = [
    ...(sticks ? ['handled the thread before'] : []),
    ...(tier === 1 ? [] : [`tier ${tier}`]),
    ...(preferred === 0 ? [] : [`${preferred} preferred ${preferred === 1 ? 'skill' : 'skills'}`]),
  ];
  return [...extra, standing].join('; ');
}

export function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? 0;
    // Not by subtraction: both may be infinite.
    if (value !== other) return value < other ? -1 : 1;
  }
  return 0;
}

export function describeIdle(lastAssignedAt: Instant | null, now: Instant): string {
  return lastAssignedAt === null ? 'never had a message' : `last message ${formatDuration(now - lastAssignedAt)} ago`;
}
