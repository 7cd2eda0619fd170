// Killed at a transaction, the story goes on right: some of them in each run, all of them in test/long/every-window.test.ts.
import { expect, test } from 'vitest';
import { liveThrough } from '../support/every-window.ts';

test('killed at any transaction of a life, everything comes as it would have', { timeout: 60_000 }, async () => {
  const writes = await liveThrough(null);
  expect(writes).toBeGreaterThan(30);
  for (let write = 1; write <= writes; write += 9) {
    const when = write % 2 === 0 ? 'before' : 'after';
    await expect(liveThrough({ write, when }), `${when} transaction ${write} of ${writes}`).resolves.toBeGreaterThan(0);
  }
});
