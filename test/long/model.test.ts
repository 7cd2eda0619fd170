// No lost escalation, no two owners, no step taken twice: ten thousand random lives. `SEED` and `RUNS` repeat and shorten.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { live, lives } from '../support/escalation-life.ts';

test('ten thousand lives', { timeout: 3 * 3_600_000 }, async () => {
  const seed = Number(process.env.SEED ?? 20_261_123);
  const numRuns = Number(process.env.RUNS ?? 10_000);
  await expect(fc.assert(fc.asyncProperty(lives, live), { seed, numRuns })).resolves.toBeUndefined();
});
