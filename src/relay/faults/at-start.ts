// A mail comes to its bad end first, in one transaction, and is told of then. What died in between is told at the next
// start.
import { type Duration, day } from '../../clock.ts';
import type { Stage } from '../parts.ts';
import type { Desk } from './desk.ts';

/** Messages that are looked at, of each kind. */
const most = 10_000;
/** What was exhausted longer ago than this is history. */
const exhaustedWithin: Duration = 7 * day;

export async function tellOfWhatEnded(stage: Stage, desk: Desk): Promise<void> {
  await tellOfDeadLetters(stage, desk);
  await tellOfExhausted(stage, desk);
}

async function tellOfDeadLetters({ store }: Stage, desk: Desk): Promise<void> {
  if ((await store.counts()).deliveries.dead === 0) return;
  const known = new Set(await store.faultSubjects('dead-letter'));
  for (const { queueId, path, lastReply } of await store.listQueue({ states: ['dead'], limit: most })) {
    if (known.has(queueId)) continue;
    known.add(queueId);
    const text = `Mail to ${path.mailbox} could not be delivered and must not be reported: ${lastReply ?? ''}`;
    await desk.raise('dead-letter', queueId, `${text} (${queueId})`);
  }
}

async function tellOfExhausted({ store, clock }: Stage, desk: Desk): Promise<void> {
  const since = clock.now() - exhaustedWithin;
  const expired = await store.listTracked({ states: ['expired'], limit: most });
  if (expired.length === 0) return;
  const known = new Set(await store.faultSubjects('escalation-exhausted'));
  for (const { queueId } of expired) {
    if (known.has(queueId)) continue;
    known.add(queueId);
    for (const event of await store.events(queueId)) {
      if (event.event !== 'fault' || event.fault !== 'escalation-exhausted' || event.at < since) continue;
      await desk.raise('escalation-exhausted', queueId, `${event.text} (${queueId})`);
    }
  }
}
