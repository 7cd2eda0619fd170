// Large content as files of our own in the state folder. A file is complete and synced, its name too, before the row that
// names it is written; it is removed after the row has gone. What a crash leaves without a row goes at the next start.
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ContentFile, type ContentWriter, mostInMemory } from '../../mail/content.ts';
import { describeError, PointsmanError } from '../../mail/error.ts';
import { replies } from '../../mail/reply.ts';
import type { Sql } from './sql.ts';

const folderIn = (state: string): string => join(state, 'content');

export const pathOf = (state: string, file: string): string => join(folderIn(state), file);

/** Only before anything is received. */
export function sweepContentFiles(state: string, sql: Sql): void {
  mkdirSync(folderIn(state), { recursive: true, mode: 0o700 });
  const rows = sql.all<{ file: string }>('SELECT file FROM message_content WHERE file IS NOT NULL');
  const named = new Set(rows.map(({ file }) => file));
  for (const file of readdirSync(folderIn(state))) if (!named.has(file)) removeContentFile(state, file);
}

export function removeContentFile(state: string, file: string): void {
  rmSync(pathOf(state, file), { force: true });
}

export function createContentWriter(state: string): ContentWriter {
  const path = pathOf(state, randomUUID());
  const heads: Uint8Array[] = [];
  let length = 0;
  let handle: FileHandle | undefined;
  // One thing at a time: a file that is being opened cannot be removed yet.
  let last: Promise<unknown> = Promise.resolve();
  const afterwards = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
  const failed = (error: unknown): never => {
    const full = (error as NodeJS.ErrnoException).code === 'ENOSPC';
    const reply = full ? replies.storeFull : replies.localError;
    throw new PointsmanError(reply, `content could not be written: ${describeError(error)}`, { cause: error });
  };
  const write = async (octets: Uint8Array): Promise<void> => {
    handle ??= await open(path, 'wx', 0o600);
    if (length < mostInMemory) heads.push(octets.slice(0, mostInMemory - length));
    await handle.appendFile(octets);
    length += octets.length;
  };
  const finish = async (): Promise<ContentFile> => {
    handle ??= await open(path, 'wx', 0o600);
    await handle.sync();
    await handle.close();
    const folder = await open(folderIn(state), 'r');
    await folder.sync().finally(() => folder.close());
    return { path, length, head: new Uint8Array(Buffer.concat(heads)) };
  };
  const discard = async (): Promise<void> => {
    await handle?.close().catch(() => undefined);
    await rm(path, { force: true });
  };
  return {
    write: (octets) => afterwards(() => write(octets)).catch(failed),
    finish: () => afterwards(finish).catch(failed),
    discard: () => afterwards(discard),
  };
}

/** @throws PointsmanError when the file is not what the row says */
export async function readContentFile(state: string, file: string, length: number): Promise<ContentFile> {
  const path = pathOf(state, file);
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    if (size !== length) throw new PointsmanError(replies.localError, `${path} has ${size} octets, not ${length}`);
    const head = Buffer.alloc(Math.min(length, mostInMemory));
    await handle.read(head, 0, head.length, 0);
    return { path, length, head };
  } finally {
    await handle.close();
  }
}
