// What we ask of the next hop and of the member's mail program on behalf of a policy: delivery reports to an address of
// ours, one per delivery, and a read receipt. Nothing is asked for mail that nobody may answer automatically.
import type { Envelope, Notify } from '../mail/envelope.ts';
import { mayAskForMdn } from '../mail/mdn.ts';
import { nullReversePath } from '../mail/path.ts';
import type { Work } from './choosing.ts';
import type { Stage } from './parts.ts';

export interface Asked {
  /** Instead of the sender's; every report owed to the sender is then written by us (returning.ts). */
  readonly envelope: Omit<Envelope, 'forwardPaths'>;
  /** Instead of the sender's, which we answer ourselves. */
  readonly notify?: Notify;
  /** Header lines to prepend. */
  readonly prepend: string;
}

export function askFor(stage: Pick<Stage, 'ours'>, { message, delivery }: Work): Asked {
  const { envelope, facts } = message;
  const ask = delivery.plan.kind === 'group' ? (delivery.plan.policy?.ask ?? []) : [];
  // RFC 5321 §4.5.5: what has the null reverse-path keeps it, or two programs could answer each other for ever.
  if (stage.ours === null || ask.length === 0 || envelope.reversePath === nullReversePath)
    return { envelope, prepend: '' };
  const address = stage.ours.reportsOn(delivery);
  // RFC 8098 §2.1: a program asks its user when this differs from Return-Path; here both are the same where both are asked.
  const prepend = ask.includes('mdn') && mayAskForMdn(facts) ? `Disposition-Notification-To: <${address}>\r\n` : '';
  if (!ask.includes('dsn')) return { envelope, prepend };
  return {
    envelope: { ...envelope, reversePath: address, envid: `${delivery.queueId}.${delivery.seq}`, ret: 'HDRS' },
    notify: ['success', 'failure', 'delay'],
    prepend,
  };
}
