// Escalation: the next move of one tracked message. Pure; targets are resolved from a snapshot taken at that instant.
//
// Time running out takes the policy's next step. A pass, an owner who went offline or whose mailbox refuses is first
// answered by the next eligible member, without using up a step; only when there is none, the steps go on at once.
// A step that has no possible target is skipped at once (its delay is not waited for) and said so.
import { formatDuration, type Instant } from '../clock.ts';
import type { Mailbox } from '../mail/path.ts';
import type { BareJid } from '../presence/jid.ts';
import { type Choice, choose, type Snapshot } from '../routing/choose.ts';
import type { PersonName, Step } from '../routing/rules.ts';
import type { Trigger } from './event.ts';
import type { Tracked } from './tracked.ts';

export type Move =
  /** Forward to this member, who owns it now. */
  | { readonly kind: 'reassign'; readonly step: string; readonly person: PersonName; readonly mailbox: Mailbox }
  | { readonly kind: 'remind'; readonly step: string; readonly person: PersonName }
  | { readonly kind: 'room'; readonly step: string; readonly room: BareJid }
  /** Forward to a stated mailbox; with a person, they own it now. */
  | { readonly kind: 'forward'; readonly step: string; readonly mailbox: Mailbox; readonly person: PersonName | null }
  /** Every step was taken. */
  | { readonly kind: 'expire' };

export interface Advance {
  readonly tracked: Tracked;
  readonly move: Move;
  /** Steps that had no target, with the reason. */
  readonly skipped: readonly string[];
  /** The choice of a member, when one was tried for, with the snapshot it was made from. */
  readonly choice: Choice | null;
  readonly snapshot: Snapshot;
}

/** Who has had it, in words for the next decision's exclusions. */
export function triedWords(tracked: Tracked, trigger: Trigger, now: Instant): Tracked['tried'] {
  if (tracked.owner === null) return tracked.tried;
  const held = tracked.ownedSince === null ? '' : ` for ${formatDuration(now - tracked.ownedSince)}`;
  const words: Record<Trigger, string> = {
    time: `had it${held} without an answer`,
    passed: 'has passed',
    'owner offline': 'went offline while having it',
    undeliverable: 'their mailbox refused it',
  };
  return { ...tracked.tried, [tracked.owner]: words[trigger] };
}

/**
 * @param tracked open; the caller writes the result by compare-and-set on its revision
 * @param snapshot of the plan's candidates; `excluded` is filled here from what was tried
 */
export function advance(tracked: Tracked, trigger: Trigger, snapshot: Snapshot): Advance {
  const { now } = snapshot;
  const tried = triedWords(tracked, trigger, now);
  const shot: Snapshot = { ...snapshot, excluded: { ...snapshot.excluded, ...tried }, holdUntil: null };
  const base = { ...tracked, revision: tracked.revision + 1 };
  const { steps } = tracked.plan.policy;
  const skipped: string[] = [];
  let choice: Choice | null = null;
  const member = () => {
    choice ??= choose(tracked.plan, shot);
    return choice.kind === 'member' ? choice : null;
  };
  // After the last step its own delay passes once more before the message counts as expired.
  const after = (step: Step | undefined) => now + ((step ?? steps.at(-1))?.after ?? 0);

  if (trigger !== 'time') {
    const next = member();
    if (next) {
      const moved = owned(base, next.person, now, tried);
      return {
        tracked: { ...moved, nextStepAt: steps.length > 0 ? after(steps[tracked.step]) : null },
        move: { kind: 'reassign', step: trigger, person: next.person, mailbox: next.mailbox },
        skipped,
        choice,
        snapshot: shot,
      };
    }
  }

  for (let index = tracked.step, taken = tracked.stepTaken; index < steps.length; index += 1, taken = 0) {
    const step = steps[index] as Step;
    const move = target(step, base, trigger, member, tried);
    if (typeof move === 'string') {
      skipped.push(`${step.name}: ${move}`);
      continue;
    }
    const more = taken + 1 < step.times;
    const position = more ? { step: index, stepTaken: taken + 1 } : { step: index + 1, stepTaken: 0 };
    const upcoming = more ? step : steps[index + 1];
    const owner = move.kind === 'reassign' ? move.person : move.kind === 'forward' ? move.person : null;
    const moved = owner === null ? keepOwner(base, trigger, tried) : owned(base, owner, now, tried);
    return { tracked: { ...moved, ...position, nextStepAt: after(upcoming) }, move, skipped, choice, snapshot: shot };
  }
  const gone = keepOwner(base, trigger, tried);
  return {
    tracked: { ...gone, state: 'expired', step: steps.length, stepTaken: 0, nextStepAt: null },
    move: { kind: 'expire' },
    skipped,
    choice,
    snapshot: shot,
  };
}

/** A move, or the words for why the step has no target. */
function target(
  step: Step,
  tracked: Tracked,
  trigger: Trigger,
  member: () => { person: PersonName; mailbox: Mailbox } | null,
  tried: Tracked['tried'],
): Move | string {
  switch (step.to.kind) {
    case 'next': {
      const next = member();
      return next
        ? { kind: 'reassign', step: step.name, person: next.person, mailbox: next.mailbox }
        : 'nobody else is eligible';
    }
    case 'owner':
      if (tracked.owner === null) return 'nobody has it';
      return trigger === 'time'
        ? { kind: 'remind', step: step.name, person: tracked.owner }
        : `the owner is out (${trigger})`;
    case 'room':
      return { kind: 'room', step: step.name, room: step.to.room };
    case 'person': {
      const before = tried[step.to.person];
      if (before !== undefined) return `${step.to.person} ${before}`;
      return { kind: 'forward', step: step.name, mailbox: step.to.mailbox, person: step.to.person };
    }
    case 'mailbox':
      return { kind: 'forward', step: step.name, mailbox: step.to.mailbox, person: null };
    default:
      return step.to satisfies never;
  }
}

function owned(tracked: Tracked, owner: PersonName, now: Instant, tried: Tracked['tried']): Tracked {
  const { [owner]: _had, ...others } = tried;
  return { ...tracked, state: 'tracked', owner, ownedSince: now, tried: others };
}

/** The owner stays answerable while only time ran out; who passed or left does not. */
function keepOwner(tracked: Tracked, trigger: Trigger, tried: Tracked['tried']): Tracked {
  return trigger === 'time' ? tracked : { ...tracked, owner: null, ownedSince: null, tried };
}

/** When the step that comes is due, if its clock starts now. */
export function clockFor({ plan, step, state }: Tracked, now: Instant): Instant | null {
  const { steps } = plan.policy;
  const upcoming = steps[step] ?? steps.at(-1);
  return state === 'tracked' && upcoming ? now + upcoming.after : null;
}
