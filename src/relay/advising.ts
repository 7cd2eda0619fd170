// Advise: an MTA keeps queue and delivery to itself and asks, at the end of a message, who shall have it. The same plan,
// choice and watch as for mail that we carry; only the forwarding is the MTA's.
//
// What is watched is on disk before the MTA hears an answer, because a later step may have to forward it. An MTA that
// loses the answer has its client send the mail again: what was stored for the first time is then withdrawn.
import type { Instant } from '../clock.ts';
import type { Advice, Advised, Advisor, Client, Planned } from '../intake.ts';
import { readAttachments } from '../mail/attachments.ts';
import { mostInMemory } from '../mail/content.ts';
import type { Envelope } from '../mail/envelope.ts';
import { PointsmanError } from '../mail/error.ts';
import type { MailFacts } from '../mail/facts.ts';
import { factsOf, fieldsOf, headersOfFacts, readFacts } from '../mail/header.ts';
import { knownByHeader } from '../mail/known-by.ts';
import { loopMarkValue, markHeader } from '../mail/loop-mark.ts';
import { isMarked, markName } from '../mail/mark.ts';
import { type Mailbox, mailboxKey } from '../mail/path.ts';
import { replies } from '../mail/reply.ts';
import type { ToldHeader } from '../mail/told-header.ts';
import { indexOf } from '../routing/admission.ts';
import { type Choice, choose } from '../routing/choose.ts';
import { refusalByEnvelope, refusesByEnvelope } from '../routing/envelope-rules.ts';
import { headersReadBy } from '../routing/headers-read.ts';
import { type GroupPlan, type Plan, plan } from '../routing/plan.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { surroundingsOf, threadSeenIn, unlessMarked } from './accepting.ts';
import { type Chosen, storeOnce, wholeFacts, withdraw, writeDown } from './advised.ts';
import { decided, lastHandlerOf } from './choosing.ts';
import { askWhetherThere, doubtful, noDoubts } from './doubting.ts';
import { awayNow, type Stage } from './parts.ts';
import { isUnheard, presenceOf } from './presence-of.ts';
import type { PutOff } from './put-off.ts';
import { packing, toBeWritten, type Unwritten } from './unwritten.ts';
import { WriteBehind } from './write-behind.ts';

export interface AdvisorOptions {
  /** The key of our own marks; null when nothing is marked. */
  readonly markKey: string | null;
  /** Mail that may answer another. Must not throw. */
  readonly onReply: (planned: Pick<Planned, 'facts'>) => void;
  readonly putOff: PutOff;
}

