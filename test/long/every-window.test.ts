// Killed at each transaction of a life, before it and with its answer unheard.
import { expect, test } from 'vitest';
import { liveThrough } from '../support/every-window.ts';

test('killed at every transaction of a life, everything comes as it would have', { timeout: 600_000 }, async () => {
  const writes = await liveThrough(null);
  const wrong: string[] = [];
  for (let write = 1; write <= writes; write += 1)
    for (const when of ['before', 'after'] as const)
      await liveThrough({ write, when }).catch((error: unknown) => wrong.push(`${when} ${write}: ${error}`));
  expect(wrong).toEqual([]);
  console.log(`${2 * writes} deaths at ${writes} transactions`);
});
