// Forward: claim what is due, choose, ship, settle. The intent is stored before the effect, so that a crash delays
// rather than repeats; what the next hop said decides what follows.
import type { Content } from '../mail/content.ts';
import type { ForwardPath } from '../mail/envelope.ts';
import { loopMark } from '../mail/loop-mark.ts';
import { markField } from '../mail/mark.ts';
import { domainOf, type Mailbox } from '../mail/path.ts';
import type { Reply } from '../mail/reply.ts';
import { replies } from '../mail/reply.ts';
import type { Consequences, DeliveryRef, DueKind, Settlement } from '../store/store.ts';
import { wasAskedTogether } from '../tracking/advance.ts';
import type { StoryEvent } from '../tracking/event.ts';
import type { Tracked } from '../tracking/tracked.ts';
import type { NextHop, Outcome, Shipment } from '../transport.ts';
import { type Asked, askFor } from './asking.ts';
import { chooseFor, type Target, type Work } from './choosing.ts';
import { type Following, followFailure, followForward, followRefusal, followUndeliverable } from './following.ts';
import { sessionFailure } from './hops.ts';
import { judge } from './judging.ts';
import { casTries, type Stage, tellAll, wakeSteps } from './parts.ts';
import { catchUp, putBack } from './putting-back.ts';
import { lookAgain, mayBeReplanned, replanned } from './replanning.ts';
import { type Notice, notifyOnward, reportsFor } from './reporting.ts';

interface Load {
  readonly work: Work;
  readonly target: Target;
  readonly path: ForwardPath;
  readonly prepend: string;
  readonly asked: Asked;
  readonly hop: NextHop;
}

export interface Around {
  /** Transactions are cut off. */
  readonly signal: AbortSignal;
  /** Called when next hops have nothing more to do with it. */
  readonly left: () => void;
  /** Somebody else may have it from now on. */
  readonly letGo: (work: Work) => void;
  /** It has stood in line. */
  readonly waited: boolean;
}

/** All claimed deliveries of one message. `fresh`: its content, when it was leased at acceptance, a moment ago. */
export async function dispatch(stage: Stage, claimed: readonly Work[], around: Around, fresh?: Content): Promise<void> {
  stage.reach('claimed');
  const { version } = stage.rules.current();
  // Nothing is awaited that only other mail asks for: this is the way of every message.
  const works = claimed.some((work) => mayBeReplanned(stage, work, version))
    ? await Promise.all(claimed.map((work) => replanned(stage, work)))
    : claimed;
  if (works.some(({ delivery }) => delivery.plan.kind === 'reject')) await settleRefused(stage, works);
  const loads: Load[] = [];
  for (const [index, work] of works.entries()) {
    if (work.delivery.plan.kind === 'reject') continue;
    const standing = await standingFor(stage, work, around.waited);
    if (work.delivery.forwardOf !== null && !standing) continue;
    const target = await chooseFor(stage, work);
    if (!target) {
      // It is held, and may be woken while others of its message are still on their way.
      around.letGo(claimed[index] ?? work);
      continue;
    }
    if (target.refusal) {
      await settleRefusal(stage, work, target, target.refusal);
      continue;
    }
    if (work.delivery.plan.kind === 'group' && (await inCircle(stage, work, target))) continue;
    loads.push(loadOf(stage, standing ? { ...work, standing } : work, target));
  }
  // What was held just now under rules that were changed meanwhile was not there to be woken.
  if (stage.rules.current().version !== version) await lookAgain(stage);
  stage.reach('chosen');
  const shipments = together(loads);
  let under = shipments.length;
  const left = (): void => {
    under -= 1;
    if (under === 0) around.left();
  };
  await Promise.all(shipments.map((each) => ship(stage, each, { ...around, left }, fresh)));
}

/** One Message-ID to one member too often: it ends here, as a loop, whoever else could be chosen. */
async function inCircle(stage: Stage, work: Work, target: Target): Promise<boolean> {
  const { message, delivery } = work;
  if (delivery.plan.kind !== 'group' || delivery.attempts > 0) return false;
  if (stage.guard.admit(message.facts.messageId, target.mailbox, stage.clock.now())) return false;
  const outcome: Outcome = { kind: 'permanent', reply: replies.loop, cause: 'one Message-ID too often' };
  await settle(stage, [{ work, target: { ...target, person: null } }], [outcome], null);
  return true;
}

