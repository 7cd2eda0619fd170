// Escalate and close: every change of a tracked message is computed from what is stored, by a pure function, and
// written back only if nobody was quicker (compare-and-set); then it is computed again from what stands now.
import type { Instant } from '../clock.ts';
import { movedOnText, takenText } from '../notify/nudge.ts';
import { reasonIn } from '../notify/reasons.ts';
import type { BareJid } from '../presence/jid.ts';
import type { PersonName } from '../routing/rules.ts';
import type { Consequences, DeliveryRef, NewNudge } from '../store/store.ts';
import { type Acknowledged, acknowledge } from '../tracking/acknowledge.ts';
import { type Advance, advance, clockFor } from '../tracking/advance.ts';
import type { StoryEvent, Trigger } from '../tracking/event.ts';
import type { Evidence } from '../tracking/evidence.ts';
import { stepAt } from '../tracking/steps.ts';
import { type Forwards, isOpen, type Tracked } from '../tracking/tracked.ts';
import { chosenEvent, decided, roomFor } from './choosing.ts';
import { askWhetherThere, doubtful, noDoubts } from './doubting.ts';
import { factsOf, languageOf, notice, noticeToRoom, nudgeAll, nudgeRoom, remindOwner } from './nudging.ts';
import { advanceOnward, forward } from './onward.ts';
import { awayNow, casTries, type Stage, tellAll, wakeSteps } from './parts.ts';
import { isProposal } from './proposing.ts';

/**
 * Does nothing when the message has moved on meanwhile.
 * @param cause `owner`: only if the message is still theirs
 * @param known as it was read a moment ago, to begin with
 */
export async function escalate(
  stage: Stage,
  of: DeliveryRef,
  cause: {
    trigger: Trigger;
    owner?: PersonName | null;
    /** An operator takes a step out of its turn, having seen this revision. */
    steer?: { position: number; by: string; revision: number };
  },
  known: { readonly tracked: Tracked; readonly forwards: Forwards } | null = null,
): Promise<Tracked | null> {
  const ref = bareRef(of);
  const doubts = noDoubts();
  for (let attempt = 1; attempt <= casTries; attempt += 1) {
    const { tracked: stored, forwards } = attempt === 1 && known ? known : await standingOf(stage, ref);
    const { made, onTheirWay } = forwards;
    const now = stage.clock.now();
    if (stored?.state !== 'tracked') return null;
    const { steer } = cause;
    if (steer && steer.revision !== stored.revision) return null;
    const sameStep = !steer || steer.position === stored.step;
    const before = sameStep ? stored : { ...stored, step: steer.position, stepTaken: 0 };
    if (cause.trigger === 'time' && (before.nextStepAt === null || before.nextStepAt > now)) return null;
    if (cause.owner !== undefined && before.owner !== cause.owner) return null;
    if (cause.trigger === 'time' && !before.pledge && onTheirWay > 0) {
      // After a crash or a long stop: nobody can have read what was never sent. Their clock starts anew.
      const waiting = { ...before, revision: before.revision + 1, nextStepAt: clockFor(before, now) };
      if ((await stage.store.advance(waiting, {})) === 'stale') continue;
      wakeSteps(stage, [waiting]);
      return waiting;
    }
    const snapshot = stage.ledger.snapshot(before.plan, stage.watcher, {
      now,
      excluded: awayNow(stage, now),
      holdUntil: null,
    });
    const next = advance(before, cause.trigger, snapshot, (before.plan.policy.maxForwards ?? standardForwards) - made);
    const inDoubt = doubtful(stage, before.plan, next.choice, next.snapshot, doubts);
    if (inDoubt.length > 0) {
      await askWhetherThere(stage, inDoubt, doubts);
      continue;
    }
    const moved = consequencesOf(stage, before, next, next.trigger, now);
    const also = steer ? { ...moved, events: [steered(stage, before, steer), ...(moved.events ?? [])] } : moved;
    const handed = await advanceOnward(stage, next.tracked, also, now);
    if (handed === 'stale') continue;
    stage.ledger.moved(before, next.tracked);
    const { move } = next;
    if (move.kind === 'reassign') stage.ledger.assign(ref, move.person, before.plan.group, now, null);
    stage.reach('step-advanced');
    // It is leased to us: whoever is told of the step and fails at that must not keep it from going.
    try {
      tellAll(stage, also.events);
    } finally {
      stage.sendOnward(handed, next.tracked);
    }
    const waits = (also.forwards?.length ?? 0) > handed.length;
    wakeSteps(stage, [next.tracked]);
    stage.wake([...(waits ? (['attempt'] as const) : []), ...(also.nudges?.length ? (['nudge'] as const) : [])]);
    if (next.tracked.owner !== before.owner) await roomFor(stage, before.owner);
    return next.tracked;
  }
  throw new Error(`escalating ${ref.queueId} was overtaken ${casTries} times`);
}

