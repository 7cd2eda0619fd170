import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openMarkKeys } from '../../../src/config/mark-keys.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pointsman-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true }));
const ids = () =>
  openMarkKeys(folder)
    .current()
    .map(({ id }) => id);

test('the first start makes a key, for nobody else, and later ones find it', () => {
  const [first] = ids();
  expect(statSync(join(folder, 'mark-keys')).mode & 0o777).toBe(0o600);
  expect(ids()).toEqual([first]);
});

test('a rotated key is the first, the ones before are known for a while, over a restart', () => {
  const keys = openMarkKeys(folder);
  const [first] = keys.current();
  const second = keys.rotate();
  expect(ids()).toEqual([second, first?.id]);
  const third = keys.rotate();
  const fourth = keys.rotate();
  expect(ids()).toEqual([fourth, third, second]);
});

test('a damaged file is an error that says where', () => {
  openMarkKeys(folder);
  writeFileSync(join(folder, 'mark-keys'), `${readFileSync(join(folder, 'mark-keys'), 'utf8')}nonsense\n`);
  expect(() => openMarkKeys(folder)).toThrow(/mark-keys:2: not a key/);
});
