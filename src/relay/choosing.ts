// Choose, at the moment of dispatch: the plan of one delivery meets a snapshot of presence, load and history.

import { type Duration, type Instant, second } from '../clock.ts';
import type { Mailbox } from '../mail/path.ts';
import { newQueueId } from '../mail/queue-id.ts';
import { neverSeen } from '../presence/presence.ts';
import { type Choice, choose, type Snapshot } from '../routing/choose.ts';
import type { GroupPlan, Plan } from '../routing/plan.ts';
import type { PersonName } from '../routing/rules.ts';
import type { Delivery, Message, NewDecision } from '../store/store.ts';
import type { StoryEvent } from '../tracking/event.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { awayNow, casTries, type Stage, tellAll } from './parts.ts';

export interface Work {
  readonly message: Message;
  readonly delivery: Delivery;
}

export interface Target {
  readonly mailbox: Mailbox;
  readonly person: PersonName | null;
  /** For people: why this one. */
  readonly because: readonly string[];
}

/** Where one delivery goes now; null when it is held (and stored as such). */
export async function chooseFor(stage: Stage, work: Work): Promise<Target | null> {
  const { delivery } = work;
  const { plan } = delivery;
  if (plan.kind === 'group' && delivery.forwardOf === null) return chooseMember(stage, work, plan);
  return delivery.chosen
    ? { ...delivery.chosen, because: [] }
    : { mailbox: delivery.path.mailbox, person: null, because: plan.because };
}

async function chooseMember(stage: Stage, work: Work, plan: GroupPlan): Promise<Target | null> {
  const { message, delivery } = work;
  const ref = { queueId: delivery.queueId, seq: delivery.seq };
  for (let attempt = 1; attempt <= casTries; attempt += 1) {
    const tracked = plan.policy === null ? null : await stage.store.tracked(ref);
    const now = stage.clock.now();
    stage.ledger.retract(ref);
    const snapshot = stage.ledger.snapshot(plan, stage.watcher, {
      now,
      excluded: { ...awayNow(stage, now), ...tracked?.tried },
      holdUntil: holdUntil(stage, plan, message, now),
    });
    const choice = choose(plan, snapshot);
    const decision = decided(stage, ref, delivery.attempts > 0 ? 'retry' : 'dispatch', plan, snapshot, choice);
    if (choice.kind === 'hold') {
      if (await hold(stage, work, plan, choice, decision, tracked)) return null;
      continue;
    }
    const person = choice.kind === 'member' ? choice.person : (choice.person ?? null);
    const chosen: StoryEvent = chosenEvent(decision, plan, choice);
    const assignment = choice.kind === 'member' ? { ...ref, person: choice.person, group: plan.group, at: now } : null;
    // In memory first: the next choice, made before this one is stored, must see it.
    if (assignment) stage.ledger.assign(ref, assignment.person, plan.group, now);
    const also = { events: [chosen], decisions: [decision] };
    await stage.store.recordChoice({ ...ref, chosen: { mailbox: choice.mailbox, person }, assignment }, also);
    tellAll(stage, also.events);
    return { mailbox: choice.mailbox, person, because: choice.because };
  }
  throw new Error(`choosing for ${delivery.queueId} was overtaken ${casTries} times`);
}

/**
 * After a start, and after a new session with the chat server, nobody has been heard of yet; that says nothing about
 * them. Mail for which nobody is eligible waits this long for word, and not longer: mail flows without XMPP, too.
 */
const learningTime: Duration = 15 * second;

function holdUntil(stage: Stage, plan: GroupPlan, message: Message, now: Instant): Instant | null {
  const byRule = plan.hold === null ? [] : [message.acceptedAt + plan.hold];
  const link = stage.watcher.link();
  const learnt = (link.state === 'up' ? link.since : stage.startedAt) + learningTime;
  const unheard = plan.candidates.some(({ jid }) => {
    const { state, reason } = jid === null ? neverSeen : stage.watcher.presenceOf(jid);
    return jid !== null && state === 'unknown' && reason !== 'not-subscribed' && reason !== 'error';
  });
  const byLearning = link.state !== 'off' && unheard && now < learnt ? [learnt] : [];
  const holds = [...byRule, ...byLearning];
  return holds.length === 0 ? null : Math.max(...holds);
}

/** Held until somebody becomes eligible or the hold runs out. False when somebody else changed the message meanwhile. */
async function hold(
  stage: Stage,
  { delivery }: Work,
  plan: GroupPlan,
  choice: Choice & { kind: 'hold' },
  decision: NewDecision,
  tracked: Tracked | null,
): Promise<boolean> {
  const { queueId, seq } = delivery;
  const first = delivery.state !== 'held';
  const events: StoryEvent[] = first
    ? [
        {
          event: 'held',
          at: decision.at,
          queueId,
          seq,
          group: plan.group,
          until: choice.until,
          because: choice.because,
          decision: decision.id,
        },
      ]
    : [];
  const moved: Tracked[] =
    tracked?.state === 'waiting' ? [{ ...tracked, state: 'held', revision: tracked.revision + 1 }] : [];
  const written = await stage.store.settle([{ queueId, seq, to: 'held', until: choice.until }], {
    events,
    decisions: first ? [decision] : [],
    tracked: moved,
  });
  if (written === 'stale') return false;
  tellAll(stage, events);
  stage.wake();
  return true;
}

export function decided(
  stage: Stage,
  ref: { queueId: Delivery['queueId']; seq: number },
  why: NewDecision['why'],
  plan: Plan,
  snapshot: Snapshot,
  choice: Choice,
): NewDecision {
  return { ...ref, id: newQueueId(snapshot.now, stage.random), at: snapshot.now, why, plan, snapshot, choice };
}

export function chosenEvent(
  decision: NewDecision,
  plan: GroupPlan,
  choice: Exclude<Choice, { kind: 'hold' }>,
): StoryEvent {
  return {
    event: 'chosen',
    at: decision.at,
    queueId: decision.queueId,
    seq: decision.seq,
    group: plan.group,
    ...(choice.person === undefined ? {} : { person: choice.person }),
    mailbox: choice.mailbox,
    why: decision.why,
    because: choice.because,
    decision: decision.id,
  };
}