/** As it is stored now. */
export async function standingOf(
  { store }: Stage,
  ref: DeliveryRef,
): Promise<{ tracked: Tracked | null; forwards: Forwards }> {
  const [tracked, forwards] = await Promise.all([store.tracked(ref), store.forwardsOf(ref)]);
  return { tracked, forwards };
}

function steered(stage: Stage, { queueId, seq, plan }: Tracked, steer: { position: number; by: string }): StoryEvent {
  const step = stepAt(plan.policy, steer.position)?.name ?? 'the end';
  return { event: 'operated', at: stage.clock.now(), queueId, seq, action: `take step ${step}`, by: steer.by };
}

/** So that no chain of passes and bounces hands one mail round for ever. */
const standardForwards = 10;

export function consequencesOf(
  stage: Stage,
  before: Tracked,
  next: Advance,
  trigger: Trigger,
  now: Instant,
): Consequences {
  const { tracked, move, choice, snapshot } = next;
  const { queueId, seq } = tracked;
  const base = { at: now, queueId, seq };
  const decision =
    choice === null ? null : decided(stage, { queueId, seq }, 'escalation', tracked.plan, snapshot, choice);
  const decisions = decision ? [decision] : [];
  const escalated = (step: string, to: string): StoryEvent => ({
    ...base,
    event: 'escalated',
    group: tracked.plan.group,
    step,
    trigger,
    ...(before.owner === null ? {} : { from: before.owner }),
    to,
    ...(next.skipped.length === 0 ? {} : { skipped: next.skipped }),
    ...(move.kind === 'later' ? { until: move.until } : {}),
  });
  const why = (step: string): string =>
    `step ${step} of policy ${tracked.plan.policy.name}; ${trigger}; was with ${before.owner ?? 'nobody'}`;
  // Who has passed hears so in the answer to that.
  const told = tracked.owner === before.owner || trigger === 'passed';
  const former = told ? [] : tellFormer(stage, before, tracked, move, now);
  switch (move.kind) {
    case 'reassign': {
      const chosen: StoryEvent[] =
        decision && choice && choice.kind !== 'hold' ? [chosenEvent(decision, tracked.plan, choice)] : [];
      return {
        decisions,
        events: [escalated(move.step, move.person), ...chosen],
        forwards: [forward(tracked, move, why(move.step), now)],
        withdrawNudgesOf: [{ queueId, seq }],
        nudges: former,
      };
    }
    case 'forward':
      return {
        decisions,
        events: [escalated(move.step, move.person ?? move.mailbox)],
        forwards: [forward(tracked, move, why(move.step), now)],
        withdrawNudgesOf: [{ queueId, seq }],
        nudges: former,
      };
    case 'everyone':
      return {
        decisions,
        events: [escalated(move.step, move.people.map(({ person }) => person).join(', '))],
        forwards: move.people.map((person) => forward(tracked, person, why(move.step), now)),
        withdrawNudgesOf: [{ queueId, seq }],
        nudges: [
          ...nudgeAll(
            stage,
            tracked,
            move.people.map(({ person }) => person),
            ['everyone is asked'],
            now,
          ),
          ...former,
        ],
      };
    case 'later':
      // The steps wait as they were said to: nothing new, unless somebody has left it or a step was passed over.
      return {
        decisions,
        events: trigger === 'time' && next.skipped.length === 0 ? [] : [escalated(move.step, 'nobody yet')],
        nudges: former,
      };
    case 'remind':
      return {
        decisions,
        events: [escalated(move.step, move.person)],
        withdrawNudgesOf: [{ queueId, seq }],
        nudges: remindOwner(stage, tracked, now),
      };
    case 'room':
      return {
        decisions,
        events: [escalated(move.step, move.room)],
        // Who has it still, and could not be told so far, is told of the gap: what is never said must not vanish.
        withdrawNudgesOf: tracked.owner !== null && tracked.owner === before.owner ? [] : [{ queueId, seq }],
        nudges: [...nudgeRoom(stage, tracked, move.room, now), ...former],
      };
    case 'expire':
      return {
        decisions,
        events: [
          { ...base, event: 'closed', group: tracked.plan.group, state: 'expired' },
          {
            ...base,
            event: 'fault',
            fault: 'escalation-exhausted',
            severity: 'error',
            text: `Every step of policy ${tracked.plan.policy.name} was taken for #${tracked.shortId} and nobody has answered`,
          },
        ],
        withdrawNudgesOf: [{ queueId, seq }],
        nudges: former,
      };
    default:
      return move satisfies never;
  }
}

