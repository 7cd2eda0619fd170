// After a reload, when the admin has chosen so (queue.onReload: replan): mail that still waits for a group is planned
// anew by the rules in force, as if it had just come. What somebody has had already ends as it was planned: its steps
// are counted in the policy under which it was given.
import { mayBeShared, type Plan, plan } from '../routing/plan.ts';
import { ShortIdTaken } from '../store/store.ts';
import type { StoryEvent } from '../tracking/event.ts';
import { surroundingsOf, threadSeenIn, trackedFor, unlessMarked } from './accepting.ts';
import type { Work } from './choosing.ts';
import { casTries, type Stage, tellAll } from './parts.ts';

/** The same work, under the plan that holds now. */
export async function replanned(stage: Stage, work: Work): Promise<Work> {
  const rules = stage.rules.current();
  if (!mayBeReplanned(stage, work, rules.version)) return work;
  const { message, delivery } = work;
  const { facts } = message;
  const threadSeen = await threadSeenIn(stage, rules, () => facts.references);
  const now = stage.clock.now();
  const before = delivery.plan;
  const around = surroundingsOf(stage, rules, now, threadSeen);
  const after = unlessMarked(stage, facts, plan(facts, delivery.path.mailbox, rules, around));
  const ref = { queueId: delivery.queueId, seq: delivery.seq };
  const event: StoryEvent = {
    event: 'operated',
    at: now,
    ...ref,
    action: `planned anew under rules ${after.rulesVersion}: ${summary(before)} → ${summary(after)}`,
    by: 'reload',
  };
  for (let attempt = 1; ; attempt += 1) {
    const [tracked = null] = trackedFor(stage, facts, { ...ref, path: delivery.path, plan: after });
    try {
      const written = await stage.store.replan({ ...ref, plan: after, tracked, at: now }, { events: [event] });
      // Somebody has closed it, or it has ended: what is in hand says so itself.
      if (written === 'stale') return work;
      break;
    } catch (error) {
      // Chance drew a short id that is in use: draw again.
      if (!(error instanceof ShortIdTaken) || attempt >= casTries) throw error;
    }
  }
  tellAll(stage, [event]);
  if (before.kind === 'group') stage.ledger.release(ref, before.group);
  const state = after.kind === 'group' ? delivery.state : 'queued';
  return { message, delivery: { ...delivery, plan: after, state } };
}

/** The rules have changed: what is held looks again, by the new ones where that was chosen. */
export async function lookAgain(stage: Stage): Promise<void> {
  if (stage.config.queue.onReload !== 'replan') return;
  const now = stage.clock.now();
  // All of each line: whoever leaves it for another group wakes nobody behind them.
  for (const group of stage.ledger.holding()) await stage.store.wakeHeld(group, now);
  stage.wake();
}

export function mayBeReplanned(stage: Stage, { message, delivery }: Work, version: string): boolean {
  const { plan: planned, forwardOf, finalDotAt, chosen } = delivery;
  return (
    stage.config.queue.onReload === 'replan' &&
    planned.kind === 'group' &&
    planned.rulesVersion !== version &&
    message.kind === 'mail' &&
    forwardOf === null &&
    // The next hop may have it already.
    finalDotAt === null &&
    // Several have it already, in deliveries of their own.
    !(chosen !== null && mayBeShared(planned)) &&
    // An operator is looking at it.
    planned.mode !== 'propose'
  );
}

function summary(one: Plan): string {
  return one.kind === 'group' ? `group ${one.group}` : one.kind === 'pass' ? 'passed through' : 'refused';
}
