// Advise: an MTA keeps queue and delivery to itself and asks, at the end of a message, who shall have it. The same plan,
// choice and watch as for mail that we carry; only the forwarding is the MTA's.
//
// What is watched is on disk before the MTA hears an answer, because a later step may have to forward it. An MTA that
// loses the answer has its client send the mail again: what was stored for the first time is then withdrawn.
import { second } from '../clock.ts';
import type { Advice, Advised, Advisor, Client, Planned } from '../intake.ts';
import type { Envelope } from '../mail/envelope.ts';
import { describeError, PointsmanError } from '../mail/error.ts';
import { factsOf, fieldsOf, type RawField, readFacts } from '../mail/header.ts';
import { isMarked, markName } from '../mail/mark.ts';
import { type Mailbox, mailboxKey } from '../mail/path.ts';
import { receivedField } from '../mail/received.ts';
import { replies } from '../mail/reply.ts';
import { indexOf } from '../routing/admission.ts';
import { type Choice, choose } from '../routing/choose.ts';
import { refusalByEnvelope, refusesByEnvelope } from '../routing/envelope-rules.ts';
import { type GroupPlan, type Plan, plan } from '../routing/plan.ts';
import type { NewDecision, NewDelivery } from '../store/store.ts';
import { ShortIdTaken } from '../store/store.ts';
import type { StoryEvent } from '../tracking/event.ts';
import { grades } from '../tracking/evidence.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { trackedFor, unlessMarked } from './accepting.ts';
import { chosenEvent, decided } from './choosing.ts';
import { askWhetherThere, doubtful, noDoubts } from './doubting.ts';
import { nudgeOwner, tellOfUntracked } from './nudging.ts';
import { casTries, type Stage, tellAll } from './parts.ts';
import { isUnheard, presenceOf } from './presence-of.ts';

/**
 * Untracked mail is written down after the answer, and not more of it in a second than leaves time for answering: a
 * flood must not make the MTA wait for our book-keeping. Mail that is watched is always written down.
 */
const writtenPerSecond = 250;

