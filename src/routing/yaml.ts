// YAML text into a small tree of our own, in which every key and value knows its place. Only what admins need of YAML:
// maps, lists and text (the schema decides what is a number or a duration, so `no` and `1e3` stay what was written);
// anchors and aliases within limits; no tags, no merge keys, no second document.
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Node as YamlNode } from 'yaml';
import { quote, Report } from './problem.ts';
import type { Place, Problem } from './rules.ts';

export type Node = TextNode | ListNode | MapNode;

export interface TextNode {
  readonly kind: 'text';
  readonly text: string;
  /** False for `key:` with nothing after it, and for a plain `~` or `null`. */
  readonly given: boolean;
  readonly place: Place;
}

export interface ListNode {
  readonly kind: 'list';
  readonly items: readonly Node[];
  readonly place: Place;
}

export interface MapNode {
  readonly kind: 'map';
  readonly entries: readonly Entry[];
  readonly place: Place;
}

export interface Entry {
  readonly key: string;
  readonly keyPlace: Place;
  readonly value: Node;
}

/** In octets. */
export const maxFileSize = 1_000_000;
/** Levels of maps and lists in each other; ours need seven. */
export const maxDepth = 32;
/** Values in one file after aliases are followed: stops alias bombs (each of 9 levels × 9 aliases is already 400 million). */
export const maxNodes = 100_000;
/** More are never shown: after the first few the rest follows from them. */
const maxSyntaxProblems = 10;

// What the YAML library says is about YAML's grammar; these say what to do.
const hints: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'indent with spaces, not with tabs',
  BLOCK_AS_IMPLICIT_KEY: 'a value that holds ": " must be in quotes',
  RESOURCE_EXHAUSTION: `maps and lists may be at most ${maxDepth} deep`,
};

/** `root` is undefined when the file is empty or could not be read; then there is a problem, or it was empty. */
export function readYaml(text: string, file: string): { readonly root?: Node; readonly problems: readonly Problem[] } {
  const report = new Report();
  if (Buffer.byteLength(text) > maxFileSize) {
    report.error({ file, line: 1, column: 1 }, `is larger than ${maxFileSize} octets, the most a file may have`);
    return { problems: report.problems };
  }
  // YAML 1.2.2 §5.1: what may stand in a stream. Refused here because the library lets control characters through.
  const foreign = /[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.exec(text);
  const tooDeep = flowDepthExceeded(text);
  const found = foreign?.index ?? tooDeep;
  if (found !== undefined) {
    const before = text.slice(0, found);
    const place = { file, line: before.split('\n').length, column: found - before.lastIndexOf('\n') };
    report.error(
      place,
      foreign
        ? `the character ${quote(foreign[0])} may not stand in a YAML file; in a text with double quotes write it as \\x… or \\u…`
        : `${maxDepth} brackets are open here: maps and lists may be at most ${maxDepth} deep`,
    );
    return { problems: report.problems };
  }

  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    schema: 'failsafe',
    // Ours is told where the first one stands, and is not quadratic (50,000 keys: 35 s with the library's).
    uniqueKeys: false,
    merge: false,
    prettyErrors: false,
    // With 'silent' a second document is dropped without a word.
    logLevel: 'error',
  });
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return Object.freeze({ file, line: Math.max(1, line), column: Math.max(1, col) });
  };
  for (const problem of [...document.errors, ...document.warnings].slice(0, maxSyntaxProblems)) {
    const hint = hints[problem.code];
    const what =
      problem.code === 'MULTIPLE_DOCS'
        ? 'a second document begins here, but one file holds one: remove the line ---'
        : `cannot be read as YAML: ${problem.message}${hint ? `; ${hint}` : ''}`;
    report.error(placeAt(problem.pos[0]), what);
  }
  if (report.failed || document.contents === null) return { problems: report.problems };
  const root = new TreeBuilder(document, placeAt, report).build(document.contents, 0, placeAt(0));
  return report.failed || root === undefined ? { problems: report.problems } : { root, problems: report.problems };
}

// The library takes seconds over a megabyte of `[`. A file with this many brackets open at once, quoted text and
// comments left out roughly, is no rule file. Only a cheap early stop: the exact limit is in TreeBuilder.
function flowDepthExceeded(text: string): number | undefined {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === '[' || character === '{') {
      if (++depth > 1000) return index;
    } else if (character === ']' || character === '}') depth = Math.max(0, depth - 1);
  }
  return undefined;
}

class TreeBuilder {
  readonly #document: ReturnType<typeof parseDocument>;
  readonly #placeAt: (offset: number) => Place;
  readonly #report: Report;
  #nodes = 0;
  #full = false;

  constructor(document: ReturnType<typeof parseDocument>, placeAt: (offset: number) => Place, report: Report) {
    this.#document = document;
    this.#placeAt = placeAt;
    this.#report = report;
  }

  /** `fallback` is the place of a value that is not there. */
  build(node: unknown, depth: number, fallback: Place): Node | undefined {
    if (node === null || node === undefined) return { kind: 'text', text: '', given: false, place: fallback };
    const offset = (node as YamlNode).range?.[0];
    const place = offset === undefined ? fallback : this.#placeAt(offset);
    if (this.#full) return undefined;
    if (++this.#nodes > maxNodes) {
      this.#full = true;
      this.#report.error(place, `the file has more than ${maxNodes} values once its aliases are followed`);
      return undefined;
    }
    if (depth > maxDepth) {
      this.#report.error(place, `maps and lists may be at most ${maxDepth} deep`);
      return undefined;
    }
    if (isAlias(node)) {
      const target = node.resolve(this.#document);
      // An alias inside its own anchor ends at the depth limit.
      if (target) return this.build(target, depth + 1, place);
      this.#report.error(place, `*${node.source} stands for nothing: no &${node.source} comes before it`);
      return undefined;
    }
    if (isScalar(node)) {
      const text = String(node.value);
      const plain = node.type === 'PLAIN';
      return { kind: 'text', text, given: !(plain && (text === '' || text === '~' || text === 'null')), place };
    }
    if (isSeq(node)) {
      const items = node.items.map((item) => this.build(item, depth + 1, place));
      return { kind: 'list', items: items.filter((item) => item !== undefined), place };
    }
    if (isMap(node)) return { kind: 'map', entries: this.#entries(node.items, depth, place), place };
    this.#report.error(place, 'is neither text, nor a list, nor a map');
    return undefined;
  }

  #entries(pairs: readonly { key: unknown; value: unknown }[], depth: number, place: Place): Entry[] {
    const entries = new Map<string, Entry>();
    for (const pair of pairs) {
      const key = this.build(pair.key, depth + 1, place);
      if (key === undefined) continue;
      if (key.kind !== 'text') {
        this.#report.error(key.place, `a key must be text, not a ${key.kind}`);
        continue;
      }
      const value = this.build(pair.value, depth + 1, key.place);
      const first = entries.get(key.text);
      if (first) {
        const where = `line ${first.keyPlace.line}`;
        this.#report.error(key.place, `${quote(key.text)} stands here a second time; the first is in ${where}`);
      } else if (value) entries.set(key.text, { key: key.text, keyPlace: key.place, value });
    }
    return [...entries.values()];
  }
}
