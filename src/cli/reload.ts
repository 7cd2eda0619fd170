// `pointsman reload`: read the rules again; a mistake leaves the last good ones in force.
import { printable } from '../printable.ts';
import { formatProblem } from '../routing/problem.ts';
import { type Context, clientFor, type Target, writeJson } from './context.ts';
import { exitCodes } from './exit.ts';

export async function reload(context: Context, options: Target & { readonly json?: boolean }): Promise<number> {
  const { version, problems, rejected } = await (await clientFor(context, options)).reload(context.by);
  const { terminal } = context;
  if (options.json) writeJson(context, { version, problems, rejected });
  else {
    for (const problem of problems) terminal.complain(`${printable(formatProblem(problem))}\n`);
    if (rejected === null) terminal.write(`rules ${version} are in force\n`);
    else terminal.complain(`not reloaded: ${printable(rejected)}\n`);
  }
  return rejected === null ? exitCodes.fine : exitCodes.configuration;
}
