// What Pointsman says to people. Plain text that reads well aloud and at 60 columns, about 1 kB at most; every
// message about a mail carries its short id and what to answer.
import { type Duration, formatDuration } from '../clock.ts';
import { oneLine } from './text.ts';

export interface NudgeFacts {
  readonly shortId: string;
  readonly from: string;
  readonly subject: string | null;
  /** The group's address. */
  readonly address: string;
  /** Since acceptance. */
  readonly age: Duration;
}

const subjectOf = (facts: NudgeFacts): string =>
  facts.subject === null || facts.subject.trim() === '' ? 'without a subject' : `“${oneLine(facts.subject, 200)}”`;

/** `#k7mf  Mail for support@example.org from Ann <ann@example.net>: “Printer”` */
export function headline(facts: NudgeFacts): string {
  return `#${facts.shortId} Mail for ${oneLine(facts.address, 100)} from ${oneLine(facts.from, 100)}: ${subjectOf(facts)}`;
}

/** @param why whom else it could have been, in a clause or two */
export function nudgeText(facts: NudgeFacts, why: string): string {
  return [
    headline(facts),
    `It is in your mailbox (${formatDuration(facts.age)} old). Why you: ${oneLine(why, 300)}.`,
    `Answer: ack ${facts.shortId} (I have it), pass ${facts.shortId} (somebody else, please) or help.`,
  ].join('\n');
}

/** For a group whose mail nobody watches over. */
export function toldText(facts: NudgeFacts): string {
  return `${headline(facts).replace(/^#\S+ /, '')}\nIt is in your mailbox (${formatDuration(facts.age)} old).`;
}

export function reminderText(facts: NudgeFacts): string {
  return [
    headline(facts),
    `It is still with you and still unanswered after ${formatDuration(facts.age)}.`,
    `Answer: ack ${facts.shortId} or pass ${facts.shortId}.`,
  ].join('\n');
}

/** @param history who has had it, for people: `alice had it for 10m without an answer` */
export function roomText(facts: NudgeFacts, history: readonly string[]): string {
  const had = history.length > 0 ? ` ${oneLine(history.join('; '), 300)}.` : '';
  return [
    headline(facts),
    `Nobody has taken it for ${formatDuration(facts.age)}.${had}`,
    `Whoever takes it, answer here or to me: ack ${facts.shortId}.`,
  ].join('\n');
}

export function movedOnText(facts: NudgeFacts, to: string, why: string): string {
  return `#${facts.shortId} has moved on to ${oneLine(to, 100)} (${oneLine(why, 100)}). You need not do anything.\nIt was: ${subjectOf(facts)}`;
}

export function takenText(facts: NudgeFacts, by: string): string {
  return `#${facts.shortId} is taken by ${oneLine(by, 100)}. Nothing is left to do for others.\nIt was: ${subjectOf(facts)}`;
}

export function confirmText(facts: NudgeFacts): string {
  return `Thank you. #${facts.shortId} is yours, ${subjectOf(facts)}; nobody else will be asked.`;
}

/** Before the first nudge a person ever gets. */
export function greeting(hostname: string): string {
  return [
    `Hello, this is Pointsman on ${hostname}: I pass mail for a group to the member who is there.`,
    'When I give you one I tell you here. Answer help at any time to see what I understand; set yourself to "do not disturb" to be left out.',
    '',
  ].join('\n');
}

export function helpText(): string {
  return [
    'I give mail for a group to the member who is there, and watch that somebody takes it.',
    'ack ID – I have it; nobody else is asked.',
    'pass ID – not me; it goes to the next one who is there.',
    'list – what is waiting with you.',
    'help – this text.',
    'Without an ID I take the mail that is with you, if there is only one. "Do not disturb" or offline: you get none.',
  ].join('\n');
}
