// What Pointsman says to people. Plain text that reads well aloud and at 60 columns, about 1 kB at most; every
// message about a mail carries its short id and what to answer. The sentences are in templates.ts.
import { type Duration, formatDuration } from '../clock.ts';
import type { Language, Until } from '../routing/rules.ts';
import { type Phrases, phrasesIn } from './phrases.ts';
import { templatesIn } from './templates.ts';
import { oneLine, outsideWords, shorten } from './text.ts';

export interface NudgeFacts {
  readonly shortId: string;
  readonly from: string;
  readonly subject: string | null;
  /** The group's address. */
  readonly address: string;
  /** Since acceptance. */
  readonly age: Duration;
  /** The group's; English when not said. */
  readonly language?: Language;
  /** What the group wants told in no instant message. */
  readonly hides?: { readonly subject: boolean; readonly sender: boolean };
  /** How the mail begins, where the group wants that told. */
  readonly excerpt?: string;
}

const t = (facts: NudgeFacts) => templatesIn(facts.language);

export function subjectOf(facts: NudgeFacts, limit = 200): string {
  if (facts.hides?.subject) return t(facts).hiddenSubject;
  const subject = outsideWords(facts.subject ?? '', limit);
  return subject === '' ? t(facts).noSubject : t(facts).quote(subject);
}

function untagged(facts: NudgeFacts): string {
  return t(facts).mail(oneLine(facts.address, 100), senderOf(facts), subjectOf(facts));
}

/** Who is named at length must not hide the address: that stays whole. */
export function senderOf(facts: NudgeFacts): string {
  if (facts.hides?.sender) return t(facts).hiddenSender;
  const { from } = facts;
  const parts = /^(.*)<([^<>]*)>\s*$/s.exec(from);
  if (!parts) return outsideWords(from, 100);
  const name = outsideWords(parts[1] ?? '', 60);
  return `${name}${name === '' ? '' : ' '}<${outsideWords(parts[2] ?? '', 100)}>`;
}

/** `#k7mf Mail for support@example.org from Ann <ann@example.net>: “Printer”` */
export function headline(facts: NudgeFacts): string {
  return `#${facts.shortId} ${untagged(facts)}`;
}

/** For lists: `#k7mf “Printer” from Ann`. The address of who wrote is in `show`. */
export function headlineShort(facts: NudgeFacts): string {
  const name = /^\s*"?([^"<]+?)"?\s*</.exec(facts.from)?.[1] ?? facts.from;
  const by = facts.hides?.sender ? t(facts).hiddenSender : outsideWords(name, 40);
  return `#${facts.shortId} ${subjectOf(facts, 60)} ${t(facts).fromBy(by)}`;
}

/** @param why whom else it could have been, in a clause or two */
export function nudgeText(facts: NudgeFacts, why: string): string {
  return [
    headline(facts),
    ...(facts.excerpt === undefined ? [] : [t(facts).excerpt(outsideWords(facts.excerpt, 160))]),
    `${t(facts).inMailbox(formatDuration(facts.age))} ${t(facts).why(oneLine(why, 300))}`,
    t(facts).answer(facts.shortId),
  ].join('\n');
}

/** To an operator: who could have it, in order. @param lines one for each candidate */
export function proposalText(facts: NudgeFacts, lines: readonly string[], within: Duration): string {
  return [
    headline(facts),
    t(facts).propose(formatDuration(within)),
    ...lines.map((line, index) => `${index + 1}. ${oneLine(line, 160)}`),
    t(facts).proposeAnswer(facts.shortId),
  ].join('\n');
}

/** For a group whose mail nobody watches over. */
export function toldText(facts: NudgeFacts): string {
  return `${untagged(facts)}\n${t(facts).inMailbox(formatDuration(facts.age))}`;
}

/** The white paper's question: the answer sets the owner, a promise, or passes. */
export function reminderText(facts: NudgeFacts): string {
  return [
    headline(facts),
    t(facts).still(formatDuration(facts.age)),
    `${t(facts).answerAgain(facts.shortId)} ${t(facts).soon(facts.shortId)}`,
  ].join('\n');
}

/**
 * @param history who has had it, for people: `alice had it for 10m without an answer`
 * @param until what is waited for: where that is an answer, somebody may well have taken it
 */
export function roomText(facts: NudgeFacts, history: readonly string[], until: Until = 'taken'): string {
  const had = history.length > 0 ? oneLine(history.join('; '), 300) : '';
  return [
    headline(facts),
    t(facts)[until === 'answered' ? 'roomUnanswered' : 'roomOpen'](formatDuration(facts.age), had),
    t(facts).roomAnswer(facts.shortId),
  ].join('\n');
}

export function movedOnText(facts: NudgeFacts, to: string, why: string): string {
  return `${t(facts).movedOn(facts.shortId, oneLine(to, 100), oneLine(why, 100))}\n${t(facts).itWas(subjectOf(facts))}`;
}

export function takenText(facts: NudgeFacts, by: string): string {
  return `${t(facts).taken(facts.shortId, oneLine(by, 100))}\n${t(facts).itWas(subjectOf(facts))}`;
}

export function confirmText(facts: NudgeFacts, p: Phrases = phrasesIn(facts.language ?? 'en')): string {
  return p.yours(facts.shortId, subjectOf(facts));
}

/** Several that became due together, as one message: their first lines. */
export function bundleText(texts: readonly string[], language: Language | undefined, to: 'person' | 'room'): string {
  const words = templatesIn(language);
  const head = to === 'person' ? words.bundle(texts.length) : words.roomBundle(texts.length);
  return [head, ...firstLines(texts, language), words.bundleAnswer].join('\n');
}

/** Several pieces of news at once; each says what it is about in its first line. */
export function newsText(texts: readonly string[], language: Language | undefined): string {
  return firstLines(texts, language).join('\n');
}

function firstLines(texts: readonly string[], language: Language | undefined): string[] {
  const shown = texts.slice(0, 5).map((text) => shorten(text.split('\n')[0] ?? '', 150));
  return texts.length > shown.length
    ? [...shown, phrasesIn(language ?? 'en').more(texts.length - shown.length)]
    : shown;
}

/** Before the first nudge a person ever gets. */
export function greeting(hostname: string, language?: Language): string {
  return [...templatesIn(language).greeting(hostname), ''].join('\n');
}

export function helpText(language?: Language): string {
  return templatesIn(language).help.join('\n');
}
