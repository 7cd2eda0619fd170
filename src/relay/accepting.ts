// Acceptance: who may hand us mail and for whom, and what is made durable before the 250.

import type { Duration, Instant } from '../clock.ts';
import type { Client } from '../intake.ts';
import { readAttachments } from '../mail/attachments.ts';
import { type Content, type ContentFile, headOf, isFile } from '../mail/content.ts';
import type { Envelope, ForwardPath } from '../mail/envelope.ts';
import { describeError, PointsmanError } from '../mail/error.ts';
import type { MailFacts } from '../mail/facts.ts';
import { readFacts, readReferences } from '../mail/header.ts';
import { isMarked, markHeader } from '../mail/loop-mark.ts';
import { type Network, parseNetwork } from '../mail/network.ts';
import { domainKey, domainOf, localPartOf, mailboxKey } from '../mail/path.ts';
import { newShortId, type QueueId } from '../mail/queue-id.ts';
import { receivedField } from '../mail/received.ts';
import { type Reply, replies } from '../mail/reply.ts';
import { isRelayed } from '../routing/admission.ts';
import { choose } from '../routing/choose.ts';
import type { Surroundings } from '../routing/match.ts';
import { type PassPlan, type Plan, plan } from '../routing/plan.ts';
import type { Rules } from '../routing/rules.ts';
import { type Acceptance, type Message, type NewDelivery, ShortIdTaken } from '../store/store.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { learningUntil, type Work } from './choosing.ts';
import { type Parts, type Stage, tellAll } from './parts.ts';
import { presenceOf } from './presence-of.ts';
import { keptOf } from './privacy.ts';

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

/** Of our own name; that of our domains is a recipient like others, and is never refused either. */
export function isPostmaster(parts: Parts, { mailbox }: ForwardPath): boolean {
  if (localPartOf(mailbox).toLowerCase() !== 'postmaster') return false;
  const domain = domainOf(mailbox);
  return domain === domainKey(parts.config.hostname) || parts.config.domains.some((each) => domainKey(each) === domain);
}

