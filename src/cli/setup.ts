// pointsman.yaml and the rules it names, read together so that everything wrong with either is told at once.

import { type Duration, second } from '../clock.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config.ts';
import type { Reading } from '../directory/directory.ts';
import type { DirectorySource } from '../directory/source.ts';
import { describeError } from '../mail/error.ts';
import { printable } from '../printable.ts';
import { directoryText } from '../routing/directory-text.ts';
import { checkDoors } from '../routing/doors.ts';
import { type LoadOptions, loadRules, type RuleText } from '../routing/load.ts';
import { formatProblem } from '../routing/problem.ts';
import type { Problem, Rules } from '../routing/rules.ts';
import { CommandError, exitCodes } from './exit.ts';

export { loadConfig };

export interface Setup {
  /** Null when the file is wrong. */
  readonly config: Config | null;
  /** Null when they are wrong, or when the configuration does not say where they are. */
  readonly rules: Rules | null;
  readonly problems: readonly Problem[];
  /** The rules folder; null when it is not known. */
  readonly folder: string | null;
  /** What the directory said just now; absent: none is configured, or it could not be read. */
  readonly reading?: Reading;
  /** The rule files as they were read, to show lines of. */
  readonly texts: ReadonlyMap<string, string>;
}

/** How the directory of a configuration is read; null: it names none. */
export type SourceOf = (config: Config) => DirectorySource | null;

export async function loadSetup(file: string, sourceOf: SourceOf): Promise<Setup> {
  const { config, problems: found } = loadConfig(file);
  if (!config) return { config: null, rules: null, problems: found, folder: null, texts: new Map() };
  const read = await readDirectory(file, sourceOf(config));
  const problems = [...found, ...(read?.problems ?? [])];
  const directory = (files: readonly RuleText[]): RuleText | null =>
    read?.reading ? directoryText(files, read.reading.directory, read.source) : null;
  const { rules, ...rest } = await rulesSetup(config.rules, { directory });
  const doors = rules ? checkDoors(rules, config.milter, config.lookup !== undefined) : [];
  return {
    ...rest,
    ...(read?.reading ? { reading: read.reading } : {}),
    config,
    rules: doors.length > 0 ? null : rules,
    problems: [...problems, ...rest.problems, ...doors],
  };
}

/** A rules folder by itself. */
export async function rulesSetup(folder: string, options: LoadOptions = {}): Promise<Setup> {
  const { rules = null, problems, files = [] } = await loadRules(folder, options);
  return { config: null, rules, problems, folder, texts: new Map(files.map(({ name, text }) => [name, text])) };
}

/** A directory that cannot be read is no mistake of the files: mail goes by what was read last. */
async function readDirectory(
  file: string,
  source: DirectorySource | null,
): Promise<{ readonly source: string; readonly reading?: Reading; readonly problems: readonly Problem[] } | null> {
  if (source === null) return null;
  const place = { file, line: 1, column: 1 };
  try {
    const reading = await source.read(AbortSignal.timeout(patience));
    const problems = reading.flaws.slice(0, mostFlaws).map(
      ({ id, text }): Problem => ({
        severity: 'warning',
        place,
        message: `the directory's entry ${JSON.stringify(id)} is left out: it ${text}`,
      }),
    );
    return { source: source.name, reading, problems };
  } catch (error) {
    const message = `the directory ${source.name} cannot be read: ${describeError(error)}`;
    return { source: source.name, problems: [{ severity: 'warning', place, message }] };
  }
}

const patience: Duration = 30 * second;
const mostFlaws = 20;

/** @throws CommandError, with every problem, when the file is wrong. */
export async function stateFolderOf(file: string): Promise<string> {
  const { config, problems } = loadConfig(file);
  if (config) return config.state;
  const list = problems.map((problem) => printable(formatProblem(problem))).join('\n');
  throw new CommandError(exitCodes.configuration, `the configuration is wrong, so the socket is not known:\n${list}`);
}
