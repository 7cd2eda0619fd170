// Does a message match? Everything a route or an exclusion may test, against the mail's recorded facts and what is
// known around it. Three answers, because some things cannot be known: an unknown test does not hold, and neither
// does its `not`. Pure; linear in the texts, whatever the rules say.
import { formatDuration, type Instant } from '../clock.ts';
import type { MailFacts } from '../mail/facts.ts';
import { type Mailbox, mailboxKey } from '../mail/path.ts';
import type { Presence } from '../presence/presence.ts';
import { isOpenAt, isWithin } from './calendar.ts';
import type { Bounds, Condition, GroupName, Importance, Match, PersonName, Rules, TextTest } from './rules.ts';
import { describeTest, matchesPrepared, type Prepared, prepare } from './text-test.ts';

/** What is known around a mail when it is planned. Undefined is "not known". */
export interface Surroundings {
  readonly now: Instant;
  presenceOf(person: PersonName): Presence | undefined;
  /** Held mail of the group. */
  waiting(group: GroupName): { readonly count: number; readonly oldestAt: Instant | null } | undefined;
  /** Whether an earlier mail of the thread was given to somebody. */
  readonly threadSeen?: boolean;
}

export const nothingKnown = (now: Instant): Surroundings => ({
  now,
  presenceOf: () => undefined,
  waiting: () => undefined,
});

/** `undefined`: cannot be known. */
type Answer = boolean | undefined;

/** One mail, one recipient: texts are prepared once for all the rules. */
export class MailView {
  readonly facts: MailFacts;
  readonly recipient: readonly Prepared[];
  readonly around: Surroundings;
  readonly rules: Pick<Rules, 'groups'>;
  #sender: readonly Prepared[] | undefined;
  #subject: readonly Prepared[] | undefined;
  #from: readonly Prepared[] | undefined;
  #headers: Map<string, readonly Prepared[]> | undefined;

  constructor(facts: MailFacts, recipient: Mailbox, rules: Pick<Rules, 'groups'>, around: Surroundings) {
    this.facts = facts;
    this.recipient = [prepare(recipient)];
    this.rules = rules;
    this.around = around;
  }

  get sender(): readonly Prepared[] {
    this.#sender ??= [prepare(this.facts.reversePath)];
    return this.#sender;
  }

  get subject(): readonly Prepared[] {
    this.#subject ??= this.facts.subject === undefined ? [] : [prepare(this.facts.subject)];
    return this.#subject;
  }

  get from(): readonly Prepared[] {
    this.#from ??= this.facts.from === undefined ? [] : [prepare(this.facts.from)];
    return this.#from;
  }

  header(name: string): readonly Prepared[] {
    this.#headers ??= new Map();
    let values = this.#headers.get(name);
    if (values === undefined) {
      values = this.facts.headers.filter(([each]) => each === name).map(([, value]) => prepare(value));
      this.#headers.set(name, values);
    }
    return values;
  }
}

export function matches(match: Match, view: MailView): boolean {
  return answer(match, view) === true;
}

function answer(match: Match, view: MailView): Answer {
  if (match.recipient && !some(match.recipient, view.recipient)) return false;
  if (match.sender && !some(match.sender, view.sender)) return false;
  if (match.subject && !some(match.subject, view.subject)) return false;
  for (const { name, tests } of match.headers) if (!some(tests, view.header(name))) return false;
  return match.also === undefined ? true : every(match.also, (condition) => judge(condition, view));
}

function some(tests: readonly TextTest[], values: readonly Prepared[]): boolean {
  // Loops, not closures: this is asked a thousand times a mail.
  for (const value of values) for (const test of tests) if (matchesPrepared(test, value)) return true;
  return false;
}

/** Kleene's strong logic: one false decides, otherwise one unknown leaves it unknown. */
function every<T>(items: readonly T[], judgeOne: (item: T) => Answer): Answer {
  let known = true;
  for (const item of items) {
    const one = judgeOne(item);
    if (one === false) return false;
    if (one === undefined) known = false;
  }
  return known ? true : undefined;
}

function judge(condition: Condition, view: MailView): Answer {
  const { facts, around } = view;
  switch (condition.kind) {
    case 'all':
      return every(condition.of, (match) => answer(match, view));
    case 'any':
      return negate(every(condition.of, (match) => negate(answer(match, view))));
    case 'not':
      return negate(answer(condition.of, view));
    case 'from':
      return some(condition.tests, view.from);
    case 'size':
      return within(facts.size, condition.octets);
    case 'attachment':
      return hasAttachment(condition, facts);
    case 'list':
      return isListMail(facts) === condition.is;
    case 'autoSubmitted':
      return facts.autoSubmitted === condition.is;
    case 'spam': {
      const verdict = spamVerdict(facts);
      return verdict === undefined ? undefined : verdict === condition.is;
    }
    case 'importance':
      return condition.is.includes(importanceOf(facts));
    case 'time':
      return condition.schedules.some((schedule) => isOpenAt(schedule, around.now)) === condition.inside;
    case 'date':
      return isWithin(condition.period, around.now);
    case 'thread':
      return around.threadSeen === undefined ? undefined : around.threadSeen === condition.seen;
    case 'presence':
      return isIn(around.presenceOf(condition.person), condition.is);
    case 'present':
      return presentIn(condition, view);
    case 'waiting': {
      const state = around.waiting(condition.group);
      if (state === undefined) return undefined;
      const age = state.oldestAt === null ? 0 : around.now - state.oldestAt;
      return within(state.count, condition.count ?? {}) && within(age, condition.oldest ?? {});
    }
    default:
      return condition satisfies never;
  }
}