export function createAdvisor(stage: Stage, options: AdvisorOptions): Advisor & { drain(): Promise<void> } {
  const behind = new WriteBehind(stage.clock, stage.log, packing, (one: Unwritten) => writeDown(stage, one));

  function planMail(client: Client, envelope: Envelope, header: Uint8Array | ToldHeader): Planned | null {
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
        : factsOf({ ...head, fields: fieldsOf(header.pick(headersReadBy(rules, read))), size: header.size });
    const { attachments, size, thread } = rules.reads ?? {};
    const unsure = attachments || size ? 'content' : thread && facts.references.length > 0 ? 'thread' : 'nothing';
    // A thread without earlier mail is a new one: that needs no asking.
    const planned = plansFor(client, envelope, facts, {
      threadSeen: thread && unsure !== 'thread' ? false : undefined,
      unsure,
    });
    return header instanceof Uint8Array ? planned : { ...planned, header };
  }

  function plansFor(
    client: Client,
    envelope: Envelope,
    facts: MailFacts,
    known: { readonly threadSeen: boolean | undefined; readonly unsure: Planned['unsure'] },
  ): Planned {
    const rules = stage.rules.current();
    const around = surroundingsOf(stage, rules, facts.receivedAt, known.threadSeen);
    const marks = facts.headers.filter(([name]) => name === lowerMarkName).map(([, value]) => value);
    const plans = envelope.forwardPaths.map(({ mailbox }): Plan => {
      // Reports and copies for us: the MTA hands them to us as any mail, and no rule may send them elsewhere.
      if (stage.ours?.read(mailbox)) return passed(mailbox, rules.version, 'an address of our own, for evidence');
      const made = unlessMarked(stage, facts, plan(facts, mailbox, rules, around));
      if (options.markKey === null || !isMarked(options.markKey, marks, mailbox)) return made;
      return passed(mailbox, made.rulesVersion, 'sent by ourselves');
    });
    const needsContent = plans.some((each) => each.kind === 'group' && each.policy !== null);
    return { client, envelope, facts, plans, needsContent, unsure: known.unsure };
  }

  async function planWhole(planned: Planned, content: Uint8Array | null): Promise<Planned> {
    const { client, envelope } = planned;
    const facts = wholeFacts(planned);
    if (planned.unsure === 'content' && content === null)
      throw new PointsmanError(replies.storeFull, `no content of ${facts.queueId}, and rules look into it`);
    const rules = stage.rules.current();
    const size = content?.length ?? facts.size;
    const read = rules.reads?.attachments && content ? readAttachments(content.subarray(0, mostInMemory)) : undefined;
    const whole = read === undefined ? { ...facts, size } : { ...facts, size, attachments: read };
    const threadSeen = await threadSeenIn(stage, rules, () => facts.references);
    return plansFor(client, envelope, whole, { threadSeen, unsure: 'nothing' });
  }

  function advise(planned: Planned, content: Uint8Array | null): Advised | Promise<Advised> {
    const { facts, plans } = planned;
    if (facts.references.length > 0 && isByMember(facts)) options.onReply({ facts: wholeFacts(planned) });
    const groups = plans.filter((each) => each.kind === 'group');
    const asks = groups.some(({ askAfter }) => askAfter !== undefined);
    const threads = facts.references.length > 0 && groups.some(({ strategy }) => strategy === 'sticky');
    return asks || threads ? afterAsking(planned, content) : adviseNow(planned, content, null);
  }

  /** Only where a rule asks for it does the MTA wait for the store, or for people to answer. */
  async function afterAsking(planned: Planned, content: Uint8Array | null): Promise<Advised> {
    const lastHandler = await lastHandlerIn(stage, planned);
    for (const [seq, each] of planned.plans.entries()) {
      if (each.kind !== 'group') continue;
      const doubts = noDoubts();
      for (;;) {
        const { choice, decision } = choiceFor(planned, each, { seq, now: stage.clock.now(), lastHandler });
        const inDoubt = doubtful(stage, each, choice, decision.snapshot, doubts);
        if (inDoubt.length === 0) break;
        await askWhetherThere(stage, inDoubt, doubts);
      }
    }
    return adviseNow(planned, content, lastHandler);
  }

  const isByMember = ({ reversePath }: MailFacts): boolean =>
    reversePath !== '<>' && indexOf(stage.rules.current()).personByAddress.has(mailboxKey(reversePath as Mailbox));

  /** Between a choice and its place in the ledger nothing is waited for: what comes at the same time must see it. */
  function adviseNow(
    planned: Planned,
    content: Uint8Array | null,
    lastHandler: string | null,
  ): Advised | Promise<Advised> {
    const now = stage.clock.now();
    const { queueId } = planned.facts;
    // One choice for a group, however often and under whatever address the message names it.
    const byGroup = new Map<string, Chosen>();
    const advice = planned.plans.map((each, seq): Advice => {
      if (each.kind === 'reject') return { kind: 'refuse', reply: each.reply, because: each.because };
      if (each.kind === 'pass') return { kind: 'keep', because: each.because, ...addedBy(each) };
      let made = byGroup.get(each.group);
      if (!made) {
        // Why it was not somebody else is worked out when it is written down.
        made = choiceFor(planned, each, { seq, now, lastHandler }, false);
        byGroup.set(each.group, made);
        assign(made, now);
      }
      return adviceOf(stage, planned.facts, made.plan, made.choice, each.address);
    });
    const made = [...byGroup.values()];
    const stopped = advice.some(({ kind }) => kind === 'refuse' || kind === 'later');
    const circle = stopped ? undefined : inCircle(planned, made, now);
    // A milter answers for the whole message: nothing is assigned or stored of one that is refused or must wait.
    if (made.length === 0 || stopped || circle) {
      for (const {
        plan: { group },
        choice,
        decision,
      } of made) {
        stage.ledger.retract(decision);
        if (choice.kind === 'hold') options.putOff.add(planned.facts, group, now);
      }
      return { queueId, advice: circle ? [...advice, circle] : advice, onAnswered: nothing };
    }
    if (planned.needsContent && content === null) {
      for (const { decision } of made) stage.ledger.retract(decision);
      throw new PointsmanError(replies.storeFull, `no content of ${queueId}, and its policy may have to forward it`);
    }
    const over = () => {
      for (const {
        plan: { group },
      } of made)
        options.putOff.forget(planned.facts, group);
    };
    if (!planned.needsContent) {
      for (const { decision } of made) stage.ledger.settled(decision);
      behind.add(toBeWritten(planned, made, now));
      return { queueId, advice, onAnswered: (handedOver) => (handedOver ? over() : undefined) };
    }
    return keepWatched(planned, made, content, now).then((tracked) => ({
      queueId,
      advice,
      onAnswered(handedOver) {
        if (handedOver) return over();
        withdraw(stage, tracked).catch((error: unknown) =>
          stage.log.error({ err: error, queueId }, 'mail that the MTA has not got could not be withdrawn'),
        );
      },
    }));
  }

  async function keepWatched(
    planned: Planned,
    made: readonly Chosen[],
    content: Uint8Array | null,
    now: Instant,
  ): Promise<readonly Tracked[]> {
    try {
      const tracked = await storeOnce(stage, planned, made, content, now);
      // What they count as open is counted by now: no gap in which somebody seems free.
      for (const { decision } of made) stage.ledger.settled(decision);
      return tracked;
    } catch (error) {
      for (const { decision } of made) stage.ledger.retract(decision);
      throw error;
    }
  }

  /** In memory at once: the next choice must see it, before it is stored. */
  function assign({ plan: { group, policy, cost, mode }, choice, decision }: Chosen, now: Instant): void {
    if (choice.kind !== 'member' || choice.also !== undefined || mode === 'observe') return;
    const units = policy === null ? 0 : (cost ?? 1);
    stage.ledger.assign(decision, choice.person, choice.group ?? group, now, { units });
  }

  /** The last guard, where all marks were lost on the way. */
  function inCircle({ facts }: Planned, made: readonly Chosen[], now: Instant): Advice | undefined {
    const around = made.some(({ plan: { mode }, choice }) => {
      if (choice.kind === 'hold' || mode === 'observe') return false;
      return !stage.guard.admit(facts.messageId, choice.mailbox, now);
    });
    const because = ['a loop: one Message-ID too often for one member'];
    return around ? { kind: 'refuse', reply: replies.loop, because } : undefined;
  }

  function choiceFor(
    { facts }: Planned,
    given: GroupPlan,
    { seq, now, lastHandler }: { seq: number; now: Instant; lastHandler: string | null },
    explained = true,
  ): Chosen {
    const sure = unheard(stage, given) && given.mode !== 'observe' ? keepUnchanged(given) : given;
    const holds = sure.hold !== null || sure.chain !== undefined;
    const since = (holds ? options.putOff.since(facts, sure.group) : null) ?? facts.receivedAt;
    const snapshot = stage.ledger.snapshot(sure, stage.watcher, {
      now,
      excluded: awayNow(stage, now),
      holdUntil: sure.hold === null ? null : since + sure.hold,
      ...(sure.chain ? { acceptedAt: since } : {}),
      ...(lastHandler === null ? {} : { lastHandler }),
    });
    const choice = choose(sure, snapshot, explained);
    const decision = decided(stage, { queueId: facts.queueId, seq }, 'dispatch', sure, snapshot, choice);
    return { plan: sure, choice, decision };
  }

  return {
    plan: planMail,
    planWhole,
    advise,
    refusal: (reversePath, mailbox) => refusalByEnvelope(stage.rules.current(), reversePath, mailbox),
    refusesByEnvelope: () => refusesByEnvelope(stage.rules.current()),
    keepsContent() {
      const { groups, routes, reads } = stage.rules.current();
      return (
        reads?.attachments === true ||
        reads?.size === true ||
        [...groups.values()].some(({ policy }) => policy !== null) ||
        routes.some(({ action }) => action.kind === 'group' && action.policy != null)
      );
    },
    preview(planned) {
      const now = stage.clock.now();
      return planned.plans.map((each, seq) => {
        if (each.kind === 'reject') return { plan: each, choice: null, snapshot: null, headers: [] };
        if (each.kind === 'pass')
          return { plan: each, choice: null, snapshot: null, headers: addedBy(each).headers ?? [] };
        const { choice, decision } = choiceFor(planned, each, { seq, now, lastHandler: null });
        const { headers = [] } = adviceOf(stage, planned.facts, each, choice, each.address);
        return { plan: each, choice, snapshot: decision.snapshot, headers };
      });
    },
    drain: () => behind.drain(),
  };
}

