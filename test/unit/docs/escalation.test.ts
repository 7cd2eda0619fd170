// The reference page of escalation names a story for all that it says: they are there, and its table of races is the one
// that is lived. The lines that the long tests break still stand.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { broken } from '../../support/broken-lines.ts';
import { racesTable } from '../../support/races.ts';

const root = join(import.meta.dirname, '../../..');
const text = (path: string): string => readFileSync(join(root, path), 'utf8');
const page = text('docs/reference/escalation.md');

/** What the last column of each table names: `file: *words of a story*, *of another*; live: file`. */
const named = page
  .split('\n')
  .filter((line) => line.startsWith('|') && !/^\|[\s|-]*$/.test(line))
  .flatMap((line) => {
    const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    return (cells.at(-2) ?? '').split(';').map((each) => ({ line, story: each.trim() }));
  })
  .filter(({ story }) => /^(?:live: )?[a-z-]+(?:: \*.*)?$/.test(story) && story !== 'story');

test('every story that the page names is told', () => {
  expect(named.length).toBeGreaterThan(40);
  const missing = named.flatMap(({ story }) => {
    const live = /^live: ([a-z-]+)$/.exec(story)?.[1];
    const path = live === undefined ? `test/story/${story.split(':')[0]}.test.ts` : `test/live/${live}.test.ts`;
    if (!existsSync(join(root, path))) return [`${story}: no ${path}`];
    const told = text(path);
    return [...story.matchAll(/\*([^*]+)\*/g)].flatMap(([, words = '']) => {
      const parts = words.split('…').map((part) => part.trim().replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
      return new RegExp(parts.join('.*')).test(told) ? [] : [`${path} has no story “${words}”`];
    });
  });
  expect(missing).toEqual([]);
});

test('its table of races is the one that is lived', () => {
  expect(page).toContain(racesTable());
});

test('at least twenty lines are broken in turn, each stands once, and its story is told', () => {
  expect(broken.length).toBeGreaterThanOrEqual(20);
  const gone = broken.filter(({ file, line }) => text(file).split(line).length !== 2);
  expect(gone.map(({ file, line }) => `${file}: ${line}`)).toEqual([]);
  const untold = broken.filter(({ story, name }) => !story.endsWith('race.test.ts') && !text(story).includes(name));
  expect(untold.map(({ story, name }) => `${story}: ${name}`)).toEqual([]);
});
