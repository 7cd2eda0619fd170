// Random lives against a reference model; test/long lives ten thousand of them.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { live, lives } from '../support/escalation-life.ts';

test('the relay and the model agree on random lives', { timeout: 120_000 }, async () => {
  await expect(fc.assert(fc.asyncProperty(lives, live), { numRuns: 12 })).resolves.toBeUndefined();
});
