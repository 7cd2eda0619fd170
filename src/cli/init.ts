// `pointsman init`: a commented pointsman.yaml and a first rules folder, to be edited. Never overwrites.
import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { initFiles } from '../init.ts';
import { isDomain } from '../mail/path.ts';
import type { Context } from './context.ts';
import { CommandError, exitCodes } from './exit.ts';

export async function init(
  context: Pick<Context, 'terminal' | 'folder'>,
  folder: string,
  options: { readonly domain: string },
): Promise<number> {
  if (!isDomain(options.domain)) {
    throw new CommandError(
      exitCodes.usage,
      `not a mail domain: ${JSON.stringify(options.domain)}; one looks like example.org`,
    );
  }
  const target = resolve(context.folder, folder);
  const files = initFiles({ domain: options.domain.toLowerCase() }).map((file) => ({
    ...file,
    at: join(target, file.path),
  }));
  const there = [];
  for (const { at } of files) if (await exists(at)) there.push(at);
  if (there.length > 0) {
    throw new CommandError(exitCodes.problem, `nothing written, because this is there already: ${there.join(', ')}`);
  }
  for (const { at, content, mode } of files) {
    await makeFolder(dirname(at));
    // `wx`: what appeared meanwhile is not overwritten. The mode is set apart: our umask would narrow it.
    await writeFile(at, content, { flag: 'wx', mode: 0o600 });
    await chmod(at, mode);
    context.terminal.write(`wrote ${shown(context.folder, at)}\n`);
  }
  const config = shown(context.folder, join(target, 'pointsman.yaml'));
  context.terminal.write(
    `\nNext: name your people and groups in ${shown(context.folder, join(target, 'rules'))}/, then\n` +
      `  pointsman check --config ${config}\n  pointsman serve --config ${config}\n`,
  );
  return exitCodes.fine;
}

// Readable for the user the service runs as, writable only for who made it: rules that others may write are refused.
async function makeFolder(path: string): Promise<void> {
  const made = await mkdir(path, { recursive: true });
  if (made !== undefined) await chmod(path, 0o755);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return false;
      throw error;
    },
  );
}

function shown(folder: string, path: string): string {
  const short = relative(folder, path);
  return short === '' || short.startsWith('..') ? path : short;
}
