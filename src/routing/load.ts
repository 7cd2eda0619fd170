// Reads a rules folder: all *.yaml directly in it, ordered by name, and what they include from folders below. The one
// file of routing that touches the disk.
import { constants, type FSWatcher, watch } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { describeError } from '../mail/error.ts';
import { includesOf, type Loaded, parseRules, type RuleText } from './parse.ts';
import { quote, Report } from './problem.ts';
import type { Place, Problem } from './rules.ts';
import { maxFileSize } from './yaml.ts';

export { type Loaded, parseRules, type RuleText } from './parse.ts';

/** More files than this are not somebody's rules. */
const maxFiles = 1000;

export interface LoadOptions {
  readonly anyMode?: boolean;
  /** What the directory adds to the files; null: nothing. */
  readonly directory?: (files: readonly RuleText[]) => RuleText | null;
}

/**
 * `anyMode`: do not refuse files that others may write. For the sandbox, whose sample rules may lie in a checkout made
 * under another umask; never for a server.
 */
export async function loadRules(folder: string, options: LoadOptions = {}): Promise<Loaded> {
  const report = new Report();
  const shown = basename(resolve(folder));
  const whole = wholeOf(shown);
  const files: RuleText[] = [];
  try {
    if (!options.anyMode) checkMode(await stat(folder), whole, 'folder', report);
    const names = (await readdir(folder)).filter((name) => !name.startsWith('.')).sort();
    const wanted = names.filter((name) => name.endsWith('.yaml'));
    for (const name of names.filter((name) => name.endsWith('.yml')))
      report.warning(
        { file: `${shown}/${name}`, line: 1, column: 1 },
        'is not read: the name of a rule file ends in .yaml',
      );
    if (wanted.length === 0) report.error(whole, `there is no *.yaml file in ${quote(folder)}`);
    if (wanted.length > maxFiles) report.error(whole, `there are more than ${maxFiles} rule files in ${quote(folder)}`);
    else {
      const reader = new FolderReader(folder, shown, options, report, files);
      for (const name of wanted) await reader.read(name, null);
    }
  } catch (error) {
    report.error(whole, `the rules folder ${quote(folder)} cannot be read: ${describeError(error)}`);
  }
  const complete = !report.failed;
  const known = options.directory?.(files);
  if (known) files.push(known);
  const loaded = parseRules(files, { complete, ordered: true });
  report.add(loaded.problems);
  const { problems } = report;
  return loaded.rules && complete ? { rules: loaded.rules, problems, files } : { problems, files };
}

/** Reads files with what they include: first what is included, then the file itself, each once. */
class FolderReader {
  readonly #folder: string;
  readonly #shown: string;
  readonly #options: { readonly anyMode?: boolean };
  readonly #report: Report;
  readonly #files: RuleText[];
  readonly #done = new Set<string>();
  /** Those that wait for what they include, outermost first. */
  readonly #open: string[] = [];

  constructor(
    folder: string,
    shown: string,
    options: { readonly anyMode?: boolean },
    report: Report,
    files: RuleText[],
  ) {
    this.#folder = folder;
    this.#shown = shown;
    this.#options = options;
    this.#report = report;
    this.#files = files;
  }

