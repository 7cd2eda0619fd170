// What is claimed and cannot be attempted now goes back, and comes again when its next hop takes more.
import { type Duration, minute } from '../clock.ts';
import type { Settlement } from '../store/store.ts';
import type { StoryEvent } from '../tracking/event.ts';
import type { NextHop } from '../transport.ts';
import type { Target, Work } from './choosing.ts';
import type { Gate } from './hops.ts';
import { type Stage, tellAll } from './parts.ts';

/** What is put back comes again after this at the latest. */
export const longestWait: Duration = 30 * minute;

/** Claimed, but too much waits for that next hop already: nobody is chosen, nothing attempted. */
export function turnAway(stage: Stage, works: readonly Work[], hop: string): Promise<void> {
  const gate = stage.hops.crowded(hop, stage.clock.now());
  const loads = works.map((work) => ({ work, target: work.delivery.chosen ?? work.delivery.path, hop: { name: hop } }));
  return putBack(stage, loads, gate);
}

/** No attempt: the next hop gets nothing just now. Told once for each delivery, or the story would be full of it. */
export async function putBack(
  stage: Stage,
  loads: readonly {
    readonly work: Work;
    readonly target: Pick<Target, 'mailbox'>;
    readonly hop: Pick<NextHop, 'name'>;
  }[],
  gate: Gate & { kind: 'wait' },
): Promise<void> {
  const now = stage.clock.now();
  const settlements: Settlement[] = [];
  const events: StoryEvent[] = [];
  for (const { work, target, hop } of loads) {
    const { queueId, seq, lastHop, finalDotAt } = work.delivery;
    const { firstRetry } = stage.config.queue;
    // What has waited long may wait a little longer: a long queue must not be turned over every minute.
    const patience = Math.min(
      longestWait,
      Math.max(gate.until - now, Math.min(firstRetry, 5_000), gate.turn ? 0 : (now - work.message.acceptedAt) / 4),
    );
    const nextAttemptAt = now + Math.round(gate.turn ? patience : patience * (0.8 + 0.4 * stage.random()));
    const reply = lastHop === null ? gate.because : null;
    settlements.push({
      queueId,
      seq,
      to: 'queued',
      reply,
      nextHop: hop.name,
      nextAttemptAt,
      counts: false,
      waitsFor: hop.name,
      mayHaveArrived: finalDotAt !== null,
    });
    // Waiting for its turn is nothing that the next hop did.
    if (reply !== null && !gate.turn) {
      events.push({
        event: 'deferred',
        at: now,
        queueId,
        seq,
        to: target.mailbox,
        nextHop: hop.name,
        reply,
        nextAttemptAt,
      });
    }
  }
  if ((await stage.store.settle(settlements, { events })) === 'done') tellAll(stage, events);
  stage.wake();
}

/** In the background: whoever was just delivered must not wait for it. */
export function catchUp(stage: Stage, hop: string, count: number): void {
  if (count === 0) return;
  const now = stage.clock.now();
  stage.store.hastenHop(hop, now, count).then(
    (hastened) => {
      if (hastened === 0) stage.hops.caughtUp(hop, now);
      else stage.wake();
    },
    (error: unknown) => stage.log.warn({ err: error, nextHop: hop }, 'what waits for a next hop could not be hastened'),
  );
}
