// An operator sends a message on to another address: what waits of it, what could not be delivered, and what was
// reported as failed. The new recipient is planned by the rules in force, as if the mail had been addressed so.
import { type Mailbox, mailboxKey } from '../mail/path.ts';
import type { QueueId } from '../mail/queue-id.ts';
import { formatReply } from '../mail/reply.ts';
import { RefusedError } from '../operations.ts';
import { isRelayed } from '../routing/admission.ts';
import { plan } from '../routing/plan.ts';
import { type Intervened, type NewDelivery, ShortIdTaken } from '../store/store.ts';
import { surroundingsOf, trackedFor } from './accepting.ts';
import { casTries, type Stage } from './parts.ts';

/** @throws RefusedError */
export async function requeue(stage: Stage, queueId: QueueId, to: Mailbox, by: string): Promise<Intervened> {
  const found = await stage.store.message(queueId);
  if (!found) throw new RefusedError(`no message ${queueId}`);
  if (found.deliveries.every(({ state }) => state === 'delivered')) return { done: [], busy: [] };
  if (!found.contentKept) throw new RefusedError(`the content of ${queueId} is not kept any more`);
  const rules = stage.rules.current();
  if (!isRelayed(to, rules, stage.config.domains)) {
    throw new RefusedError(`${to} is in none of our domains and belongs to no group and no person`);
  }
  const { facts } = found.message;
  const planned = plan(facts, to, rules, surroundingsOf(stage, rules, stage.clock.now(), undefined));
  if (planned.kind === 'reject') {
    throw new RefusedError(`mail to ${to} is refused: ${formatReply(planned.reply)} (${planned.because.join('; ')})`);
  }
  // Of several recipients that are sent on together, the first tells what it was addressed as and what is reported.
  const first = found.deliveries.find(({ state, forwardOf }) => state !== 'delivered' && forwardOf === null);
  const delivery: Omit<NewDelivery, 'firstAttemptAt'> = {
    seq: -1,
    path: {
      ...first?.path,
      mailbox: to,
      ...(first && mailboxKey(first.path.mailbox) !== mailboxKey(to)
        ? { orcpt: first.path.orcpt ?? `rfc822;${first.path.mailbox}` }
        : {}),
    },
    plan: { ...planned, because: [`${by} sent it on to ${to}`, ...planned.because] },
    forwardOf: null,
    chosen: null,
  };
  const at = stage.clock.now();
  for (let attempt = 1; ; attempt += 1) {
    const [tracked = null] = trackedFor(stage, { ...facts, receivedAt: at }, delivery);
    try {
      const done = await stage.store.intervene(queueId, {
        action: 'requeue',
        at,
        by,
        says: `requeued to ${to}`,
        replacement: { delivery, tracked },
      });
      stage.wake();
      return done;
    } catch (error) {
      if (!(error instanceof ShortIdTaken) || attempt >= casTries) throw error;
    }
  }
}
