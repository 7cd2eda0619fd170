// Why the program did not start, as the admin reads it.
import { formatProblem } from './routing/problem.ts';
import type { Problem } from './routing/rules.ts';

/** What is wrong with the configuration or the rules: nothing was started. */
export class RefusedToStart extends Error {
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.name = 'RefusedToStart';
    this.problems = problems;
  }
}
