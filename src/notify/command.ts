// The grammar of what people answer: a verb, perhaps an id, in any case, with the punctuation people add.

export const verbs = ['ack', 'pass', 'list', 'help'] as const;
export type Verb = (typeof verbs)[number];

export type Command =
  | { readonly kind: 'command'; readonly verb: Verb; readonly id?: string }
  /** Nearly a verb. */
  | { readonly kind: 'unclear'; readonly said: string; readonly suggestion?: Verb };

/** The longest body that is looked at; what is longer is no command. */
const longest = 400;

/** Undefined when the text is not meant for us (empty, a long story). */
export function parseCommand(body: string): Command | undefined {
  const text = body.slice(0, longest + 1).trim();
  if (text === '' || text.length > longest) return undefined;
  // A quoted line (`> …`) is what the client cites, not what the person says.
  const said = text.split('\n').find((line) => line.trim() !== '' && !line.trimStart().startsWith('>'));
  if (said === undefined) return undefined;
  const words = said
    .toLowerCase()
    .split(/[\s,;:.!?#()"'“”]+/)
    .filter((word) => word !== '');
  const [first, second] = words;
  if (first === undefined) return undefined;
  const verb = verbs.find((known) => known === first);
  if (verb) return second === undefined ? { kind: 'command', verb } : { kind: 'command', verb, id: second };
  const near = verbs.find((known) => distance(known, first) === 1);
  return near ? { kind: 'unclear', said: first, suggestion: near } : { kind: 'unclear', said: first };
}

/** Levenshtein distance, given up (2) once it cannot be 0 or 1. */
function distance(a: string, b: string): number {
  if (a === b) return 0;
  if (Math.abs(a.length - b.length) > 1) return 2;
  let start = 0;
  while (start < Math.min(a.length, b.length) && a[start] === b[start]) start += 1;
  const [restA, restB] = [a.slice(start), b.slice(start)];
  const same = restA.slice(1) === restB.slice(1) || restA.slice(1) === restB || restA === restB.slice(1);
  const swapped =
    restA.length >= 2 && restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2);
  return same || swapped ? 1 : 2;
}
