// Problems in what admins write: how they are worded, ordered and shown. Every reader of ours collects all of them
// before it gives up, each with its place, quoting what was read and saying what would be right.
import { printable } from '../printable.ts';
import type { Place, Problem } from './rules.ts';

/** `rules/20-groups.yaml:4:13: error: …` */
export function formatProblem(problem: Problem): string {
  return printable(`${formatPlace(problem.place)}:${problem.place.column}: ${problem.severity}: ${problem.message}`);
}

/** `rules/20-groups.yaml:4` */
export function formatPlace(place: Place): string {
  return `${place.file}:${place.line}`;
}

/** The line it is about, with a caret under the place; nothing when the file is not at hand. */
export function excerptOf({ place }: Problem, files: ReadonlyMap<string, string>): readonly string[] {
  const line = files.get(place.file)?.split(/\r?\n/)[place.line - 1];
  if (line === undefined) return [];
  // Long lines are shown around the place.
  const start = Math.max(0, place.column - 1 - 60);
  const part = printable(line.slice(start, start + 110).replaceAll('\t', ' '));
  const number = String(place.line).padStart(4);
  const before = start > 0 ? '…' : '';
  return [`${number} | ${before}${part}`, `     | ${' '.repeat(before.length + place.column - 1 - start)}^`];
}

export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some((problem) => problem.severity === 'error');
}

/** Collects; two problems at one place with one text are one problem. */
export class Report {
  readonly #found = new Map<string, Problem>();

  error(place: Place, message: string): void {
    this.#add({ severity: 'error', place, message });
  }

  warning(place: Place, message: string): void {
    this.#add({ severity: 'warning', place, message });
  }

  add(problems: readonly Problem[]): void {
    for (const problem of problems) this.#add(problem);
  }

  /** By file, line and column. */
  get problems(): readonly Problem[] {
    return Object.freeze(
      [...this.#found.values()].sort(
        (a, b) => compare(a.place.file, b.place.file) || a.place.line - b.place.line || a.place.column - b.place.column,
      ),
    );
  }

  get failed(): boolean {
    return hasErrors([...this.#found.values()]);
  }

  #add(found: Problem): void {
    // Libraries and the system put what they read into their messages as it is.
    const problem = Object.freeze({ ...found, message: printable(found.message) });
    this.#found.set(`${formatPlace(problem.place)}:${problem.place.column} ${problem.message}`, problem);
  }
}

// Not localeCompare: the order must not depend on the machine's locale.
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const longestQuote = 80;

/** What was read, safe to show on a terminal: control, bidirectional and other invisible characters are escaped. */
export function quote(text: string): string {
  const shown = text.length > longestQuote ? `${text.slice(0, longestQuote - 1)}…` : text;
  return JSON.stringify(shown).replace(
    /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

/** ` (did you mean "alice"?)`, or the names there are when they are few, or nothing. */
export function didYouMean(text: string, known: Iterable<string>): string {
  const names = [...known];
  const wanted = text.toLowerCase();
  const allowed = Math.max(1, Math.floor(wanted.length / 3));
  let best: { name: string; distance: number } | undefined;
  // A long name is no slip of the pen; the bound keeps hostile input cheap.
  if (wanted.length <= 64) {
    for (const name of names) {
      if (Math.abs(name.length - wanted.length) > allowed) continue;
      const distance = editDistance(wanted, name.toLowerCase());
      if (distance <= allowed && (!best || distance < best.distance)) best = { name, distance };
    }
  }
  if (best) return ` (did you mean ${quote(best.name)}?)`;
  return names.length > 0 && names.length <= 20 ? ` (there are: ${names.join(', ')})` : '';
}

/** Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours each cost one. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (before[j - 2] ?? 0) + 1 : Infinity;
      row.push(Math.min(substituted, swapped, (row[j - 1] ?? 0) + 1, (last[j] ?? 0) + 1));
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
