// Forward: claim what is due, choose, ship, settle. The intent is stored before the effect, so that a crash delays
// rather than repeats; what the next hop said decides what follows.
import type { Instant } from '../clock.ts';
import type { ForwardPath } from '../mail/envelope.ts';
import { markField } from '../mail/mark.ts';
import { domainOf, nullReversePath } from '../mail/path.ts';
import { formatReply, type Reply } from '../mail/reply.ts';
import type { Consequences, DeliveryRef, Settlement } from '../store/store.ts';
import { afterAttempt } from '../tracking/after-attempt.ts';
import type { StoryEvent } from '../tracking/event.ts';
import type { NextHop, Outcome, Shipment } from '../transport.ts';
import { chooseFor, type Target, type Work } from './choosing.ts';
import { type Following, followForward, followRefusal, followUndeliverable } from './following.ts';
import { casTries, type Stage, tellAll } from './parts.ts';
import { type Failure, reportsFor } from './reporting.ts';

interface Load {
  readonly work: Work;
  readonly target: Target;
  readonly path: ForwardPath;
  readonly prepend: string;
  readonly hop: NextHop;
}

/** All claimed deliveries of one message. */
export async function dispatch(stage: Stage, works: readonly Work[], signal: AbortSignal): Promise<void> {
  stage.reach('claimed');
  await settleRefused(stage, works);
  const loads: Load[] = [];
  for (const work of works) {
    if (work.delivery.plan.kind === 'reject') continue;
    if (await overtaken(stage, work)) continue;
    const target = await chooseFor(stage, work);
    if (target) loads.push(loadOf(stage, work, target));
  }
  stage.reach('chosen');
  await Promise.all(together(loads).map((each) => ship(stage, each, signal)));
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

/** A forward that an escalation asked for, while somebody has answered or the mail has moved on: not sent any more. */
async function overtaken(stage: Stage, { delivery }: Work): Promise<boolean> {
  if (delivery.forwardOf === null) return false;
  const tracked = await stage.store.tracked({ queueId: delivery.queueId, seq: delivery.forwardOf });
  // Expired is no end for a forward that is still on its way to the last one who was asked.
  const current = tracked?.state === 'tracked' || tracked?.state === 'expired';
  const wanted = current && (delivery.chosen?.person == null || tracked.owner === delivery.chosen.person);
  if (wanted) return false;
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
  return true;
}

function loadOf(stage: Stage, work: Work, target: Target): Load {
  const { message, delivery } = work;
  return {
    work,
    target,
    path: pathTo(delivery.path, target),
    prepend: markOf(stage, work, target) + tracesOf(work) + message.trace,
    hop: stage.config.nextHops.byDomain.get(domainOf(target.mailbox)) ?? stage.config.nextHops.default,
  };
}

/** RFC 3461 §5.2.7: the group's address stays the original recipient. */
function pathTo(path: ForwardPath, target: Target): ForwardPath {
  if (target.mailbox === path.mailbox) return path;
  return { ...path, mailbox: target.mailbox, orcpt: path.orcpt ?? `rfc822;${path.mailbox}` };
}

/** For an MTA that asks us about all its mail. */
function markOf({ markKey }: Stage, { delivery }: Work, { mailbox }: Target): string {
  return markKey === undefined ? '' : markField(markKey, `${delivery.queueId}.${delivery.seq}`, mailbox);
}

/** Delivered-To marks that the group has had it: a member who forwards back meets it (loop). */
function tracesOf({ delivery }: Work): string {
  return delivery.plan.kind === 'group' ? `Delivered-To: ${delivery.plan.address}\r\n` : '';
}

/** One transaction for those that differ in nothing but the mailbox. */
function together(loads: readonly Load[]): Load[][] {
  const shipments = new Map<string, Load[]>();
  for (const load of loads) {
    const key = JSON.stringify([load.hop.name, load.prepend, load.path.notify ?? null, load.path.orcpt ?? null]);
    const same = shipments.get(key);
    if (same) same.push(load);
    else shipments.set(key, [load]);
  }
  return [...shipments.values()];
}

async function ship(stage: Stage, loads: readonly Load[], signal: AbortSignal): Promise<void> {
  const [first] = loads;
  if (!first) return;
  const { message } = first.work;
  const refs = loads.map(({ work }): DeliveryRef => ({ queueId: work.delivery.queueId, seq: work.delivery.seq }));
  const shipment: Shipment = {
    queueId: message.queueId,
    envelope: message.envelope,
    recipients: loads.map(({ path }) => path),
    prepend: first.prepend,
    content: await stage.store.content(message.queueId),
  };
  if (first.work.delivery.finalDotAt !== null) {
    stage.log.warn(
      { queueId: message.queueId },
      'an earlier attempt was cut off after its final dot: possible duplicate',
    );
  }
  const outcomes = await stage.transport.ship(first.hop, shipment, {
    signal,
    onFinalDot: async () => {
      await stage.store.recordFinalDot(refs, stage.clock.now());
      stage.reach('final-dot-recorded');
    },
  });
  stage.reach('shipped');
  // Shutting down is not the next hop's doing and no attempt: the lease is given back as it was.
  if (signal.aborted && outcomes.every((outcome) => outcome.kind === 'temporary' && outcome.reply === undefined)) {
    await stage.store.settle(
      refs.map(
        (ref): Settlement => ({
          ...ref,
          to: 'queued',
          reply: null,
          nextHop: null,
          nextAttemptAt: stage.clock.now(),
          counts: false,
        }),
      ),
      {},
    );
    return;
  }
  await settle(stage, loads, outcomes, first.hop);
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
    const failures: Failure[] = [];
    const following: Following[] = [];
    for (const [index, { work, target }] of loads.entries()) {
      const outcome = outcomes[index] ?? { kind: 'temporary', cause: 'no outcome for this recipient' };
      const refusal = await followRefusal(stage, work, target, outcome, now);
      if (refusal) {
        settlements.push(refusal.settlement);
        following.push(refusal);
        continue;
      }
      const judged = judge(stage, work, target, outcome, hop, now);
      settlements.push(judged.settlement);
      events.push(...judged.events);
      if (judged.failure) failures.push(judged.failure);
      if (judged.delivered) following.push(await followForward(stage, work, target, now));
      else if (judged.settlement.to === 'failed' && work.delivery.forwardOf !== null)
        following.push(followUndeliverable(stage, work, target));
    }
    const reports = await reportsFor(stage, failures, now);
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
    };
    if ((await stage.store.settle(settlements, also)) === 'stale') continue;
    stage.reach('settled');
    for (const { work } of loads) stage.ledger.settled(work.delivery);
    tellAll(stage, also.events);
    stage.wake();
    for (const each of following) await each.afterwards();
    return;
  }
  stage.log.error(
    { queueId: loads[0]?.work.message.queueId },
    'an attempt could not be settled: changed meanwhile; its lease will bring it back',
  );
}