export function createAdvisor(
  stage: Stage,
  options: {
    /** The key of our own marks; null when nothing is marked. */
    readonly markKey: string | null;
    /** Mail that may answer another. Must not throw. */
    readonly onReply: (planned: Pick<Planned, 'facts'>) => void;
  },
): Advisor {
  let budget = { since: 0, written: 0, passedOver: 0 };

  function mayWrite(now: number): boolean {
    if (now - budget.since >= second || now < budget.since) {
      if (budget.passedOver > 0)
        stage.log.warn({ decisions: budget.passedOver }, 'routed, but not written down for want of time');
      budget = { since: now, written: 0, passedOver: 0 };
    }
    if (budget.written >= writtenPerSecond) {
      budget.passedOver += 1;
      return false;
    }
    budget.written += 1;
    return true;
  }

  function planMail(client: Client, envelope: Envelope, header: Uint8Array | readonly RawField[]): Planned | null {
    const rules = stage.rules.current();
    const { groupByAddress, personByAddress } = indexOf(rules);
    const ours = envelope.forwardPaths.some(({ mailbox }) => groupByAddress.has(mailboxKey(mailbox)));
    const byMember = envelope.reversePath !== '<>' && personByAddress.has(mailboxKey(envelope.reversePath));
    // Most mail is nobody's business here.
    if (!ours && !byMember && rules.routes.length === 0) return null;
    const now = stage.clock.now();
    const queueId = stage.newQueueId(now);
    const head = { queueId, receivedAt: now, envelope, client };
    const facts =
      header instanceof Uint8Array
        ? readFacts({ ...head, content: header })
        : factsOf({ ...head, fields: fieldsOf(header), size: sizeOf(header) });
    if (byMember && facts.references.length > 0) options.onReply({ facts });
    const marks = facts.headers.flatMap(([name, value]) => (name === markName.toLowerCase() ? [value] : []));
    const plans = envelope.forwardPaths.map(({ mailbox }): Plan => {
      // Reports and copies for us: the MTA hands them to us as any mail, and no rule may send them elsewhere.
      if (stage.ours?.read(mailbox)) return passed(mailbox, rules.version, 'an address of our own, for evidence');
      const made = unlessMarked(stage, facts, plan(facts, mailbox, rules));
      if (options.markKey === null || !isMarked(options.markKey, marks, mailbox)) return made;
      return passed(mailbox, made.rulesVersion, 'sent by ourselves');
    });
    const needsContent = plans.some((each) => each.kind === 'group' && each.policy !== null);
    return { client, envelope, facts, plans, needsContent };
  }

  /** Only where a rule asks for it does the MTA wait for people to answer. */
  function advise(planned: Planned, content: Uint8Array | null): Advised | Promise<Advised> {
    const asks = planned.plans.some((each) => each.kind === 'group' && each.askAfter !== undefined);
    return asks ? settleDoubts(planned).then(() => decide(planned, content)) : decide(planned, content);
  }

  async function settleDoubts(planned: Planned): Promise<void> {
    for (const [seq, each] of planned.plans.entries()) {
      if (each.kind !== 'group') continue;
      const doubts = noDoubts();
      for (;;) {
        const { choice, decision } = choiceFor(stage, planned, each, seq, stage.clock.now());
        const inDoubt = doubtful(stage, each, choice, decision.snapshot, doubts);
        if (inDoubt.length === 0) break;
        await askWhetherThere(stage, inDoubt, doubts);
      }
    }
  }

  function decide(planned: Planned, content: Uint8Array | null): Advised | Promise<Advised> {
    const now = stage.clock.now();
    const { queueId } = planned.facts;
    // One choice for a group, however often and under whatever address the message names it.
    const byGroup = new Map<string, Made>();
    const made = planned.plans.map((each, seq) => {
      if (each.kind !== 'group') return null;
      const one = byGroup.get(each.group) ?? choiceFor(stage, planned, each, seq, now);
      byGroup.set(each.group, one);
      return one;
    });
    const advice = planned.plans.map((each, seq): Advice => {
      const one = made[seq];
      if (each.kind === 'reject') return { kind: 'refuse', reply: each.reply, because: each.because };
      if (each.kind === 'pass' || !one) return { kind: 'keep', because: each.because };
      return adviceOf(each, one.choice);
    });
    // A milter answers for the whole message: nothing is assigned or stored of one that is refused or must wait.
    const answered = { queueId, advice, onAnswered: () => undefined };
    const choices = [...byGroup.values()].flatMap((one) => (one.choice.kind === 'hold' ? [] : [one as Chosen]));
    if (choices.length === 0 || advice.some(({ kind }) => kind === 'refuse' || kind === 'later')) return answered;
    if (planned.needsContent && content === null)
      throw new PointsmanError(replies.storeFull, `no content of ${queueId}, and its policy may have to forward it`);
    for (const one of choices) {
      if (one.choice.kind === 'member') {
        stage.ledger.assign(one.decision, one.choice.person, one.plan.group, now);
        stage.ledger.settled(one.decision);
      }
    }
    if (!planned.needsContent) {
      if (mayWrite(now)) {
        store(stage, planned, choices, null, now).catch((error: unknown) =>
          stage.log.error({ err: error, queueId }, 'a decision could not be written down'),
        );
      }
      return answered;
    }
    return storeOnce(stage, planned, choices, content, now).then((tracked) => ({
      queueId,
      advice,
      onAnswered(handedOver) {
        if (handedOver) return;
        withdraw(stage, tracked).catch((error: unknown) =>
          stage.log.error({ err: error, queueId }, 'mail that the MTA has not got could not be withdrawn'),
        );
      },
    }));
  }

  return {
    plan: planMail,
    advise,
    refusal: (reversePath, mailbox) => refusalByEnvelope(stage.rules.current(), reversePath, mailbox),
    refusesByEnvelope: () => refusesByEnvelope(stage.rules.current()),
    keepsContent: () =>
      [...stage.rules.current().groups.values()].some(({ policy }) => policy !== null) ||
      stage.rules.current().routes.some(({ action }) => action.kind === 'group' && action.policy != null),
    preview(planned) {
      const now = stage.clock.now();
      return planned.plans.map((each, seq) => {
        if (each.kind !== 'group') return { plan: each, choice: null, snapshot: null };
        const { choice, decision } = choiceFor(stage, planned, each, seq, now);
        return { plan: each, choice, snapshot: decision.snapshot };
      });
    },
  };
}

