// Keys that this installation draws for itself, once, and keeps in its store.
import { randomBytes } from 'node:crypto';
import type { Store } from './store/store.ts';

/** A key of our own: made once, and it never leaves the state folder, whose files are ours alone. */
export async function ownKey(store: Store, name: string, encoding: 'base64' | 'base64url'): Promise<string> {
  const known = await store.recall(name);
  if (known !== null) return known;
  const made = randomBytes(32).toString(encoding);
  await store.remember(name, made);
  return made;
}
