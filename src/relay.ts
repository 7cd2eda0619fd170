// One message's life.
//
// A front door hands over an envelope and content. They are made durable together with what the rules say of each
// recipient, and only then does the peer hear 250. From that moment every recipient has a row in the one timer queue,
// and a loop takes from it whatever is due: a delivery to attempt, a nudge to send, a step of an escalation to take,
// content to retire. Each is leased, done, and settled with everything that follows from it in one transaction; a
// crash in between means that the lease is freed and the work is done again.
//
// A member is chosen at the moment of dispatch, from a snapshot of presence, load and history that is stored with the
// decision. When the next hop has taken the mail the clock of the policy starts and the owner is told. Evidence, time,
// and people coming and going move the message on until somebody has taken it, or every step was taken.
import { type Duration, minute, systemRandom } from './clock.ts';
import type { Advisor, Client, Intake } from './intake.ts';
import { type Content, headOf, isFile } from './mail/content.ts';
import type { Envelope } from './mail/envelope.ts';
import { PointsmanError } from './mail/error.ts';
import { readFacts } from './mail/header.ts';
import type { Mailbox } from './mail/path.ts';
import type { QueueId } from './mail/queue-id.ts';
import { replies } from './mail/reply.ts';
import type { AckOutcome, RelayState } from './operations.ts';
import type { BoardChange as PersonChange } from './presence/board.ts';
import { Absences } from './relay/absences.ts';
import { admitRecipient, dropFile, isPostmaster, keepSafe, peersOf } from './relay/accepting.ts';
import { createAdvisor } from './relay/advising.ts';
import { createAnswering } from './relay/answering.ts';
import { attemptsAtOnce, claimedAtOnce, createAttempts } from './relay/attempts.ts';
import { hearPresence, wakeFor } from './relay/coming.ts';
import { Company } from './relay/company.ts';
import { digest, digestFrom, wantsDigest } from './relay/digesting.ts';
import { type DueLoop, startDueLoop } from './relay/due-loop.ts';
import { escalate, weigh } from './relay/escalating.ts';
import { createAnnouncer } from './relay/faults/announcing.ts';
import { createDesk, type Desk as FaultDesk } from './relay/faults/desk.ts';
import { createSources } from './relay/faults/sources.ts';
import { hopFor } from './relay/forwarding.ts';
import { CircleGuard } from './relay/guard.ts';
import { Hops } from './relay/hops.ts';
import { languageOfTarget } from './relay/languages.ts';
import { chosenByPresence, whoHasLeft } from './relay/leaving.ts';
import { Ledger } from './relay/ledger.ts';
import { checkContent, RateLimits, Room } from './relay/limits.ts';
import { createLookup, type LookedUp } from './relay/looking-up.ts';
import { weighHeader, weighMail } from './relay/mail-evidence.ts';
import { watchMailboxes } from './relay/mailbox-evidence.ts';
import { jidOf, refOfNudgeId } from './relay/nudging.ts';
import type { Parts, Stage } from './relay/parts.ts';
import { patientStore } from './relay/patience.ts';
import { PutOff } from './relay/put-off.ts';
import { queueIds } from './relay/queue-ids.ts';
import { candidatesFor, reassign, snooze } from './relay/reassigning.ts';
import { lookAgain } from './relay/replanning.ts';
import { requeue } from './relay/requeueing.ts';
import { forgetWhatIsOver } from './relay/retention.ts';
import { hearReturned } from './relay/returning.ts';
import { createSending } from './relay/sending.ts';
import { hastenAtStart, hastenPutOff } from './relay/set-back.ts';
import { namesFor } from './relay/standing-in.ts';
import { takeStep } from './relay/steering.ts';
import { Traffic } from './relay/traffic.ts';
import type { Choice } from './routing/choose.ts';
import type { DeliveryRef, Due, Intervened } from './store/store.ts';
import { standing } from './tracking/acknowledge.ts';
import type { Trigger } from './tracking/event.ts';
import { type Grade, grades } from './tracking/evidence.ts';
import type { Tracked } from './tracking/tracked.ts';

