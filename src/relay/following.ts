// What follows for the watch when a forward was taken or refused by a next hop: the clock starts, the owner is told.
import { type Instant, second } from '../clock.ts';
import { formatReply } from '../mail/reply.ts';
import type { Consequences, DeliveryRef, Settlement } from '../store/store.ts';
import { clockFor } from '../tracking/advance.ts';
import type { StoryEvent } from '../tracking/event.ts';
import { grades } from '../tracking/evidence.ts';
import { dueAfter } from '../tracking/steps.ts';
import type { Tracked } from '../tracking/tracked.ts';
import type { Outcome } from '../transport.ts';
import type { Target, Work } from './choosing.ts';
import { escalate } from './escalating.ts';
import { isGone, leavingLasts } from './leaving.ts';
import { jidOf, nudgeAll, nudgeOwner, tellOfUntracked } from './nudging.ts';
import type { Stage } from './parts.ts';
import { presenceOf } from './presence-of.ts';
import { followEarlyReturn, oweFailure } from './returning.ts';
import { mayHave } from './standing-in.ts';

/** To be stored with the settlement, and done after it. */
export interface Following extends Pick<Required<Consequences>, 'events' | 'tracked' | 'nudges' | 'evidence'> {
  readonly standing?: Consequences['standing'];
  readonly afterwards: () => Promise<void>;
}

const nothing: Following = { events: [], tracked: [], nudges: [], evidence: [], afterwards: async () => undefined };

/**
 * The next hop has it: from now on it is watched.
 * @param overtaken what was known of it before is out of date
 */
export async function followForward(
  stage: Stage,
  work: Work,
  target: Target,
  now: Instant,
  overtaken: boolean,
): Promise<Following> {
  const { delivery } = work;
  if (delivery.plan.kind !== 'group') return nothing;
  if (delivery.plan.policy === null) return { ...nothing, nudges: tellOfUntracked(stage, work, target, now) };
  const ref = trackedRef(work);
  // Should that be out of date by now, the change that follows finds out.
  const known = !overtaken && work.standing?.state === 'tracked' && work.standing.owner === target.person;
  const before = known && work.standing ? work.standing : await stage.store.tracked(ref);
  if (!before) return nothing;
  const evidence = [
    {
      ...ref,
      at: now,
      person: target.person,
      grade: grades.accepted,
      source: 'next hop',
      reference: null,
      trusted: true,
    },
  ];
  if (delivery.forwardOf !== null) {
    if (before.state !== 'tracked' || before.owner !== target.person) return { ...nothing, evidence };
    // Their time begins now that they have the mail, not when it was given to them; unless that was a moment ago.
    const nextStepAt = before.pledge ? before.nextStepAt : clockFor(before, now);
    const asItStands = isAbout(before.nextStepAt, nextStepAt);
    const tracked: Tracked = asItStands ? before : { ...before, revision: before.revision + 1, nextStepAt };
    const nudges = nudgeOwner(stage, tracked, target.because, now, work.message.facts.excerpt);
    return {
      ...nothing,
      evidence,
      tracked: asItStands ? [] : [tracked],
      // Nobody is asked about what was taken meanwhile.
      standing: asItStands && nudges.length > 0 ? [{ ...ref, revision: before.revision }] : [],
      nudges,
      afterwards: () => followEarlyReturn(stage, work, target),
    };
  }
  if (before.state !== 'waiting' && before.state !== 'held') return { ...nothing, evidence };
  const first = before.plan.policy.steps[0];
  const tracked: Tracked = {
    ...before,
    state: 'tracked',
    revision: before.revision + 1,
    owner: target.person,
    ownedSince: target.person === null ? null : now,
    nextStepAt: first ? dueAfter(first, now) : null,
  };
  return {
    events: [],
    tracked: [tracked],
    nudges: target.shared
      ? nudgeAll(stage, tracked, target.shared, target.because, now)
      : nudgeOwner(stage, tracked, target.because, now, work.message.facts.excerpt),
    evidence,
    async afterwards() {
      stage.ledger.moved(before, tracked);
      // The owner may have left between the choice and the forward; nobody would have noticed.
      if (tracked.owner !== null) await escalateIfGone(stage, tracked);
      await followEarlyReturn(stage, work, target);
    },
  };
}

