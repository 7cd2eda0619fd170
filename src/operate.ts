// What people and programs may look at and do, over the store, the rules and the relay. Looks change nothing; each
// verb that changes something records who did it.
import { type Clock, type Duration, formatDuration, type Instant, minute, second } from './clock.ts';
import type { Advisor } from './intake.ts';
import { type Mailbox, parseMailbox } from './mail/path.ts';
import { isQueueId, type QueueId } from './mail/queue-id.ts';
import { routeAnswers } from './operate/route-answers.ts';
import {
  type AckOutcome,
  type DirectoryView,
  type GroupView,
  type Operations,
  type PersonView,
  type QueueCounts,
  RefusedError,
  type RelayState,
  type Status,
  type Story,
} from './operations.ts';
import type { Oversight } from './oversight.ts';
import type { BareJid } from './presence/jid.ts';
import { ageOf, neverSeen, type Presence } from './presence/presence.ts';
import type { Watcher } from './presence/watcher.ts';
import type { PresenceDesk } from './presence-desk.ts';
import type { Choice } from './routing/choose.ts';
import { replay } from './routing/explain.ts';
import { formatProblem } from './routing/problem.ts';
import type { PersonName, Problem, RuleSource } from './routing/rules.ts';
import type { DeliveryRef, Intervened, Store } from './store/store.ts';
import { isOpen, type Tracked } from './tracking/tracked.ts';

export interface OperateOptions {
  readonly store: Store;
  readonly watcher: Watcher;
  /** Absent where only the stream is a source: then nothing can be set or followed. */
  readonly desk?: Pick<PresenceDesk, 'set' | 'onPersonChange'>;
  /** What is in force, and what is wrong with the files on disk as they were last read. */
  readonly rules: RuleSource & { problems(): readonly Problem[] };
  readonly relay: {
    /** By short id or queue id. */
    acknowledge(ref: DeliveryRef, by: string, source: string): Promise<AckOutcome>;
    requeue(queueId: QueueId, to: Mailbox, by: string): Promise<Intervened>;
    /** Where mail to this address goes next: a name of the configuration. */
    nextHopOf(mailbox: Mailbox): string;
    state?(): RelayState;
    /** Something became due: look at the timer queue now. */
    wake(): void;
    readonly advisor: Pick<Advisor, 'plan' | 'preview'>;
    candidates(tracked: Tracked): Choice['considered'];
    reassign(ref: DeliveryRef, to: PersonName, by: string): Promise<Tracked>;
    snooze(ref: DeliveryRef, lasts: Duration, by: string): Promise<Tracked>;
    takeStep(ref: DeliveryRef, step: string | null, by: string, seen: number): Promise<Tracked>;
    load(person: PersonName): { readonly open: number; readonly lastAssignedAt: Instant | null };
  };
  /** Where people are read from; null or absent: nowhere. */
  readonly directory?: { view(): DirectoryView; accept(): Promise<void> } | null;
  rotateMarkKey(): string;
  reload(): Promise<{ readonly version: string; readonly problems: readonly Problem[] }>;
  /** Further reasons for not being ready (draining), for people; none when all is well. */
  readonly hindrances?: () => readonly string[];
  /** Of the SMTP door. */
  readonly door?: { readonly connections: number };
  /** The certificate that STARTTLS shows. */
  readonly certificate?: { readonly expiresAt: Instant; problem(): string | null } | null;
  /** See Operations.copiesAddress. */
  readonly copiesAddress?: string | null;
  readonly clock: Clock;
  readonly version: string;
}

// Who asks whether we are ready must not hang with the store.
const storeAnswersWithin: Duration = 2 * second;

