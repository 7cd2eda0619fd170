// The steps of a policy as one long list: gone through once, and again as often as it repeats. Pure.
import type { Policy, Step } from '../routing/rules.ts';
import type { Tracked } from './tracked.ts';

type Steps = Pick<Policy, 'steps' | 'repeat'>;

export const stepCount = ({ steps, repeat }: Steps): number => steps.length * (1 + (repeat ?? 0));

/** Undefined after the last one. */
export function stepAt(policy: Steps, position: number): Step | undefined {
  return position >= 0 && position < stepCount(policy) ? policy.steps[position % policy.steps.length] : undefined;
}

/** Whether the steps begin anew here. */
export const beginsAgain = ({ steps }: Steps, position: number): boolean =>
  position > 0 && position % steps.length === 0;

/**
 * Who is asked again when the steps begin anew: everybody but those who have said no, or whose mailbox has. The words
 * are those of advance.ts and of a pass.
 */
export function stillTried(tried: Tracked['tried']): Tracked['tried'] {
  return Object.fromEntries(
    Object.entries(tried).filter(([, words]) => words === 'has passed' || words.startsWith('their mailbox refused it')),
  );
}
