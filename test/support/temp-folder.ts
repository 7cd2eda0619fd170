// A folder of a test's own, gone when the test is over.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TempFolder extends AsyncDisposable {
  readonly path: string;
  remove(): Promise<void>;
}

/** `open` lets other users pass through it: servers that give up root must reach what is below. */
export async function tempFolder(name: string, { open = false }: { open?: boolean } = {}): Promise<TempFolder> {
  const path = await mkdtemp(join(tmpdir(), `pointsman-${name}-`));
  if (open) await chmod(path, 0o755);
  // A server that has just been stopped may still be removing its own files.
  const remove = () => rm(path, { recursive: true, force: true, maxRetries: 5 });
  return { path, remove, [Symbol.asyncDispose]: remove };
}
