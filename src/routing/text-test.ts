// Tests on one text: the recipient, the sender, the subject or a header. Subjects come from attackers, so every kind
// takes time linear in the text (globs: text × pattern), and none looks further than 64 kB.
import { RE2JS } from 're2js';
import type { TextTest } from './rules.ts';

export const maxTestedLength = 65_536;
export const maxPatternLength = 1000;

/** A text made ready for many tests. */
export interface Prepared {
  readonly whole: string;
  readonly lower: string;
}

export function prepare(value: string): Prepared {
  const whole = value.length > maxTestedLength ? value.slice(0, maxTestedLength) : value;
  return { whole, lower: whole.toLowerCase() };
}

export function matchesText(test: TextTest, value: string): boolean {
  return matchesPrepared(test, prepare(value));
}

export function matchesPrepared(test: TextTest, { whole, lower }: Prepared): boolean {
  switch (test.kind) {
    case 'exact':
      return lower === test.text;
    case 'prefix':
      return lower.startsWith(test.text);
    case 'contains':
      return lower.includes(test.text);
    case 'glob':
      return matchesGlob(test.text, lower);
    case 'regex':
      return test.test(whole);
    default:
      return test satisfies never;
  }
}

/** All but regex compare without case, so their text is kept in lower case. */
export function plainTest(kind: 'exact' | 'prefix' | 'contains' | 'glob', text: string): TextTest {
  return Object.freeze({ kind, text: text.toLowerCase() });
}

/** RE2 syntax; case counts unless the pattern says `(?i)`. Finds a match anywhere in the text. */
export function regexTest(source: string): TextTest | { readonly wrong: string } {
  try {
    const compiled = RE2JS.compile(source);
    return Object.freeze({ kind: 'regex', source, test: (input: string) => compiled.test(input) });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const lookaround = /\(\?(?:=|!|<=|<!)|\\[1-9]/.test(source)
      ? '; look-around and back-references do not exist here: they cannot be matched in linear time'
      : '';
    return { wrong: `is not a regular expression (RE2 syntax): ${why}${lookaround}` };
  }
}

/** `*` is any run of characters, `?` is one; everything else is itself. Never backtracks further than the last `*`. */
function matchesGlob(pattern: string, input: string): boolean {
  // By far the most common one, `*@example.org`, needs no walk.
  if (pattern.charCodeAt(0) === 0x2a && pattern.lastIndexOf('*') === 0 && !pattern.includes('?'))
    return input.length >= pattern.length - 1 && input.endsWith(pattern.slice(1));
  let at = 0;
  let inPattern = 0;
  let afterStar = -1;
  let retryAt = 0;
  while (at < input.length) {
    const wanted = pattern[inPattern];
    if (wanted === '*') {
      afterStar = ++inPattern;
      retryAt = at;
    } else if (wanted === '?' || (wanted !== undefined && wanted === input[at])) {
      inPattern++;
      at++;
    } else if (afterStar >= 0) {
      inPattern = afterStar;
      at = ++retryAt;
    } else return false;
  }
  while (pattern[inPattern] === '*') inPattern++;
  return inPattern === pattern.length;
}

/** For people: `matches regex "(?i)invoice"`. */
export function describeTest(test: TextTest): string {
  switch (test.kind) {
    case 'exact':
      return `is ${test.text}`;
    case 'prefix':
      return `begins with ${JSON.stringify(test.text)}`;
    case 'contains':
      return `contains ${JSON.stringify(test.text)}`;
    case 'glob':
      return `matches ${JSON.stringify(test.text)}`;
    case 'regex':
      return `matches the regex ${JSON.stringify(test.source)}`;
    default:
      return test satisfies never;
  }
}

/** Whether everything that `narrow` matches is certainly matched by `wide`. May answer false though it is so. */
export function covers(wide: TextTest, narrow: TextTest): boolean {
  if (wide.kind === 'regex' || narrow.kind === 'regex') {
    if (wide.kind === 'regex' && narrow.kind === 'exact') return false; // case is lost in an exact test
    if (wide.kind === 'regex' && narrow.kind === 'regex') return wide.source === narrow.source;
    return wide.kind === 'glob' && /^\*+$/.test(wide.text);
  }
  if (narrow.kind === 'exact') return matchesText(wide, narrow.text);
  switch (wide.kind) {
    case 'exact':
      return false;
    case 'prefix':
      return narrow.kind === 'prefix' && narrow.text.startsWith(wide.text);
    case 'contains':
      return narrow.kind !== 'glob' && narrow.text.includes(wide.text);
    case 'glob':
      return /^\*+$/.test(wide.text) || (narrow.kind === 'glob' && narrow.text === wide.text);
    default:
      return wide satisfies never;
  }
}
