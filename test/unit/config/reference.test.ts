// The examples in the reference pages are good, and the pages name every key there is.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { configFileSchema, defaults } from '../../../src/config/config-file.ts';
import { parseConfig } from '../../../src/config.ts';
import { parseRules } from '../../../src/routing/parse.ts';
import { Report } from '../../../src/routing/problem.ts';
import { ruleFileSchema } from '../../../src/routing/rule-file.ts';

const page = (name: string) => readFileSync(new URL(`../../../docs/reference/${name}.md`, import.meta.url), 'utf8');
const example = (text: string) => /```yaml\n(.*?)```/s.exec(text)?.[1] ?? '';

test('rules.md', () => {
  const { rules, problems } = parseRules([{ name: 'rules.md', text: example(page('rules')) }]);
  expect(problems).toEqual([]);
  expect(rules?.routes).toHaveLength(3);
});

test('config.md shows the defaults', () => {
  const { config, problems } = parseConfig(example(page('config')), {
    file: 'config.md',
    folder: '/',
    readSecret: () => ({ value: 'x' }),
    readFile: () => ({ wrong: 'cannot be read' }),
  });
  expect(problems).toEqual([]);
  expect(config).toMatchObject({ size: defaults.size, queue: defaults.queue, http: defaults.http });
});

test.each([
  ['rules', ruleFileSchema],
  ['config', configFileSchema],
] as const)('%s.md names every section', (name, schema) => {
  const report = new Report();
  schema.read({ kind: 'list', items: [], place: { file: '', line: 1, column: 1 } }, report);
  const keys = report.problems[0]?.message.split('a map with the keys ')[1]?.split(', ') ?? [];
  expect(keys.length).toBeGreaterThan(3);
  for (const key of keys) expect(page(name)).toMatch(new RegExp(`(?:## ${key}|\`${key})\\b`));
});