/** Recipients that a rule refuses, of a message that others were to have: reported together, without an attempt. */
async function settleRefused(stage: Stage, works: readonly Work[]): Promise<void> {
  const refused = works.flatMap((work) => {
    const { plan, path } = work.delivery;
    if (plan.kind !== 'reject') return [];
    const outcome: Outcome = { kind: 'permanent', reply: plan.reply, cause: plan.because.join('; ') };
    return [{ work, target: { mailbox: path.mailbox, person: null, because: [] }, outcome }];
  });
  if (refused.length === 0) return;
  const outcomes = refused.map(({ outcome }) => outcome);
  await settle(stage, refused, outcomes, null);
}

/** The rules refuse it now that nobody is eligible any more: too late for a reply, so the sender gets a report. */
async function settleRefusal(stage: Stage, work: Work, target: Target, reply: Reply): Promise<void> {
  await settle(stage, [{ work, target }], [{ kind: 'permanent', reply, cause: target.because.join('; ') }], null);
}

/** A forward that an escalation asked for, while somebody has answered or the mail has moved on: not sent any more. */
async function standingFor(stage: Stage, work: Work, waited: boolean): Promise<Tracked | null> {
  const { delivery } = work;
  if (delivery.forwardOf === null) return null;
  // Stored a moment ago.
  if (work.standing && !waited) return work.standing;
  const tracked = await stage.store.tracked({ queueId: delivery.queueId, seq: delivery.forwardOf });
  // Expired is no end for a forward that is still on its way to the last one who was asked.
  const current = tracked?.state === 'tracked' || tracked?.state === 'expired';
  const person = delivery.chosen?.person ?? null;
  const wanted = current && (person === null || tracked.owner === person || wasAskedTogether(tracked, person));
  if (wanted) return tracked;
  const { queueId, seq } = delivery;
  const now = stage.clock.now();
  const event: StoryEvent = {
    event: 'operated',
    at: now,
    queueId,
    seq,
    action: 'forward dropped: the message was taken or has moved on',
    by: 'escalation',
  };
  await stage.store.settle([{ queueId, seq, to: 'dropped', at: now, reply: 'overtaken', nextHop: null }], {
    events: [event],
  });
  tellAll(stage, [event]);
  return null;
}

function loadOf(stage: Stage, work: Work, target: Target): Load {
  const { delivery } = work;
  const asked = askFor(stage, work);
  const path = pathTo(delivery, target);
  return {
    work,
    target,
    path: asked.notify === undefined ? path : { ...path, notify: asked.notify },
    prepend: markOf(stage, work, target) + asked.prepend + tracesOf(stage, work),
    asked,
    hop: hopFor(stage.config.nextHops, target.mailbox),
  };
}

export function hopFor(nextHops: Stage['config']['nextHops'], mailbox: Mailbox): NextHop {
  return nextHops.byDomain.get(domainOf(mailbox)) ?? nextHops.default;
}

/** RFC 3461 §5.2.7: the group's address stays the original recipient. */
function pathTo(delivery: Work['delivery'], target: Target): ForwardPath {
  const notify = notifyOnward(delivery);
  const path = notify === undefined ? delivery.path : { ...delivery.path, notify };
  if (target.mailbox === path.mailbox) return path;
  return { ...path, mailbox: target.mailbox, orcpt: path.orcpt ?? `rfc822;${path.mailbox}` };
}

/** For an MTA that asks us about all its mail. */
function markOf({ markKey }: Stage, { delivery }: Work, { mailbox }: Target): string {
  return markKey === undefined ? '' : markField(markKey, `${delivery.queueId}.${delivery.seq}`, mailbox);
}

