// Trying rules out as a task of its own: all it needs goes in as data, all it found comes out as data, so that it can be
// done beside the program. Rules come as texts: what is compiled cannot be handed over.
import type { Instant } from '../clock.ts';
import { readAttachments } from '../mail/attachments.ts';
import type { MailFacts } from '../mail/facts.ts';
import { readFacts, readFields } from '../mail/header.ts';
import { type Mailbox, parseMailbox } from '../mail/path.ts';
import { newQueueId } from '../mail/queue-id.ts';
import type { Presence } from '../presence/presence.ts';
import type { Choice } from '../routing/choose.ts';
import { gather } from '../routing/gather.ts';
import type { RuleText } from '../routing/parse.ts';
import { formatPlace } from '../routing/problem.ts';
import type { PersonName, Problem, Rules } from '../routing/rules.ts';
import type { Outcome } from './happening.ts';
import { asItWas, compare, type RecordedMail, type RecordedPresence, Replay, type ReplayReport } from './replay.ts';
import { rehearse } from './rule-tests.ts';
import { storyLine } from './words.ts';

export type Task =
  | {
      readonly kind: 'try';
      readonly files: readonly RuleText[];
      readonly message: string;
      readonly to?: readonly Mailbox[];
      readonly from?: Mailbox | '<>';
      readonly at: Instant;
      readonly people: readonly {
        readonly name: PersonName;
        readonly presence: Presence;
        readonly open: number;
        readonly lastAssignedAt: Instant | null;
      }[];
    }
  | {
      readonly kind: 'replay';
      readonly files: readonly RuleText[];
      readonly mails: readonly RecordedMail[];
      readonly presence: readonly RecordedPresence[];
      readonly until: Instant;
      /** Differences told of at most; all are counted. */
      readonly most: number;
    };

export interface Line {
  readonly at: Instant;
  readonly recipient: string;
  readonly text: string;
  readonly reasons: readonly string[];
}

/** Without a version there were no rules to try; the problems say why. */
export interface Answered {
  readonly version: string | null;
  readonly problems: readonly Problem[];
  readonly story?: readonly Line[];
  readonly report?: ReplayReport & { readonly moved: number };
  /** The message cannot be tried, in words for people. */
  readonly refused?: string;
}

export function perform(task: Task): Answered {
  const { rules, problems } = gather(task.files);
  if (!rules) return { version: null, problems };
  const { version } = rules;
  if (task.kind === 'replay') return { version, problems, report: replayed(rules, task) };
  // Pasted text has the line ends of whoever pasted it.
  const content = Buffer.from(task.message.replaceAll(/\r\n|\r|\n/g, '\r\n'), 'utf8');
  const facts = factsOfMessage({ ...task, content });
  if (facts.recipients.length === 0)
    return { version, problems, refused: 'the message names no recipient in To or Cc; say one' };
  return { version, problems, story: tried(rules, facts, task) };
}

function tried(rules: Rules, facts: MailFacts, { at, people }: Task & { kind: 'try' }): readonly Line[] {
  const known = people.filter(({ name }) => rules.people.has(name));
  const { outcomes } = rehearse(rules, {
    start: at,
    happenings: [
      ...known.map(({ name, presence }) => ({ at: at - 1, kind: 'presence' as const, person: name, presence })),
      { at, kind: 'mail', name: 'mail', facts },
    ],
    units: Object.fromEntries(known.map(({ name, open }) => [name, open])),
    lastAssignedAt: Object.fromEntries(
      known.flatMap(({ name, lastAssignedAt }) => (lastAssignedAt === null ? [] : [[name, lastAssignedAt]])),
    ),
  });
  return outcomes.map((outcome) => ({
    at: outcome.at,
    recipient: outcome.recipient,
    text: storyLine(outcome, at, false),
    reasons: reasonsOf(outcome),
  }));
}

function replayed(rules: Rules, task: Task & { kind: 'replay' }): ReplayReport & { readonly moved: number } {
  const replay = new Replay(rules);
  for (const change of task.presence) replay.presence(change);
  for (const mail of task.mails) {
    replay.run(mail.facts.receivedAt - 1);
    replay.mail(mail);
  }
  // What was held when the recording ended is held at the end of this one, too.
  replay.run(task.until);
  const report = compare(task.mails, asItWas(task.mails), replay.result, rules);
  return { ...report, moved: report.differences.length, differences: report.differences.slice(0, task.most) };
}

/** The envelope is guessed from the header (RFC 5322 §3.4, as far as guessing needs it) unless it is said. */
export function factsOfMessage({
  content,
  to,
  from,
  at,
}: Pick<Task & { kind: 'try' }, 'to' | 'from' | 'at'> & { readonly content: Buffer }): MailFacts {
  const fields = readFields(content);
  const addresses = (...names: string[]): Mailbox[] =>
    fields
      .filter(({ name }) => names.includes(name))
      .flatMap(({ value }) => value.split(','))
      .flatMap((part) => parseMailbox(/<([^<>]+)>\s*$/.exec(part.trim())?.[1] ?? part.trim()) ?? []);
  const recipients = to ?? addresses('to', 'cc');
  const facts = readFacts({
    queueId: newQueueId(at, () => 0),
    receivedAt: at,
    envelope: {
      reversePath: from ?? addresses('from')[0] ?? '<>',
      forwardPaths: recipients.map((mailbox) => ({ mailbox })),
      body: '8BITMIME',
      smtputf8: false,
    },
    content,
    client: { address: '127.0.0.1', carriesMembers: false },
  });
  return { ...facts, attachments: readAttachments(content) };
}

/** Why, and who was looked at: for the first decision and for each later choice. */
export function reasonsOf({ told, plan }: Outcome): readonly string[] {
  if (told.kind === 'step') return told.next.choice === null ? [] : considered(told.next.choice);
  if (told.kind === 'passed' || told.kind === 'rejected') return plan.because;
  if (told.kind !== 'chosen' && told.kind !== 'held' && told.kind !== 'observed') return [];
  const rule = plan.rule === null ? [] : [`rule ${formatPlace(plan.rule)}`];
  return [...rule, ...plan.because, ...considered(told.choice)];
}

function considered({ because, considered: all }: Choice): string[] {
  return [...because, ...all.map(({ person, verdict, reason }) => `${person} ${verdict}: ${reason}`)];
}