interface Judged {
  readonly settlement: Settlement;
  readonly events: readonly StoryEvent[];
  readonly failure?: Failure;
  readonly delivered: boolean;
}

function judge(stage: Stage, work: Work, target: Target, outcome: Outcome, hop: NextHop | null, now: Instant): Judged {
  const { message, delivery } = work;
  const { queueId, seq } = delivery;
  const base = { at: now, queueId, seq, to: target.mailbox, nextHop: hop?.name ?? 'none' };
  const after = afterAttempt(
    { attempts: delivery.attempts, acceptedAt: message.acceptedAt },
    outcome,
    stage.config.queue,
    now,
    stage.random(),
  );
  const said =
    'reply' in outcome && outcome.reply ? formatReply(outcome.reply) : 'cause' in outcome ? outcome.cause : '';
  switch (after.kind) {
    case 'delivered':
      return {
        settlement: { queueId, seq, to: 'delivered', at: now, reply: said, nextHop: base.nextHop },
        events: [
          { ...base, event: 'forwarded', reply: said, ...(target.person === null ? {} : { person: target.person }) },
        ],
        delivered: true,
      };
    case 'retry':
      return {
        settlement: {
          queueId,
          seq,
          to: 'queued',
          reply: said,
          nextHop: base.nextHop,
          nextAttemptAt: after.at,
          counts: true,
        },
        events: [{ ...base, event: 'deferred', reply: said, nextAttemptAt: after.at }],
        delivered: false,
      };
    case 'failed':
      return failed(stage, work, target, after.reply, base, hop, outcome, now);
    default:
      return after satisfies never;
  }
}

/** The end of a delivery that did not get through: a report to the sender, or where none is allowed a dead letter. */
function failed(
  stage: Stage,
  { message, delivery }: Work,
  target: Target,
  reply: Reply,
  base: { at: Instant; queueId: Work['delivery']['queueId']; seq: number; to: string; nextHop: string },
  hop: NextHop | null,
  outcome: Outcome,
  now: Instant,
): Judged {
  const { queueId, seq } = delivery;
  const said = formatReply(reply);
  const event: StoryEvent = { ...base, event: 'failed', reply: said };
  // A forward that an escalation added is ours, not the sender's: the escalation goes on instead.
  if (delivery.forwardOf !== null) {
    return {
      settlement: { queueId, seq, to: 'failed', at: now, reply: said, nextHop: base.nextHop },
      events: [event],
      delivered: false,
    };
  }
  const reportable = message.envelope.reversePath !== nullReversePath && delivery.path.notify?.[0] !== 'never';
  if (reportable) {
    return {
      settlement: { queueId, seq, to: 'failed', at: now, reply: said, nextHop: base.nextHop },
      events: [event],
      failure: { message, delivery, reply, remote: hop && 'reply' in outcome && outcome.reply ? hop.host : null },
      delivered: false,
    };
  }
  // RFC 5321 §4.5.5 and RFC 3461 §4.1: no report on a report, none where NOTIFY=NEVER. Kept, and somebody must look.
  stage.log.error({ queueId, reply: said }, 'dead letter: undeliverable, and a report is forbidden');
  return {
    settlement: { queueId, seq, to: 'dead', at: now, reply: said, nextHop: base.nextHop },
    events: [
      event,
      {
        event: 'fault',
        at: now,
        queueId,
        seq,
        fault: 'dead-letter',
        severity: 'error',
        text: `Mail to ${target.mailbox} could not be delivered and must not be reported: ${said}`,
      },
    ],
    delivered: false,
  };
}
