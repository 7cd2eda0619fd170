// Telling the operators: a room, people, the best of a group; a mailbox where none of these can be reached; a webhook
// beside them. One line for each change of state.
import { formatDuration, type Instant } from '../../clock.ts';
import type { Envelope } from '../../mail/envelope.ts';
import { describeError } from '../../mail/error.ts';
import { readFacts } from '../../mail/header.ts';
import { type Mailbox, nullReversePath } from '../../mail/path.ts';
import { isFaultId, kindOf, thresholds } from '../../notify/faults.ts';
import type { NotifyTarget } from '../../notify/notifier.ts';
import { clockTime } from '../../notify/phrases.ts';
import type { BareJid } from '../../presence/jid.ts';
import type { GroupName, Person, PersonName } from '../../routing/rules.ts';
import type { Fault } from '../../store/store.ts';
import type { Stage } from '../parts.ts';

/** Where faults are told. All that are set are told; the mailbox only when no instant message goes. */
export interface OperatorTargets {
  readonly room: BareJid | null;
  readonly people: readonly PersonName[];
  /** The first of its members who is eligible. */
  readonly group: GroupName | null;
  readonly mailbox: Mailbox | null;
  /** Whether the room's subject is the list of what is open. */
  readonly subject?: boolean;
}

export interface Announcer {
  /** True when somebody was told: then it is not told again. */
  tell(fault: Fault): Promise<boolean>;
  /** It has happened again: told at most every half hour. */
  repeat(fault: Fault): Promise<void>;
  /** Whether this person is one of those told by name, and so may claim. */
  isTarget(person: Person): boolean;
}

/** What is sent to programs; fields are added, never changed. */
export interface FaultReport {
  readonly event: 'fault';
  readonly number: number;
  readonly fault: string;
  readonly subject: string;
  readonly severity: string;
  readonly state: 'open' | 'owned' | 'cleared';
  readonly text: string;
  readonly owner: string | null;
  readonly openedAt: string;
  readonly clearedAt: string | null;
  readonly count: number;
}

export function createAnnouncer(stage: Stage, targets: OperatorTargets): Announcer {
  const toldOf = new Map<number, Instant>();
  /** Mailed already: the link being down for long must not fill a mailbox. */
  const mailed = new Set<string>();

  async function toAll(text: string, id: string): Promise<boolean> {
    const { notifier } = stage;
    if (!notifier) return false;
    const results = await Promise.all(
      addressees(stage, targets).map((target, index) =>
        notifier.send(target, text, `${id}.${index}`).then(
          () => true,
          (error: unknown) => {
            stage.log.info({ to: target, cause: describeError(error) }, 'operators could not be told');
            return false;
          },
        ),
      ),
    );
    return results.includes(true);
  }

  async function report(fault: Fault): Promise<void> {
    await stage
      .webhook?.(reportOf(fault))
      .catch((error: unknown) =>
        stage.log.warn({ fault: fault.kind, cause: describeError(error) }, 'the webhook was not told of a fault'),
      );
  }

  return {
    isTarget: ({ name }) => targets.people.includes(name) || inGroup(stage, targets.group, name),

    async tell(fault) {
      const now = stage.clock.now();
      const text = changeLine(fault, now);
      const key = `${fault.number}.${fault.revision}`;
      if (!mailed.has(key)) await report(fault);
      if (await toAll(text, `fault.${key}`)) {
        toldOf.set(fault.number, now);
        mailed.delete(key);
        return true;
      }
      if (targets.mailbox === null) {
        mailed.add(key);
        // Nobody can be told at all: it stays in the list and in the log.
        return addressees(stage, targets).length === 0;
      }
      if (!mailed.has(key)) await mail(stage, targets.mailbox, fault, text);
      mailed.add(key);
      // The mailbox is the last resort: those in the room are told when they can be.
      return addressees(stage, targets).length === 0;
    },

    async repeat(fault) {
      const now = stage.clock.now();
      const told = toldOf.get(fault.number) ?? fault.openedAt;
      if (now - told < thresholds.repeatEvery) return;
      toldOf.set(fault.number, now);
      const text = `f${fault.number} goes on: ${fault.count} times in ${formatDuration(now - fault.openedAt)}. ${fault.text}`;
      await toAll(text, `fault.${fault.number}.again.${fault.count}`);
    },
  };
}

