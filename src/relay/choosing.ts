// Choose, at the moment of dispatch: the plan of one delivery meets a snapshot of presence, load and history.

import { type Duration, type Instant, second } from '../clock.ts';
import type { MailFacts } from '../mail/facts.ts';
import type { Mailbox } from '../mail/path.ts';
import type { Reply } from '../mail/reply.ts';
import { type Choice, choose, type Recipient, type Snapshot } from '../routing/choose.ts';
import { describeChoice } from '../routing/explain.ts';
import { allCandidates, type GroupPlan, mayBeShared, type Plan } from '../routing/plan.ts';
import type { GroupName, PersonName } from '../routing/rules.ts';
import type { Consequences, Delivery, Message, NewDecision } from '../store/store.ts';
import type { StoryEvent } from '../tracking/event.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { askWhetherThere, doubtful, noDoubts } from './doubting.ts';
import { awayNow, casTries, type Stage, tellAll } from './parts.ts';
import { isUnheard, presenceOf } from './presence-of.ts';
import { proposalNow, propose, proposedFor, tellProposed } from './proposing.ts';

export interface Work {
  readonly message: Message;
  /** Its `finalDotAt` tells of an earlier attempt that was cut off. */
  readonly delivery: Delivery;
  /** Just accepted, and stored with a final dot that has yet to be written. */
  readonly dotStored?: boolean;
  /** Of what an escalation forwards: how the mail it belongs to stood when this was added or last looked at. */
  readonly standing?: Tracked;
}

export interface Target {
  readonly mailbox: Mailbox;
  readonly person: PersonName | null;
  /** For people: why this one. */
  readonly because: readonly string[];
  /** Offered to several at once: nobody owns it yet. */
  readonly shared?: readonly PersonName[];
  /** Not to be delivered: the rules refuse it. */
  readonly refusal?: Reply;
}

/** Where one delivery goes now; null when it is held (and stored as such). */
export async function chooseFor(stage: Stage, work: Work): Promise<Target | null> {
  const { delivery } = work;
  const { plan } = delivery;
  if (plan.kind === 'group' && delivery.forwardOf === null) {
    if (plan.mode === 'observe') return observe(stage, work, plan);
    if (delivery.chosen && mayBeShared(plan)) return chosenBefore(stage, work, delivery.chosen);
    return chooseMember(stage, work, plan);
  }
  return delivery.chosen
    ? { ...delivery.chosen, because: [] }
    : { mailbox: delivery.path.mailbox, person: null, because: plan.because };
}

/** Several have it already, in deliveries of their own: another choice would send it to them again. */
async function chosenBefore(
  stage: Stage,
  { delivery }: Work,
  chosen: NonNullable<Delivery['chosen']>,
): Promise<Target> {
  const decisions = await stage.store.decisions(delivery.queueId);
  const last = decisions.findLast(({ seq, choice }) => seq === delivery.seq && choice.kind !== 'hold')?.choice;
  const because = last?.because ?? [];
  return last && last.kind !== 'hold' && last.also
    ? { ...chosen, because, shared: peopleOf(last) }
    : { ...chosen, because };
}

export const peopleOf = ({ person, also = [] }: Exclude<Choice, { kind: 'hold' }>): PersonName[] => [
  ...(person === undefined ? [] : [person]),
  ...also.map((each) => each.person),
];

/** What would have been chosen is recorded; the mail goes on as if we were not there. */
async function observe(stage: Stage, work: Work, plan: GroupPlan): Promise<Target> {
  const { message, delivery } = work;
  const ref = { queueId: delivery.queueId, seq: delivery.seq };
  const { mailbox } = delivery.path;
  const lastHandler = await lastHandlerOf(stage, plan, message.facts);
  const now = stage.clock.now();
  const snapshot = snapshotFor(stage, work, plan, now, {}, lastHandler);
  const choice = choose(plan, snapshot);
  const decision = decided(stage, ref, delivery.attempts > 0 ? 'retry' : 'dispatch', plan, snapshot, choice);
  const because = [`observed only: ${describeChoice(choice)}`, ...choice.because];
  const event: StoryEvent = {
    event: 'chosen',
    at: now,
    queueId: message.queueId,
    seq: delivery.seq,
    group: plan.group,
    mailbox,
    why: delivery.attempts > 0 ? 'retry' : 'dispatch',
    because,
    decision: decision.id,
  };
  // A retry observes nothing new.
  const also = delivery.attempts > 0 ? {} : { events: [event], decisions: [decision] };
  await stage.store.recordChoice({ ...ref, chosen: { mailbox, person: null }, assignment: null }, also);
  tellAll(stage, also.events);
  return { mailbox, person: null, because };
}

