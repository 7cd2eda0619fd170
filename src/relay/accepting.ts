// Acceptance: who may hand us mail and for whom, and what is made durable before the 250.

import type { Duration } from '../clock.ts';
import type { Client } from '../intake.ts';
import { type Content, type ContentFile, headOf, isFile } from '../mail/content.ts';
import type { Envelope, ForwardPath } from '../mail/envelope.ts';
import { describeError, PointsmanError } from '../mail/error.ts';
import type { MailFacts } from '../mail/facts.ts';
import { readFacts } from '../mail/header.ts';
import { isMarked, markHeader } from '../mail/loop-mark.ts';
import { type Network, parseNetwork } from '../mail/network.ts';
import { newQueueId, newShortId, type QueueId } from '../mail/queue-id.ts';
import { receivedField } from '../mail/received.ts';
import { type Reply, replies } from '../mail/reply.ts';
import { isRelayed } from '../routing/admission.ts';
import { type Plan, plan } from '../routing/plan.ts';
import { type Acceptance, type Message, type NewDelivery, ShortIdTaken } from '../store/store.ts';
import type { Tracked } from '../tracking/tracked.ts';
import type { Work } from './choosing.ts';
import { type Parts, type Stage, tellAll } from './parts.ts';

export interface Peers {
  admit(address: string): Reply | undefined;
  carriesMembers(address: string): boolean;
}

/** An empty list refuses everybody. Judged on the real peer address alone. */
export function peersOf(config: Parts['config']): Peers {
  const peers = config.peers.map(({ network, carriesMembers }) => {
    const matches: Network | undefined = parseNetwork(network);
    if (!matches) throw new RangeError(`not a network: ${network}`);
    return { matches, carriesMembers };
  });
  return {
    admit: (address) => (peers.some(({ matches }) => matches(address)) ? undefined : replies.relayingDenied),
    carriesMembers: (address) => peers.some(({ matches, carriesMembers }) => carriesMembers && matches(address)),
  };
}

/** A loopback peer is any local user, so relaying goes only to what is configured, whoever asks. */
export function admitRecipient(parts: Parts, path: ForwardPath): Reply | undefined {
  return isRelayed(path.mailbox, parts.rules.current(), parts.config.domains) ? undefined : replies.relayingDenied;
}

export interface Accepted {
  readonly queueId: QueueId;
  readonly facts: MailFacts;
  /** Leased to us at acceptance: to be attempted now, with the content that is still in memory. */
  readonly works: readonly Work[];
}

/** Resolves when everything is synced to disk. `leaseFor`: how long, if it may be attempted at once. */
export async function keepSafe(
  stage: Stage,
  client: Client,
  envelope: Envelope,
  content: Content,
  leaseFor: Duration | null,
): Promise<Accepted> {
  for (let attempt = 1; ; attempt += 1) {
    let acceptance: Acceptance;
    try {
      acceptance = planned(stage, client, envelope, content, leaseFor);
      await stage.store.accept(acceptance);
    } catch (error) {
      // Chance drew a short id that is in use: draw again.
      if (error instanceof ShortIdTaken && attempt < 8) continue;
      if (isFile(content)) await dropped(stage, content);
      if (error instanceof PointsmanError) throw error;
      throw new PointsmanError(replies.localError, `it could not be accepted: ${describeError(error)}`, {
        cause: error,
      });
    }
    stage.reach('accepted-not-replied');
    tellAll(stage, acceptance.events);
    const { message } = acceptance;
    const works = leaseFor === null ? [] : acceptance.deliveries.map((each) => workOf(message, each));
    if (leaseFor === null) stage.wake();
    return { queueId: message.queueId, facts: message.facts, works };
  }
}

async function dropped(stage: Stage, content: ContentFile): Promise<void> {
  await stage.store
    .dropContent(content)
    .catch((error: unknown) => stage.log.warn({ err: error }, 'a file of refused content stays until the next start'));
}

