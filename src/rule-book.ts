// The rules in force. A reload takes a new set only when it is whole and without errors; otherwise the last good one
// stays, and what is wrong with the new one is kept to be shown.
import type { Log } from './log.ts';
import type { RuleText } from './routing/parse.ts';
import { formatProblem } from './routing/problem.ts';
import type { Problem, RuleSource, Rules } from './routing/rules.ts';

export type RuleLoader = () => Promise<{
  rules?: Rules;
  problems: readonly Problem[];
  files?: readonly RuleText[];
}>;

export interface RuleBook extends RuleSource {
  /** Errors of a rejected reload, or warnings of what is in force. */
  problems(): readonly Problem[];
  /** True while the newest files are not what is in force. */
  rejected(): boolean;
  reload(): Promise<{ version: string; problems: readonly Problem[] }>;
  /** The newest, as they were read; and those in force, which differ from them while they are rejected. */
  files(): readonly RuleText[];
  filesInForce(): readonly RuleText[];
  onChange(listener: (rules: Rules) => void): void;
}

export function createRuleBook(
  first: Rules,
  warnings: readonly Problem[],
  load: RuleLoader,
  texts: readonly RuleText[] = [],
): RuleBook {
  let newest = texts;
  let inForce = texts;
  let rules = first;
  let problems = warnings;
  let rejected = false;
  let reloading: Promise<unknown> = Promise.resolve();
  const listeners: ((rules: Rules) => void)[] = [];

  async function reload(): Promise<{ version: string; problems: readonly Problem[] }> {
    const loaded = await load();
    problems = loaded.problems;
    rejected = loaded.rules === undefined;
    newest = loaded.files ?? [];
    if (loaded.rules) inForce = newest;
    if (loaded.rules && loaded.rules.version !== rules.version) {
      rules = loaded.rules;
      for (const listener of listeners) listener(rules);
    }
    return { version: rules.version, problems };
  }

  return {
    current: () => rules,
    problems: () => problems,
    rejected: () => rejected,
    files: () => newest,
    filesInForce: () => inForce,
    onChange: (listener) => void listeners.push(listener),
    // One after the other: two signals in a row must not let the older files win.
    reload() {
      const next = reloading.then(reload, reload);
      reloading = next.catch(() => undefined);
      return next;
    },
  };
}

/** `reload` reads what else is renewed with the rules. Over when they are in force, or refused; never rejects. */
export function reloadAndLog(
  rules: RuleBook,
  log: Log,
  because: string,
  reload: RuleBook['reload'] = rules.reload,
): Promise<void> {
  const before = rules.current().version;
  return reload().then(
    ({ version: inForce, problems }) => {
      if (inForce === before && !rules.rejected()) return log.debug({ rules: inForce, because }, 'the same rules');
      for (const problem of problems)
        log[problem.severity === 'error' ? 'error' : 'warn']({ problem: formatProblem(problem) }, 'rules reloaded');
      log.info({ rules: inForce, because }, rules.rejected() ? 'the last good rules stay in force' : 'rules in force');
    },
    (error: unknown) => log.error({ err: error }, 'the rules could not be read; the last good ones stay in force'),
  );
}