/** Whoever had it is told that they are free of it, and why. */
function tellFormer(stage: Stage, before: Tracked, after: Tracked, move: Advance['move'], now: Instant): NewNudge[] {
  if (before.owner === null) return [];
  const to =
    move.kind === 'reassign'
      ? move.person
      : move.kind === 'forward'
        ? (move.person ?? move.mailbox)
        : move.kind === 'room'
          ? move.room
          : null;
  const language = languageOf(stage, after.plan.group);
  const why = reasonIn(language, `you: ${after.tried[before.owner] ?? 'no answer'}`);
  const facts = factsOf(stage, after, now);
  return notice(stage, after, before.owner, movedOnText(facts, to ?? reasonIn(language, 'nobody'), why), now);
}

export interface Weighed {
  readonly result: Acknowledged;
  /** As it stands now; null when no such message is tracked. */
  readonly tracked: Tracked | null;
}

/** Evidence for one tracked message: recorded always, and whatever follows from it. */
export async function weigh(
  stage: Stage,
  of: DeliveryRef,
  evidence: Omit<Evidence, 'at'>,
  by: string,
  /** Where it is said in answer, and so need not be told again. */
  answeredIn: BareJid | null = null,
): Promise<Weighed> {
  const ref = bareRef(of);
  for (let attempt = 1; attempt <= casTries; attempt += 1) {
    const before = await stage.store.tracked(ref);
    const now = stage.clock.now();
    const stored: Evidence = { ...evidence, at: now };
    const seen: StoryEvent = {
      event: 'evidence',
      at: now,
      ...ref,
      ...(evidence.person === null ? {} : { person: evidence.person }),
      grade: evidence.grade,
      source: evidence.source,
      trusted: evidence.trusted,
      ...(evidence.reference === null ? {} : { reference: evidence.reference }),
    };
    const result = before ? acknowledge(before, evidence, by, now) : ({ kind: 'recorded' } as const);
    if (!before || result.kind === 'recorded' || result.kind === 'late') {
      await stage.store.record({ evidence: [stored], events: [seen] });
      tellAll(stage, [seen]);
      return { result, tracked: before };
    }
    const after = result.tracked;
    const closed: StoryEvent[] = isOpen(after.state)
      ? []
      : [{ event: 'closed', group: after.plan.group, at: now, ...ref, state: after.state, by }];
    const also: Consequences = {
      evidence: [stored],
      events: [seen, ...closed],
      withdrawNudgesOf: [ref],
      nudges: await tellOthers(stage, after, evidence.person, by, answeredIn, now),
    };
    if ((await stage.store.advance(after, also)) === 'stale') continue;
    stage.ledger.moved(before, after);
    if (after.state !== 'tracked' || after.owner !== before.owner) await roomFor(stage, before.owner);
    tellAll(stage, also.events);
    stage.wake();
    return { result, tracked: after };
  }
  throw new Error(`evidence for ${ref.queueId} was overtaken ${casTries} times`);
}

/** Everybody else who was asked is told who has it. */
export async function tellOthers(
  stage: Stage,
  tracked: Tracked,
  taker: PersonName | null,
  by: string,
  answeredIn: BareJid | null,
  now: Instant,
): Promise<NewNudge[]> {
  const asked = (await stage.store.nudges(tracked.queueId)).filter(
    (nudge) => nudge.seq === tracked.seq && nudge.kind === 'nudge' && nudge.state === 'sent' && !isProposal(nudge.id),
  );
  const told = new Set<string>();
  return asked.flatMap(({ to }) => {
    const key = to.kind === 'room' ? to.room : (to.person ?? to.jid);
    if (told.has(key) || key === taker || key === answeredIn) return [];
    told.add(key);
    const text = takenText(factsOf(stage, tracked, now), by);
    if (to.kind === 'room') return noticeToRoom(stage, tracked, to.room, text, now);
    // Those it has moved away from were told then; for them it is over.
    return to.person === null || tracked.tried[to.person] !== undefined
      ? []
      : notice(stage, tracked, to.person, text, now);
  });
}

/** Callers may hand over a whole tracked message; what is stored names the delivery and no more. */
export const bareRef = ({ queueId, seq }: DeliveryRef): DeliveryRef => ({ queueId, seq });
