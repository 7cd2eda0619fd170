// Escalation: the next move of one tracked message. Pure; targets are resolved from a snapshot taken at that instant.
//
// Time running out takes the policy's next step. A pass, an owner who went offline or whose mailbox refuses is first
// answered by the next eligible member, without using up a step; only when there is none, the steps go on at once.
// A step that has no possible target is skipped at once (its delay is not waited for) and said so.
import { formatDuration, type Instant } from '../clock.ts';
import type { Mailbox } from '../mail/path.ts';
import type { BareJid } from '../presence/jid.ts';
import { isOpenAt, nextOpening } from '../routing/calendar.ts';
import { type Choice, choose, type Recipient, type Snapshot } from '../routing/choose.ts';
import { allCandidates } from '../routing/plan.ts';
import type { GroupName, PersonName, Step } from '../routing/rules.ts';
import type { Trigger } from './event.ts';
import { beginsAgain, dueAfter, stepAt, stepCount, stillTried } from './steps.ts';
import type { Tracked } from './tracked.ts';

export type Move =
  /** Forward to this member, who owns it now. */
  | { readonly kind: 'reassign'; readonly step: string; readonly person: PersonName; readonly mailbox: Mailbox }
  | { readonly kind: 'remind'; readonly step: string; readonly person: PersonName }
  | { readonly kind: 'room'; readonly step: string; readonly room: BareJid }
  /** Forward to all of them; whoever takes it has it. */
  | { readonly kind: 'everyone'; readonly step: string; readonly people: readonly Recipient[] }
  /** The step's hours have not begun: it waits for them. */
  | { readonly kind: 'later'; readonly step: string; readonly until: Instant }
  /** Forward to a stated mailbox; with a person, they own it now. */
  | { readonly kind: 'forward'; readonly step: string; readonly mailbox: Mailbox; readonly person: PersonName | null }
  /** Every step was taken. */
  | { readonly kind: 'expire' };

export interface Advance {
  readonly tracked: Tracked;
  /** What really set it off: at its end a pledge is no mere passing of time. */
  readonly trigger: Trigger;
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
    'ack expired': `took it${held === '' ? '' : `${held.replace(' for', '')} ago`} and has not answered`,
    'promise expired': 'has not kept a promise',
    operator: `had it${held} when an operator moved it on`,
  };
  return { ...tracked.tried, [tracked.owner]: words[trigger] };
}

/**
 * @param tracked open; the caller writes the result by compare-and-set on its revision
 * @param snapshot of the plan's candidates; `excluded` is filled here from what was tried
 */
