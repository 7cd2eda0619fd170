// The steps of a policy as one long list: gone through once, and again as often as it repeats. Pure.
import type { Instant } from '../clock.ts';
import { afterOpenTime } from '../routing/business-time.ts';
import type { Policy, Step } from '../routing/rules.ts';
import type { Tracked } from './tracked.ts';

type Steps = Pick<Policy, 'steps' | 'repeat' | 'repeatFrom'>;

export const stepCount = ({ steps, repeat = 0, repeatFrom = 0 }: Steps): number =>
  steps.length + repeat * (steps.length - repeatFrom);

/** Undefined after the last one. */
export function stepAt(policy: Steps, position: number): Step | undefined {
  const { steps, repeatFrom = 0 } = policy;
  if (position < 0 || position >= stepCount(policy)) return undefined;
  return position < steps.length
    ? steps[position]
    : steps[repeatFrom + ((position - steps.length) % (steps.length - repeatFrom))];
}

/** Where the step of that name comes next, from `from` on; else where it was; null when there is none. */
export function positionOf(policy: Steps, name: string, from: number): number | null {
  for (let position = from; position < stepCount(policy); position += 1)
    if (stepAt(policy, position)?.name === name) return position;
  const first = policy.steps.findIndex((step) => step.name === name);
  return first === -1 ? null : first;
}

/** When a step is due whose delay begins now. */
export const dueAfter = ({ after, hours }: Pick<Step, 'after' | 'hours'>, now: Instant): Instant =>
  hours === undefined ? now + after : afterOpenTime(hours, now, after);

/** Whether the steps begin anew here. */
export const beginsAgain = ({ steps, repeatFrom = 0 }: Steps, position: number): boolean =>
  position >= steps.length && (position - steps.length) % (steps.length - repeatFrom) === 0;

/**
 * Who is asked again when the steps begin anew: everybody but those who have said no, or whose mailbox has. The words
 * are those of advance.ts and of a pass.
 */
export function stillTried(tried: Tracked['tried']): Tracked['tried'] {
  return Object.fromEntries(
    Object.entries(tried).filter(([, words]) => words === 'has passed' || words.startsWith('their mailbox refused it')),
  );
}