/** Delivered-To and our mark both say that the group has had it: who sends it back to the group ends in a loop. */
function tracesOf(stage: Stage, { message, delivery: { plan } }: Work): string {
  if (plan.kind === 'reject') return message.trace;
  const added = (plan.headers ?? []).map(([name, value]) => `${name}: ${value}\r\n`).join('');
  // A copy for one of several is as much the group's mail as what one member gets.
  const group =
    plan.kind === 'group' ? plan : plan.copyOf === undefined ? null : { address: plan.copyOf, group: plan.group };
  if (group === null) return `${added}${message.trace}`;
  const mark = group.group === undefined ? '' : loopMark(stage.markKeys(), group.group, message.facts.messageId);
  return `${added}Delivered-To: ${group.address}\r\n${message.trace}${mark}`;
}

/** One transaction for those that differ in nothing but the mailbox. */
function together(loads: readonly Load[]): readonly (readonly Load[])[] {
  if (loads.length <= 1) return loads.length === 0 ? [] : [loads];
  const shipments = new Map<string, Load[]>();
  for (const load of loads) {
    const key = JSON.stringify([
      load.hop.name,
      load.prepend,
      load.path.notify ?? null,
      load.path.orcpt ?? null,
      load.asked.envelope,
    ]);
    const same = shipments.get(key);
    if (same) same.push(load);
    else shipments.set(key, [load]);
  }
  return [...shipments.values()];
}

async function ship(stage: Stage, loads: readonly Load[], { signal, left }: Around, fresh?: Content): Promise<void> {
  const [first] = loads;
  if (!first) return;
  const { hop } = first;
  const gate = stage.hops.enter(hop.name, stage.clock.now());
  if (gate.kind === 'wait') {
    await putBack(stage, loads, gate);
    return;
  }
  let outcomes: readonly Outcome[] | null = null;
  try {
    outcomes = await transact(stage, loads, first, signal, fresh);
    // Not reached at all: the next one in line, for this transaction. Nothing of the message was said yet.
    for (const fallback of hop.fallbacks ?? []) {
      if (outcomes === null || sessionFailure(outcomes) === null || !outcomes.every(unheard)) break;
      stage.log.warn(
        { queueId: first.work.message.queueId, nextHop: hop.name, fallback: fallback.host },
        'falling back',
      );
      outcomes = await transact(stage, loads, { ...first, hop: fallback }, signal, fresh);
    }
  } finally {
    catchUp(stage, hop.name, stage.hops.left(hop.name, outcomes, stage.clock.now()).hasten);
    left();
  }
  if (outcomes === null) return;
  const company = loads.every(({ work }) => work.dotStored && work.delivery.forwardOf !== null)
    ? stage.company()
    : null;
  if (company) await company;
  await settle(stage, loads, outcomes, hop);
}

/** Lost after the final dot it may have arrived: another next hop would make a duplicate of it. */
const unheard = (outcome: Outcome): boolean => !('cause' in outcome && outcome.cause.includes('possible duplicate'));

/** Null when we broke it off ourselves. */
async function transact(
  stage: Stage,
  loads: readonly Load[],
  first: Load,
  signal: AbortSignal,
  fresh?: Content,
): Promise<readonly Outcome[] | null> {
  const { message } = first.work;
  const refs = loads.map(({ work }): DeliveryRef => ({ queueId: work.delivery.queueId, seq: work.delivery.seq }));
  const shipment: Shipment = {
    queueId: message.queueId,
    envelope: first.asked.envelope,
    recipients: loads.map(({ path }) => path),
    prepend: first.prepend,
    content: fresh ?? (await stage.store.content(message.queueId)),
  };
  // Fresh mail that passes through was stored with its final dot.
  const dotStored = fresh !== undefined && loads.every(({ work }) => work.dotStored);
  for (const { work, target } of loads) {
    const { queueId, seq, finalDotAt } = work.delivery;
    if (finalDotAt === null) continue;
    stage.log.warn(
      { queueId, seq, to: target.mailbox, finalDotAt: new Date(finalDotAt).toISOString() },
      'an earlier attempt was cut off after its final dot: possible duplicate',
    );
  }
  const outcomes = await stage.transport.ship(first.hop, shipment, {
    signal,
    onFinalDot: () => {
      if (!dotStored) {
        return stage.store.recordFinalDot(refs, stage.clock.now()).then(() => stage.reach('final-dot-recorded'));
      }
      stage.reach('final-dot-recorded');
      return undefined;
    },
  });
  stage.reach('shipped');
  // Shutting down is not the next hop's doing and no attempt: the lease is given back as it was.
  if (signal.aborted && outcomes.every((outcome) => outcome.kind === 'temporary' && outcome.reply === undefined)) {
    await stage.store.settle(
      loads.map(({ work: { delivery } }, index): Settlement => {
        const outcome = outcomes[index];
        return {
          queueId: delivery.queueId,
          seq: delivery.seq,
          to: 'queued',
          reply: null,
          nextHop: null,
          nextAttemptAt: stage.clock.now(),
          counts: false,
          mayHaveArrived: delivery.finalDotAt !== null || (outcome !== undefined && !unheard(outcome)),
        };
      }),
      {},
    );
    return null;
  }
  return outcomes;
}

