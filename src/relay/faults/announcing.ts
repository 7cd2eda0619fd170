// Telling the operators: a room, people, the best of a group; a mailbox where none of these can be reached; a webhook
// beside them. One message for each change of state, in the language of whoever is told.
import { formatDuration, type Instant } from '../../clock.ts';
import { describeError } from '../../mail/error.ts';
import type { Mailbox } from '../../mail/path.ts';
import { faultWords, isFaultId, thresholds } from '../../notify/faults.ts';
import type { NotifyTarget } from '../../notify/notifier.ts';
import { clockTime, phrasesIn } from '../../notify/phrases.ts';
import type { FaultChange } from '../../notify/published.ts';
import type { BareJid } from '../../presence/jid.ts';
import type { GroupName, Language, Person, PersonName } from '../../routing/rules.ts';
import type { Fault } from '../../store/store.ts';
import { languageOfTarget } from '../languages.ts';
import { ownMail } from '../own-mail.ts';
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
export interface FaultReport extends FaultChange {
  readonly event: 'fault';
}

export function createAnnouncer(stage: Stage, targets: OperatorTargets): Announcer {
  const toldOf = new Map<number, Instant>();
  /** Mailed already: the link being down for long must not fill a mailbox. */
  const mailed = new Set<string>();

  async function toAll(say: (language: Language) => string, id: string): Promise<boolean> {
    const { notifier } = stage;
    if (!notifier) return false;
    const results = await Promise.all(
      addressees(stage, targets).map((target, index) =>
        notifier.send(target, say(languageOfTarget(stage, target)), `${id}.${index}`).then(
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
      const key = `${fault.number}.${fault.revision}`;
      if (!mailed.has(key)) await report(fault);
      if (await toAll((language) => changeLines(fault, now, language), `fault.${key}`)) {
        toldOf.set(fault.number, now);
        mailed.delete(key);
        return true;
      }
      if (targets.mailbox === null) {
        mailed.add(key);
        // Nobody can be told at all: it stays in the list and in the log.
        return addressees(stage, targets).length === 0;
      }
      if (!mailed.has(key)) await mail(stage, targets.mailbox, fault, changeLines(fault, now, 'en'));
      mailed.add(key);
      // The mailbox is the last resort: those in the room are told when they can be.
      return addressees(stage, targets).length === 0;
    },

    async repeat(fault) {
      const now = stage.clock.now();
      const told = toldOf.get(fault.number) ?? fault.openedAt;
      if (now - told < thresholds.repeatEvery) return;
      toldOf.set(fault.number, now);
      const lasted = formatDuration(now - fault.openedAt);
      const say = (language: Language) =>
        `${phrasesIn(language).faultGoesOn(`f${fault.number}`, fault.count, lasted, titleOf(fault, language))}\n${sentence(fault.text)}`;
      await toAll(say, `fault.${fault.number}.again.${fault.count}`);
    },
  };
}

/** What is said of a state: opened, owned, free again, over. The first line is short; the particulars are the second. */
export function changeLines(fault: Fault, now: Instant, language: Language): string {
  const id = `f${fault.number}`;
  const p = phrasesIn(language);
  const title = titleOf(fault, language);
  const about = sentence(fault.text);
  if (fault.clearedAt !== null) {
    const lasted = formatDuration(fault.clearedAt - fault.openedAt);
    const by = fault.clearedBy === null ? [] : [p.faultSaid(fault.clearedBy)];
    const first =
      fault.announced > 0
        ? p.faultOver(id, lasted, title)
        : p.faultWas(id, clockTime(fault.openedAt, now, language), lasted, title);
    return [first, about, ...by].join('\n');
  }
  if (fault.owner !== null) return [p.faultWith(id, fault.owner, title), about].join('\n');
  if (fault.announced > 0) return [p.faultAgain(id, title), about, p.faultTake(id)].join('\n');
  const action = isFaultId(fault.kind) ? [p.faultDo(faultWords(fault.kind, language).action)] : [];
  return [p.faultOpened(id, p.severities[fault.severity], title), about, ...action, p.faultTake(id)].join('\n');
}

export const titleOf = ({ kind }: Pick<Fault, 'kind'>, language: Language): string =>
  isFaultId(kind) ? faultWords(kind, language).title : kind;

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

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
  const queueId = stage.newQueueId(now);
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
  const { version: rulesVersion } = stage.rules.current();
  const because = `fault ${fault.kind}`;
  await stage.store.accept(
    ownMail(stage, { queueId, to, content: bytes, body: '8BITMIME', smtputf8: false, rulesVersion, because }, now),
  );
  stage.wake();
}
