// The fault campaign: kill -9, full disk, locked store, torn log and jumping clock, under load, with the next hop in
// trouble. Repeatable by its seed (what is done and when; what the machine makes of it differs a little each time).
//
//   npm run torture -- [--seed N] [--rounds 100] [--record FILE]   one campaign; its figures are added to the file
//   npm run torture -- --page FILE --out docs/measurements/torture.md   what the campaigns in the file come to
//
// Disk rounds need root (a tmpfs), clock rounds libfaketime; what cannot be made here is said, and killed at random instead.
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { runCampaign } from './campaign.ts';
import { page, type Recorded, recordOf } from './page.ts';

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    rounds: { type: 'string', default: '100' },
    record: { type: 'string' },
    page: { type: 'string' },
    out: { type: 'string' },
  },
});
const say = (text: string) => process.stdout.write(`${text}\n`);

if (options.page !== undefined) {
  const lines = (await readFile(options.page, 'utf8')).trim().split('\n');
  const text = page(lines.map((line) => JSON.parse(line) as Recorded));
  if (options.out === undefined) say(text);
  else await writeFile(options.out, text);
} else {
  const [seed, rounds] = [Number(options.seed), Number(options.rounds)];
  if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(rounds) || rounds < 1)
    throw new Error('--seed and --rounds are whole numbers');
  say(`seed ${seed}, ${rounds} rounds; the same again: npm run torture -- --seed ${seed} --rounds ${rounds}`);
  const recorded = recordOf(await runCampaign(seed, rounds, say));
  say(`\n${page([recorded])}`);
  if (options.record !== undefined) await appendFile(options.record, `${JSON.stringify(recorded)}\n`);
}
