// Where faults come from: events of the story as they happen, and a look every half minute at what does not happen by
// itself: the queue, the link, the disk, the clock, the certificates.
import { type Duration, formatDuration, type Instant, minute, second } from '../../clock.ts';
import { describeError } from '../../mail/error.ts';
import { isQueueId } from '../../mail/queue-id.ts';
import { isFaultId, thresholds } from '../../notify/faults.ts';
import { phrasesIn } from '../../notify/phrases.ts';
import type { StoryEvent } from '../../tracking/event.ts';
import { languageOfAll } from '../languages.ts';
import type { Stage } from '../parts.ts';
import { tellOfWhatEnded } from './at-start.ts';
import type { Desk } from './desk.ts';

const lookEvery: Duration = 30 * second;

export interface Sources {
  /** Called with every event once it is durable. */
  observe(event: StoryEvent): void;
  start(): void;
  stop(): Promise<void>;
  /** One look, now. */
  look(): Promise<void>;
}

/** `full`: why no mail is taken; null: it is. */
export function createSources(stage: Stage, desk: Desk, full: () => Promise<string | null>): Sources {
  const stopping = new AbortController();
  /** Deferrals in a row, by next hop. */
  const failures = new Map<string, number>();
  let running: Promise<void> = Promise.resolve();
  let working: Promise<unknown> = Promise.resolve();
  let jumpedAt: Instant | null = null;

  /** One after the other: what opens and clears must not cross. */
  function inOrder(what: string, work: () => Promise<void>): void {
    working = working
      .then(work)
      .catch((error: unknown) => stage.log.warn({ cause: describeError(error) }, `a fault could not be kept: ${what}`));
  }

  function observe(event: StoryEvent): void {
    switch (event.event) {
      case 'deferred': {
        const count = (failures.get(event.nextHop) ?? 0) + 1;
        failures.set(event.nextHop, count);
        if (count < thresholds.hopFailures) return;
        const text = `Next hop ${event.nextHop} takes no mail: ${event.reply}`;
        inOrder(event.event, () => desk.raise('next-hop-down', event.nextHop, text));
        return;
      }
      case 'forwarded':
        if (!failures.delete(event.nextHop) && !isFirst(event.nextHop)) return;
        inOrder(event.event, () => desk.clear('next-hop-down', event.nextHop));
        return;
      case 'held':
        inOrder(event.event, () => desk.raise('nobody-eligible', event.group, nobody(event.group, 'is held')));
        return;
      case 'chosen': {
        const { group, mailbox } = event;
        inOrder(event.event, () =>
          isMember(group, event.person)
            ? desk.clear('nobody-eligible', group)
            : desk.raise('nobody-eligible', group, nobody(group, `goes to ${mailbox}`)),
        );
        return;
      }
      case 'fault': {
        const { fault, queueId, text } = event;
        if (isFaultId(fault)) inOrder(fault, () => desk.raise(fault, queueId, `${text} (${queueId})`));
        return;
      }
      case 'closed':
        if (event.state === 'acknowledged' || event.state === 'answered') {
          inOrder(event.event, () => desk.clear('escalation-exhausted', event.queueId));
        }
        return;
    }
  }

  const seenHops = new Set<string>();
  /** After a start: what was open from before may be over. */
  function isFirst(hop: string): boolean {
    if (seenHops.has(hop)) return false;
    seenHops.add(hop);
    return true;
  }

  const nobody = (group: string, what: string): string =>
    `Nobody of ${group} is eligible; a mail ${what}. Members: ${membersWith(group)}`;

  function isMember(name: string, person: string | undefined): boolean {
    const group = stage.rules.current().groups.get(name);
    return person !== undefined && (group?.members.includes(person) ?? true);
  }

  function membersWith(name: string): string {
    const { groups, people } = stage.rules.current();
    return (groups.get(name)?.members ?? [])
      .slice(0, 8)
      .map((member) => {
        const jid = people.get(member)?.jid;
        return `${member} ${jid ? stage.watcher.presenceOf(jid).state : 'without a JID'}`;
      })
      .join(', ');
  }

  async function look(): Promise<void> {
    const now = stage.clock.now();
    const counts = await stage.store.counts();
    const { queued } = counts.deliveries;
    const age = counts.oldestQueuedAt === null ? 0 : now - counts.oldestQueuedAt;
    await judge(
      desk,
      'queue-old',
      'queue',
      age > thresholds.queueOld,
      `The oldest of ${queued} queued has waited for ${formatDuration(age)}.`,
    );
    // Between four fifths and the limit it stays as it is: no line for every mail that comes and goes.
    if (queued > thresholds.queueLong) await desk.raise('queue-long', 'queue', `${queued} deliveries are queued.`);
    else if (queued < thresholds.queueLong * 0.8) await desk.clear('queue-long', 'queue');

    await judgePresence(stage, desk, now);

    const { lately, lastAt } = desk.strangers();
    if (lately > thresholds.strangersPerMinute) {
      await desk.raise(
        'commands-refused',
        'xmpp',
        `More than ${thresholds.strangersPerMinute} commands a minute from people no rule names.`,
      );
    } else if (lastAt === null || now - lastAt >= thresholds.quietFor) await desk.clear('commands-refused', 'xmpp');

    for (const { kind, subject, wrong } of (await stage.probe?.()) ?? []) {
      await judge(desk, kind, subject, wrong !== null, wrong ?? '');
    }
    const why = await full();
    await judge(desk, 'mail-refused', 'queue', why !== null, `No mail is taken: ${why}.`);
    await forgetHandled();
    if (jumpedAt !== null && now - jumpedAt >= thresholds.quietFor) jumpedAt = null;
    if (jumpedAt === null) await desk.clear('clock-jumped', 'clock');
    await desk.tend();
    await sayHowItGoes(stage, counts, now);
  }

  /** Dead letters that an operator has dropped or sent on. */
  async function forgetHandled(): Promise<void> {
    for (const { kind, subject } of await stage.store.faults('open')) {
      if (kind !== 'dead-letter' || !isQueueId(subject)) continue;
      const found = await stage.store.message(subject);
      if (!found?.deliveries.some(({ state }) => state === 'dead')) await desk.clear('dead-letter', subject);
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const before = stage.clock.now();
      await stage.clock.sleepUntil(before + lookEvery, stopping.signal);
      if (stopping.signal.aborted) return;
      const now = stage.clock.now();
      const off = now - before - lookEvery;
      if (Math.abs(off) > thresholds.clockJump) {
        jumpedAt = now;
        const text = `The clock moved by ${off < 0 ? '-' : ''}${formatDuration(Math.abs(off))} at once, or the machine stood still.`;
        inOrder('clock', () => desk.raise('clock-jumped', 'clock', text));
      }
      inOrder('look', look);
      await working;
    }
  }

  return {
    observe,
    start() {
      inOrder('what ended while nobody could be told', () => tellOfWhatEnded(stage, desk));
      running = run();
    },
    async stop() {
      stopping.abort();
      await running;
      await working;
      await desk.tend().catch((error: unknown) => stage.log.warn({ cause: describeError(error) }, 'faults at the end'));
    },
    look: () => {
      inOrder('look', look);
      return working.then(() => undefined);
    },
  };
}

