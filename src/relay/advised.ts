// What is written of mail that an MTA delivers itself: what was decided, who has it, what is told to whom; and how it is
// withdrawn when the MTA never heard our answer.
import type { Instant } from '../clock.ts';
import type { Planned } from '../intake.ts';
import { describeError, PointsmanError } from '../mail/error.ts';
import type { MailFacts } from '../mail/facts.ts';
import { decodeText, fieldsOf } from '../mail/header.ts';
import { receivedField } from '../mail/received.ts';
import { replies } from '../mail/reply.ts';
import { type Choice, choose } from '../routing/choose.ts';
import { describeChoice } from '../routing/explain.ts';
import type { GroupPlan } from '../routing/plan.ts';
import type { PersonName } from '../routing/rules.ts';
import type { Delivery, Message, NewDecision, NewDelivery, NewNudge } from '../store/store.ts';
import { ShortIdTaken } from '../store/store.ts';
import type { StoryEvent } from '../tracking/event.ts';
import { type Evidence, grades } from '../tracking/evidence.ts';
import { dueAfter } from '../tracking/steps.ts';
import type { Tracked } from '../tracking/tracked.ts';
import { copiesOf, trackedFor } from './accepting.ts';
import { chosenEvent, copiesFor, peopleOf } from './choosing.ts';
import { nudgeAll, nudgeOwner, tellOfUntracked } from './nudging.ts';
import { casTries, type Stage, tellAll } from './parts.ts';
import { keptOf } from './privacy.ts';
import { plannedAgain, type Unwritten } from './unwritten.ts';

export interface Chosen {
  readonly plan: GroupPlan;
  readonly decision: NewDecision;
  readonly choice: Choice;
}

/** What stands for the next hop in the story of mail that an MTA delivers itself. */
const nextHop = 'mta';
const reply = 'left to the MTA that asked';

/** With all header fields. */
export function wholeFacts({ facts, header }: Pick<Planned, 'facts' | 'header'>): MailFacts {
  if (header === undefined) return facts;
  return {
    ...facts,
    headers: fieldsOf(header.all()).map(({ name, value }) => [name, decodeText(value)] as const),
  };
}

/** After the answer. Never rejects. */
export async function writeDown(stage: Stage, unwritten: Unwritten): Promise<void> {
  const { queueId, now } = unwritten;
  try {
    const planned = plannedAgain(unwritten);
    const made = unwritten.choices.map(({ id, seq, snapshot }, index): Chosen => {
      const plan = unwritten.chosenOf[index] as GroupPlan;
      const choice = choose(plan, snapshot);
      return {
        plan,
        choice,
        decision: { queueId, seq, id, at: snapshot.now, why: 'dispatch', plan, snapshot, choice },
      };
    });
    await store(stage, planned, made, null, now);
  } catch (error) {
    stage.log.error({ err: error, queueId }, 'a decision could not be written down');
  }
}

/**
 * A crash after the storing and before the answer leaves a watch for mail that the MTA has not got; its client sends it
 * again. So an untouched watch (revision 1) for the same Message-ID, sender and group gives way to the new one. Should
 * both be real, one of two copies is watched.
 */
