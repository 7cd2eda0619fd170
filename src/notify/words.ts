// The words people may say, English and German, and what is meant by them. Short and long forms stand side by side;
// a word that people say to each other anyway (`ok`, `thanks`) is never a command, at most a hint.

import { type Language, languages } from '../routing/rules.ts';

export const verbs = [
  'ack',
  'pass',
  'claim',
  'release',
  'snooze',
  'yes',
  'no',
  'who',
  'list',
  'show',
  'redirect',
  'pick',
  'why',
  'away',
  'back',
  'mute',
  'unmute',
  'help',
] as const;
export type Verb = (typeof verbs)[number];

export type { Language };

/** Besides the verbs themselves. German ones make the answer German, too. */
const aliases: Readonly<Record<Language, Readonly<Partial<Record<Verb, readonly string[]>>>>> = {
  en: {
    ack: ['acknowledge', 'acked'],
    release: ['unclaim'],
    who: ['who?'],
    list: ['ls'],
    redirect: ['reassign'],
    pick: ['choose'],
    help: ['?', 'commands'],
  },
  de: {
    ack: ['nehme', 'übernehme', 'uebernehme', 'erledige'],
    pass: ['weiter', 'weitergeben'],
    claim: ['meins', 'beanspruche'],
    release: ['freigeben', 'abgeben'],
    snooze: ['später', 'spaeter', 'erinnere'],
    yes: ['ja'],
    no: ['nein'],
    who: ['wer'],
    list: ['liste'],
    show: ['zeige', 'zeig'],
    redirect: ['umleiten'],
    pick: ['wähle', 'waehle'],
    why: ['warum', 'wieso'],
    away: ['weg', 'abwesend'],
    back: ['zurück', 'zurueck', 'wieder'],
    mute: ['stumm'],
    unmute: ['laut'],
    help: ['hilfe'],
  },
};

/** What sounds like a command and is none: the hint that is given. */
const hints: Readonly<Record<string, Verb>> = {
  ok: 'ack',
  okay: 'ack',
  done: 'ack',
  got: 'ack',
  mine: 'claim',
  take: 'claim',
  skip: 'pass',
  decline: 'pass',
  reject: 'pass',
  forward: 'redirect',
  later: 'snooze',
  remind: 'snooze',
  status: 'list',
  info: 'show',
  stop: 'mute',
  unsubscribe: 'mute',
  erledigt: 'ack',
  danke: 'help',
  start: 'help',
};

export interface Word {
  readonly verb: Verb;
  /** Null when the word is the same in every language. */
  readonly language: Language | null;
}

const known: ReadonlyMap<string, Word> = new Map([
  ...verbs.map((verb): [string, Word] => [verb, { verb, language: null }]),
  ...languages.flatMap((language) =>
    Object.entries(aliases[language]).flatMap(([verb, words]) =>
      words.map((word): [string, Word] => [
        word,
        { verb: verb as Verb, language: language === 'en' ? null : language },
      ]),
    ),
  ),
]);

export const wordOf = (word: string): Word | undefined => known.get(word);

/** The verb nearest to a word that is none: a hint, or one slip of the finger away, if only one verb is. */
export function nearest(word: string): Verb | undefined {
  const hint = Object.hasOwn(hints, word) ? hints[word] : undefined;
  if (hint !== undefined) return hint;
  if (word.length < 3) return undefined;
  const near = new Set(
    [...known].filter(([each]) => each.length > 2 && oneSlip(each, word)).map(([, { verb }]) => verb),
  );
  return near.size === 1 ? [...near][0] : undefined;
}

/** One letter more, less or other, or two changed places (Damerau and Levenshtein's distance of 1). */
export function oneSlip(a: string, b: string): boolean {
  if (a === b) return false;
  if (Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < Math.min(a.length, b.length) && a[start] === b[start]) start += 1;
  const [restA, restB] = [a.slice(start), b.slice(start)];
  const swapped =
    restA.length >= 2 && restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2);
  return restA.slice(1) === restB.slice(1) || restA.slice(1) === restB || restA === restB.slice(1) || swapped;
}

/** What is said out of politeness, or to join words, and means nothing more. */
export const fillers: ReadonlySet<string> = new Set([
  ...['please', 'thanks', 'it', 'this', 'that', 'the', 'for', 'in', 'me', 'mail', 'and', 'of'],
  ...['bitte', 'danke', 'es', 'das', 'den', 'die', 'ich', 'für', 'fuer', 'mich', 'um', 'uhr'],
]);

export const toWords: ReadonlySet<string> = new Set(['to', 'an', '->', '→']);
export const untilWords: ReadonlySet<string> = new Set(['until', 'till', 'til', 'bis']);
