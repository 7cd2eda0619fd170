// What people and programs may look at and do, over the store, the rules and the relay. Looks change nothing; each
// verb that changes something records who did it.
import { type Clock, type Duration, formatDuration, type Instant, second } from './clock.ts';
import type { Advisor } from './intake.ts';
import { isQueueId, type QueueId } from './mail/queue-id.ts';
import { formatReply } from './mail/reply.ts';
import {
  type AckOutcome,
  type Operations,
  type PersonView,
  RefusedError,
  type RouteAnswer,
  type RouteQuestion,
  type Status,
  type Story,
} from './operations.ts';
import { neverSeen } from './presence/presence.ts';
import type { Watcher } from './presence/watcher.ts';
import { replay } from './routing/explain.ts';
import { formatProblem } from './routing/problem.ts';
import type { PersonName, Problem, RuleSource } from './routing/rules.ts';
import type { DeliveryRef, Store } from './store/store.ts';
import { isOpen, type Tracked } from './tracking/tracked.ts';

export interface OperateOptions {
  readonly store: Store;
  readonly watcher: Watcher;
  /** What is in force, and what is wrong with the files on disk as they were last read. */
  readonly rules: RuleSource & { problems(): readonly Problem[] };
  readonly relay: {
    /** By short id or queue id. */
    acknowledge(ref: DeliveryRef, by: string, source: string): Promise<AckOutcome>;
    /** Something became due: look at the timer queue now. */
    wake(): void;
    readonly advisor: Pick<Advisor, 'plan' | 'preview'>;
    load(person: PersonName): { readonly open: number; readonly lastAssignedAt: Instant | null };
  };
  reload(): Promise<{ readonly version: string; readonly problems: readonly Problem[] }>;
  /** Further reasons for not being ready (draining), for people; none when all is well. */
  readonly hindrances?: () => readonly string[];
  readonly clock: Clock;
  readonly version: string;
}

// Who asks whether we are ready must not hang with the store.
const storeAnswersWithin: Duration = 2 * second;

function routeAnswers(
  advisor: Pick<Advisor, 'plan' | 'preview'>,
  { from, to, header }: RouteQuestion,
  rulesVersion: string,
): readonly RouteAnswer[] {
  const client = { address: '127.0.0.1', port: 0, helo: 'api', tls: false, carriesMembers: false };
  const envelope = {
    reversePath: from,
    forwardPaths: to.map((mailbox) => ({ mailbox })),
    body: '8BITMIME',
    smtputf8: true,
  } as const;
  const planned = advisor.plan(client, envelope, Buffer.from(header));
  const nothing = { decision: 'pass', because: ['no rule concerns it'], considered: [], rulesVersion } as const;
  if (planned === null) return to.map((mailbox) => ({ ...nothing, to: mailbox, mailbox }));
  return advisor.preview(planned).map(({ plan, choice }): RouteAnswer => {
    const common = { to: plan.address, rulesVersion: plan.rulesVersion, considered: choice?.considered ?? [] };
    const because = [...plan.because, ...(choice?.because ?? [])];
    if (plan.kind === 'reject') return { ...common, because, decision: 'reject', reply: formatReply(plan.reply) };
    if (plan.kind === 'pass' || choice === null) return { ...common, because, decision: 'pass', mailbox: plan.address };
    if (choice.kind === 'hold') return { ...common, because, decision: 'hold', group: plan.group, until: choice.until };
    const person = choice.person === undefined ? {} : { person: choice.person };
    return { ...common, ...person, because, decision: choice.kind, group: plan.group, mailbox: choice.mailbox };
  });
}