/** Without waiting for anything: between the snapshot and what is made of it no other choice may come. */
function snapshotFor(
  stage: Stage,
  { message, delivery }: Work,
  plan: GroupPlan,
  now: Instant,
  excluded: Snapshot['excluded'],
  lastHandler: PersonName | null,
): Snapshot {
  const ref = { queueId: delivery.queueId, seq: delivery.seq };
  const behind = stage.ledger.behind(ref, plan, message.acceptedAt, now);
  return stage.ledger.snapshot(plan, stage.watcher, {
    now,
    excluded,
    holdUntil: holdUntil(stage, plan, message, now),
    ...(plan.chain ? { acceptedAt: message.acceptedAt } : {}),
    ...(delivery.state === 'held' ? { held: true } : {}),
    ...(behind > 0 ? { behind } : {}),
    ...(lastHandler === null ? {} : { lastHandler }),
  });
}

/** Of the thread's earlier mail, the newest that somebody had. */
export async function lastHandlerOf(stage: Stage, plan: GroupPlan, facts: MailFacts): Promise<PersonName | null> {
  if (plan.strategy !== 'sticky' || facts.references.length === 0) return null;
  const thread = await stage.store.trackedByMessageId(facts.references);
  const owned = thread.filter((one) => one.owner !== null && one.queueId !== facts.queueId);
  return owned.toSorted((a, b) => b.acceptedAt - a.acceptedAt)[0]?.owner ?? null;
}

async function chooseMember(stage: Stage, work: Work, plan: GroupPlan): Promise<Target | null> {
  const { message, delivery } = work;
  const ref = { queueId: delivery.queueId, seq: delivery.seq };
  const doubts = noDoubts();
  for (let attempt = 1; attempt <= casTries; attempt += 1) {
    const tracked = plan.policy === null ? null : await stage.store.tracked(ref);
    const lastHandler = await lastHandlerOf(stage, plan, message.facts);
    const proposed = plan.mode === 'propose' ? await proposedFor(stage, ref) : null;
    const now = stage.clock.now();
    stage.ledger.retract(ref);
    const excluded = { ...awayNow(stage, now), ...tracked?.tried };
    const proposal = tracked ? proposalNow(stage, plan, proposed, now) : undefined;
    const known = snapshotFor(stage, work, plan, now, excluded, lastHandler);
    const snapshot = proposal ? { ...known, proposal } : known;
    const choice = untilRefusal(stage, message, choose(plan, snapshot), now);
    const inDoubt = doubtful(stage, plan, choice, snapshot, doubts);
    if (inDoubt.length > 0) {
      await askWhetherThere(stage, inDoubt, doubts);
      continue;
    }
    const decision = decided(stage, ref, delivery.attempts > 0 ? 'retry' : 'dispatch', plan, snapshot, choice);
    if (choice.kind === 'hold' && choice.proposed && tracked) {
      const asked = proposed ? null : propose(stage, tracked, snapshot, choice, decision);
      if (await waitForPick(stage, work, plan, choice, decision, asked)) return null;
      continue;
    }
    if (choice.kind === 'hold') {
      // In memory first: what comes next must not overtake it while it is being stored.
      stage.ledger.hold(ref, plan, message.acceptedAt, choice.until);
      if (await hold(stage, work, plan, choice, decision, tracked)) return null;
      continue;
    }
    const shared = choice.also === undefined ? null : peopleOf(choice);
    const person = shared ? null : choice.kind === 'member' ? choice.person : (choice.person ?? null);
    const refused = choice.kind === 'fallback' ? choice.refusal : undefined;
    const chosen: StoryEvent = chosenEvent(decision, plan, choice);
    const assignment =
      choice.kind === 'member' && !shared
        ? { ...ref, person: choice.person, group: choice.group ?? plan.group, at: now }
        : null;
    // In memory first: the next choice, made before this one is stored, must see it.
    if (assignment) {
      const units = plan.policy === null ? 0 : (plan.cost ?? 1);
      stage.ledger.assign(ref, assignment.person, assignment.group, now, { units });
    }
    stage.ledger.release(ref, plan.group);
    const forwards = copiesFor(work, plan, choice.also ?? [], now);
    const nudges = proposed && !proposed.over && tracked ? tellProposed(stage, tracked, proposed, person, now) : [];
    const also = { events: [chosen], decisions: [decision], nudges, ...(forwards.length > 0 ? { forwards } : {}) };
    await stage.store.recordChoice({ ...ref, chosen: { mailbox: choice.mailbox, person }, assignment }, also);
    tellAll(stage, also.events);
    if (forwards.length > 0) stage.wake(['attempt']);
    // Whoever waits behind it may have their turn now.
    if (delivery.state === 'held') await wakeNext(stage, plan.group, now);
    return {
      mailbox: choice.mailbox,
      person,
      because: choice.because,
      ...(shared ? { shared } : {}),
      ...(refused ? { refusal: refused } : {}),
    };
  }
  throw new Error(`choosing for ${delivery.queueId} was overtaken ${casTries} times`);
}

