// Every case of the cookbook is a rules folder without a word of complaint, whose story comes out as it is told, and
// is on the page. The sample rules are held to the same.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseRuleTests, runRuleTest } from '../../src/rehearsal/rule-tests.ts';
import { loadRules, loadTestFiles } from '../../src/routing/load.ts';
import { formatProblem } from '../../src/routing/problem.ts';

const root = new URL('../../', import.meta.url);
const folder = (path: string) => new URL(path, root).pathname;
const cases = readdirSync(folder('rules/examples'));
const page = readFileSync(folder('docs/cookbook/README.md'), 'utf8');

test('at least fifteen', () => expect(cases.length).toBeGreaterThanOrEqual(15));

describe.each(['rules', ...cases.map((name) => `rules/examples/${name}`)])('%s', async (path) => {
  const { rules, problems } = await loadRules(folder(path), { anyMode: true });
  const { files } = await loadTestFiles(folder(path));
  const parsed = files.map(({ name, text }) => parseRuleTests(name, text));
  const tests = parsed.flatMap((one) => one.tests);

  test('is without a word of complaint', () => {
    expect([...problems, ...parsed.flatMap((one) => one.problems)].map(formatProblem)).toEqual([]);
    expect(tests.length).toBeGreaterThan(0);
    if (path !== 'rules') expect(page).toContain(`../../${path}/rules.yaml`);
  });

  test.each(tests.map((one) => [one.name, one] as const))('%s', (_name, one) => {
    if (!rules) throw new Error('no rules');
    const failure = runRuleTest(rules, one);
    expect(failure && formatProblem(failure)).toBeUndefined();
  });
});
