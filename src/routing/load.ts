// Reads a rules folder: all *.yaml directly in it, ordered by name. The one file of routing that touches the disk.
import { constants, watch } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { describeError } from '../mail/error.ts';
import { type Loaded, parseRules, type RuleText } from './parse.ts';
import { quote, Report } from './problem.ts';
import type { Place, Problem } from './rules.ts';
import { maxFileSize } from './yaml.ts';

export { type Loaded, parseRules, type RuleText } from './parse.ts';

/** More files than this are not somebody's rules. */
const maxFiles = 1000;

/**
 * `anyMode`: do not refuse files that others may write. For the sandbox, whose sample rules may lie in a checkout made
 * under another umask; never for a server.
 */
export async function loadRules(folder: string, options: { readonly anyMode?: boolean } = {}): Promise<Loaded> {
  const report = new Report();
  const shown = basename(resolve(folder));
  const whole: Place = { file: shown, line: 1, column: 1 };
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
    else for (const name of wanted) await readRuleFile(join(folder, name), `${shown}/${name}`, options, report, files);
  } catch (error) {
    report.error(whole, `the rules folder ${quote(folder)} cannot be read: ${describeError(error)}`);
  }
  const complete = !report.failed;
  const loaded = parseRules(files, { complete });
  report.add(loaded.problems);
  const { problems } = report;
  return loaded.rules && complete ? { rules: loaded.rules, problems, files } : { problems, files };
}

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
  for (const name of wanted)
    await readRuleFile(join(folder, 'tests', name), `${shown}/${name}`, { anyMode: true }, report, files);
  return { files, problems: report.problems };
}

/** What a change of the folder looks like from outside; null when it cannot be read. */
async function stampOf(folder: string): Promise<string | null> {
  try {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.yaml')).sort();
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
export async function loadSettledRules(folder: string, options: { readonly anyMode?: boolean } = {}): Promise<Loaded> {
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
  const watcher = watch(folder, { persistent: false }, (_event, name) => {
    if (name !== null && !/\.ya?ml$/.test(name)) return;
    clearTimeout(timer);
    timer = setTimeout(changed, settleTime);
    timer.unref();
  });
  watcher.on('error', failed);
  return {
    close() {
      clearTimeout(timer);
      watcher.close();
    },
  };
}

// Milliseconds. Longer than an editor takes between its steps, shorter than an admin's patience.
const settleTime = 500;

async function readRuleFile(
  path: string,
  name: string,
  options: { readonly anyMode?: boolean },
  report: Report,
  files: RuleText[],
): Promise<void> {
  const place: Place = { file: name, line: 1, column: 1 };
  try {
    // Not blocking on a named pipe that happens to end in .yaml; what is read is what was looked at.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile()) return report.error(place, 'is not a file');
    if (!options.anyMode) checkMode(found, place, 'file', report);
    if (found.size > maxFileSize)
      return report.error(place, `is larger than ${maxFileSize} octets, the most a file may have`);
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile());
    files.push({ name, text });
  } catch (error) {
    report.error(place, `cannot be read: ${error instanceof TypeError ? 'it is not UTF-8' : describeError(error)}`);
  }
}

/** Who may write the rules decides where other people's mail goes. */
function checkMode(found: { readonly mode: number }, place: Place, what: string, report: Report): void {
  if ((found.mode & 0o022) === 0) return;
  const who = (found.mode & 0o002) === 0 ? 'its group' : 'everybody';
  const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
  report.error(place, `${who} may write this ${what} (mode ${mode}); take that away: chmod go-w`);
}
