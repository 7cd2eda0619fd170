// `pointsman user`: who may sign in to the console. Written into the state folder; a running Pointsman sees it at once.
// A password never stands in an argument, where every user of the machine could read it: it is read from standard input.
import { isUserName, listUsers, type Role, removeUser, shortestPassword, writeUser } from '../config/users.ts';
import type { Context } from './context.ts';
import { findConfig, writeJson } from './context.ts';
import { CommandError, exitCodes } from './exit.ts';

export interface UserOptions {
  readonly config?: string;
  readonly json?: boolean;
}

async function stateOf(context: Context, options: UserOptions): Promise<string> {
  return context.stateFolderOf(findConfig(context, options.config));
}

export async function userAdd(context: Context, name: string, options: UserOptions & { role: Role }): Promise<number> {
  if (!isUserName(name))
    throw new CommandError(exitCodes.usage, `not a user name: ${JSON.stringify(name)}; letters, digits and . _ - @`);
  const state = await stateOf(context, options);
  context.terminal.complain(`Password for ${name}, one line: `);
  const password = (await context.terminal.readLine?.()) ?? null;
  if (password === null || password.length < shortestPassword)
    throw new CommandError(exitCodes.usage, `a password has at least ${shortestPassword} characters`);
  const changed = await writeUser(state, { name, role: options.role }, password);
  context.terminal.write(
    `${name} may sign in as ${options.role}${changed ? ', from now on with this password' : ''}\n`,
  );
  return exitCodes.fine;
}

export async function userList(context: Context, options: UserOptions): Promise<number> {
  const users = listUsers(await stateOf(context, options));
  if (options.json) writeJson(context, users);
  else if (users.length === 0) context.terminal.write('There are no users: nobody can sign in to the console.\n');
  else for (const { name, role } of users) context.terminal.write(`${name}  ${role}\n`);
  return exitCodes.fine;
}

export async function userRemove(context: Context, name: string, options: UserOptions): Promise<number> {
  if (!removeUser(await stateOf(context, options), name))
    throw new CommandError(exitCodes.problem, `there is no user ${JSON.stringify(name)}`);
  context.terminal.write(`${name} is signed out, and cannot sign in any more\n`);
  return exitCodes.fine;
}