/** Octets of a header, with colon, space and line end. */
const sizeOf = (fields: readonly RawField[]): number =>
  fields.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);

const passed = (address: Mailbox, rulesVersion: string, why: string): Plan => ({
  kind: 'pass',
  address,
  rule: null,
  rulesVersion,
  because: [why],
});

interface Made {
  readonly plan: GroupPlan;
  readonly decision: NewDecision;
  readonly choice: Choice;
}
interface Chosen extends Made {
  readonly choice: Exclude<Choice, { kind: 'hold' }>;
}

function choiceFor(stage: Stage, { facts }: Planned, plan: GroupPlan, seq: number, now: number): Made {
  const holdUntil = plan.hold === null ? null : facts.receivedAt + plan.hold;
  const snapshot = stage.ledger.snapshot(plan, stage.watcher, { now, excluded: {}, holdUntil });
  const sure = unheard(stage, plan) ? keepUnchanged(plan) : plan;
  const choice = choose(sure, snapshot);
  return {
    plan: sure,
    choice,
    decision: decided(stage, { queueId: facts.queueId, seq }, 'dispatch', sure, snapshot, choice),
  };
}

/** Somebody has not been heard of although there is a link: the relay would wait a moment for word; an MTA does not. */
function unheard(stage: Stage, plan: GroupPlan): boolean {
  if (stage.watcher.link().state === 'off') return false;
  return plan.candidates.some(({ person, jid }) => isUnheard(presenceOf(stage.watcher, person, jid)));
}

/** When we cannot know, the recipient stays as it is; the policy is watched all the same. */
const keepUnchanged = (plan: GroupPlan): GroupPlan => ({
  ...plan,
  fallback: { mailbox: plan.address, unchanged: true },
});

function adviceOf(plan: GroupPlan, choice: Choice): Advice {
  if (choice.kind === 'hold') return { kind: 'later', until: choice.until, because: choice.because };
  if (mailboxKey(choice.mailbox) === mailboxKey(plan.address)) return { kind: 'keep', because: choice.because };
  return { kind: 'instead', mailbox: choice.mailbox, group: plan.address, because: choice.because };
}

/**
 * A crash after the storing and before the answer leaves a watch for mail that the MTA has not got; its client sends it
 * again. So an untouched watch (revision 1) for the same Message-ID, sender and group gives way to the new one. Should
 * both be real, one of two copies is watched.
 */
async function storeOnce(...[stage, planned, ...rest]: Parameters<typeof store>): Promise<readonly Tracked[]> {
  const { messageId, reversePath } = planned.facts;
  const known = messageId === undefined ? [] : await stage.store.trackedByMessageId([messageId]);
  const tracked = await store(stage, planned, ...rest);
  const twins = known.filter(
    (each) =>
      each.state === 'tracked' &&
      each.revision === 1 &&
      each.reversePath === reversePath &&
      tracked.some(({ plan: { group } }) => group === each.plan.group),
  );
  if (twins.length > 0) await withdraw(stage, twins);
  return tracked;
}

