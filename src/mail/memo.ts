// What was worked out once for a text is kept for the next time: the same few addresses come with mail after mail.
// Texts come from outside, so it is bounded: in two generations, of which the older is forgotten when the younger is full.

import { apart } from './apart.ts';

const longest = 400;

/** @param work pure; undefined is not remembered */
export function remembering<T>(work: (text: string) => T, most = 2_000): (text: string) => T {
  let young = new Map<string, T>();
  let old = new Map<string, T>();
  return (text) => {
    let known = young.get(text);
    if (known !== undefined) return known;
    if (text.length > longest || !text.isWellFormed()) return work(text);
    // Neither the text nor what is made of it may hold on to the header or the command that it stood in.
    const own = apart(text);
    known = old.get(text) ?? work(own);
    if (known === undefined) return known;
    if (young.size >= most) {
      old = young;
      young = new Map();
    }
    young.set(own, known);
    return known;
  };
}
