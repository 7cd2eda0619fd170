// Reports owed to the sender: one per message and outcome, made durable in the transaction that ends the delivery.
import type { Instant } from '../clock.ts';
import { type Action, needsSmtputf8, type ReportData } from '../mail/dsn.ts';
import type { Envelope } from '../mail/envelope.ts';
import { readFacts } from '../mail/header.ts';
import { type Mailbox, nullReversePath } from '../mail/path.ts';
import { newQueueId } from '../mail/queue-id.ts';
import type { Reply } from '../mail/reply.ts';
import type { Acceptance, Delivery, Message } from '../store/store.ts';
import type { StoryEvent } from '../tracking/event.ts';
import type { Stage } from './parts.ts';

/** All of one message, whose reverse-path is not null. */
export interface Failure {
  readonly message: Message;
  readonly delivery: Delivery;
  readonly reply: Reply;
  /** Host name of the next hop whose reply it is; null when it is ours. */
  readonly remote: string | null;
  /** `failed` unless said. */
  readonly action?: Action;
}

export async function reportsFor(
  stage: Stage,
  failures: readonly Failure[],
  now: Instant,
): Promise<{ acceptances: readonly Acceptance[]; events: readonly StoryEvent[] }> {
  const [first] = failures;
  if (!first || first.message.envelope.reversePath === nullReversePath) return { acceptances: [], events: [] };
  const { message } = first;
  const sender = message.envelope.reversePath as Mailbox;
  const queueId = newQueueId(now, stage.random);
  const data = reportData(stage, failures, sender, await stage.store.content(message.queueId), queueId, now);
  const content = await stage.composeReport(data);
  const envelope: Envelope = {
    reversePath: nullReversePath,
    forwardPaths: [{ mailbox: sender, notify: ['never'] }],
    // The report cites what the next hop said, and may return 8-bit content.
    body: content.some((octet) => octet > 127) ? '8BITMIME' : '7BIT',
    smtputf8: needsSmtputf8(data),
  };
  const client = { address: '127.0.0.1', port: 0, helo: stage.config.hostname, tls: false, carriesMembers: false };
  const facts = readFacts({ queueId, receivedAt: now, envelope, content, client });
  const because = [`report on ${message.queueId}`];
  const acceptance: Acceptance = {
    message: {
      queueId,
      acceptedAt: now,
      envelope: { reversePath: nullReversePath, body: envelope.body, smtputf8: envelope.smtputf8 },
      facts,
      size: content.length,
      trace: '',
      kind: 'report',
    },
    content,
    deliveries: [
      {
        seq: 0,
        path: { mailbox: sender, notify: ['never'] },
        plan: { kind: 'pass', address: sender, rule: null, rulesVersion: first.delivery.plan.rulesVersion, because },
        forwardOf: null,
        chosen: null,
        firstAttemptAt: now,
      },
    ],
    tracked: [],
    events: [
      {
        event: 'accepted',
        at: now,
        queueId,
        from: nullReversePath,
        to: [sender],
        size: content.length,
        peer: 'pointsman',
        ...(facts.subject === undefined ? {} : { subject: facts.subject }),
        ...(facts.messageId === undefined ? {} : { messageId: facts.messageId }),
      },
    ],
  };
  const reported = failures.map(
    ({ delivery, action }): StoryEvent => ({
      event: 'reported',
      at: now,
      queueId: delivery.queueId,
      seq: delivery.seq,
      to: sender,
      report: queueId,
      ...(action === undefined ? {} : { action }),
    }),
  );
  return { acceptances: [acceptance], events: reported };
}

function reportData(
  stage: Stage,
  failures: readonly Failure[],
  to: Mailbox,
  content: Uint8Array,
  queueId: ReportData['queueId'],
  now: Instant,
): ReportData {
  const [{ message }] = failures as readonly [Failure, ...Failure[]];
  const { facts, envelope } = message;
  return {
    queueId,
    hostname: stage.config.hostname,
    now,
    to,
    original: {
      queueId: message.queueId,
      arrivedAt: message.acceptedAt,
      envelope,
      content,
      ...(facts.messageId === undefined ? {} : { messageId: facts.messageId }),
    },
    recipients: failures.map(({ delivery, reply, remote, action }) => ({
      // RFC 3464 §2.3.2: the address we had accepted it for; whom we chose for it is our own matter.
      mailbox: delivery.path.mailbox,
      ...(delivery.path.orcpt === undefined ? {} : { orcpt: delivery.path.orcpt }),
      action: action ?? 'failed',
      reply,
      ...(remote === null ? {} : { remote }),
      lastAttemptAt: now,
    })),
  };
}
