// What one outcome means for one delivery: delivered, tried again, reported, or a dead letter; and what the sender hears.
import type { Instant } from '../clock.ts';
import { formatReply, type Reply, replies } from '../mail/reply.ts';
import type { Settlement } from '../store/store.ts';
import { afterAttempt, type RetryPolicy } from '../tracking/after-attempt.ts';
import type { StoryEvent } from '../tracking/event.ts';
import type { NextHop, Outcome } from '../transport.ts';
import type { Target, Work } from './choosing.ts';
import { sessionFailure } from './hops.ts';
import type { Stage } from './parts.ts';
import { isExpanded, isWanted, type Notice } from './reporting.ts';

export interface Judged {
  readonly settlement: Settlement;
  readonly events: readonly StoryEvent[];
  readonly notices: readonly Notice[];
  readonly delivered: boolean;
}

export function judge(
  stage: Stage,
  work: Work,
  target: Target,
  outcome: Outcome,
  hop: NextHop | null,
  now: Instant,
): Judged {
  const { message, delivery } = work;
  const { queueId, seq } = delivery;
  const base = { at: now, queueId, seq, to: target.mailbox, nextHop: hop?.name ?? 'none' };
  const after = afterAttempt(
    { attempts: delivery.attempts, acceptedAt: message.acceptedAt },
    outcome,
    lifetimeFor(stage, message),
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
        notices: successOf(work, outcome, after.reply, hop),
        delivered: true,
      };
    case 'retry': {
      const delayed = delayOf(stage, work, outcome, hop, now);
      return {
        settlement: {
          queueId,
          seq,
          to: 'queued',
          reply: said,
          nextHop: base.nextHop,
          nextAttemptAt: after.at,
          counts: true,
          ...(delayed.length > 0 ? { delayToldAt: now } : {}),
          ...(hop && sessionFailure([outcome]) !== null ? { waitsFor: hop.name } : {}),
        },
        events: [{ ...base, event: 'deferred', reply: said, nextAttemptAt: after.at }],
        notices: delayed,
        delivered: false,
      };
    }
    case 'failed':
      return failed(stage, work, target, after.reply, base, hop, outcome, now);
    default:
      return after satisfies never;
  }
}

/** A report that cannot be delivered helps nobody after a while; mail that cannot may still be wanted. */
function lifetimeFor(stage: Stage, message: Work['message']): RetryPolicy {
  const { queue } = stage.config;
  return message.kind === 'report' ? { ...queue, lifetime: queue.reportLifetime } : queue;
}

const remoteOf = (outcome: Outcome, hop: NextHop | null): string | null =>
  hop && 'reply' in outcome && outcome.reply ? hop.host : null;

/** RFC 3461 §5.2: success that was asked for, and that nobody behind us will report. */
function successOf({ message, delivery }: Work, outcome: Outcome, reply: Reply, hop: NextHop | null): Notice[] {
  if (!isWanted(message, delivery, 'success')) return [];
  const takenOver = outcome.kind === 'accepted' && outcome.dsn === true;
  const remote = remoteOf(outcome, hop);
  if (isExpanded(delivery)) return [{ message, delivery, action: 'expanded', reply, remote }];
  return takenOver ? [] : [{ message, delivery, action: 'relayed', reply, remote }];
}

/** Once for each delivery, at the first attempt that fails after the time for it. */
function delayOf(
  stage: Stage,
  { message, delivery }: Work,
  outcome: Outcome,
  hop: NextHop | null,
  now: Instant,
): Notice[] {
  const { delayNotice, lifetime } = stage.config.queue;
  if (delayNotice === null || delivery.delayToldAt !== null || now - message.acceptedAt < delayNotice) return [];
  if (!isWanted(message, delivery, 'delay')) return [];
  const reply: Reply = ('reply' in outcome ? outcome.reply : undefined) ?? {
    ...replies.unreachable,
    text: `${replies.unreachable.text}: ${'cause' in outcome ? outcome.cause : 'no reply'}`,
  };
  const willRetryUntil = message.acceptedAt + lifetime;
  return [{ message, delivery, action: 'delayed', reply, remote: remoteOf(outcome, hop), willRetryUntil }];
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
      notices: [],
      delivered: false,
    };
  }
  if (isWanted(message, delivery, 'failure')) {
    return {
      settlement: { queueId, seq, to: 'failed', at: now, reply: said, nextHop: base.nextHop },
      events: [event],
      notices: [{ message, delivery, action: 'failed', reply, remote: remoteOf(outcome, hop) }],
      delivered: false,
    };
  }
  // RFC 5321 §4.5.5 and RFC 3461 §4.1: no report on a report, none where NOTIFY does not ask for it. Kept, and somebody must look.
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
    notices: [],
    delivered: false,
  };
}