export interface Relay extends Intake {
  /** Takes what is due from now on. */
  start(): void;
  /** Lets what is in hand end; nothing new is taken. Transactions with next hops are cut off after `signal`. */
  drain(): Promise<void>;
  /** From the console or the command line. */
  acknowledge(ref: DeliveryRef, by: string, source: string): Promise<AckOutcome>;
  /** Sends what is left of a message on to another address. @throws RefusedError */
  requeue(queueId: QueueId, to: Mailbox, by: string): Promise<Intervened>;
  /** Where mail to this address goes next: a name of the configuration. */
  nextHopOf(mailbox: Mailbox): string;
  /** Other rules are in force: what waits looks again, where the admin wants that. */
  rulesChanged(): void;
  /** Something was made due from outside (an operator's retry). */
  wake(): void;
  /** An operator's hand on a fault. @throws RefusedError */
  actOnFault: FaultDesk['byHand'];
  /** For metrics and people. */
  state(): RelayState;
  /** For doors that advise an MTA. */
  readonly advisor: Advisor;
  /** For doors that answer lookups. */
  lookup(steady: Duration): (map: string | null, key: string) => LookedUp;
  /** Who might have a tracked message now, and why not the others. */
  candidates(tracked: Tracked): Choice['considered'];
  /** By an operator's hand. @throws RefusedError */
  reassign(ref: DeliveryRef, to: string, by: string): Promise<Tracked>;
  takeStep(ref: DeliveryRef, step: string | null, by: string, seen?: number | null): Promise<Tracked>;
  snooze(ref: DeliveryRef, lasts: Duration, by: string): Promise<Tracked>;
  load(person: string): { open: number; lastAssignedAt: number | null };
}

const nobodyTold = { room: null, people: [], group: null, mailbox: null };
/** Longer than any transaction with a next hop may last. */
const attemptLease = 31 * minute;
/** Steps have a second: while much mail comes they are taken together, and share what each costs. */
const company: Duration = 200;
/** What has become of what they forward is stored together, too. Until then a crash would send that again. */
const companyAfter: Duration = 50;

type DueOf<Kind extends Due['kind']> = Extract<Due, { kind: Kind }>;