const nothing = (): void => undefined;
const lowerMarkName = markName.toLowerCase();

/** Of every header, whatever the rules ask for. */
const read: readonly string[] = [...headersOfFacts, knownByHeader, lowerMarkName, markHeader.toLowerCase()];

const passed = (address: Mailbox, rulesVersion: string, why: string): Plan => ({
  kind: 'pass',
  address,
  rule: null,
  rulesVersion,
  because: [why],
});

async function lastHandlerIn(stage: Stage, { facts, plans }: Planned): Promise<string | null> {
  const sticky = plans.find((each): each is GroupPlan => each.kind === 'group' && each.strategy === 'sticky');
  return sticky ? await lastHandlerOf(stage, sticky, facts) : null;
}

/** Somebody has not been heard of although there is a link: the relay would wait a moment for word; an MTA does not. */
function unheard(stage: Stage, { candidates }: GroupPlan): boolean {
  if (stage.watcher.link().state === 'off') return false;
  return candidates.some(({ person, jid }) => isUnheard(presenceOf(stage.watcher, person, jid)));
}

/** When we cannot know, the recipient stays as it is; the policy is watched all the same. */
function keepUnchanged({ chain: _, ...given }: GroupPlan): GroupPlan {
  return { ...given, fallback: { mailbox: given.address, unchanged: true } };
}

