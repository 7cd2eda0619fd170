// The fault campaign as a test: every recipient that got a 250 meets one of the four ends, whatever is done to Pointsman
// and its next hop. SEED and ROUNDS repeat and shorten; `npm run torture` is the same as a program.
import { expect, test } from 'vitest';
import { runCampaign } from './torture/campaign.ts';

test('kill -9, full disk, locked store, torn log and jumping clock, under load', { timeout: 3_600_000 }, async () => {
  const seed = Number(process.env.SEED ?? 20_261_123);
  const rounds = Number(process.env.ROUNDS ?? 20);
  // It throws, with what does not balance, as soon as the books do not.
  const campaign = await runCampaign(seed, rounds, (text) => void process.stdout.write(`${text}\n`));
  expect(campaign.account.problems).toEqual([]);
  expect(campaign.account.recipients).toBeGreaterThan(rounds);
});