const negate = (answer: Answer): Answer => (answer === undefined ? undefined : !answer);

const within = (value: number, { over, under }: Bounds): boolean =>
  (over === undefined || value > over) && (under === undefined || value < under);

/** What we do not know of somebody is in no state, unless the rule asks for just that. */
function isIn(presence: Presence | undefined, states: readonly Presence['state'][]): Answer {
  const state = presence?.state ?? 'unknown';
  return states.includes(state) ? true : state === 'unknown' ? undefined : false;
}

function presentIn({ group, is, count }: Condition & { kind: 'present' }, view: MailView): Answer {
  const members = view.rules.groups.get(group)?.members ?? [];
  const answers = members.map((person) => isIn(view.around.presenceOf(person), is));
  const least = answers.filter((one) => one === true).length;
  const most = least + answers.filter((one) => one === undefined).length;
  // Known whenever those of whom we do not know could not change it.
  const [low, high] = [within(least, count), within(most, count)];
  return low === high ? low : undefined;
}

function hasAttachment({ present, name, type }: Condition & { kind: 'attachment' }, facts: MailFacts): Answer {
  if (facts.attachments === undefined) return undefined;
  const found = facts.attachments.some(
    (one) =>
      (type === undefined || some(type, [prepare(one.type)])) &&
      (name === undefined || some(name, one.name === undefined ? [] : [prepare(one.name)])),
  );
  return found === present;
}

const headerOf = (facts: MailFacts, name: string): string | undefined =>
  facts.headers.find(([each]) => each === name)?.[1];

/** Headers that conditions look at without naming them. */
const listHeaders: readonly string[] = ['list-id', 'list-post', 'list-unsubscribe', 'precedence'];
const spamHeaders: readonly string[] = ['x-spam-flag', 'x-spam-status', 'x-spam', 'x-rspamd-action'];
const importanceHeaders: readonly string[] = ['importance', 'priority', 'x-priority'];

/** All headers that decide whether it matches, in lower case. */
export function headersRead({ headers, also = [] }: Match): readonly string[] {
  const ofCondition = (condition: Condition): readonly string[] => {
    switch (condition.kind) {
      case 'all':
      case 'any':
        return condition.of.flatMap(headersRead);
      case 'not':
        return headersRead(condition.of);
      case 'list':
        return listHeaders;
      case 'spam':
        return spamHeaders;
      case 'importance':
        return importanceHeaders;
      default:
        return [];
    }
  };
  return [...headers.map(({ name }) => name), ...also.flatMap(ofCondition)];
}

/** RFC 2919 §3, RFC 2369 §3; Precedence is older than both and still in use. */
function isListMail(facts: MailFacts): boolean {
  return facts.headers.some(
    ([name, value]) => listHeaders.includes(name) && (name !== 'precedence' || /^(?:list|bulk|junk)\b/i.test(value)),
  );
}

/** What SpamAssassin, Rspamd and those that write like them say; undefined when nobody has judged. */
function spamVerdict(facts: MailFacts): boolean | undefined {
  const verdicts = spamHeaders.map((name) => headerOf(facts, name)).filter((value) => value !== undefined);
  if (verdicts.length === 0) return undefined;
  return verdicts.some((value) => /^(?:yes|true|spam|reject|add header|rewrite subject|soft reject)\b/i.test(value));
}

/** RFC 2156 §5.3.4 and §5.3.6 (Importance, Priority), and the X-Priority of Outlook and its heirs. */
function importanceOf(facts: MailFacts): Importance {
  const said = (headerOf(facts, 'importance') ?? headerOf(facts, 'priority') ?? '').trim().toLowerCase();
  if (said === 'high' || said === 'urgent') return 'high';
  if (said === 'low' || said === 'non-urgent') return 'low';
  const number = /^\s*([1-5])/.exec(headerOf(facts, 'x-priority') ?? '')?.[1];
  if (number === '1' || number === '2') return 'high';
  return number === '4' || number === '5' ? 'low' : 'normal';
}

