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

/** One who is eligible, and where they stand. */
export interface Standing {
  readonly candidate: Candidate;
  readonly known: PersonSnapshot;
  readonly position: number;
  readonly turns: number;
  readonly weight: number;
}

/** What the ranking compares, less is better. Asked of each member of every decision, so the words are apart. */
export function measureOf(
  ranking: Ranking,
  { position, turns, candidate, known, weight }: Standing,
  now: Instant,
): number {
  switch (ranking) {
    case 'in-order':
      return position + 1;
    case 'round-robin':
      return turns;
    case 'longest-idle': {
      const { lastAssignedAt } = known;
      // With weights: so many times as long as it really was.
      return lastAssignedAt === null ? -Infinity : now - (now - lastAssignedAt) * weight;
    }
    case 'least-busy':
      return unitsOf(known) / weight;
    case 'most-spare':
      return candidate.capacity === undefined ? -Infinity : unitsOf(known) - candidate.capacity;
    default:
      return ranking satisfies never;
  }
}

/** The same in words. */
export function wordsOf(
  ranking: Ranking,
  { position, turns, candidate, known, weight }: Standing,
  now: Instant,
): string {
  switch (ranking) {
    case 'in-order':
      return `number ${position + 1} in order`;
    case 'round-robin':
      if (turns === 0) return `goes on: weight ${weight}`;
      return turns === 1 ? 'next in turn' : `in ${turns - 1} ${turns === 2 ? 'turn' : 'turns'}`;
    case 'longest-idle': {
      const { lastAssignedAt } = known;
      const idle = describeIdle(lastAssignedAt, now);
      return weight === 1 || lastAssignedAt === null ? idle : `${idle}, times ${weight}`;
    }
    case 'least-busy': {
      const units = unitsOf(known);
      return `${units} ${units === 1 ? 'unit' : 'units'} open${weight === 1 ? '' : `, over ${weight}`}`;
    }
    case 'most-spare': {
      const { capacity } = candidate;
      return capacity === undefined
        ? 'capacity without end'
        : `${capacity - unitsOf(known)} of ${capacity} units spare`;
    }
    default:
      return ranking satisfies never;
  }
}

export interface Ranked {
  readonly candidate: Candidate;
  readonly sticks: boolean;
  readonly measure: number;
  readonly tie: number;
}

export function describeMember(candidate: Candidate, sticks: boolean, standing: string): string {
  const { tier = 1, preferred = 0, standsInFor } = candidate;
  // The usual case, for each member of every decision.
  if (!sticks && tier === 1 && preferred === 0 && standsInFor === undefined) return standing;
  const extra = [
    ...(standsInFor === undefined ? [] : [`stands in for ${standsInFor}`]),
    ...(sticks ? ['handled the thread before'] : []),
    ...(tier === 1 ? [] : [`tier ${tier}`]),
    ...(preferred === 0 ? [] : [`${preferred} preferred ${preferred === 1 ? 'skill' : 'skills'}`]),
  ];
  return [...extra, standing].join('; ');
}

/** Less comes first: who sticks, the tier, more of the preferred skills, the strategy's measure, the tie. */
export function compareMembers(a: Ranked, b: Ranked): number {
  if (a.sticks !== b.sticks) return a.sticks ? -1 : 1;
  const tiers = (a.candidate.tier ?? 1) - (b.candidate.tier ?? 1);
  if (tiers !== 0) return tiers;
  const skills = (b.candidate.preferred ?? 0) - (a.candidate.preferred ?? 0);
  if (skills !== 0) return skills;
  // Not by subtraction: both may be infinite.
  if (a.measure !== b.measure) return a.measure < b.measure ? -1 : 1;
  if (a.tie !== b.tie) return a.tie < b.tie ? -1 : 1;
  return 0;
}

export function describeIdle(lastAssignedAt: Instant | null, now: Instant): string {
  return lastAssignedAt === null ? 'never had a message' : `last message ${formatDuration(now - lastAssignedAt)} ago`;
}
