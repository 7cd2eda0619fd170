// A day as `pointsman sandbox --speed 1500 --record` wrote it, through the rules of that day and through others: the
// same rules make no difference at all, and what the others would have changed stands there for people to read.
// `vitest -u` writes the expected texts anew; read them before you believe them.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { replay } from '../../src/cli/replay.ts';
import { hour, systemClock } from '../../src/clock.ts';

const folder = join(import.meta.dirname, 'replay');

async function run(rules: string, more: { against?: string; limit?: number; json?: boolean } = {}): Promise<string> {
  const written: string[] = [];
  const exitCode = await replay(
    {
      terminal: { write: (text) => void written.push(text), complain: () => undefined, columns: 140 },
      clock: systemClock,
      by: 'cli:test',
      folder,
      sourceOf: () => null,
      stateFolderOf: () => Promise.reject(new Error('not asked')),
    },
    { since: 24 * hour, limit: 12, from: 'day.jsonl.gz', rules, anyRuleMode: true, ...more },
  );
  expect(exitCode).toBe(0);
  return written.join('');
}

test('the rules of that day give that day again, mail for mail', async () => {
  const { mails, differences } = JSON.parse(await run('rules-then', { json: true })) as {
    mails: number;
    differences: unknown[];
  };
  expect(mails).toBeGreaterThan(100);
  expect(differences).toEqual([]);
});

test('other rules: who would have had what instead, why, and how much each', async () => {
  await expect(await run('rules-new')).toMatchFileSnapshot(join(folder, 'difference.txt'));
});

test('two sets of rules with each other', async () => {
  await expect(await run('rules-new', { against: 'rules-then', limit: 3 })).toMatchFileSnapshot(
    join(folder, 'against.txt'),
  );
});
