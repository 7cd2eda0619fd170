// How the story stands on the terminal: the time since the start, which mail it is about, and what happens, wrapped.
// Time and mail are said again only when they change. Pure but for what it remembers of the line before.

import { widthOf } from '../cli/terminal.ts';
import { type Duration, formatDuration } from '../clock.ts';
import { printable } from '../printable.ts';

const timeWidth = 6;
const tagWidth = 6;
const indent = timeWidth + 2 + tagWidth + 1;
export const widest = 100;

export class Layout {
  readonly #width: number;
  #last = '';

  constructor(columns: number | null) {
    this.#width = Math.max(60, Math.min(widest, columns ?? widest));
  }

  /** @param tag the mail's short id, or null when it is about none */
  line(since: Duration, tag: string | null, text: string): string {
    const time = formatDuration(since).padStart(timeWidth);
    const mark = (tag === null ? '' : `#${tag}`).padEnd(tagWidth);
    const head = `${time}  ${mark}`;
    const said = head === this.#last ? ' '.repeat(indent) : `${head} `;
    this.#last = head;
    const [first = '', ...rest] = wrap(printable(text), this.#width - indent);
    return `${[`${said}${first}`.trimEnd(), ...rest.map((line) => ' '.repeat(indent) + line)].join('\n')}\n`;
  }

  /** What is quoted word for word: each of its lines behind a bar. */
  quoted(text: string): string {
    const bar = `${' '.repeat(indent)}| `;
    return text
      .trim()
      .split('\n')
      .flatMap((line) => wrap(printable(line), this.#width - bar.length))
      .map((line) => `${(bar + line).trimEnd()}\n`)
      .join('');
  }

  /** A heading between two episodes. */
  heading(text: string): string {
    this.#last = '';
    return `\n${wrap(`-- ${printable(text)}`, this.#width).join('\n')}\n`;
  }
}

/** Lines of at most so many cells, broken at spaces; a longer word is broken where it must. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
    while (widthOf(line) > width) {
      const [head, tail] = split(line, width);
      lines.push(head);
      line = tail;
    }
  }
  return [...lines, line];
}

function split(text: string, width: number): [head: string, tail: string] {
  let head = '';
  for (const character of text) {
    if (head !== '' && widthOf(head + character) > width) break;
    head += character;
  }
  return [head, text.slice(head.length)];
}