/** The one line of a state: opened, owned, free again, over. */
export function changeLine(fault: Fault, now: Instant): string {
  const id = `f${fault.number}`;
  if (fault.clearedAt !== null) {
    const lasted = formatDuration(fault.clearedAt - fault.openedAt);
    const by = fault.clearedBy === null ? '' : `, says ${fault.clearedBy}`;
    if (fault.announced > 0) return `${id} is over after ${lasted}${by}: ${fault.text}`;
    const from = clockTime(fault.openedAt, now, 'en');
    return `${id} was open from ${from} for ${lasted} and is over${by}: ${fault.text}`;
  }
  if (fault.owner !== null) return `${id} is with ${fault.owner}: ${fault.text}`;
  if (fault.announced > 0) return `${id} is open again, nobody has it: ${fault.text} Take it: claim ${id}.`;
  const action = isFaultId(fault.kind) ? `\nDo: ${kindOf(fault.kind).action}` : '';
  return `${id} ${fault.severity}: ${fault.text}${action}\nTake it: claim ${id}.`;
}

function addressees(stage: Stage, { room, people, group }: OperatorTargets): NotifyTarget[] {
  const rules = stage.rules.current();
  const named = new Set(people);
  const best = group === null ? undefined : bestOf(stage, group);
  if (best !== undefined) named.add(best);
  const jids = [...named].flatMap((name) => rules.people.get(name)?.jid ?? []);
  return [
    ...(room === null ? [] : [{ kind: 'room', room } as const]),
    ...jids.map((jid) => ({ kind: 'person', jid }) as const),
  ];
}

/** The first who is eligible and not away; nobody when nobody is. */
function bestOf(stage: Stage, name: GroupName): PersonName | undefined {
  const rules = stage.rules.current();
  const group = rules.groups.get(name);
  const now = stage.clock.now();
  return group?.members.find((member) => {
    const jid = rules.people.get(member)?.jid;
    if (!jid || stage.absences.away(member, now)) return false;
    return group.eligible.includes(stage.watcher.presenceOf(jid).state);
  });
}

const inGroup = (stage: Stage, group: GroupName | null, person: PersonName): boolean =>
  group !== null && (stage.rules.current().groups.get(group)?.members.includes(person) ?? false);

function reportOf(fault: Fault): FaultReport {
  return {
    event: 'fault',
    number: fault.number,
    fault: fault.kind,
    subject: fault.subject,
    severity: fault.severity,
    state: fault.clearedAt !== null ? 'cleared' : fault.owner !== null ? 'owned' : 'open',
    text: fault.text,
    owner: fault.owner,
    openedAt: new Date(fault.openedAt).toISOString(),
    clearedAt: fault.clearedAt === null ? null : new Date(fault.clearedAt).toISOString(),
    count: fault.count,
  };
}

/** From the null reverse-path: no report comes back of it, and it is nobody's mail to answer. */
async function mail(stage: Stage, to: Mailbox, fault: Fault, text: string): Promise<void> {
  const now = stage.clock.now();
  const queueId = stage.queueIds.next(now);
  const { hostname } = stage.config;
  const subject = `[Pointsman ${hostname}] f${fault.number} ${fault.severity}: ${fault.kind}`;
  const ascii = (words: string) => words.replace(/[^\x20-\x7e]/g, '?');
  const content = [
    `Date: ${new Date(now).toUTCString().replace('GMT', '+0000')}`,
    `From: Pointsman <postmaster@${hostname}>`,
    `To: <${to}>`,
    `Subject: ${ascii(subject)}`,
    `Message-ID: <${queueId}@${hostname}>`,
    // RFC 3834 §5: so that nobody's vacation answers.
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    ...text.split('\n'),
    'No instant message could be sent to the operators.',
    '',
  ].join('\r\n');
  const bytes = new TextEncoder().encode(content);
  const envelope = {
    reversePath: nullReversePath,
    forwardPaths: [{ mailbox: to, notify: ['never'] }],
    body: '8BITMIME',
    smtputf8: false,
  } satisfies Envelope;
  const client = { address: '127.0.0.1', port: 0, helo: hostname, tls: false, carriesMembers: false };
  const { version: rulesVersion } = stage.rules.current();
  const because = [`fault ${fault.kind}`];
  await stage.store.accept({
    message: {
      queueId,
      acceptedAt: now,
      envelope: { reversePath: nullReversePath, body: envelope.body, smtputf8: false },
      facts: readFacts({ queueId, receivedAt: now, envelope, content: bytes, client }),
      size: bytes.length,
      trace: '',
      kind: 'report',
    },
    content: bytes,
    deliveries: [
      {
        seq: 0,
        path: { mailbox: to, notify: ['never'] },
        plan: { kind: 'pass', address: to, rule: null, rulesVersion, because },
        forwardOf: null,
        chosen: null,
        firstAttemptAt: now,
      },
    ],
    tracked: [],
    events: [],
  });
  stage.wake();
}