export function createOperations(options: OperateOptions): Operations {
  const { store, watcher, rules, relay, clock } = options;
  const startedAt = clock.now();

  async function status(): Promise<Status> {
    const counts = await countsInTime(store, clock);
    const link = watcher.link();
    const hindrances = [...(counts === null ? ['the store does not answer'] : []), ...(options.hindrances?.() ?? [])];
    const degraded = [
      ...rules
        .problems()
        .filter((problem) => problem.severity === 'error')
        .map((problem) => `rules on disk are not in force: ${formatProblem(problem)}`),
      // Mail flows by the last good rules and the stated fallback (promise 2), so this is no reason to send it away.
      ...(link.state === 'up' || link.state === 'off'
        ? []
        : [
            `XMPP is ${link.state} for ${formatDuration(clock.now() - link.since)}${link.reason ? `: ${link.reason}` : ''}; presence is unknown, mail goes to fallbacks`,
          ]),
    ];
    return {
      version: options.version,
      ready: hindrances.length === 0,
      problems: [...hindrances, ...degraded],
      rulesVersion: rules.current().version,
      link,
      startedAt,
      counts,
    };
  }

  async function resolve(id: string): Promise<QueueId | null> {
    const queueId = id.toUpperCase();
    if (isQueueId(queueId)) return queueId;
    return (await store.trackedByShortId(id.toLowerCase()))?.queueId ?? null;
  }

  async function story(id: string): Promise<Story | null> {
    const queueId = await resolve(id);
    const found = queueId === null ? null : await store.message(queueId);
    if (queueId === null || found === null) return null;
    const [events, evidence, decisions, nudges] = await Promise.all([
      store.events(queueId),
      store.evidence(queueId),
      store.decisions(queueId),
      store.nudges(queueId),
    ]);
    return { ...found, events, evidence, decisions, nudges };
  }

  async function trackedBy(id: string): Promise<Tracked | null> {
    const queueId = id.toUpperCase();
    if (!isQueueId(queueId)) return store.trackedByShortId(id.toLowerCase());
    const all = (await store.message(queueId))?.tracked ?? [];
    const open = all.filter((one) => isOpen(one.state));
    if (open.length > 1) {
      const names = open.map((one) => `${one.shortId} (${one.plan.group})`).join(', ');
      throw new RefusedError(`${queueId} is tracked more than once; say which: ${names}`);
    }
    return open[0] ?? all.at(-1) ?? null;
  }

  return {
    route: (mail) => routeAnswers(relay.advisor, mail, rules.current().version),
    status,
    listQueue: (filter) => store.listQueue(filter),
    story,
    async retry(queueId, by) {
      const at = clock.now();
      const due = await store.retryNow(queueId, at, { at, queueId, event: 'operated', action: 'retry', by });
      if (due > 0) relay.wake();
      return due;
    },
    listTracked: (filter) => store.listTracked(filter),
    async ack(id, by) {
      const tracked = await trackedBy(id);
      if (tracked === null) return { kind: 'unknown' };
      // The reference alone: whatever else hangs on it would end up in the story.
      return relay.acknowledge({ queueId: tracked.queueId, seq: tracked.seq }, by, 'operator');
    },
    presence: async () => people(options),
    async explain(id) {
      const queueId = await resolve(id);
      if (queueId === null || (await store.message(queueId)) === null) return null;
      return (await store.decisions(queueId)).map((decision) => ({ decision, replayed: replay(decision) }));
    },
    reload: () => options.reload(),
  };
}

async function countsInTime(store: Store, clock: Clock): Promise<Status['counts']> {
  const done = new AbortController();
  const late = clock.sleepUntil(clock.now() + storeAnswersWithin, done.signal).then(() => null);
  try {
    return await Promise.race([store.counts(), late]);
  } catch {
    // The store logs why itself; here it matters only that it does not answer.
    return null;
  } finally {
    done.abort();
  }
}

function people({ rules, relay, watcher }: OperateOptions): readonly PersonView[] {
  const current = rules.current();
  const groups = [...current.groups.values()];
  return [...current.people.values()].map((person) => ({
    name: person.name,
    mail: person.mail,
    jid: person.jid,
    groups: groups.filter((group) => group.members.includes(person.name)).map((group) => group.name),
    presence: person.jid === null ? { ...neverSeen, reason: 'no-jid' } : watcher.presenceOf(person.jid),
    ...relay.load(person.name),
  }));
}