/** What the rules say of each recipient, and all that has to be written. Throws when the rules refuse every recipient. */
function planned(
  stage: Stage,
  client: Client,
  envelope: Envelope,
  content: Content,
  leaseFor: Duration | null,
): Acceptance {
  const now = stage.clock.now();
  const queueId = newQueueId(now, stage.random);
  const facts = readFacts({
    queueId,
    receivedAt: now,
    envelope,
    content: headOf(content),
    size: content.length,
    client,
  });
  const rules = stage.rules.current();
  const plans = envelope.forwardPaths.map((path) => unlessMarked(stage, facts, plan(facts, path.mailbox, rules)));
  const refusal = plans.every((each) => each.kind === 'reject') ? plans[0] : undefined;
  if (refusal?.kind === 'reject') throw new PointsmanError(refusal.reply, refusal.because.join('; '));

  const deliveries = envelope.forwardPaths.map(
    (path, seq): NewDelivery => ({
      seq,
      path,
      plan: plans[seq] as Plan,
      forwardOf: null,
      chosen: null,
      firstAttemptAt: now,
      ...(leaseFor === null ? {} : { leasedUntil: now + leaseFor }),
      // Mail that passes through goes out in milliseconds, without another commit before its final dot.
      ...(leaseFor !== null && plans[seq]?.kind === 'pass' ? { finalDotAt: now } : {}),
    }),
  );
  const { forwardPaths: _paths, ...shared } = envelope;
  return {
    message: {
      queueId,
      acceptedAt: now,
      envelope: shared,
      facts,
      size: content.length,
      trace: receivedField({ queueId, at: now, hostname: stage.config.hostname, client, envelope }),
      kind: 'mail',
    },
    content,
    deliveries,
    tracked: deliveries.flatMap((delivery) => trackedFor(stage, facts, delivery)),
    events: [
      {
        event: 'accepted',
        at: now,
        queueId,
        from: envelope.reversePath,
        to: envelope.forwardPaths.map((path) => path.mailbox),
        size: content.length,
        peer: client.address,
        ...(facts.subject === undefined ? {} : { subject: facts.subject }),
        ...(facts.messageId === undefined ? {} : { messageId: facts.messageId }),
      },
    ],
  };
}

/** As claimDue would give it. */
function workOf(message: Message, { seq, path, plan: planned, finalDotAt, firstAttemptAt }: NewDelivery): Work {
  return {
    message,
    delivery: {
      queueId: message.queueId,
      seq,
      path,
      plan: planned,
      state: 'queued',
      attempts: 0,
      forwardOf: null,
      chosen: null,
      lastReply: null,
      lastHop: null,
      finalDotAt: finalDotAt ?? null,
      nextAttemptAt: firstAttemptAt,
      onHoldBy: null,
      delayToldAt: null,
    },
  };
}

/** A member has sent it back: it went out to this group with our mark. */
function unlessMarked(stage: Stage, facts: MailFacts, planned: Plan): Plan {
  if (planned.kind !== 'group') return planned;
  const marks = facts.headers.flatMap(([name, value]) => (name === markHeader.toLowerCase() ? [value] : []));
  if (marks.length === 0 || !isMarked(marks, stage.markKeys(), planned.group, facts.messageId)) return planned;
  const { address, rule, rulesVersion } = planned;
  const because = [`a loop: it has our mark for the group ${planned.group}`];
  return { kind: 'reject', address, reply: replies.loop, rule, rulesVersion, because };
}

export function trackedFor(stage: Stage, facts: MailFacts, delivery: NewDelivery): Tracked[] {
  const { plan: planned, seq, path } = delivery;
  if (planned.kind !== 'group' || planned.policy === null) return [];
  return [
    {
      queueId: facts.queueId,
      seq,
      shortId: newShortId(stage.random),
      state: 'waiting',
      revision: 1,
      plan: { ...planned, policy: planned.policy },
      owner: null,
      ownedSince: null,
      step: 0,
      stepTaken: 0,
      nextStepAt: null,
      tried: {},
      acceptedAt: facts.receivedAt,
      closedAt: null,
      closedBy: null,
      messageId: facts.messageId ?? null,
      subject: facts.subject ?? null,
      from: facts.from ?? facts.reversePath,
      reversePath: facts.reversePath,
      address: path.mailbox,
    },
  ];
}
