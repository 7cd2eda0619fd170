// `pointsman check`: everything that is wrong with pointsman.yaml and the rules, at once, the tests of the rules, and
// what the running Pointsman complains of, such as a reload it rejected.
import { basename, relative, resolve } from 'node:path';
import { printable } from '../printable.ts';
import { parseRuleTests, runRuleTest } from '../rehearsal/rule-tests.ts';
import { loadTestFiles } from '../routing/load.ts';
import { excerptOf, formatProblem, hasErrors } from '../routing/problem.ts';
import type { Problem, Rules } from '../routing/rules.ts';
import { createClient, NotRunningError } from './client.ts';
import { type Context, findConfig, type Target, writeJson } from './context.ts';
import { exitCodes } from './exit.ts';
import { loadSetup, rulesSetup, type Setup } from './setup.ts';

export type CheckFormat = 'text' | 'json' | 'github';

export interface CheckOptions extends Target {
  readonly json?: boolean;
  readonly format?: CheckFormat;
  /** Only this rules folder, without a configuration. */
  readonly rules?: string;
}

export async function check(context: Context, options: CheckOptions): Promise<number> {
  const alone = options.rules === undefined ? null : resolve(context.folder, options.rules);
  const file = alone ?? findConfig(context, options.config);
  const setup = alone === null ? await loadSetup(file, context.sourceOf) : await rulesSetup(alone);
  const tests = await runTests(setup);
  const problems = [...setup.problems, ...tests.problems];
  const socket = options.socket ?? (setup.config === null ? null : `${setup.config.state}/control.sock`);
  const running = socket === null ? null : await complaintsOf(socket);
  const format = options.json ? 'json' : (options.format ?? 'text');
  const checked: Checked = { file, setup, problems, tests, running };
  if (format === 'json') {
    writeJson(context, {
      config: alone === null ? file : null,
      rulesVersion: setup.rules?.version ?? null,
      problems,
      tests: { run: tests.run, failed: tests.failed },
      running,
    });
  } else if (format === 'github') annotate(context, checked);
  else tell(context, checked);
  // A configuration that is wrong is what "serve" would end with; rules that are wrong are a finding.
  if (setup.config === null && alone === null) return exitCodes.configuration;
  if (hasErrors(problems)) return exitCodes.problem;
  return running !== null && running.problems.length > 0 ? exitCodes.problem : exitCodes.fine;
}

interface Running {
  readonly ready: boolean;
  readonly rulesVersion: string;
  readonly problems: readonly string[];
}

interface Tested {
  readonly run: number;
  readonly failed: number;
  readonly problems: readonly Problem[];
  readonly texts: ReadonlyMap<string, string>;
}

interface Checked {
  readonly file: string;
  readonly setup: Setup;
  readonly problems: readonly Problem[];
  readonly tests: Tested;
  readonly running: Running | null;
}

async function runTests({ rules, folder }: Setup): Promise<Tested> {
  if (rules === null || folder === null) return { run: 0, failed: 0, problems: [], texts: new Map() };
  return testRules(rules, folder);
}

/** What is in the folder `tests` of the rules, run. */
export async function testRules(rules: Rules, folder: string): Promise<Tested> {
  const { files, problems: unread } = await loadTestFiles(folder);
  const parsed = files.map(({ name, text }) => parseRuleTests(name, text));
  const tests = parsed.flatMap((one) => one.tests);
  const failures = tests.flatMap((test) => runRuleTest(rules, test) ?? []);
  return {
    run: tests.length,
    failed: failures.length,
    problems: [...unread, ...parsed.flatMap((one) => one.problems), ...failures],
    texts: new Map(files.map(({ name, text }) => [name, text])),
  };
}

function tell({ terminal }: Context, { file, setup, problems, tests, running }: Checked): void {
  const texts = new Map([...setup.texts, ...tests.texts]);
  for (const problem of problems) {
    const lines = [formatProblem(problem), ...excerptOf(problem, texts)];
    terminal.complain(`${lines.map(printable).join('\n')}\n`);
  }
  for (const complaint of running?.problems ?? []) terminal.complain(`running: ${printable(complaint)}\n`);
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  const warnings = problems.length - errors;
  const { rules } = setup;
  const tested =
    tests.run === 0 ? '' : `, ${count(tests.run, 'test')}${tests.failed > 0 ? `, ${tests.failed} failed` : ''}`;
  terminal.write(
    errors > 0
      ? `${file}: ${count(errors, 'error')}, ${count(warnings, 'warning')}${tested}\n`
      : `${file}: good${warnings > 0 ? `, with ${count(warnings, 'warning')}` : ''}; rules ${rules?.version ?? '-'}: ` +
          `${count(rules?.people.size ?? 0, 'person', 'people')}, ${count(rules?.groups.size ?? 0, 'group')}, ` +
          `${count(rules?.routes.length ?? 0, 'route')}${tested}\n`,
  );
  if (setup.reading && rules) {
    const used = [...rules.people.values()].filter(({ directory }) => directory !== undefined).length;
    const { people, groups } = setup.reading.directory;
    terminal.write(
      `directory: ${count(people.length, 'person', 'people')} and ${count(groups.length, 'group')} read, ` +
        `of whom the rules use ${used}\n`,
    );
  }
  if (running !== null && rules !== null && running.rulesVersion !== rules.version) {
    terminal.write(`the running Pointsman uses rules ${running.rulesVersion}; "pointsman reload" takes these\n`);
  }
}

/** Workflow commands of GitHub Actions: each problem is shown beside its line. */
function annotate({ terminal, folder }: Context, { setup, problems }: Checked): void {
  const data = (text: string) => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  const property = (text: string) => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
  // Rule files are shown by the name of their folder; annotations count from the root of the repository.
  const root = setup.folder === null ? null : basename(setup.folder);
  const shown = (file: string) =>
    setup.folder !== null && root !== null && file.startsWith(`${root}/`)
      ? relative(folder, resolve(setup.folder, file.slice(root.length + 1)))
      : file;
  for (const { severity, place, message } of problems)
    terminal.write(
      `::${severity} file=${property(shown(place.file))},line=${place.line},col=${place.column}::${data(printable(message))}\n`,
    );
}

/** Null when none runs there. */
async function complaintsOf(socket: string): Promise<Running | null> {
  try {
    const { ready, rulesVersion, problems } = await createClient(socket).status();
    return { ready, rulesVersion, problems };
  } catch (error) {
    if (error instanceof NotRunningError) return null;
    // One that is there but cannot be asked is worth a word, not the end of the check.
    return { ready: false, rulesVersion: '-', problems: [error instanceof Error ? error.message : String(error)] };
  }
}

function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : plural}`;
}