function addedBy({ headers, copies }: Pick<GroupPlan, 'headers' | 'copies'>): Pick<Advice, 'headers' | 'copies'> {
  return {
    ...(headers === undefined ? {} : { headers }),
    ...(copies === undefined ? {} : { copies }),
  };
}

/** @param address under which the message names the group */
function adviceOf(stage: Stage, facts: MailFacts, plan: GroupPlan, choice: Choice, address: Mailbox): Advice {
  const { because } = choice;
  if (plan.mode === 'observe') return { kind: 'keep', because: ['observed only', ...because], ...addedBy(plan) };
  if (choice.kind === 'hold') return { kind: 'later', until: choice.until, because };
  if (choice.kind === 'fallback' && choice.refusal) return { kind: 'refuse', reply: choice.refusal, because };
  const mailboxes =
    choice.also === undefined ? [choice.mailbox] : [choice.mailbox, ...choice.also.map(({ mailbox }) => mailbox)];
  const own = mailboxKey(address);
  if (mailboxes.every((each) => mailboxKey(each) === own)) return { kind: 'keep', because, ...addedBy(plan) };
  // Delivered-To and our mark both say that the group has had it: who sends it back to the group ends in a loop.
  const mark = loopMarkValue(stage.markKeys(), plan.group, facts.messageId);
  const headers: (readonly [string, string])[] = [...(plan.headers ?? []), ['Delivered-To', address]];
  if (mark !== undefined) headers.push([markHeader, mark]);
  return plan.copies === undefined
    ? { kind: 'instead', mailboxes, headers, because }
    : { kind: 'instead', mailboxes, headers, because, copies: plan.copies };
}
