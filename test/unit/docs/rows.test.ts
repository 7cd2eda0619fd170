// docs/relay-rows.md, docs/presence-rows.md and docs/milter-rows.md name a test for every row: each exists, and every row has one or says why
// not.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const root = new URL('../../../', import.meta.url);
const rowsOf = (name: string) =>
  readFileSync(new URL(`docs/${name}.md`, root), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const cells = /^\| ([A-Z]+\d+) \| (.+?) \| (.+) \|$/.exec(line);
      return cells ? [{ id: cells[1] ?? '', tests: cells[3] ?? '' }] : [];
    });

describe.each([
  ['relay-rows', 80],
  ['presence-rows', 30],
  ['milter-rows', 40],
] as const)('every row of %s', (page, least) => {
  const rows = rowsOf(page);
  const named = rows.flatMap(({ id, tests }) =>
    // A title may hold backticks of its own; a reference ends where the next begins, or the cell does.
    tests.split(/`, `/).flatMap((part) => {
      const reference = part.replace(/^`|`$/g, '');
      return reference.startsWith('Not ') ? [] : [{ id, reference }];
    }),
  );

  test('has a number of its own', () => {
    expect(rows.length).toBeGreaterThan(least);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
  });

  test('names a test, or says plainly that there is none', () => {
    for (const { id, tests } of rows) expect(tests, id).toMatch(/^(?:`|Not )/);
  });

  test.each(named)('$id: $reference', ({ reference }) => {
    const [file = '', title] = reference.split(' › ');
    const at = new URL(`test/${file}`, root);
    expect(existsSync(at), file).toBe(true);
    if (title === undefined) return;
    // Said by a test (or in its table), not in a comment.
    const named = new RegExp(`['"\`][^'"\`\\n]*${title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`);
    expect(named.test(readFileSync(at, 'utf8')), title).toBe(true);
  });
});

test('every row that the twenty of the relay name exists', () => {
  const page = readFileSync(new URL('docs/relay-rows.md', root), 'utf8');
  const twenty = [...page.matchAll(/^\| \d+ \| .+? \| ([A-Z0-9, ]+) \|$/gm)].map(([, some = '']) => some.split(', '));
  expect(twenty.length).toBe(20);
  const known = new Set(rowsOf('relay-rows').map(({ id }) => id));
  expect(twenty.flat().filter((id) => !known.has(id))).toEqual([]);
});