/** Mail to the postmaster of our own name goes to the mailbox that is configured for it. */
function withPostmaster(parts: Parts, path: ForwardPath): ForwardPath {
  const { postmaster, hostname } = parts.config;
  const ours = isPostmaster(parts, path) && domainOf(path.mailbox) === domainKey(hostname);
  return ours && postmaster ? { ...path, mailbox: postmaster, orcpt: path.orcpt ?? `rfc822;${path.mailbox}` } : path;
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
  // One set for all of it: a reload while we look something up must not mix two.
  const rules = stage.rules.current();
  const threadSeen = await threadSeenIn(stage, rules, () => readReferences(headOf(content)));
  for (let attempt = 1; ; attempt += 1) {
    let acceptance: Acceptance;
    try {
      acceptance = planned(stage, rules, client, envelope, content, threadSeen, leaseFor);
      const stored = stage.store.accept(acceptance);
      stage.leisure.meanwhile();
      await stored;
    } catch (error) {
      // Chance drew a short id that is in use: draw again.
      if (error instanceof ShortIdTaken && attempt < 8) continue;
      if (isFile(content)) await dropFile(stage, content);
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

/** Of content that nobody will need. */
export async function dropFile(stage: Stage, content: ContentFile): Promise<void> {
  await stage.store
    .dropContent(content)
    .catch((error: unknown) => stage.log.warn({ err: error }, 'a file of refused content stays until the next start'));
}

/** Whether a mail of this thread was given to somebody before; asked only when a rule asks. */
export async function threadSeenIn(
  stage: Stage,
  rules: Rules,
  referencesOf: () => readonly string[],
): Promise<boolean | undefined> {
  if (!rules.reads?.thread) return undefined;
  const references = referencesOf();
  return references.length > 0 && (await stage.store.trackedByMessageId(references)).length > 0;
}

/** What the rules say of each recipient, and all that has to be written. Throws when the rules refuse every recipient. */
function planned(
  stage: Stage,
  rules: Rules,
  client: Client,
  given: Envelope,
  content: Content,
  threadSeen: boolean | undefined,
  leaseFor: Duration | null,
): Acceptance {
  const envelope: Envelope = { ...given, forwardPaths: given.forwardPaths.map((path) => withPostmaster(stage, path)) };
  const now = stage.clock.now();
  const queueId = stage.newQueueId(now);
  // Of a large message the first 256 kB are looked at: attachments beyond are not found, as a test on them then is not met.
  const octets = headOf(content);
  const head = readFacts({ queueId, receivedAt: now, envelope, content: octets, size: content.length, client });
  const read = rules.reads?.attachments ? { ...head, attachments: readAttachments(octets) } : head;
  const around = surroundingsOf(stage, rules, now, threadSeen);
  const plans = envelope.forwardPaths.map((path) => unlessMarked(stage, read, plan(read, path.mailbox, rules, around)));
  const facts = keptOf(read, plans, rules, content);
  const refusals = plans.map((each) => refusalOf(stage, each, now));
  const [refusal] = refusals;
  if (refusal && refusals.every((each) => each !== undefined)) {
    // One reply for all: temporary as soon as one of them is, so that nobody's mail is given up.
    const { reply, because } = refusals.find((each) => each !== undefined && each.reply.code < 500) ?? refusal;
    throw new PointsmanError(reply, because.join('; '));
  }

  const deliveries = [
    ...envelope.forwardPaths.map(
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
    ),
    ...copiesOf(plans, envelope.forwardPaths.length, now).map((copy) => ({
      ...copy,
      ...(leaseFor === null ? {} : { leasedUntil: now + leaseFor, finalDotAt: now }),
    })),
  ];
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

/** What the rules may ask about besides the mail. */
export function surroundingsOf(
  stage: Stage,
  rules: Rules,
  now: Instant,
  threadSeen: boolean | undefined,
): Surroundings {
  return {
    now,
    presenceOf(name) {
      const person = rules.people.get(name);
      return person && presenceOf(stage.watcher, name, person.jid);
    },
    waiting: (group) => stage.ledger.waiting(group, now),
    ...(threadSeen === undefined ? {} : { threadSeen }),
  };
}

/** By a route, or because nobody is eligible and the rules then refuse: the sender's server can still be told. */
function refusalOf(stage: Stage, one: Plan, now: Instant): { reply: Reply; because: readonly string[] } | undefined {
  if (one.kind === 'reject') return one;
  if (one.kind !== 'group' || one.mode === 'observe' || !one.chain?.some((link) => link.kind === 'refuse'))
    return undefined;
  const holdUntil = learningUntil(stage, one, now);
  const choice = choose(
    one,
    stage.ledger.snapshot(one, stage.watcher, { now, excluded: {}, holdUntil, acceptedAt: now }),
  );
  if (choice.kind !== 'fallback' || choice.refusal === undefined) return undefined;
  return { reply: choice.refusal, because: [...one.because, ...choice.because] };
}

/** RFC 3461 §4.1: nobody but us asked for the copy, so the sender hears nothing of it. */
export function copiesOf(plans: readonly Plan[], first: number, now: Instant): NewDelivery[] {
  const wanted = new Map<string, NewDelivery>();
  for (const one of plans) {
    if (one.kind === 'reject') continue;
    for (const mailbox of one.copies ?? []) {
      if (wanted.has(mailboxKey(mailbox))) continue;
      const because = [`a copy of the mail for ${one.address}`];
      const copy: PassPlan = {
        kind: 'pass',
        address: mailbox,
        rule: one.rule,
        rulesVersion: one.rulesVersion,
        because,
      };
      wanted.set(mailboxKey(mailbox), {
        seq: first + wanted.size,
        path: { mailbox, notify: ['never'] },
        plan: copy,
        forwardOf: null,
        chosen: null,
        firstAttemptAt: now,
      });
    }
  }
  return [...wanted.values()];
}

/** As claimDue would give it. */
function workOf(message: Message, { seq, path, plan: planned, finalDotAt, firstAttemptAt }: NewDelivery): Work {
  return {
    message,
    dotStored: finalDotAt !== undefined,
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
      finalDotAt: null,
      nextAttemptAt: firstAttemptAt,
      onHoldBy: null,
      delayToldAt: null,
    },
  };
}

const lowerMark = markHeader.toLowerCase();

/** A member has sent it back: it went out to this group with our mark. */
export function unlessMarked(stage: Stage, facts: MailFacts, planned: Plan): Plan {
  if (planned.kind !== 'group') return planned;
  const marks = facts.headers.filter(([name]) => name === lowerMark).map(([, value]) => value);
  if (marks.length === 0 || !isMarked(marks, stage.markKeys(), planned.group, facts.messageId)) return planned;
  const { address, rule, rulesVersion } = planned;
  const because = [`a loop: it has our mark for the group ${planned.group}`];
  return { kind: 'reject', address, reply: replies.loop, rule, rulesVersion, because };
}

export function trackedFor(
  stage: Stage,
  facts: MailFacts,
  delivery: Pick<NewDelivery, 'seq' | 'path' | 'plan'>,
): Tracked[] {
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