export async function storeOnce(...[stage, planned, ...rest]: Parameters<typeof store>): Promise<readonly Tracked[]> {
  const { messageId, reversePath } = planned.facts;
  const known = messageId === undefined ? [] : await stage.store.trackedByMessageId([messageId]);
  const [made, ...more] = rest;
  const facts = wholeFacts(planned);
  const tracked = await store(stage, { ...planned, facts }, made.map(explained), ...more);
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

/** With everybody who was considered. The same choice: it depends on nothing but the plan and the snapshot. */
function explained({ plan, decision }: Chosen): Chosen {
  const choice = choose(plan, decision.snapshot);
  return { plan, choice, decision: { ...decision, choice } };
}

/** One transaction. @param given with whole facts @param made with everybody who was considered */
async function store(
  stage: Stage,
  given: Planned,
  made: readonly Chosen[],
  content: Uint8Array | null,
  now: Instant,
): Promise<readonly Tracked[]> {
  const { header: _, ...known } = given;
  const planned = { ...known, facts: keptOf(given.facts, given.plans, stage.rules.current(), content) };
  const message = messageOf(stage, planned, content, now);
  for (let attempt = 1; ; attempt += 1) {
    const records = made.map((one) => recordOf(stage, message, planned, one, now));
    const deliveries = numbered(planned, records, now);
    const events: StoryEvent[] = [acceptedEvent(message, planned), ...records.flatMap((each) => each.events)];
    const tracked = records.flatMap((each) => each.tracked);
    try {
      const also = {
        nudges: records.flatMap((each) => each.nudges),
        evidence: records.map((each) => each.evidence),
        decisions: made.map(({ decision }) => decision),
      };
      await stage.store.accept({ message, content, deliveries, tracked, events, also });
    } catch (error) {
      // Chance drew a short id that is in use: draw again.
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

function messageOf(stage: Stage, planned: Planned, content: Uint8Array | null, now: Instant): Message {
  const { client, envelope, facts } = planned;
  const { queueId } = facts;
  const { forwardPaths: _, ...shared } = envelope;
  const size = content?.length ?? facts.size;
  return {
    queueId,
    acceptedAt: now,
    envelope: shared,
    facts: { ...facts, size },
    size,
    trace: receivedField({ queueId, at: now, hostname: stage.config.hostname, client, envelope }),
    kind: 'mail',
  };
}

function acceptedEvent(
  { queueId, acceptedAt, size, facts }: Message,
  { client, envelope, plans }: Planned,
): StoryEvent {
  return {
    event: 'accepted',
    at: acceptedAt,
    queueId,
    from: envelope.reversePath,
    to: plans.map(({ address }) => address),
    size,
    peer: client.address,
    ...(facts.subject === undefined ? {} : { subject: facts.subject }),
    ...(facts.messageId === undefined ? {} : { messageId: facts.messageId }),
  };
}

/** Of one group's mail. */
interface RecordOfOne {
  readonly deliveries: readonly NewDelivery[];
  readonly tracked: readonly Tracked[];
  readonly nudges: readonly NewNudge[];
  readonly evidence: Evidence;
  readonly events: readonly StoryEvent[];
}

function recordOf(
  stage: Stage,
  message: Message,
  { envelope, facts }: Planned,
  one: Chosen,
  now: Instant,
): RecordOfOne {
  const { plan, decision, choice } = one;
  const { queueId } = message;
  const { seq } = decision;
  const path = envelope.forwardPaths[seq];
  if (!path || choice.kind === 'hold') throw new RangeError(`nothing was chosen for recipient ${seq} of ${queueId}`);
  const observed = plan.mode === 'observe';
  const shared = observed || choice.also === undefined ? null : peopleOf(choice);
  const person: PersonName | null = observed || shared ? null : (choice.person ?? null);
  const mailbox = observed ? path.mailbox : choice.mailbox;
  const group = choice.kind === 'member' ? (choice.group ?? plan.group) : plan.group;
  const assignment = choice.kind === 'member' && person !== null ? { queueId, seq, person, group, at: now } : null;
  const taken = { reply, nextHop, assignment };
  const delivery: NewDelivery = {
    seq,
    path,
    plan,
    forwardOf: null,
    chosen: { mailbox, person },
    firstAttemptAt: now,
    taken,
  };
  const first = plan.policy?.steps[0];
  const tracked = trackedFor(stage, facts, delivery).map(
    (each): Tracked => ({
      ...each,
      state: 'tracked',
      owner: person,
      ownedSince: person === null ? null : now,
      nextStepAt: first ? dueAfter(first, now) : null,
    }),
  );
  const work = { message, delivery: finalOf(message, delivery) };
  const { because } = choice;
  const [watched] = tracked;
  const nudges = watched
    ? shared
      ? nudgeAll(stage, watched, shared, because, now)
      : nudgeOwner(stage, watched, because, now)
    : observed
      ? []
      : tellOfUntracked(stage, work, { mailbox, person, because }, now);
  const others = observed ? [] : copiesFor(work, plan, choice.also ?? [], now);
  const chosen: StoryEvent = observed
    ? {
        event: 'chosen',
        at: now,
        queueId,
        seq,
        group: plan.group,
        mailbox,
        why: 'dispatch',
        because: [`observed only: ${describeChoice(choice)}`, ...because],
        decision: decision.id,
      }
    : chosenEvent(decision, plan, choice);
  const left = { event: 'forwarded', at: now, queueId, seq, to: mailbox, nextHop, reply } as const;
  return {
    // Numbered when all of the message are known.
    deliveries: [
      delivery,
      ...others.map((each) => ({
        ...each,
        seq: -1,
        chosen: { mailbox: each.path.mailbox, person: null },
        taken: { ...taken, assignment: null },
      })),
    ],
    tracked,
    nudges,
    evidence: { queueId, seq, at: now, person, grade: grades.accepted, source: 'MTA', reference: null, trusted: true },
    events: [chosen, person === null ? left : { ...left, person }],
  };
}

/** The sender's recipients keep their numbers; whoever gets it besides comes after them. */
function numbered({ envelope, plans }: Planned, records: readonly RecordOfOne[], now: Instant): NewDelivery[] {
  const { length } = envelope.forwardPaths;
  const all = records.flatMap((each) => each.deliveries);
  const copies = copiesOf(plans, length, now).map((copy) => ({
    ...copy,
    chosen: { mailbox: copy.path.mailbox, person: null },
    taken: { reply, nextHop, assignment: null },
  }));
  let next = length + copies.length;
  return [...all.map((each) => (each.seq >= 0 ? each : { ...each, seq: next++ })), ...copies];
}

/** As the store will give it. */
const finalOf = ({ queueId }: Message, delivery: NewDelivery): Delivery => ({
  ...delivery,
  queueId,
  state: 'delivered',
  attempts: 1,
  lastReply: null,
  lastHop: nextHop,
  finalDotAt: null,
  nextAttemptAt: null,
  onHoldBy: null,
  delayToldAt: null,
});

/** The MTA never heard our answer, so it has told its client to come again. */
export async function withdraw(stage: Stage, tracked: readonly Tracked[]): Promise<void> {
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