/** An operator has until then. It waits as any retry does, and in no line: the next mail of the group is its own question. */
async function waitForPick(
  stage: Stage,
  { delivery }: Work,
  plan: GroupPlan,
  choice: Choice & { kind: 'hold' },
  decision: NewDecision,
  asked: ReturnType<typeof propose> | null,
): Promise<boolean> {
  const { queueId, seq } = delivery;
  const mayHaveArrived = delivery.finalDotAt !== null;
  stage.ledger.release(delivery, plan.group);
  const written = await stage.store.settle(
    [
      {
        queueId,
        seq,
        to: 'queued',
        reply: null,
        nextHop: null,
        nextAttemptAt: choice.until,
        counts: false,
        mayHaveArrived,
      },
    ],
    asked ? { ...asked, decisions: [decision] } : {},
  );
  if (written === 'stale') return false;
  tellAll(stage, asked?.events);
  if (delivery.state === 'held') await wakeNext(stage, plan.group, stage.clock.now());
  stage.wake();
  return true;
}

/**
 * Something changed for those whom held mail waits for. The head of the line looks first, and each that goes wakes the
 * next one; where some need what others do not, all of them look.
 */
export async function wakeHeldOf(stage: Stage, group: GroupName, now: Instant): Promise<void> {
  const limit = stage.ledger.lines(group, now) === 1 ? 1 : undefined;
  if ((await stage.store.wakeHeld(group, now, limit)) > 0) stage.wake();
}

/** Somebody has less to do than before: what waited for room may go to them. */
export async function roomFor(stage: Stage, person: PersonName | null): Promise<void> {
  if (person === null) return;
  for (const group of stage.ledger.awaiting(person)) await wakeHeldOf(stage, group, stage.clock.now());
}

/** The next in the line of held mail looks whether it can go. */
export async function wakeNext(stage: Stage, group: GroupName, now: Instant): Promise<void> {
  if (stage.ledger.waiting(group, now).count === 0) return;
  if ((await stage.store.wakeHeld(group, now, 1)) > 0) stage.wake();
}

/** "Try again later" cannot be told any more once we have the mail: it waits here, as long as it would have elsewhere. */
function untilRefusal(stage: Stage, message: Message, choice: Choice, now: Instant): Choice {
  if (choice.kind !== 'fallback' || choice.refusal === undefined || choice.refusal.code >= 500) return choice;
  const until = message.acceptedAt + stage.config.queue.lifetime;
  const { considered, because } = choice;
  if (now < until) return { kind: 'hold', until, considered, because: [...because, 'accepted already: waits here'] };
  const reply = { code: 550, enhanced: '5.4.7', text: choice.refusal.text };
  return { ...choice, refusal: reply, because: [...because, 'nobody has come in all that time'] };
}

