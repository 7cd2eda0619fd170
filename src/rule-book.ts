// The rules in force. A reload takes a new set only when it is whole and without errors; otherwise the last good one
// stays, and what is wrong with the new one is kept to be shown.
import type { Problem, RuleSource, Rules } from './routing/rules.ts';

export type RuleLoader = () => Promise<{ rules?: Rules; problems: readonly Problem[] }>;

export interface RuleBook extends RuleSource {
  /** Errors of a rejected reload, or warnings of what is in force. */
  problems(): readonly Problem[];
  /** True while the newest files are not what is in force. */
  rejected(): boolean;
  reload(): Promise<{ version: string; problems: readonly Problem[] }>;
  onChange(listener: (rules: Rules) => void): void;
}

export function createRuleBook(first: Rules, warnings: readonly Problem[], load: RuleLoader): RuleBook {
  let rules = first;
  let problems = warnings;
  let rejected = false;
  let reloading: Promise<unknown> = Promise.resolve();
  const listeners: ((rules: Rules) => void)[] = [];

  async function reload(): Promise<{ version: string; problems: readonly Problem[] }> {
    const loaded = await load();
    problems = loaded.problems;
    rejected = loaded.rules === undefined;
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
    onChange: (listener) => void listeners.push(listener),
    // One after the other: two signals in a row must not let the older files win.
    reload() {
      const next = reloading.then(reload, reload);
      reloading = next.catch(() => undefined);
      return next;
    },
  };
}