/** What each outcome means, written in one transaction with all that follows from it. */
async function settle(
  stage: Stage,
  loads: readonly Pick<Load, 'work' | 'target'>[],
  outcomes: readonly Outcome[],
  hop: NextHop | null,
): Promise<void> {
  for (let attempt = 1; attempt <= casTries; attempt += 1) {
    const now = stage.clock.now();
    const settlements: Settlement[] = [];
    const events: StoryEvent[] = [];
    const notices: Notice[] = [];
    const following: Following[] = [];
    for (const [index, { work, target }] of loads.entries()) {
      const outcome = outcomes[index] ?? { kind: 'temporary', cause: 'no outcome for this recipient' };
      const refusal = outcome.kind === 'permanent' ? await followRefusal(stage, work, target, outcome, now) : null;
      if (refusal) {
        settlements.push(refusal.settlement);
        following.push(refusal);
        continue;
      }
      const judged = judge(stage, work, target, outcome, hop, now);
      settlements.push(judged.settlement);
      events.push(...judged.events);
      notices.push(...judged.notices);
      if (judged.settlement.to === 'queued' && judged.settlement.waitsFor !== undefined && hop)
        stage.hops.deferred(hop.name, now);
      if (judged.delivered) following.push(await followForward(stage, work, target, now, attempt > 1));
      else if (judged.settlement.to === 'failed' && work.delivery.forwardOf !== null)
        following.push(followUndeliverable(stage, work, target, outcome));
      else if (judged.settlement.to === 'failed' || judged.settlement.to === 'dead')
        following.push(await followFailure(stage, work, now));
    }
    const reports = await reportsFor(stage, notices, now);
    const also: Consequences = {
      events: [
        ...events,
        ...following.flatMap((each) => each.events),
        ...reports.events,
        ...reports.acceptances.flatMap((each) => each.events),
      ],
      reports: reports.acceptances,
      tracked: following.flatMap((each) => each.tracked),
      nudges: following.flatMap((each) => each.nudges),
      evidence: following.flatMap((each) => each.evidence),
      standing: following.flatMap((each) => each.standing ?? []),
    };
    if ((await stage.store.settle(settlements, also)) === 'stale') continue;
    stage.reach('settled');
    // What they count as open is counted before what was on its way is forgotten: no gap in which somebody seems free.
    const afterwards = following.map((each) => each.afterwards());
    for (const { work } of loads) stage.ledger.settled(work.delivery);
    tellAll(stage, also.events);
    // A plain delivery makes nothing due but, much later, the retirement of its content.
    const kinds: DueKind[] = [];
    if (also.reports?.length || settlements.some(({ to }) => to !== 'delivered')) kinds.push('attempt');
    if (also.nudges?.length) kinds.push('nudge');
    if (kinds.length > 0) stage.wake(kinds);
    wakeSteps(stage, also.tracked ?? []);
    await Promise.all(afterwards);
    return;
  }
  stage.log.error(
    { queueId: loads[0]?.work.message.queueId },
    'an attempt could not be settled: changed meanwhile; its lease will bring it back',
  );
}