const isAbout = (one: Instant | null, other: Instant | null): boolean =>
  one === other || (one !== null && other !== null && Math.abs(other - one) < second);

async function escalateIfGone(stage: Stage, tracked: Tracked): Promise<void> {
  const { owner } = tracked;
  if (owner === null || !mayHave(stage, tracked.plan, owner)) return;
  const presence = presenceOf(stage.watcher, owner, jidOf(stage, owner));
  const { since } = presence;
  // Who left only just now is looked at when that has lasted.
  if (isGone(presence) && (since === null || stage.clock.now() - since > leavingLasts)) {
    await escalate(stage, tracked, { trigger: 'owner offline', owner: tracked.owner });
  }
}

/** A member's mailbox refuses the mail: others are asked before the sender is bothered. Null when that is not so. */
export async function followRefusal(
  stage: Stage,
  work: Work,
  target: Target,
  outcome: Outcome,
  now: Instant,
): Promise<(Following & { settlement: Settlement }) | null> {
  const { delivery } = work;
  if (outcome.kind !== 'permanent' || delivery.plan.kind !== 'group' || delivery.forwardOf !== null) return null;
  const { person } = target;
  if (person === null || !mayHave(stage, delivery.plan, person)) return null;
  const ref = trackedRef(work);
  const before = await stage.store.tracked(ref);
  // Refused twice means that it was the fallback, too: then the sender must know.
  if (!before || before.tried[person] !== undefined) return null;
  const reply = formatReply(outcome.reply);
  const tracked: Tracked = {
    ...before,
    revision: before.revision + 1,
    tried: { ...before.tried, [person]: `their mailbox refused it (${reply})` },
  };
  const event: StoryEvent = {
    event: 'failed',
    at: now,
    ...ref,
    to: target.mailbox,
    nextHop: delivery.lastHop ?? 'next hop',
    reply,
  };
  return {
    ...nothing,
    settlement: { ...ref, to: 'queued', reply, nextHop: delivery.lastHop, nextAttemptAt: now, counts: true },
    tracked: [tracked],
    events: [event],
  };
}

/** Nobody ever had it, and its sender is told: there is nothing to watch for. */
export async function followFailure(stage: Stage, work: Work, now: Instant): Promise<Following> {
  const { delivery } = work;
  if (delivery.plan.kind !== 'group' || delivery.plan.policy === null || delivery.forwardOf !== null) return nothing;
  const ref = trackedRef(work);
  const before = await stage.store.tracked(ref);
  if (before?.state !== 'waiting' && before?.state !== 'held') return nothing;
  const tracked: Tracked = {
    ...before,
    state: 'withdrawn',
    revision: before.revision + 1,
    nextStepAt: null,
    closedAt: now,
    closedBy: 'undeliverable',
  };
  return {
    ...nothing,
    tracked: [tracked],
    events: [{ event: 'closed', group: before.plan.group, at: now, ...ref, state: 'withdrawn', by: 'undeliverable' }],
    afterwards: async () => stage.ledger.moved(before, tracked),
  };
}

/** An escalation's forward was refused for good: the next one, at once. */
export function followUndeliverable(stage: Stage, work: Work, target: Target, outcome: Outcome): Following {
  const { person } = target;
  return {
    ...nothing,
    async afterwards() {
      await escalate(stage, trackedRef(work), { trigger: 'undeliverable', owner: person });
      if (outcome.kind === 'permanent') await oweFailure(stage, trackedRef(work), outcome.reply, null);
    },
  };
}

function trackedRef({ delivery }: Work): DeliveryRef {
  return { queueId: delivery.queueId, seq: delivery.forwardOf ?? delivery.seq };
}