export async function createRelay(parts: Parts): Promise<Relay> {
  const loops: DueLoop[] = [];
  const wake: Stage['wake'] = (kinds, at) => {
    for (const loop of loops) if (!kinds || loop.kinds.some((kind) => kinds.includes(kind))) loop.wake(at);
  };
  const absences = new Absences(parts.store, parts.watcher);
  await absences.load(parts.rules.current().people.keys());
  const cutOff = new AbortController();
  const stage: Stage = {
    ...parts,
    store: patientStore(parts, cutOff.signal),
    newQueueId: queueIds(parts.random),
    absences,
    ledger: new Ledger(await parts.store.history(), () => parts.rules.current().people),
    // Not of parts.random: what it draws tells nobody anything, and is not to be repeated.
    guard: new CircleGuard(systemRandom),
    hops: new Hops(parts.random, attemptsAtOnce),
    startedAt: parts.clock.now(),
    wake,
    leaseOnward: (now) =>
      loops.length > 0 && !stopping.signal.aborted && attempts.roomOnward() ? now + attemptLease : null,
    sendOnward: (handed, standing) => attempts.sendOnward(handed, standing),
    company: () => forwarded.wait(),
    tell(event) {
      parts.tell(event);
      sources.observe(event);
      mailboxes?.heard(event);
    },
  };
  const putOff = await PutOff.load(parts.store, parts.log, parts.clock.now());
  const mailboxes = parts.mailboxes ? watchMailboxes(stage, parts.mailboxes) : null;
  const peers = peersOf(parts.config);
  const rates = new RateLimits(stage.config.limits);
  const room = new Room({ ...stage, ...stage.config.limits });
  const { nextHops } = parts.config;
  const hopNames = [...new Set([nextHops.default, ...nextHops.byDomain.values()].map(({ name }) => name))];
  const announcer = createAnnouncer(stage, { ...nobodyTold, ...parts.operators });
  const desk = createDesk(stage, announcer);
  const sources = createSources(stage, desk, () => room.look());
  const answering = createAnswering(stage, desk);
  const stopping = new AbortController();
  const attempts = createAttempts(stage, cutOff.signal);
  const traffic = new Traffic();
  const forwarded = new Company(stage.clock, traffic, companyAfter, stopping.signal);

  // 1 Accept, 2 Plan. A peer that is not named gets nothing; a recipient must be one of ours, whoever asks.
  async function accept(client: Client, envelope: Envelope, content: Content): Promise<QueueId> {
    traffic.came(stage.clock.now());
    try {
      checkContent(content);
      const tooFast = rates.message(client.address, stage.clock.now());
      if (tooFast) throw new PointsmanError(tooFast, `more messages a minute than ${client.address} may send`);
    } catch (error) {
      if (isFile(content)) await dropFile(stage, content);
      throw error;
    }
    const ours = stage.ours ? envelope.forwardPaths.filter(({ mailbox }) => stage.ours?.read(mailbox)) : [];
    const others =
      ours.length === 0 ? envelope.forwardPaths : envelope.forwardPaths.filter((path) => !ours.includes(path));
    if (ours.length > 0) {
      const queueId = stage.newQueueId(stage.clock.now());
      await watchOurMail(client, { ...envelope, forwardPaths: ours }, content, queueId);
      if (others.length === 0) {
        if (isFile(content)) await dropFile(stage, content);
        return queueId;
      }
    }
    const theirs = ours.length === 0 ? envelope : { ...envelope, forwardPaths: others };
    // With room in hand it is attempted from memory, and never has to be claimed and read back.
    const place = loops.length > 0 ? attempts.reserve(theirs, client, headOf(content).length) : null;
    const accepted = await keepSafe(stage, client, theirs, content, place ? attemptLease : null).catch((error) => {
      place?.giveBack();
      throw error;
    });
    // The peer hears first that it is safe.
    place?.send(accepted.works, content);
    // The mail is safe, and the peer must hear so, even when what it says as a reply cannot be stored just now.
    const trusted = client.carriesMembers || peers.carriesMembers(client.address);
    await weighMail(stage, accepted.facts, content, trusted).catch((error: unknown) =>
      stage.log.error(
        { err: error, queueId: accepted.queueId },
        'a reply could not be weighed; the escalation goes on',
      ),
    );
    return accepted.queueId;
  }

  // 5 Nudge.
  const sending = createSending(stage, stopping.signal);
  const nudge = (due: readonly DueOf<'nudge'>[]) => sending.send(due.map((each) => each.nudge));

  // 6 Watch: mail to an address of ours is evidence, or the report of a next hop, and goes nowhere else. It is weighed
  // before the peer hears 250: should that fail, the peer sends it again.
  async function watchOurMail(client: Client, envelope: Envelope, content: Content, queueId: QueueId): Promise<void> {
    const head = { content: headOf(content), size: content.length };
    const facts = readFacts({ queueId, receivedAt: stage.clock.now(), envelope, ...head, client });
    for (const { mailbox } of envelope.forwardPaths) {
      const ours = stage.ours?.read(mailbox);
      if (ours?.kind === 'copies') await weighMail(stage, facts, content, true);
      else if (ours?.kind === 'reports') await hearReturned(stage, ours, facts, content);
      stage.log.info({ queueId, to: ours?.kind ?? 'nobody', peer: client.address }, 'evidence came by mail');
    }
  }

  // 6 Watch: receipts of the nudge tell that a client has it, never that a person has.
  async function watchReceipt(receipt: { id: string; kind: 'received' | 'displayed'; from: string }): Promise<void> {
    const ref = refOfNudgeId(receipt.id);
    const tracked = ref ? await stage.store.tracked(ref) : null;
    const person = tracked
      ? namesFor(stage, tracked.plan).find((name) => jidOf(stage, name) === receipt.from)
      : undefined;
    if (!ref || person === undefined) return;
    const grade: Grade = receipt.kind === 'received' ? grades.nudgeReceived : grades.nudgeDisplayed;
    await weigh(
      stage,
      ref,
      { ...ref, person, grade, source: `im ${receipt.kind}`, reference: receipt.id, trusted: true },
      person,
    );
  }

  // 6 Watch: presence. Who leaves while owning a message gives it up; who comes wakes what is held for their groups.
  async function watchPresence(changes: readonly PersonChange[]): Promise<void> {
    for (const { jid, change } of changes)
      if (jid !== null && !['offline', 'unknown'].includes(change.presence.state)) await sending.seenAgain(jid);
    await wakeFor(stage, changes);
    for (const { owner, owned } of await whoHasLeft(stage, changes, stopping.signal)) {
      await desk.left(owner);
      for (const tracked of owned)
        if (chosenByPresence(tracked)) await escalate(stage, tracked, { trigger: 'owner offline', owner });
    }
  }

  // 7 Escalate: the clock of a step has run out. Many for one mailbox go together, where the policy wants that.
  function steps(due: readonly DueOf<'step'>[]): Promise<void>[] {
    for (const _ of due) stage.reach('step-claimed');
    const several = due.filter(({ tracked }) => wantsDigest(tracked));
    if (several.length < digestFrom) return due.map((each) => step(each.tracked, each));
    const alone = due.filter(({ tracked }) => !wantsDigest(tracked)).map((each) => step(each.tracked, each));
    const together = digest(stage, several).then((rest) => Promise.all(rest.map((each) => step(each, null))));
    return [...alone, together.then(() => undefined)];
  }
  function step(tracked: Tracked, known: DueOf<'step'> | null): Promise<void> {
    return escalate(stage, tracked, { trigger: 'time' satisfies Trigger }, known).then(() => undefined);
  }

  // 8 Close.
  async function acknowledge(ref: DeliveryRef, by: string, source: string): Promise<AckOutcome> {
    const { queueId, seq } = ref;
    // Whoever runs the mail says that it is done: that is as good as an answer under any policy.
    const evidence = { queueId, seq, person: null, grade: grades.answered, source, reference: by, trusted: true };
    const { result, tracked } = await weigh(stage, ref, evidence, by);
    if (!tracked) return { kind: 'unknown' };
    if (result.kind === 'closed') return { kind: 'done', tracked };
    return { kind: 'late', tracked, text: result.kind === 'late' ? result.text : standing(tracked, stage.clock.now()) };
  }
  const retire = ({ queueId }: DueOf<'retire'>) => stage.store.retireContent(queueId);

  /** Listeners must neither throw nor be waited for; what fails in one is logged. */
  const inBackground = (what: string, work: Promise<unknown>) => {
    work.catch((error: unknown) => stage.log.error({ err: error }, `${what} could not be handled`));
  };

  const advisor = createAdvisor(stage, {
    markKey: parts.markKey ?? null,
    onReply: ({ facts }) => inBackground('a reply', weighHeader(stage, facts, facts.carriesMembers)),
    putOff,
  });

  return {
    advisor,
    lookup: (steady) => createLookup(stage, steady),
    admitClient: (address) => peers.admit(address),
    admitRecipient(client, path) {
      // RFC 5321 §4.5.1: whatever else is the matter with us, somebody must be able to say so.
      if (isPostmaster(stage, path)) return undefined;
      const ours = stage.ours?.read(path.mailbox);
      if (ours?.kind === 'forged') {
        stage.log.warn({ to: path.mailbox }, 'mail to a forged address of ours refused');
        return replies.relayingDenied;
      }
      // Evidence goes nowhere: it takes no room in the queue, and makes some.
      const refusal = ours ? undefined : (admitRecipient(stage, path) ?? room.ask());
      return refusal ?? rates.recipient(client.address, stage.clock.now());
    },
    accept,
    openContent: () => stage.store.openContent(),
    acknowledge,
    requeue: (queueId, to, by) => requeue(stage, queueId, to, by),
    candidates: (tracked) => candidatesFor(stage, tracked),
    reassign: (ref, to, by) => reassign(stage, ref, to, by),
    takeStep: (ref, step, by, seen) => takeStep(stage, ref, step, by, seen),
    snooze: (ref, lasts, by) => snooze(stage, ref, lasts, by),
    nextHopOf: (mailbox) => hopFor(stage.config.nextHops, mailbox).name,
    actOnFault: desk.byHand,
    rulesChanged: () => inBackground('the change of the rules', lookAgain(stage)),
    wake: () => wake(),
    state: () => ({
      hops: hopNames.map((name) => stage.hops.status(name)),
      ...attempts.state(),
      full: room.full,
    }),
    load: (person) => ({ open: stage.ledger.open(person), lastAssignedAt: stage.ledger.lastAssignedAt(person) }),

    start() {
      hearPresence(stage, watchPresence, inBackground);
      stage.notifier?.onMessage((message) => inBackground('an instant message', answering.hear(message)));
      stage.notifier?.onOpen?.((room) => inBackground('what waits to be said', sending.reopened(room)));
      stage.notifier?.onAsk?.(
        (asked) => answering.ask(asked),
        (jid) => languageOfTarget(stage, { kind: 'person', jid }),
      );
      sources.start();
      stage.notifier?.onReceipt((receipt) => inBackground('a receipt', watchReceipt(receipt)));
      mailboxes?.start(stopping.signal);
      const loop = { store: stage.store, clock: stage.clock, log: stage.log };
      inBackground('what has ended', forgetWhatIsOver(stage, stopping.signal));
      inBackground('what a wrong clock has put off', hastenAtStart(stage));
      loops.push(
        startDueLoop({
          ...loop,
          kinds: ['attempt'],
          atOnce: claimedAtOnce,
          leaseFor: attemptLease,
          setBack: () => hastenPutOff(stage),
          // 3 Choose, 4 Forward.
          handle: (due) => attempts.forward(due.filter((each) => each.kind === 'attempt')),
        }),
        startDueLoop({
          ...loop,
          kinds: ['step', 'retire'],
          says: true,
          gathers: () => (traffic.busy(stage.clock.now()) ? company : 0),
          atOnce: 50,
          leaseFor: 5 * minute,
          handle: (due) => [
            ...steps(due.filter((each) => each.kind === 'step')),
            ...due.filter((each) => each.kind === 'retire').map(retire),
          ],
        }),
        // By themselves: a chat server that is slow to take them must hold up no step.
        startDueLoop({
          ...loop,
          kinds: ['nudge'],
          atOnce: 50,
          // What waits for one person goes as one message, however much it is.
          portion: 200,
          leaseFor: 5 * minute,
          handle: (due) => nudge(due.filter((each) => each.kind === 'nudge')),
        }),
      );
      // They may have been changed while nobody looked.
      inBackground('what is held', lookAgain(stage));
    },

    async drain() {
      stopping.abort();
      const stopped = Promise.all(loops.map((loop) => loop.stop()));
      const impatience = new AbortController();
      const limit = stage.clock.sleepUntil(stage.clock.now() + 20_000, impatience.signal).then(() => cutOff.abort());
      await stopped;
      await advisor.drain();
      await attempts.ended();
      await sources.stop();
      impatience.abort();
      await limit;
    },
  };
}