/** Whoever gets it besides has a delivery of their own: an ordinary one, whose failure the sender is told of. */
export function copiesFor(
  { delivery, message }: Work,
  plan: GroupPlan,
  people: readonly Recipient[],
  now: Instant,
): NonNullable<Consequences['forwards']>[number][] {
  return people.map(({ person, mailbox }) => ({
    queueId: message.queueId,
    path: { ...delivery.path, mailbox, orcpt: delivery.path.orcpt ?? `rfc822;${delivery.path.mailbox}` },
    plan: {
      kind: 'pass',
      address: mailbox,
      copyOf: plan.address,
      group: plan.group,
      ...(plan.headers ? { headers: plan.headers } : {}),
      rule: plan.rule,
      rulesVersion: plan.rulesVersion,
      because: [`${person} is one of those it goes to`],
    },
    forwardOf: null,
    chosen: null,
    firstAttemptAt: now,
  }));
}

/**
 * After a start, and after a new session with the chat server, nobody has been heard of yet; that says nothing about
 * them. Mail for which nobody is eligible waits this long for word, and not longer: mail flows without XMPP, too.
 */
const learningTime: Duration = 15 * second;

/** Null when everybody has been heard of, or has had the time. */
export function learningUntil(stage: Stage, plan: GroupPlan, now: Instant): Instant | null {
  const link = stage.watcher.link();
  const learnt = (link.state === 'up' ? link.since : stage.startedAt) + learningTime;
  if (link.state === 'off' || now >= learnt) return null;
  const unheard = allCandidates(plan).some(({ person, jid }) => isUnheard(presenceOf(stage.watcher, person, jid)));
  return unheard ? learnt : null;
}

function holdUntil(stage: Stage, plan: GroupPlan, message: Message, now: Instant): Instant | null {
  // Accepted in the future, by a clock that has been set right since: nobody knows how long it has waited.
  const since = message.acceptedAt > now + 2 * second ? now - (plan.hold ?? 0) : message.acceptedAt;
  const byRule = plan.hold === null ? [] : [since + plan.hold];
  const byLearning = learningUntil(stage, plan, now);
  const holds = [...byRule, ...(byLearning === null ? [] : [byLearning])];
  return holds.length === 0 ? null : Math.max(...holds);
}

/** Held until somebody becomes eligible or the hold runs out. False when somebody else changed the message meanwhile. */
async function hold(
  stage: Stage,
  { delivery, message }: Work,
  plan: GroupPlan,
  choice: Choice & { kind: 'hold' },
  decision: NewDecision,
  tracked: Tracked | null,
): Promise<boolean> {
  const { queueId, seq } = delivery;
  const first = delivery.state !== 'held';
  // When time alone may help, the head of the line looks again then; whoever is behind it is woken in turn.
  const head = stage.ledger.behind(delivery, plan, message.acceptedAt, decision.at) === 0;
  const wakeAt = head ? (choice.wakeAt ?? choice.until) : choice.until;
  const events: StoryEvent[] = first
    ? [
        {
          event: 'held',
          at: decision.at,
          queueId,
          seq,
          group: plan.group,
          until: choice.until,
          because: choice.because,
          decision: decision.id,
        },
      ]
    : [];
  const moved: Tracked[] =
    tracked?.state === 'waiting' ? [{ ...tracked, state: 'held', revision: tracked.revision + 1 }] : [];
  const mayHaveArrived = delivery.finalDotAt !== null;
  const written = await stage.store.settle([{ queueId, seq, to: 'held', until: wakeAt, mayHaveArrived }], {
    events,
    decisions: first ? [decision] : [],
    tracked: moved,
  });
  if (written === 'stale') return false;
  tellAll(stage, events);
  stage.wake();
  return true;
}

export function decided(
  stage: Stage,
  ref: { queueId: Delivery['queueId']; seq: number },
  why: NewDecision['why'],
  plan: Plan,
  snapshot: Snapshot,
  choice: Choice,
): NewDecision {
  return { ...ref, id: stage.newQueueId(snapshot.now), at: snapshot.now, why, plan, snapshot, choice };
}

export function chosenEvent(
  decision: NewDecision,
  plan: GroupPlan,
  choice: Exclude<Choice, { kind: 'hold' }>,
): StoryEvent {
  return {
    event: 'chosen',
    at: decision.at,
    queueId: decision.queueId,
    seq: decision.seq,
    group: plan.group,
    ...(choice.person === undefined ? {} : { person: choice.person }),
    mailbox: choice.mailbox,
    why: decision.why,
    because: choice.because,
    decision: decision.id,
  };
}