export function advance(
  tracked: Tracked,
  cause: Trigger,
  snapshot: Snapshot,
  forwardsLeft = Number.POSITIVE_INFINITY,
): Advance {
  const { now } = snapshot;
  const reminder = cause === 'time' ? remindOfAck(tracked, snapshot) : null;
  if (reminder) return reminder;
  const trigger = cause === 'time' && tracked.pledge ? (`${tracked.pledge.kind} expired` as const) : cause;
  let tried = triedWords(tracked, trigger, now);
  let shot: Snapshot = { ...snapshot, excluded: { ...snapshot.excluded, ...tried }, holdUntil: null };
  let base: Tracked = { ...tracked, revision: tracked.revision + 1, pledge: null };
  const { policy } = tracked.plan;
  const { steps } = policy;
  const skipped: string[] = [];
  let choice: Choice | null = null;
  const member = () => {
    if (forwardsLeft <= 0) return null;
    choice ??= choose(tracked.plan, shot);
    return choice.kind === 'member' ? choice : null;
  };
  /** The best of another group: not an alternative to the own ones, so chosen anew each time. */
  const memberOf = (group: GroupName) => () => {
    const pool = tracked.plan.pools?.find((each) => each.group === group);
    if (forwardsLeft <= 0 || pool === undefined) return null;
    const { chain: _chain, mode: _mode, ...plan } = tracked.plan;
    const turn = shot.others?.[group];
    const made = choose({ ...plan, ...pool }, { ...shot, lastInGroup: turn?.last ?? null, runInGroup: turn?.run ?? 0 });
    if (made.kind !== 'member') return null;
    choice = made;
    return made;
  };
  // After the last step its own delay passes once more before the message counts as expired.
  const after = (step: Step | undefined) => {
    const counts = step ?? steps.at(-1);
    return counts ? dueAfter(counts, now) : now;
  };

  if (!byTheSteps(trigger)) {
    const next = member();
    if (next) {
      const moved = owned(base, next.person, now, tried);
      return {
        tracked: { ...moved, nextStepAt: steps.length > 0 ? after(stepAt(policy, tracked.step)) : null },
        trigger,
        move: { kind: 'reassign', step: trigger, person: next.person, mailbox: next.mailbox },
        skipped,
        choice,
        snapshot: shot,
      };
    }
  }

  const end = stepCount(policy);
  for (let index = tracked.step, taken = tracked.stepTaken; index < end; index += 1, taken = 0) {
    const step = stepAt(policy, index) as Step;
    if (beginsAgain(policy, index) && taken === 0) {
      // Everybody may be asked anew, but for those who said no; not the one who has it and is silent.
      base = { ...base, tried: stillTried(base.tried) };
      tried = {
        ...stillTried(tried),
        ...(tracked.owner === null ? {} : { [tracked.owner]: tried[tracked.owner] ?? '' }),
      };
      shot = { ...shot, excluded: { ...snapshot.excluded, ...tried } };
      choice = null;
    }
    if (step.hours && trigger !== 'operator' && !isOpenAt(step.hours, now)) {
      const until = nextOpening(step.hours, now) ?? after(step);
      const move: Move = { kind: 'later', step: step.name, until };
      const waiting = { ...keepOwner(base, trigger, tried), step: index, stepTaken: taken, nextStepAt: until };
      return { tracked: waiting, move, trigger, skipped, choice, snapshot: shot };
    }
    const found = target(
      step,
      base,
      trigger,
      step.to.kind === 'group' ? memberOf(step.to.group) : member,
      tried,
      forwardsLeft,
    );
    if (typeof found === 'string') {
      skipped.push(`${step.name}: ${found}`);
      continue;
    }
    const move = found.kind === 'everyone' ? { ...found, people: everyoneOf(tracked, choice, forwardsLeft) } : found;
    const more = taken + 1 < step.times;
    const position = more ? { step: index, stepTaken: taken + 1 } : { step: index + 1, stepTaken: 0 };
    const upcoming = more ? step : stepAt(policy, index + 1);
    const owner = move.kind === 'reassign' ? move.person : move.kind === 'forward' ? move.person : null;
    const asked = move.kind === 'everyone' ? askedTogether(move.people, now) : {};
    const kept = keepOwner(base, trigger, tried);
    const moved = owner === null ? { ...kept, tried: { ...kept.tried, ...asked } } : owned(base, owner, now, tried);
    return {
      tracked: { ...moved, ...position, nextStepAt: after(upcoming) },
      move,
      trigger,
      skipped,
      choice,
      snapshot: shot,
    };
  }
  const gone = keepOwner(base, trigger, tried);
  return {
    tracked: { ...gone, state: 'expired', step: end, stepTaken: 0, nextStepAt: null },
    trigger,
    move: { kind: 'expire' },
    skipped,
    choice,
    snapshot: shot,
  };
}

/** The end of an acknowledgement, once: its owner is asked whether it still holds. */
function remindOfAck(tracked: Tracked, snapshot: Snapshot): Advance | null {
  const { pledge, owner, plan } = tracked;
  if (pledge?.kind !== 'ack' || pledge.reminded || owner === null) return null;
  const after: Tracked = {
    ...tracked,
    revision: tracked.revision + 1,
    pledge: { ...pledge, reminded: true },
    nextStepAt: snapshot.now + (plan.policy.ack?.grace ?? 0),
  };
  const move = { kind: 'remind', step: 'acknowledgement', person: owner } as const;
  return { tracked: after, trigger: 'time', move, skipped: [], choice: null, snapshot };
}

