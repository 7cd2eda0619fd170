// Where a command writes, and the text it writes: aligned tables that fit the width, times as people say them. Cells
// may hold what strangers wrote, so every cell and line goes through printable().
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { type Duration, formatDuration, type Instant } from '../clock.ts';
import { printable } from '../printable.ts';

export interface Terminal {
  /** Standard output. */
  write(text: string): void;
  /** Standard error. */
  complain(text: string): void;
  /** Width to keep to; null when nobody is looking (a pipe, a file), where nothing is cut. */
  readonly columns: number | null;
  /** Somebody looks at standard error: what goes on may be shown there. */
  readonly watched?: boolean;
  /** One line of standard input; null at its end. Absent where there is none. */
  readLine?(): Promise<string | null>;
}

export function processTerminal(): Terminal {
  const { stdout, stderr } = process;
  // `pointsman queue list | head`: who reads has enough. What else can fail here ends the process, as it should.
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  return {
    write: (text) => stdout.write(text),
    complain: (text) => stderr.write(text),
    columns: stdout.isTTY ? Math.max(40, stdout.columns ?? 80) : null,
    watched: stderr.isTTY === true,
    readLine,
  };
}

async function readLine(): Promise<string | null> {
  // Not shown while it is typed: a muted output still moves the cursor, and nothing else.
  const muted = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: muted, terminal: process.stdin.isTTY === true });
  try {
    for await (const line of lines) return line;
    return null;
  } finally {
    lines.close();
    if (process.stdin.isTTY) process.stderr.write('\n');
  }
}

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
  readonly align?: 'right';
  /** May be cut to fit the width, wider ones first. */
  readonly flexible?: true;
}

const gap = 2;
const narrowest = 8;

export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], width: number | null): string {
  const cells = [
    columns.map((column) => column.title),
    ...rows.map((row) => columns.map((c) => printable(c.cell(row)))),
  ];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => widthOf(line[index] ?? ''))));
  if (width !== null) squeeze(columns, widths, width);
  return cells
    .map(
      (line) =>
        `${line
          .map((cell, index) => pad(cell, index))
          .join(' '.repeat(gap))
          .trimEnd()}\n`,
    )
    .join('');

  function pad(cell: string, index: number): string {
    const text = cut(cell, widths[index] ?? 0);
    const blank = ' '.repeat(Math.max(0, (widths[index] ?? 0) - widthOf(text)));
    return columns[index]?.align === 'right' ? blank + text : text + blank;
  }
}

function squeeze<Row>(columns: readonly Column<Row>[], widths: number[], width: number): void {
  const total = () => widths.reduce((sum, one) => sum + one, gap * (widths.length - 1));
  while (total() > width) {
    let widest = -1;
    for (const [index, column] of columns.entries()) {
      const candidate = widths[index] ?? 0;
      if (column.flexible && candidate > narrowest && candidate > (widths[widest] ?? 0)) widest = index;
    }
    if (widest < 0) return; // Nothing left to cut: a long line is better than a lost one.
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

/** `label   value` lines, values aligned. */
export function fields(pairs: readonly (readonly [label: string, value: string])[]): string {
  const width = Math.max(...pairs.map(([label]) => label.length));
  return pairs.map(([label, value]) => `${label.padEnd(width + gap)}${printable(value)}\n`).join('');
}

/** Cells on a terminal: 0 for combining marks, 2 for East Asian wide characters and emoji (UAX 11, roughly). */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{M}|\u200d/u.test(character)) continue;
    width += wide.test(character) ? 2 : 1;
  }
  return width;
}
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\p{Emoji_Presentation}\u{20000}-\u{3fffd}]/u;

export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = '';
  let used = 0;
  for (const character of text) {
    used += widthOf(character);
    if (used > width - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

/** `4m ago`, `in 2h 5m`, `now`. */
export function relative(at: Instant, now: Instant): string {
  const distance = at - now;
  if (Math.abs(distance) < 1_000) return 'now';
  return distance < 0 ? `${formatDuration(-distance)} ago` : `in ${formatDuration(distance)}`;
}

export function span(duration: Duration): string {
  return formatDuration(duration);
}

const two = (part: number): string => String(part).padStart(2, '0');

/** `2026-03-01 10:42:07`, in local time. */
export function dateAndTime(at: Instant): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${timeOfDay(at)}`;
}

/** `10:42:07`, in local time. */
export function timeOfDay(at: Instant): string {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
