// pointsman.yaml and the rules it names, read together so that everything wrong with either is told at once.

import { loadConfig } from '../config/load.ts';
import type { Config } from '../config.ts';
import { printable } from '../printable.ts';
import { loadRules } from '../routing/load.ts';
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
  /** The rule files as they were read, to show lines of. */
  readonly texts: ReadonlyMap<string, string>;
}

export async function loadSetup(file: string): Promise<Setup> {
  const { config, problems } = loadConfig(file);
  if (!config) return { config: null, rules: null, problems, folder: null, texts: new Map() };
  const { rules, ...rest } = await rulesSetup(config.rules);
  return { ...rest, config, rules, problems: [...problems, ...rest.problems] };
}

/** A rules folder by itself. */
export async function rulesSetup(folder: string): Promise<Setup> {
  const { rules = null, problems, files = [] } = await loadRules(folder);
  return { config: null, rules, problems, folder, texts: new Map(files.map(({ name, text }) => [name, text])) };
}

/** @throws CommandError, with every problem, when the file is wrong. */
export async function stateFolderOf(file: string): Promise<string> {
  const { config, problems } = loadConfig(file);
  if (config) return config.state;
  const list = problems.map((problem) => printable(formatProblem(problem))).join('\n');
  throw new CommandError(exitCodes.configuration, `the configuration is wrong, so the socket is not known:\n${list}`);
}