/** A move, or the words for why the step has no target. */
function target(
  step: Step,
  tracked: Tracked,
  trigger: Trigger,
  member: () => { person: PersonName; mailbox: Mailbox } | null,
  tried: Tracked['tried'],
  forwardsLeft: number,
): Move | string {
  const spent = 'it has been forwarded as often as the policy allows';
  switch (step.to.kind) {
    case 'group':
    case 'next': {
      const next = member();
      return next
        ? { kind: 'reassign', step: step.name, person: next.person, mailbox: next.mailbox }
        : forwardsLeft <= 0
          ? spent
          : step.to.kind === 'group'
            ? `nobody of ${step.to.group} is eligible`
            : 'nobody else is eligible';
    }
    case 'everyone':
      return member() === null
        ? forwardsLeft <= 0
          ? spent
          : 'nobody else is eligible'
        : { kind: 'everyone', step: step.name, people: [] };
    case 'owner':
      if (tracked.owner === null) return 'nobody has it';
      return byTheSteps(trigger)
        ? { kind: 'remind', step: step.name, person: tracked.owner }
        : `the owner is out (${trigger})`;
    case 'room':
      return { kind: 'room', step: step.name, room: step.to.room };
    case 'person': {
      const before = tried[step.to.person];
      if (before !== undefined) return `${step.to.person} ${before}`;
      if (forwardsLeft <= 0) return spent;
      return { kind: 'forward', step: step.name, mailbox: step.to.mailbox, person: step.to.person };
    }
    case 'mailbox':
      return forwardsLeft <= 0 ? spent : { kind: 'forward', step: step.name, mailbox: step.to.mailbox, person: null };
    default:
      return step.to satisfies never;
  }
}

function owned(tracked: Tracked, owner: PersonName, now: Instant, tried: Tracked['tried']): Tracked {
  const { [owner]: _had, ...others } = tried;
  return { ...tracked, state: 'tracked', owner, ownedSince: now, tried: others };
}

/** Nobody has said or done anything: the steps are taken as they come. */
const byTheSteps = (trigger: Trigger): boolean => trigger === 'time' || trigger === 'operator';

/** All who could get it now, the best one first. */
function everyoneOf(
  { plan }: Tracked,
  choice: Choice | null,
  forwardsLeft: number,
): Extract<Move, { kind: 'everyone' }>['people'] {
  const ready = (choice?.considered ?? []).filter(({ verdict }) => verdict !== 'excluded');
  const first = ready.toSorted((a, b) => Number(b.verdict === 'chosen') - Number(a.verdict === 'chosen'));
  const mailboxes = new Map(allCandidates(plan).map(({ person, mailbox }) => [person, mailbox]));
  return first
    .flatMap(({ person }) => {
      const mailbox = mailboxes.get(person);
      return mailbox === undefined ? [] : [{ person, mailbox }];
    })
    .slice(0, forwardsLeft);
}

const togetherWords = ', with everyone';

/** Whether they were asked with others, so that the mail is for them though it has another owner or none. */
export const wasAskedTogether = ({ tried }: Tracked, person: PersonName): boolean =>
  tried[person]?.endsWith(togetherWords) ?? false;

/** They have had it, too: a later step goes to others. */
function askedTogether(people: readonly Recipient[], now: Instant): Tracked['tried'] {
  const at = `was asked at ${new Date(now).toISOString().slice(11, 16)} UTC${togetherWords}`;
  return Object.fromEntries(people.map(({ person }) => [person, at]));
}

/** The owner stays answerable while only time ran out; who passed or left does not. */
function keepOwner(tracked: Tracked, trigger: Trigger, tried: Tracked['tried']): Tracked {
  return byTheSteps(trigger) ? tracked : { ...tracked, owner: null, ownedSince: null, tried };
}

/** When the step that comes is due, if its clock starts now. */
export function clockFor({ plan, step, state }: Tracked, now: Instant): Instant | null {
  const upcoming = stepAt(plan.policy, step) ?? plan.policy.steps.at(-1);
  return state === 'tracked' && upcoming ? dueAfter(upcoming, now) : null;
}