/** Name the tests that held, never what a header holds: they are logged. Asked only of what matches. */
export function reasonsOf(match: Match, view: MailView): readonly string[] {
  const of = (what: string, tests: readonly TextTest[] | undefined, values: readonly Prepared[]): string[] => {
    const test = tests?.find((candidate) => values.some((value) => matchesPrepared(candidate, value)));
    return test ? [`${what} ${describeTest(test)}`] : [];
  };
  return [
    ...of('recipient', match.recipient, view.recipient),
    ...of('sender', match.sender, view.sender),
    ...of('subject', match.subject, view.subject),
    ...match.headers.flatMap(({ name, tests }) => of(`header ${name}`, tests, view.header(name))),
    ...(match.also ?? []).map((condition) => describeHeld(condition, view)),
  ];
}

function describeHeld(condition: Condition, view: MailView): string {
  switch (condition.kind) {
    case 'all':
      return condition.of.flatMap((match) => reasonsOf(match, view)).join(' and ');
    case 'any': {
      const held = condition.of.find((match) => matches(match, view));
      return held ? reasonsOf(held, view).join(' and ') : 'any of several';
    }
    case 'not':
      return `not (${describeMatch(condition.of)})`;
    case 'from':
      return `from ${describeTests(condition.tests)}`;
    case 'waiting': {
      const state = view.around.waiting(condition.group);
      const age = state?.oldestAt == null ? '' : `, the oldest for ${formatDuration(view.around.now - state.oldestAt)}`;
      return `${state?.count ?? 0} waiting in ${condition.group}${age}`;
    }
    case 'presence':
      return `${condition.person} is ${view.around.presenceOf(condition.person)?.state ?? 'unknown'}`;
    default:
      return describeCondition(condition);
  }
}

function describeTests(tests: readonly TextTest[]): string {
  return tests.map(describeTest).join(' or ');
}

/** A test in words, without regard to a mail. */
export function describeMatch(match: Match): string {
  const of = (what: string, tests: readonly TextTest[] | undefined) =>
    tests ? [`${what} ${describeTests(tests)}`] : [];
  return [
    ...of('recipient', match.recipient),
    ...of('sender', match.sender),
    ...of('subject', match.subject),
    ...match.headers.flatMap(({ name, tests }) => of(`header ${name}`, tests)),
    ...(match.also ?? []).map(describeCondition),
  ].join(' and ');
}

function describeBounds({ over, under }: Bounds, show: (value: number) => string = String): string {
  const parts = [
    ...(over === undefined ? [] : [`over ${show(over)}`]),
    ...(under === undefined ? [] : [`under ${show(under)}`]),
  ];
  return parts.join(' and ');
}

function describeCondition(condition: Condition): string {
  switch (condition.kind) {
    case 'all':
      return condition.of.map(describeMatch).join(' and ');
    case 'any':
      return `(${condition.of.map(describeMatch).join(' or ')})`;
    case 'not':
      return `not (${describeMatch(condition.of)})`;
    case 'from':
      return `from ${describeTests(condition.tests)}`;
    case 'size':
      return `size ${describeBounds(condition.octets)} octets`;
    case 'attachment': {
      const which = [
        ...(condition.type ? [`type ${describeTests(condition.type)}`] : []),
        ...(condition.name ? [`name ${describeTests(condition.name)}`] : []),
      ].join(' and ');
      return `${condition.present ? 'an' : 'no'} attachment${which === '' ? '' : ` whose ${which}`}`;
    }
    case 'list':
      return condition.is ? 'mail of a list' : 'no mail of a list';
    case 'autoSubmitted':
      return condition.is ? 'sent by a machine' : 'not sent by a machine';
    case 'spam':
      return condition.is ? 'marked as spam' : 'marked as no spam';
    case 'importance':
      return `importance ${condition.is.join(' or ')}`;
    case 'time':
      return `${condition.inside ? 'within' : 'outside'} ${condition.schedules.map(({ name }) => name).join(' or ')}`;
    case 'date':
      return `between ${condition.period.from} and ${condition.period.to}`;
    case 'thread':
      return condition.seen ? 'the thread is known' : 'the thread is new';
    case 'presence':
      return `${condition.person} is ${condition.is.join(' or ')}`;
    case 'present':
      return `${describeBounds(condition.count)} members of ${condition.group} are ${condition.is.join(' or ')}`;
    case 'waiting':
      return [
        ...(condition.count ? [`${describeBounds(condition.count)} waiting in ${condition.group}`] : []),
        ...(condition.oldest
          ? [`the oldest in ${condition.group} ${describeBounds(condition.oldest, formatDuration)}`]
          : []),
      ].join(' and ');
    default:
      return condition satisfies never;
  }
}

/** Whether the mail's envelope sender or From is this person: for "whoever wrote it does not get it". */
export function wroteIt(facts: MailFacts, mailbox: Mailbox): boolean {
  const key = mailboxKey(mailbox);
  if (facts.reversePath !== '<>' && mailboxKey(facts.reversePath as Mailbox) === key) return true;
  const from = facts.from?.toLowerCase() ?? '';
  return from === key.toLowerCase() || from.includes(`<${key.toLowerCase()}>`);
}
