// The fault campaign: kill -9, full disk, locked store, torn log and jumping clock, under load, with the next hop in
// trouble. Repeatable by its seed (what is done and when; what the machine makes of it differs a little each time).
//
//   npm run torture -- [--seed N] [--rounds 100] [--out docs/measurements/torture.md]
//
// Disk rounds need root (a tmpfs), clock rounds libfaketime; what cannot be made here is said, and killed at random instead.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { runCampaign } from './campaign.ts';
import { page } from './page.ts';

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    rounds: { type: 'string', default: '100' },
    out: { type: 'string' },
  },
});
const [seed, rounds] = [Number(options.seed), Number(options.rounds)];
if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(rounds) || rounds < 1)
  throw new Error('--seed and --rounds are whole numbers');
const say = (text: string) => process.stdout.write(`${text}\n`);

say(`seed ${seed}, ${rounds} rounds; the same again: npm run torture -- --seed ${seed} --rounds ${rounds}`);
const campaign = await runCampaign(seed, rounds, say);
const text = page(campaign);
say(`\n${text}`);
if (options.out !== undefined) await writeFile(options.out, text);