  /** @param asked where the file is included; null: it is directly in the folder */
  async read(name: string, asked: Place | null): Promise<void> {
    if (this.#open.includes(name) && asked)
      return this.#report.error(asked, `includes go in a circle: ${[...this.#open, name].join(' → ')}`);
    if (this.#done.has(name)) return;
    this.#done.add(name);
    if (this.#done.size > maxFiles)
      return this.#report.error(asked ?? wholeOf(this.#shown), `there are more than ${maxFiles} rule files`);
    if (asked && !(await this.#isInside(name, asked))) return;
    const text = await readRuleFile(join(this.#folder, name), `${this.#shown}/${name}`, this.#options, this.#report);
    if (text === null) return;
    this.#open.push(name);
    for (const { value, place } of includesOf(text)) await this.read(value, place);
    this.#open.pop();
    this.#files.push(text);
  }

  /** Neither by its path, which the schema sees to, nor by a symbolic link may an include leave the folder. */
  async #isInside(name: string, asked: Place): Promise<boolean> {
    try {
      const [root, real] = await Promise.all([realpath(this.#folder), realpath(join(this.#folder, name))]);
      if (relative(root, real).startsWith('..')) {
        this.#report.error(
          asked,
          `${quote(name)} leads out of the rules folder, to ${real}: an include cannot leave it`,
        );
        return false;
      }
      // Whoever may write a folder may put another file there.
      for (let at = dirname(real); at !== root; at = dirname(at)) {
        const place = wholeOf(`${this.#shown}/${relative(root, at)}`);
        if (!this.#options.anyMode) checkMode(await stat(at), place, 'folder', this.#report);
      }
      return true;
    } catch (error) {
      this.#report.error(asked, `${quote(name)} cannot be read: ${describeError(error)}`);
      return false;
    }
  }
}

const wholeOf = (file: string): Place => ({ file, line: 1, column: 1 });

/** The tests of the rules: all *.yaml in the folder `tests` below. None there: none. */
export async function loadTestFiles(
  folder: string,
): Promise<{ files: readonly RuleText[]; problems: readonly Problem[] }> {
  const report = new Report();
  const files: RuleText[] = [];
  const shown = `${basename(resolve(folder))}/tests`;
  const names = await readdir(join(folder, 'tests')).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT')
      report.error({ file: shown, line: 1, column: 1 }, `cannot be read: ${describeError(error)}`);
    return [];
  });
  const wanted = names.filter((name) => name.endsWith('.yaml') && !name.startsWith('.')).sort();
  for (const name of wanted) {
    const file = await readRuleFile(join(folder, 'tests', name), `${shown}/${name}`, { anyMode: true }, report);
    if (file) files.push(file);
  }
  return { files, problems: report.problems };
}

/** What a change of the folder looks like from outside; null when it cannot be read. */
async function stampOf(folder: string): Promise<string | null> {
  try {
    // In folders below, too: they may be included.
    const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.yaml')).sort();
    const stamps = await Promise.all(
      names.map(async (name) => {
        const { ino, size, mtimeMs, ctimeMs } = await stat(join(folder, name));
        return `${name} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
      }),
    );
    return stamps.join('\n');
  } catch {
    // It is being changed, or is not there: reading it will say what is wrong.
    return null;
  }
}

/**
 * Reads until nothing changed while reading, so that the files belong together. Somebody who writes all the time is
 * waited for no longer than a few rounds: then what was read last is judged like anything else.
 */
export async function loadSettledRules(folder: string, options: LoadOptions = {}): Promise<Loaded> {
  for (let round = 1; ; round += 1) {
    const before = await stampOf(folder);
    const loaded = await loadRules(folder, options);
    if (round >= 5 || before === (await stampOf(folder))) return loaded;
  }
}

export interface RuleWatch {
  close(): void;
}

/**
 * Calls once the folder has been left alone for a moment after a change: an editor writes a file in several steps, and
 * an admin saves several files in a row.
 */
export function watchRules(folder: string, changed: () => void, failed: (error: Error) => void): RuleWatch {
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const watchers = new Map<string, FSWatcher>();

  function watchOne(path: string): void {
    if (closed || watchers.has(path)) return;
    const watcher = watch(path, { persistent: false }, (_event, name) => {
      // A name without an ending may be a new folder, with files that are included.
      if (name !== null && /\.[^.]+$/.test(name) && !/\.ya?ml$/.test(name)) return;
      clearTimeout(timer);
      timer = setTimeout(settled, settleTime);
      timer.unref();
    });
    watchers.set(path, watcher);
    watcher.on('error', (error) => {
      watcher.close();
      watchers.delete(path);
      // A folder below may go; without the rules folder itself there is nothing to watch.
      if (path === folder) failed(error);
    });
  }

  function settled(): void {
    watchBelow().finally(() => !closed && changed());
  }

  /** Folders come and go, and nobody tells of those below a watched one. */
  async function watchBelow(): Promise<void> {
    const below = await foldersBelow(folder).catch((): string[] => []);
    for (const [path, watcher] of watchers)
      if (path !== folder && !below.includes(path)) {
        watcher.close();
        watchers.delete(path);
      }
    for (const path of below) {
      try {
        watchOne(path);
      } catch {
        // Gone again, or the system has no more watches: SIGHUP and "pointsman reload" remain.
      }
    }
  }

  watchOne(folder);
  void watchBelow();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
      for (const watcher of watchers.values()) watcher.close();
    },
  };
}

/** More than these are not watched. */
const maxFolders = 100;

async function foldersBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .flatMap((entry) => (entry.isDirectory() ? [join(entry.parentPath, entry.name)] : []))
    .filter((path) => !`/${relative(folder, path)}`.includes('/.'))
    .slice(0, maxFolders);
}

// Milliseconds. Longer than an editor takes between its steps, shorter than an admin's patience.
const settleTime = 500;

/** Null when it was reported. */
async function readRuleFile(
  path: string,
  name: string,
  options: { readonly anyMode?: boolean },
  report: Report,
): Promise<RuleText | null> {
  const place = wholeOf(name);
  const wrong = (message: string): null => {
    report.error(place, message);
    return null;
  };
  try {
    // Not blocking on a named pipe that happens to end in .yaml; what is read is what was looked at.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile()) return wrong('is not a file');
    if (!options.anyMode) checkMode(found, place, 'file', report);
    if (found.size > maxFileSize) return wrong(`is larger than ${maxFileSize} octets, the most a file may have`);
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile());
    return { name, text };
  } catch (error) {
    return wrong(`cannot be read: ${error instanceof TypeError ? 'it is not UTF-8' : describeError(error)}`);
  }
}

/** Who may write the rules decides where other people's mail goes. */
function checkMode(found: { readonly mode: number }, place: Place, what: string, report: Report): void {
  if ((found.mode & 0o022) === 0) return;
  const who = (found.mode & 0o002) === 0 ? 'its group' : 'everybody';
  const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
  report.error(place, `${who} may write this ${what} (mode ${mode}); take that away: chmod go-w`);
}
