// People and groups from a file, or from what a program prints. Neither is read while it is being written: a file is
// replaced by renaming, and a program's word counts only when it ends well.
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import type { Duration } from '../clock.ts';
import type { Reading } from '../directory/directory.ts';
import { DirectoryError, type DirectorySource } from '../directory/source.ts';
import { readCsv, readJson } from '../directory/written.ts';
import { describeError } from '../mail/error.ts';

const largest = 50_000_000;

export function createFileSource(path: string): DirectorySource {
  return {
    name: path,
    async read() {
      const text = await textOf(path);
      const read = extname(path).toLowerCase() === '.csv' ? readCsv(text) : readJson(text);
      return whole(read, path);
    },
  };
}

async function textOf(path: string): Promise<string> {
  try {
    // Not waiting on a named pipe; what is looked at is what is read.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile()) throw new Error('it is not a file');
    // Who may write it decides where other people's mail goes.
    if ((found.mode & 0o022) !== 0) throw new Error('others may write it; take that away: chmod go-w');
    if (found.size > largest) throw new Error(`it is larger than ${largest} octets`);
    return new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile());
  } catch (error) {
    const why = error instanceof TypeError ? 'it is not UTF-8' : describeError(error);
    throw new DirectoryError('down', `${path} cannot be read: ${why}`, { cause: error });
  }
}

/** The first word is the path of a program; no shell is asked. */
export function createCommandSource(command: readonly string[], within: Duration): DirectorySource {
  const [program = '', ...args] = command;
  return {
    name: `the program ${basename(program)}`,
    async read(signal) {
      const text = await printedBy(program, args, within, signal);
      return whole(readJson(text), program);
    },
  };
}

function printedBy(program: string, args: readonly string[], within: Duration, signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const options = {
    timeout: within,
    killSignal: 'SIGKILL',
    maxBuffer: largest,
    signal,
    encoding: 'utf8',
    // Of ours only what it needs: credentials of a service may be among the rest.
    env: { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8' },
  } as const;
  execFile(program, [...args], options, (error, out, complaint) => {
    if (error === null) return resolve(out);
    const last = complaint.trim().split('\n').at(-1)?.slice(0, 200) ?? '';
    const why = error.killed ? `it did not end within ${within / 1000} s` : error.message.split('\n')[0];
    reject(new DirectoryError('down', `${program}: ${why}${last === '' ? '' : ` (${last})`}`, { cause: error }));
  });
  return promise;
}

function whole(read: Reading | { readonly wrong: string }, name: string): Reading {
  if ('wrong' in read) throw new DirectoryError('down', `${name} cannot be used: ${read.wrong}`);
  return read;
}
