// What every command is given, and how it finds the running Pointsman.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Clock } from '../clock.ts';
import { type Client, createClient } from './client.ts';
import { CommandError, exitCodes } from './exit.ts';
import type { SourceOf } from './setup.ts';
import type { Terminal } from './terminal.ts';

export interface Context {
  readonly terminal: Terminal;
  readonly clock: Clock;
  /** Who acts, for the record: `cli:alice`. */
  readonly by: string;
  /** Where relative paths count from. */
  readonly folder: string;
  /** How the directory of a configuration is read. */
  readonly sourceOf: SourceOf;
  /** The state folder named by a configuration file. @throws CommandError when the file is wrong. */
  stateFolderOf(configFile: string): Promise<string>;
}

/** The options that find a running Pointsman. */
export interface Target {
  readonly config?: string;
  readonly socket?: string;
}

const usualPlaces = ['pointsman.yaml', '/etc/pointsman/pointsman.yaml'];

/** The file named, or the first there is of the usual places. */
export function findConfig(context: Pick<Context, 'folder'>, named: string | undefined): string {
  const candidates = (named === undefined ? usualPlaces : [named]).map((place) => resolve(context.folder, place));
  const found = candidates.find((place) => existsSync(place));
  if (found !== undefined) return found;
  throw new CommandError(
    exitCodes.configuration,
    named === undefined
      ? `no configuration: neither ${candidates.join(' nor ')} is there; name one with --config, or write one with "pointsman init"`
      : `no configuration file ${candidates[0]}`,
  );
}

export async function clientFor(context: Context, target: Target): Promise<Client> {
  if (target.socket !== undefined) return createClient(resolve(context.folder, target.socket));
  const state = await context.stateFolderOf(findConfig(context, target.config));
  return createClient(resolve(state, 'control.sock'));
}

/** Machine-readable output: the API's own JSON, indented. */
export function writeJson(context: Pick<Context, 'terminal'>, value: unknown): void {
  context.terminal.write(`${JSON.stringify(value, null, 2)}\n`);
}
