// Broken rule files: each begins with what must be said of it, `#! line:column: severity: message`, and nothing else
// may be said. A change of wording shows up as a change of these files, on purpose.
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseRules } from '../../src/routing/parse.ts';
import { excerptOf, formatProblem } from '../../src/routing/problem.ts';

const folder = new URL('broken-rules/', import.meta.url);
const files = readdirSync(folder);

test('at least fifty', () => expect(files.length).toBeGreaterThanOrEqual(50));

test.each(files)('%s', (name) => {
  const text = readFileSync(new URL(name, folder), 'utf8');
  const wanted = text.split('\n').filter((line) => line.startsWith('#! '));
  const { rules, problems } = parseRules([{ name: '', text }]);
  expect(wanted.length).toBeGreaterThan(0);
  expect(problems.map((problem) => `#! ${formatProblem(problem).slice(1)}`)).toEqual(wanted);
  expect(rules === undefined).toBe(wanted.some((line) => line.includes(': error: ')));
  // The caret stands under a character of the line, not beside it.
  for (const problem of problems) {
    const [line = '', caret = ''] = excerptOf(problem, new Map([['', text]]));
    expect(line[caret.indexOf('^')]).toMatch(/\S/);
  }
});