/** One transaction: what was decided, who has it, what is told to whom. */
async function store(
  stage: Stage,
  { client, envelope, facts, plans }: Planned,
  choices: readonly Chosen[],
  content: Uint8Array | null,
  now: number,
): Promise<readonly Tracked[]> {
  const { queueId } = facts;
  const { forwardPaths, ...shared } = envelope;
  const message = {
    queueId,
    acceptedAt: now,
    envelope: shared,
    facts: content === null ? facts : { ...facts, size: content.length },
    size: content?.length ?? facts.size,
    trace: receivedField({ queueId, at: now, hostname: stage.config.hostname, client, envelope }),
    kind: 'mail' as const,
  };
  for (let attempt = 1; ; attempt += 1) {
    const deliveries: NewDelivery[] = [];
    const tracked: Tracked[] = [];
    const nudges = [];
    const forwarded: StoryEvent[] = [];
    const evidence = [];
    for (const { plan: made, choice, decision } of choices) {
      const { seq } = decision;
      const path = forwardPaths[seq];
      if (!path) continue;
      const person = choice.person ?? null;
      const assignment =
        choice.kind === 'member' ? { queueId, seq, person: choice.person, group: made.group, at: now } : null;
      const delivery: NewDelivery = {
        seq,
        path,
        plan: made,
        forwardOf: null,
        chosen: { mailbox: choice.mailbox, person },
        firstAttemptAt: now,
        taken: { reply: 'left to the MTA that asked', nextHop, assignment },
      };
      deliveries.push(delivery);
      const first = made.policy?.steps[0];
      const watched = trackedFor(stage, facts, delivery).map(
        (each): Tracked => ({
          ...each,
          state: 'tracked',
          owner: person,
          ownedSince: person === null ? null : now,
          nextStepAt: first ? now + first.after : null,
        }),
      );
      tracked.push(...watched);
      for (const each of watched) nudges.push(...nudgeOwner(stage, each, choice.because, now));
      const work = {
        message,
        delivery: {
          ...delivery,
          queueId,
          state: 'delivered' as const,
          attempts: 1,
          lastReply: null,
          lastHop: nextHop,
          finalDotAt: null,
          nextAttemptAt: null,
          onHoldBy: null,
          delayToldAt: null,
        },
      };
      if (watched.length === 0)
        nudges.push(...tellOfUntracked(stage, work, { mailbox: choice.mailbox, person, because: choice.because }, now));
      evidence.push({
        queueId,
        seq,
        at: now,
        person,
        grade: grades.accepted,
        source: 'MTA',
        reference: null,
        trusted: true,
      });
      forwarded.push(chosenEvent(decision, made, choice), {
        event: 'forwarded',
        at: now,
        queueId,
        seq,
        to: choice.mailbox,
        nextHop,
        reply: 'left to the MTA that asked',
        ...(person === null ? {} : { person }),
      });
    }
    const events: StoryEvent[] = [
      {
        event: 'accepted',
        at: now,
        queueId,
        from: envelope.reversePath,
        to: plans.map(({ address }) => address),
        size: message.size,
        peer: client.address,
        ...(facts.subject === undefined ? {} : { subject: facts.subject }),
        ...(facts.messageId === undefined ? {} : { messageId: facts.messageId }),
      },
      ...forwarded,
    ];
    try {
      const also = { nudges, evidence, decisions: choices.map(({ decision }) => decision) };
      await stage.store.accept({ message, content, deliveries, tracked, events, also });
    } catch (error) {
      if (error instanceof ShortIdTaken && attempt < casTries) continue;
      if (error instanceof PointsmanError) throw error;
      throw new PointsmanError(replies.localError, `the store did not take it: ${describeError(error)}`, {
        cause: error,
      });
    }
    for (const each of tracked) stage.ledger.moved(null, each);
    tellAll(stage, events);
    stage.wake();
    return tracked;
  }
}

/** What stands for the next hop in the story of mail that an MTA delivers itself. */
const nextHop = 'mta';

/** The MTA never heard our answer, so it has told its client to come again. */
async function withdraw(stage: Stage, tracked: readonly Tracked[]): Promise<void> {
  for (const { queueId, seq } of tracked) {
    for (let attempt = 1; attempt <= casTries; attempt += 1) {
      const before = await stage.store.tracked({ queueId, seq });
      if (before?.state !== 'tracked') break;
      const now = stage.clock.now();
      const after: Tracked = {
        ...before,
        revision: before.revision + 1,
        state: 'withdrawn',
        nextStepAt: null,
        closedAt: now,
        closedBy: 'the MTA',
      };
      const events: StoryEvent[] = [
        { event: 'closed', at: now, queueId, seq, state: 'withdrawn', by: 'the MTA: it has not heard our answer' },
      ];
      if ((await stage.store.advance(after, { events, withdrawNudgesOf: [{ queueId, seq }] })) === 'stale') continue;
      stage.ledger.moved(before, after);
      tellAll(stage, events);
      break;
    }
  }
}