/** What the watcher says is wrong. While the link is down nothing is known of people and rooms: those stay as they are. */
async function judgePresence(stage: Stage, desk: Desk, now: Instant): Promise<void> {
  const link = stage.watcher.link();
  const found = stage.watcher.faults?.() ?? [];
  const linkFault = found.find(({ id }) => id.startsWith('xmpp-link-'));
  const down = now - Math.max(link.since, stage.startedAt) > thresholds.linkDown;
  if (link.state === 'up' || link.state === 'off') await desk.clear('xmpp-link-down', 'xmpp');
  else if (linkFault || down) {
    const way = linkFault ? ` Way out: ${linkFault.action}.` : '';
    await desk.raise('xmpp-link-down', 'xmpp', `No session with the XMPP server: ${link.reason ?? link.state}.${way}`);
  }
  if (link.state !== 'up') return;
  for (const kind of presenceKinds) {
    const wrong = found.filter(({ id }) => id === kind);
    for (const { about, text } of wrong) await desk.raise(kind, about, sentence(text));
    for (const subject of await desk.subjects(kind))
      if (!wrong.some(({ about }) => about === subject)) await desk.clear(kind, subject);
  }
}

const presenceKinds = [
  'presence-refused',
  'presence-not-answered',
  'xmpp-account-shared',
  'xmpp-domain-silent',
  'duty-room-hides-jids',
  'duty-room-not-entered',
] as const;

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

async function judge(
  desk: Desk,
  kind: Parameters<Desk['raise']>[0],
  subject: string,
  wrong: boolean,
  text: string,
): Promise<void> {
  if (wrong) await desk.raise(kind, subject, text);
  else await desk.clear(kind, subject);
}

/** Reading more than this every half minute only to say how old the oldest is would be too much. */
const mostLookedAt = 500;

/** Our presence text, and where wanted the subject of the operators' room. */
async function sayHowItGoes(
  stage: Stage,
  counts: Awaited<ReturnType<Stage['store']['counts']>>,
  now: Instant,
): Promise<void> {
  const { notifier, operators } = stage;
  if (!notifier?.setStatus && !operators?.subject) return;
  const { waiting, held, tracked } = counts.tracked;
  const count = waiting + held + tracked;
  const open = count > 0 && count <= mostLookedAt ? await stage.store.openTracked({}) : [];
  const [oldest] = open;
  const p = phrasesIn(languageOfAll(stage));
  const age = oldest ? Math.max(1, Math.floor((now - oldest.acceptedAt) / minute)) : null;
  const status = count === 0 ? p.nothingOpenNow : p.howItGoes(count, age);
  notifier?.setStatus?.(status);
  if (!operators?.subject || operators.room === null || !notifier?.setSubject) return;
  const faults = (await stage.store.faults('open')).map(({ number, owner }) => `f${number} ${owner ?? p.free}`);
  const mails = open.slice(0, 8).map(({ shortId, owner }) => `#${shortId} ${owner ?? p.free}`);
  const more = open.length > mails.length ? [p.more(open.length - mails.length)] : [];
  const subject = [
    status,
    ...(mails.length > 0 ? [[...mails, ...more].join(', ')] : []),
    ...(faults.length > 0 ? [`${p.faultsHead} ${faults.join(', ')}`] : []),
  ].join(' | ');
  if (subjects.get(stage) === subject) return;
  await notifier.setSubject(operators.room, subject).then(
    () => subjects.set(stage, subject),
    (error: unknown) => stage.log.debug({ cause: describeError(error) }, 'the subject of the room could not be set'),
  );
}

const subjects = new WeakMap<Stage, string>();
