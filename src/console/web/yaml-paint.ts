// Rule files in colours: comments, keys, texts and numbers told apart, line by line, for reading only. What it takes a
// line for changes its colour and nothing else: every character is shown as it is, escaped.
import type { Problem } from '../../routing/rules.ts';
import { type Html, html, safe } from './view.ts';

type Kind = 'comment' | 'key' | 'text' | 'number' | 'word' | 'sign' | 'plain';
interface Piece {
  readonly kind: Kind;
  readonly text: string;
}

/** In the order of trying; each from where the one before ended. */
const patterns: readonly (readonly [Kind, RegExp])[] = [
  ['comment', /#.*/y],
  ['text', /"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'/y],
  ['key', /[\w.@/-]+(?=\s*:(?:\s|$))/y],
  ['number', /\d+(?:\.\d+)?(?:ms|s|m|h|d|%|[kM]B)?(?![\w.@-])/y],
  ['word', /(?:true|false|null|yes|no|none)(?![\w.@-])/y],
  ['sign', /[-:,[\]{}|>&*!?]/y],
  ['plain', /[\w.@/+%-]+|\s+|./uy],
];

export function pieces(line: string): readonly Piece[] {
  const found: Piece[] = [];
  let at = 0;
  while (at < line.length) {
    const before = at;
    for (const [kind, pattern] of patterns) {
      // A # within a word is no comment.
      if (kind === 'comment' && at > 0 && !/\s/.test(line[at - 1] ?? '')) continue;
      pattern.lastIndex = at;
      const text = pattern.exec(line)?.[0];
      if (!text) continue;
      found.push({ kind, text });
      at += text.length;
      break;
    }
    // No pattern takes half a surrogate pair.
    if (at === before) {
      found.push({ kind: 'plain', text: line[at] ?? '' });
      at += 1;
    }
  }
  return found;
}

/** Longer ones would be a page of their own. */
const mostLines = 5_000;

export function painted(name: string, text: string, problems: readonly Problem[]): Html {
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/);
  const byLine = Map.groupBy(
    problems.filter(({ place }) => place.file === name),
    ({ place }) => place.line,
  );
  return html`<ol class="code">${lines.slice(0, mostLines).map((line, index) => {
    const here = byLine.get(index + 1) ?? [];
    const worst = here.some(({ severity }) => severity === 'error') ? 'error' : 'warning';
    return html`<li id="${lineId(name, index + 1)}" class="${here.length === 0 ? '' : `line-${worst}`}"><code>${pieces(
      line,
    ).map(({ kind, text: part }) =>
      kind === 'plain' ? html`${safe(part)}` : html`<span class="y-${kind}">${safe(part)}</span>`,
    )}</code>${here.map(({ message }) => html`<p class="lint">${safe(message)}</p>`)}</li>`;
  })}</ol>${lines.length > mostLines ? html`<p class="note">…</p>` : ''}`;
}

/** Names are those of files; what is odd in one is left out. */
export const lineId = (name: string, line: number): string => `${name.replaceAll(/[^\w.-]/g, '_')}-${line}`;
