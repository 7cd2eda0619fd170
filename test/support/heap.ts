// How much of the heap is in use once everything that nobody needs any more is gone.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | undefined;

export function heapNow(): number {
  if (!collect) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  // Twice: what the first one finishes is freed by the second.
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}
