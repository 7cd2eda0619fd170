// The keys of our loop mark, in the state folder: one a line, newest first, `id hex`. The newest marks, all are
// believed, so that mail on its way outlives a rotation.
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { MarkKey } from '../mail/loop-mark.ts';

const file = 'mark-keys';
const kept = 3;
const secretLength = 32;

export interface MarkKeys {
  /** Newest first. */
  current(): readonly MarkKey[];
  /** A new one marks from now on; answers its id. The oldest are forgotten. */
  rotate(): string;
}

/** Makes the first key when there is none. @throws when the file is there and is not ours to use */
export function openMarkKeys(folder: string): MarkKeys {
  let keys = read(folder);
  const rotate = (): string => {
    const key = { id: randomBytes(4).toString('hex'), secret: randomBytes(secretLength) };
    const next = [key, ...keys].slice(0, kept);
    write(folder, next);
    keys = next;
    return key.id;
  };
  if (keys.length === 0) rotate();
  return { current: () => keys, rotate };
}

function read(folder: string): readonly MarkKey[] {
  let text: string;
  try {
    text = readFileSync(join(folder, file), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line, index) => {
      const parts = /^([A-Za-z0-9_-]{1,32}) ([0-9a-f]{64})$/.exec(line);
      if (!parts?.[1] || !parts[2]) {
        throw new Error(`${join(folder, file)}:${index + 1}: not a key; remove the file, and a new one is made`);
      }
      return { id: parts[1], secret: Buffer.from(parts[2], 'hex') };
    });
}

/** Whole or not at all, and on disk before it is used. */
function write(folder: string, keys: readonly MarkKey[]): void {
  const at = join(folder, file);
  const fresh = `${at}.new`;
  const descriptor = openSync(fresh, 'w', 0o600);
  try {
    writeSync(descriptor, keys.map(({ id, secret }) => `${id} ${Buffer.from(secret).toString('hex')}\n`).join(''));
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(fresh, at);
}
