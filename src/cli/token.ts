// `pointsman token`: what lets a program ask over TCP is made here, shown once, listed and revoked.
import type { TokenView } from '../operations.ts';
import { type Context, clientFor, type Target, writeJson } from './context.ts';
import { CommandError, exitCodes } from './exit.ts';
import { momentExamples, parseMoment, zoneHere } from './moment.ts';
import { type Column, dateAndTime, table } from './terminal.ts';

export interface TokenOptions extends Target {
  readonly json?: boolean;
}
export interface AddOptions extends TokenOptions {
  readonly scope: readonly string[];
  readonly until?: string;
}

export async function tokenAdd(context: Context, name: string, options: AddOptions): Promise<number> {
  const now = context.clock.now();
  const until = options.until === undefined ? null : parseMoment(options.until, now, zoneHere());
  if (until === undefined)
    throw new CommandError(
      exitCodes.usage,
      `not a time to come: ${JSON.stringify(options.until)}; one looks like ${momentExamples}`,
    );
  const client = await clientFor(context, options);
  const { token } = await client.addToken({ name, scopes: options.scope, until }, context.by);
  if (options.json) writeJson(context, { name, token });
  else {
    // Alone on standard output, so that it can be written into a file: pointsman token add … > file
    context.terminal.write(`${token}\n`);
    context.terminal.complain('Keep it now: it is not shown again.\n');
  }
  return exitCodes.fine;
}

export async function tokenList(context: Context, options: TokenOptions): Promise<number> {
  const tokens = await (await clientFor(context, options)).listTokens();
  if (options.json) writeJson(context, tokens);
  else if (tokens.length === 0) context.terminal.write('There are no tokens.\n');
  else context.terminal.write(table(columns(context.clock.now()), tokens, context.terminal.columns));
  return exitCodes.fine;
}

export async function tokenRevoke(context: Context, name: string, options: TokenOptions): Promise<number> {
  const answer = await (await clientFor(context, options)).revokeToken(name, context.by);
  if (options.json) writeJson(context, answer);
  else context.terminal.write(`${answer.revoked} lets nobody in any more\n`);
  return exitCodes.fine;
}

function columns(now: number): readonly Column<TokenView>[] {
  return [
    { title: 'NAME', cell: ({ name }) => name, flexible: true },
    { title: 'SCOPES', cell: ({ scopes }) => scopes.join(',') },
    { title: 'CREATED', cell: ({ createdAt }) => dateAndTime(createdAt) },
    {
      title: 'UNTIL',
      cell: ({ until }) => (until === null ? '-' : `${dateAndTime(until)}${until <= now ? ' (over)' : ''}`),
    },
  ];
}
