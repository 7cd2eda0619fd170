// Reports owed to the sender: one per message and outcome, made durable in the transaction that settles the attempt.
import type { Instant } from '../clock.ts';
import { headOf } from '../mail/content.ts';
import { type Action, needsSmtputf8, type ReportData } from '../mail/dsn.ts';
import type { Notify } from '../mail/envelope.ts';
import { type Mailbox, nullReversePath } from '../mail/path.ts';
import type { Reply } from '../mail/reply.ts';
import { languagesFor } from '../mail/report-text.ts';
import type { Acceptance, Delivery, Message } from '../store/store.ts';
import type { StoryEvent } from '../tracking/event.ts';
import { ownMail } from './own-mail.ts';
import type { Stage } from './parts.ts';

/** Something the sender is to be told of one delivery. All that are handed in together are of one message. */
export interface Notice {
  readonly message: Message;
  readonly delivery: Delivery;
  readonly action: Action;
  readonly reply: Reply;
  /** Host name of the next hop whose reply it is; null when it is ours. */
  readonly remote: string | null;
  /** With `delayed`. */
  readonly willRetryUntil?: Instant;
}

/** RFC 3461 §4.1: what NOTIFY asks for; without it failures, and delays as we see fit. */
export function isWanted(message: Message, delivery: Delivery, what: 'success' | 'failure' | 'delay'): boolean {
  // RFC 5321 §4.5.5: no report on a report. A forward that an escalation added is ours, not the sender's.
  if (message.envelope.reversePath === nullReversePath || delivery.forwardOf !== null) return false;
  const { notify } = delivery.path;
  return notify === undefined ? what !== 'success' : notify.some((word) => word === what);
}

/**
 * RFC 3461 §5.2.7: mail for a group with a policy may go to several members one after the other, so the sender hears
 * that it was expanded, and the members' next hops are not asked to report success.
 */
export function isExpanded({ plan, forwardOf }: Delivery): boolean {
  return plan.kind === 'group' && plan.policy !== null && forwardOf === null;
}

/** What the next hop is asked to report: all of it, or for an expanded delivery all but success. */
export function notifyOnward(delivery: Delivery): Notify | undefined {
  const { notify } = delivery.path;
  if (!isExpanded(delivery) || notify === undefined || !notify.some((word) => word === 'success')) return notify;
  const rest = notify.flatMap((word) => (word === 'failure' || word === 'delay' ? [word] : []));
  return rest.length > 0 ? rest : ['never'];
}

type Kind = 'failed' | 'delayed' | 'passed on';
const kindOf = ({ action }: Notice): Kind => (action === 'failed' || action === 'delayed' ? action : 'passed on');

const nothing = { acceptances: [], events: [] };

/** One report for each kind of outcome. */
export async function reportsFor(
  stage: Stage,
  notices: readonly Notice[],
  now: Instant,
): Promise<{ acceptances: readonly Acceptance[]; events: readonly StoryEvent[] }> {
  if (notices.length === 0) return nothing;
  const kinds = [...Map.groupBy(notices, kindOf).values()];
  const reports = await Promise.all(kinds.map((each) => reportOn(stage, each, now)));
  return {
    acceptances: reports.flatMap(({ acceptances }) => acceptances),
    events: reports.flatMap(({ events }) => events),
  };
}

async function reportOn(
  stage: Stage,
  notices: readonly Notice[],
  now: Instant,
): Promise<{ acceptances: readonly Acceptance[]; events: readonly StoryEvent[] }> {
  const [first] = notices;
  if (!first || first.message.envelope.reversePath === nullReversePath) return { acceptances: [], events: [] };
  const { message } = first;
  const sender = message.envelope.reversePath as Mailbox;
  const queueId = stage.newQueueId(now);
  const data = reportData(stage, notices, sender, headOf(await stage.store.content(message.queueId)), queueId, now);
  const content = await stage.composeReport(data);
  const acceptance = ownMail(
    stage,
    {
      queueId,
      to: sender,
      content,
      // The report cites what the next hop said, and may return 8-bit content.
      body: content.some((octet) => octet > 127) ? '8BITMIME' : '7BIT',
      smtputf8: needsSmtputf8(data),
      rulesVersion: first.delivery.plan.rulesVersion,
      because: `report on ${message.queueId}`,
    },
    now,
  );
  const reported = notices.map(
    ({ delivery, action }): StoryEvent => ({
      event: 'reported',
      at: now,
      queueId: delivery.queueId,
      seq: delivery.seq,
      to: sender,
      report: queueId,
      ...(action === undefined || action === 'failed' ? {} : { action }),
    }),
  );
  return { acceptances: [acceptance], events: reported };
}

function reportData(
  stage: Stage,
  notices: readonly Notice[],
  to: Mailbox,
  content: Uint8Array,
  queueId: ReportData['queueId'],
  now: Instant,
): ReportData {
  const [{ message }] = notices as readonly [Notice, ...Notice[]];
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
    languages: languagesFor(facts, stage.config.reports.languages),
    recipients: notices.map(({ delivery, action, reply, remote, willRetryUntil }) => ({
      // RFC 3464 §2.3.2: the address we had accepted it for; whom we chose for it is our own matter.
      mailbox: delivery.path.mailbox,
      ...(delivery.path.orcpt === undefined ? {} : { orcpt: delivery.path.orcpt }),
      action,
      reply,
      ...(remote === null ? {} : { remote }),
      lastAttemptAt: now,
      ...(willRetryUntil === undefined ? {} : { willRetryUntil }),
    })),
  };
}
