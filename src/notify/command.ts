// The grammar of what people answer: a verb, perhaps an id, a name, a length of time or a time of day, in any case and
// with the punctuation people add. What is not understood whole is not done: a word too many makes it unclear.
//
//   ack [ID]             pass [ID] [to NAME]     claim [ID]      release [ID]     snooze [ID] 30m     [in] 10m [ID]
//   yes [ID]   no [ID]   who [ID | GROUP]        list            show ID          redirect ID [to] NAME
//   pick [ID] 2 | NAME     ID 2
//   why [ID]   away [until 14:00 | 2h]           back            mute GROUP       unmute GROUP        help      2
import { type Duration, day, parseDuration } from '../clock.ts';
import { fillers, type Language, nearest, toWords, untilWords, type Verb, verbs, wordOf } from './words.ts';

export { type Verb, verbs };

/** What may follow a verb. Absent is not said. */
export interface Said {
  readonly id?: string;
  /** A person or a group; kept as it was said, looked up without regard to case. */
  readonly name?: string;
  readonly lasting?: Duration;
  /** Of those that were proposed. */
  readonly number?: number;
  /** A time of day in the speaker's zone. */
  readonly until?: TimeOfDay;
}

export interface TimeOfDay {
  readonly hour: number;
  readonly minute: number;
}

export type Command =
  | ({ readonly kind: 'command'; readonly verb: Verb | 'promise'; readonly language?: Language } & Said)
  /** A bare number: the answer to a numbered list. */
  | { readonly kind: 'number'; readonly number: number }
  /** Nearly a verb, or a verb with what does not go with it. */
  | {
      readonly kind: 'unclear';
      readonly said: string;
      readonly suggestion?: Verb;
      /** The verb whose rest was not understood. */
      readonly after?: Verb | 'promise';
    };

/** The longest body that is looked at; what is longer is no command. */
const longest = 400;
export const longestPromise: Duration = day;

/** Undefined when the text is not meant for us (empty, a long story). */
export function parseCommand(body: string): Command | undefined {
  // Keyboards and clients put in what nobody sees, and write ä as two characters.
  const text = body
    .slice(0, longest + 1)
    .replace(/[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g, '')
    .normalize('NFC')
    .trim();
  if (text === '' || text.length > longest) return undefined;
  // A quoted line (`> …`) is what the client cites, not what the person says.
  const line = text.split('\n').find((each) => each.trim() !== '' && !each.trimStart().startsWith('>'));
  if (line === undefined) return undefined;
  const words = idLast(wordsOf(line));
  const [first, ...rest] = words;
  if (first === undefined) return undefined;
  // `?` alone is a word of its own; within words punctuation says nothing.
  if (/^[1-9]\d?$/.test(first) && rest.length === 0) return { kind: 'number', number: Number(first) };
  // `k7mf 2`, turned round above
  if (/^[1-9]\d?$/.test(first) && rest.length === 1) return withRest('pick', [...rest, first], null, {});
  // `in 10m`, `10m k7mf`
  const promised = first === 'in' ? rest : words;
  const lasting = durationOf(promised[0] ?? '');
  if (lasting !== undefined) return withRest('promise', promised.slice(1), null, { lasting });
  const word = wordOf(first);
  if (!word) {
    const suggestion = nearest(first);
    return suggestion ? { kind: 'unclear', said: first, suggestion } : { kind: 'unclear', said: first };
  }
  return withRest(word.verb, rest, word.language, {});
}

const bracketing = /^[,;:.!?#()"'“”„‚‘’«»<>[\]]+|[,;:.!?()"'“”„‚‘’«»<>[\]]+$/g;

function wordsOf(line: string): readonly string[] {
  return line
    .toLowerCase()
    .split(/\s+/)
    .map((word) => (word === '?' || word === '->' ? word : word.replace(bracketing, '')))
    .filter((word) => word !== '');
}

/** `k7mf ack` is said, too; and an id alone asks what it is. */
function idLast(words: readonly string[]): readonly string[] {
  const [id = '', second, ...rest] = words;
  if (!isShortId(id) || wordOf(id)) return words;
  return second === undefined ? ['show', id] : [second, id, ...rest];
}

/** `30m`, `1h30m`, `30min`; never more than a promise may last. */
function durationOf(word: string): Duration | undefined {
  const lasting = parseDuration(word.replace(/(\d)min(?:s|utes|uten)?$/, '$1m').replace(/(\d)(?:std|hours?)$/, '$1h'));
  return lasting === undefined || lasting > longestPromise ? undefined : lasting;
}

function timeOf(word: string): TimeOfDay | undefined {
  const parts = /^(\d{1,2})(?:[:.h](\d{2}))?$/.exec(word);
  const [hour, minute] = [Number(parts?.[1]), Number(parts?.[2] ?? 0)];
  return parts && hour < 24 && minute < 60 ? { hour, minute } : undefined;
}

const takesName: ReadonlySet<Verb | 'promise'> = new Set(['pass', 'redirect', 'pick', 'who', 'mute', 'unmute']);
const takesTime: ReadonlySet<Verb | 'promise'> = new Set(['snooze', 'away', 'promise', 'mute']);
const takesId: ReadonlySet<Verb | 'promise'> = new Set([
  ...([
    'ack',
    'pass',
    'claim',
    'release',
    'snooze',
    'yes',
    'no',
    'who',
    'show',
    'redirect',
    'pick',
    'why',
    'promise',
  ] as const),
]);

function withRest(verb: Verb | 'promise', rest: readonly string[], language: Language | null, already: Said): Command {
  const said: { id?: string; name?: string; number?: number; lasting?: Duration; until?: TimeOfDay } = { ...already };
  const unclear = (word: string): Command => ({ kind: 'unclear', said: word, after: verb });
  let named = false;
  for (const [index, word] of rest.entries()) {
    const before = rest[index - 1] ?? '';
    if (untilWords.has(word) && takesTime.has(verb)) continue;
    if (toWords.has(word) && takesName.has(verb)) {
      named = true;
      continue;
    }
    const lasting = takesTime.has(verb) ? durationOf(word) : undefined;
    const until = verb === 'away' ? timeOf(word) : undefined;
    if (verb === 'pick' && /^[1-9]\d?$/.test(word) && said.number === undefined) said.number = Number(word);
    else if (lasting !== undefined && said.lasting === undefined && said.until === undefined) said.lasting = lasting;
    else if (until && (untilWords.has(before) || word.includes(':')) && said.lasting === undefined) said.until = until;
    else if (named && said.name === undefined) said.name = word;
    else if (isShortId(word) && takesId.has(verb) && said.id === undefined) said.id = word;
    else if (fillers.has(word)) continue;
    else if (takesName.has(verb) && said.name === undefined) said.name = word;
    // A word in the place of an id: it will not be known, and that is said.
    else if (takesId.has(verb) && said.id === undefined && said.name === undefined) said.id = word;
    else if (verb === 'list' || verb === 'help' || verb === 'back') continue;
    else return unclear(word);
  }
  if (verb === 'away' && rest.some((word) => untilWords.has(word)) && !said.until && !said.lasting)
    return unclear(rest.at(-1) ?? '');
  return { kind: 'command', verb, ...(language === null ? {} : { language }), ...said };
}

/** As they are drawn: a letter first, at least one digit, so that none is a verb, a number or a length of time. */
export const isShortId = (word: string): boolean => /^[a-z](?=[a-z]*\d)[a-z0-9]{3}$/.test(word);