export function createOperations(options: OperateOptions): Omit<Operations, keyof Oversight> {
  const { store, watcher, rules, relay, clock } = options;
  const startedAt = clock.now();

  async function status(): Promise<Status> {
    const counts = await countsInTime(store, clock);
    const link = watcher.link();
    const state = relay.state?.();
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
      ...troublesOf(state, counts, options.certificate?.problem() ?? null),
    ];
    return {
      version: options.version,
      ready: hindrances.length === 0,
      problems: [...hindrances, ...degraded],
      rulesVersion: rules.current().version,
      link,
      faults: watcher.faults?.() ?? [],
      startedAt,
      ...(options.door ? { connections: options.door.connections } : {}),
      certificateExpiresAt: options.certificate?.expiresAt ?? null,
      ...(state ? { relay: state } : {}),
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

  async function trackedOrRefused(id: string): Promise<Tracked> {
    const tracked = await trackedBy(id);
    if (tracked === null) throw new RefusedError(`no tracked message ${id}`);
    return tracked;
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
    async intervene(queueId, action, by) {
      const done = await store.intervene(queueId, { action, at: clock.now(), by, says: said[action] });
      refuseNothing(queueId, done, action);
      relay.wake();
      return done;
    },
    async requeue(queueId, to, by) {
      const mailbox = parseMailbox(to);
      if (mailbox === undefined) throw new RefusedError(`not an address: ${JSON.stringify(to.slice(0, 300))}`);
      const done = await relay.requeue(queueId, mailbox, by);
      refuseNothing(queueId, done, 'requeue');
      return done;
    },
    countQueue: () => countQueue(options),
    listTracked: (filter) => store.listTracked(filter),
    soonest: (limit) => store.soonestTracked(limit),
    async candidates(id) {
      const tracked = await trackedBy(id);
      if (tracked === null) return null;
      const order = { chosen: 0, eligible: 1, excluded: 2 } as const;
      // Sorting is stable: among equals the rules' own order stays.
      const considered = relay.candidates(tracked).toSorted((a, b) => order[a.verdict] - order[b.verdict]);
      return { tracked, considered };
    },
    async takeStep(id, step, by) {
      const tracked = await trackedOrRefused(id);
      return relay.takeStep(tracked, step, by, tracked.revision);
    },
    async reassign(id, person, by) {
      return relay.reassign(await trackedOrRefused(id), person, by);
    },
    async snooze(id, lasts, by) {
      return relay.snooze(await trackedOrRefused(id), lasts, by);
    },
    groups: () => groupViews(options),
    copiesAddress: async () => options.copiesAddress ?? null,
    async ack(id, by) {
      const tracked = await trackedBy(id);
      if (tracked === null) return { kind: 'unknown' };
      // The reference alone: whatever else hangs on it would end up in the story.
      return relay.acknowledge({ queueId: tracked.queueId, seq: tracked.seq }, by, 'operator');
    },
    async presence({ person, group } = {}) {
      const { people: known, groups } = rules.current();
      const members = group === undefined ? undefined : groups.get(group)?.members;
      if (group !== undefined && members === undefined)
        throw new RefusedError(`the rules have no group ${JSON.stringify(group)}`);
      if (person !== undefined && !known.has(person))
        throw new RefusedError(`the rules have nobody called ${JSON.stringify(person)}`);
      const wanted = [...known.keys()].filter(
        (name) => (person === undefined || name === person) && (members === undefined || members.includes(name)),
      );
      return views(options, wanted);
    },
    async presenceAt(at) {
      const names = Map.groupBy(rules.current().people.values(), ({ jid }) => jid);
      return (await store.presenceAt(at)).flatMap(({ jid, presence }) =>
        (names.get(jid) ?? []).map(({ name }) => ({ name, presence })),
      );
    },
    async setPresence(name, wish, by) {
      const { people: known } = rules.current();
      if (!known.has(name)) throw new RefusedError(`the rules have nobody called ${JSON.stringify(name)}`);
      const substitute = wish?.substitute;
      if (substitute !== undefined && (substitute === name || !known.has(substitute)))
        throw new RefusedError(
          `${JSON.stringify(substitute)} cannot stand in for ${name}: the rules have nobody else of that name`,
        );
      if (!options.desk) throw new RefusedError('presence cannot be set by hand here');
      const now = clock.now();
      if (wish !== null && wish.until !== null && wish.until <= Math.max(now, wish.from ?? now))
        throw new RefusedError('the end is not after the beginning');
      await options.desk.set(name, wish === null ? null : { ...wish, setAt: now, from: wish.from ?? now, by });
      const [view] = views(options, [name]);
      if (!view) throw new RefusedError(`${name} has just left the rules`);
      return view;
    },
    followPresence: (listener) =>
      options.desk?.onPersonChange(({ person }) => {
        for (const view of views(options, [person])) listener(view);
      }) ?? (() => undefined),
    async explain(id) {
      const queueId = await resolve(id);
      if (queueId === null || (await store.message(queueId)) === null) return null;
      return (await store.decisions(queueId)).map((decision) => ({ decision, replayed: replay(decision) }));
    },
    recorded: (filter) => store.recorded(filter),
    presenceHistory: (filter) => store.presenceHistory(filter),
    rotateMarkKey: async () => ({ key: options.rotateMarkKey() }),
    directory: () => options.directory?.view() ?? null,
    async acceptDirectory() {
      if (!options.directory) throw new RefusedError('no directory is configured');
      await options.directory.accept();
      return options.directory.view();
    },
    reload: () => options.reload(),
  };
}

/** A mail like most, to ask where it would go: from a stranger, about nothing. */
const stranger = 'somebody@elsewhere.invalid' as Mailbox;

function groupViews({ rules, relay }: OperateOptions): readonly GroupView[] {
  const { groups, version } = rules.current();
  return [...groups.values()].flatMap((group): GroupView[] => {
    const [address] = group.addresses;
    if (address === undefined) return [];
    const [next] = routeAnswers(relay.advisor, { from: stranger, to: [address], header: '' }, version);
    if (!next) return [];
    const { name, addresses, members, strategy, eligible, hold, privacy } = group;
    const policy = group.policy?.name ?? null;
    return [{ name, addresses, members, strategy, eligible, hold, policy, ...(privacy ? { privacy } : {}), next }];
  });
}

/** What somebody should see to though mail flows. */
function troublesOf(state: RelayState | undefined, counts: Status['counts'], certificate: string | null): string[] {
  const dead = counts?.deliveries.dead ?? 0;
  return [
    ...(state?.full == null ? [] : [`no mail is taken for now: ${state.full}`]),
    ...(state?.hops ?? []).flatMap(({ name, state: breaker, cause }) =>
      breaker === 'closed' ? [] : [`next hop ${name} does not answer: ${cause}`],
    ),
    ...(dead === 0
      ? []
      : [
          `${dead} dead letter${dead === 1 ? '' : 's'}: "pointsman queue list --dead" shows them, drop or requeue-to ends them`,
        ]),
    ...(certificate === null ? [] : [certificate]),
  ];
}

const said = { hold: 'put on hold', release: 'released', drop: 'dropped' } as const;

function refuseNothing(queueId: QueueId, { done, busy }: Intervened, action: string): void {
  if (done.length > 0) return;
  throw new RefusedError(
    busy.length > 0
      ? `${queueId} is being attempted just now; ask again in a moment`
      : `nothing of ${queueId} to ${action}: every delivery has ended${action === 'release' || action === 'hold' ? ', or is so already' : ''}`,
  );
}

// As qshape shows a Postfix queue: each column twice as old as the one before.
const ageBounds = [5, 10, 20, 40, 80, 160, 320, 640, 1280] as const;
const pageSize = 2_000;

/** In pages, so that whoever waits for the store waits for one page and not for a queue of a million. */
async function countQueue({ store, relay, clock }: OperateOptions): Promise<QueueCounts> {
  const now = clock.now();
  const hops = new Map<string, { total: number; onHold: number; ages: number[] }>();
  let after: DeliveryRef | null = null;
  for (;;) {
    const page: Awaited<ReturnType<Store['queuePage']>> = await store.queuePage(after, pageSize);
    for (const row of page) {
      const name = row.lastHop ?? relay.nextHopOf(row.mailbox);
      const counted = hops.get(name) ?? { total: 0, onHold: 0, ages: [...ageBounds, 0].map(() => 0) };
      hops.set(name, counted);
      const age = (now - row.acceptedAt) / minute;
      const column = ageBounds.findIndex((bound) => age < bound);
      const index = column < 0 ? ageBounds.length : column;
      counted.total += 1;
      counted.ages[index] = (counted.ages[index] ?? 0) + 1;
      if (row.onHoldBy !== null) counted.onHold += 1;
    }
    const last = page.at(-1);
    if (!last || page.length < pageSize) break;
    after = { queueId: last.queueId, seq: last.seq };
  }
  const rows = [...hops].map(([nextHop, counted]) => ({ nextHop, ...counted })).sort((a, b) => b.total - a.total);
  return { bounds: ageBounds, rows };
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

function views({ rules, relay, watcher, clock }: OperateOptions, names: readonly PersonName[]): readonly PersonView[] {
  const current = rules.current();
  const now = clock.now();
  // Of one the groups are looked through; of all they are turned over once.
  const groupsOf = new Map<PersonName, string[]>(names.map((name) => [name, []]));
  for (const group of current.groups.values()) {
    for (const member of group.members) groupsOf.get(member)?.push(group.name);
  }
  return names.flatMap((name) => {
    const person = current.people.get(name);
    if (!person) return [];
    const presence = presenceOf(watcher, person);
    return [
      {
        name,
        mail: person.mail,
        jid: person.jid,
        groups: groupsOf.get(name) ?? [],
        ...(person.directory ? { directory: person.directory } : {}),
        presence,
        source: presence.source ?? 'xmpp',
        age: ageOf(presence, now),
        ...relay.load(name),
      },
    ];
  });
}

function presenceOf(
  watcher: Watcher,
  { name, jid }: { readonly name: PersonName; readonly jid: BareJid | null },
): Presence {
  if (watcher.presenceOfPerson) return watcher.presenceOfPerson(name);
  return jid === null ? { ...neverSeen, reason: 'no-jid' } : watcher.presenceOf(jid);
}
