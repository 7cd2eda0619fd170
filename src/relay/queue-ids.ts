// Ids that differ, also when many are drawn in one millisecond: four characters of chance alone would be the same twice
// every quarter of an hour at 1,500 messages a second, and the second message would be put off for it.
import type { Instant, Random } from '../clock.ts';
import { newQueueId, type QueueId } from '../mail/queue-id.ts';

/** Of one process. A clock that goes back leaves it to chance, and a start after it. */
export function queueIds(random: Random): (now: Instant) => QueueId {
  let moment: Instant | null = null;
  const drawn = new Set<QueueId>();
  return (now) => {
    if (now !== moment) drawn.clear();
    moment = now;
    let id = newQueueId(now, random);
    for (let again = 0; drawn.has(id) && again < 100; again += 1) id = newQueueId(now, random);
    drawn.add(id);
    return id;
  };
}
