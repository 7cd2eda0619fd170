// `pointsman check`: everything that is wrong with pointsman.yaml and the rules, at once, and what the running
// Pointsman complains of, such as a reload it rejected.
import { printable } from '../printable.ts';
import { formatProblem } from '../routing/problem.ts';
import { createClient, NotRunningError } from './client.ts';
import { type Context, findConfig, type Target, writeJson } from './context.ts';
import { exitCodes } from './exit.ts';
import { loadSetup } from './setup.ts';

export async function check(context: Context, options: Target & { readonly json?: boolean }): Promise<number> {
  const file = findConfig(context, options.config);
  const { config, rules, problems } = await loadSetup(file);
  const socket = options.socket ?? (config === null ? null : `${config.state}/control.sock`);
  const running = socket === null ? null : await complaintsOf(socket);
  const errors = problems.filter((problem) => problem.severity === 'error').length;
  const warnings = problems.length - errors;
  const { terminal } = context;
  if (options.json) {
    writeJson(context, { config: file, rulesVersion: rules?.version ?? null, problems, running });
  } else {
    for (const problem of problems) terminal.complain(`${printable(formatProblem(problem))}\n`);
    for (const complaint of running?.problems ?? []) terminal.complain(`running: ${printable(complaint)}\n`);
    terminal.write(
      errors > 0
        ? `${file}: ${count(errors, 'error')}, ${count(warnings, 'warning')}\n`
        : `${file}: good${warnings > 0 ? `, with ${count(warnings, 'warning')}` : ''}; rules ${rules?.version ?? '-'}: ` +
            `${count(rules?.people.size ?? 0, 'person', 'people')}, ${count(rules?.groups.size ?? 0, 'group')}, ` +
            `${count(rules?.routes.length ?? 0, 'route')}\n`,
    );
    if (running !== null && rules !== null && running.rulesVersion !== rules.version) {
      terminal.write(`the running Pointsman uses rules ${running.rulesVersion}; "pointsman reload" takes these\n`);
    }
  }
  if (errors > 0) return exitCodes.configuration;
  return running !== null && running.problems.length > 0 ? exitCodes.problem : exitCodes.fine;
}

/** Null when none runs there. */
async function complaintsOf(
  socket: string,
): Promise<{ readonly ready: boolean; readonly rulesVersion: string; readonly problems: readonly string[] } | null> {
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
