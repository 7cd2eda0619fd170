// `pointsman directory`: what is known of the directory, how old it is, and what is held back; `accept` takes that over.
import type { DirectoryView } from '../operations.ts';
import { type Context, clientFor, type Target, writeJson } from './context.ts';
import { exitCodes } from './exit.ts';
import { fields, relative } from './terminal.ts';

type Options = Target & { readonly json?: boolean };

export async function directory(context: Context, options: Options): Promise<number> {
  const view = await (await clientFor(context, options)).directory();
  return show(context, view, options.json === true);
}

export async function directoryAccept(context: Context, options: Options): Promise<number> {
  const view = await (await clientFor(context, options)).acceptDirectory(context.by);
  return show(context, view, options.json === true);
}

function show(context: Context, view: DirectoryView | null, json: boolean): number {
  const { terminal, clock } = context;
  if (json) writeJson(context, view);
  else if (view === null) terminal.write('No directory is configured: the rule files say who there is.\n');
  else terminal.write(text(view, clock.now()));
  return view?.failure || (view?.held.length ?? 0) > 0 ? exitCodes.problem : exitCodes.fine;
}

function text({ source, readAt, failure, held, people, groups, unused, flaws }: DirectoryView, now: number): string {
  const lines: [string, string][] = [
    ['source', source],
    ['read', readAt === null ? 'never' : relative(readAt, now)],
    ...(failure ? ([['fault', `${failure.text} (since ${relative(failure.since, now)})`]] as [string, string][]) : []),
    ['people', String(people)],
    ...groups.map(({ name, members, missing = [] }): [string, string] => [
      `group ${name}`,
      `${members.length === 0 ? 'nobody' : members.join(', ')}${missing.length > 0 ? `; without ${missing.join('; ')}` : ''}`,
    ]),
    ...(unused > 0 ? ([['groups', `${unused} more, which the rules do not name`]] as [string, string][]) : []),
    ...held.map(({ subject, text: what }): [string, string] => ['held back', `${subject}: ${what}`]),
    ...flaws.map(({ id, text: what }): [string, string] => ['left out', `${id} ${what}`]),
  ];
  const way = held.length > 0 ? 'When that is meant: pointsman directory accept\n' : '';
  return `${fields(lines)}${way}`;
}
