// The file of those who may sign in to the console: hashed, ours alone, read again when it changes.
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listUsers, openUsers, removeUser, usersFileIn, writeUser } from '../../../src/config/users.ts';
import { type TempFolder, tempFolder } from '../../support/temp-folder.ts';

let folder: TempFolder;
let warnings: string[];
beforeEach(async () => {
  folder = await tempFolder('users');
  warnings = [];
});
afterEach(() => folder.remove());
const open = () => openUsers(folder.path, (text) => void warnings.push(text));

test('whoever is written may come in with their password, and with no other', async () => {
  const users = open();
  expect(await users.verify('ann', 'a long password')).toBeUndefined();
  expect(await writeUser(folder.path, { name: 'ann', role: 'operator' }, 'a long password')).toBe(false);
  expect(await users.verify('ann', 'a long password')).toEqual({ name: 'ann', role: 'operator' });
  for (const wrong of ['', 'a long passwor', 'A long password', 'x'.repeat(2_000)])
    expect(await users.verify('ann', wrong)).toBeUndefined();
  expect(await users.verify('bob', 'a long password')).toBeUndefined();
  expect(users.find('ann')).toEqual({ name: 'ann', role: 'operator' });
});

test('the file holds no password, and is ours alone', async () => {
  await writeUser(folder.path, { name: 'ann', role: 'admin' }, 'a long password');
  const text = readFileSync(usersFileIn(folder.path), 'utf8');
  expect(text).toMatch(/^ann:admin:scrypt:32768:8:1:[\w-]{22}:[\w-]{43}\n$/);
  expect(statSync(usersFileIn(folder.path)).mode & 0o777).toBe(0o600);
});

test('another role or password counts at once, and so does being removed', async () => {
  const users = open();
  await writeUser(folder.path, { name: 'ann', role: 'viewer' }, 'first password');
  await writeUser(folder.path, { name: 'bob', role: 'viewer' }, 'bobs password');
  expect(await users.verify('ann', 'first password')).toBeDefined();
  expect(await writeUser(folder.path, { name: 'ann', role: 'admin' }, 'second password')).toBe(true);
  expect(await users.verify('ann', 'first password')).toBeUndefined();
  expect(await users.verify('ann', 'second password')).toEqual({ name: 'ann', role: 'admin' });
  expect(removeUser(folder.path, 'ann')).toBe(true);
  expect(removeUser(folder.path, 'ann')).toBe(false);
  expect(users.find('ann')).toBeUndefined();
  expect(listUsers(folder.path)).toEqual([{ name: 'bob', role: 'viewer' }]);
});

test.each([
  ['open to others', (path: string) => chmodSync(path, 0o644)],
  ['with a line that is no user', (path: string) => writeFileSync(path, 'ann:admin\n', { flag: 'a' })],
  [
    'with a role that is none',
    (path: string) => writeFileSync(path, `eve:god:scrypt:2:8:1:AA:${'A'.repeat(43)}\n`, { flag: 'a' }),
  ],
  [
    'with a price that would stall us',
    (path: string) => writeFileSync(path, `eve:admin:scrypt:1073741824:8:1:AA:${'A'.repeat(43)}\n`, { flag: 'a' }),
  ],
])('a file %s lets nobody in, and says why', async (_, spoil) => {
  await writeUser(folder.path, { name: 'ann', role: 'admin' }, 'a long password');
  const users = open();
  spoil(usersFileIn(folder.path));
  expect(await users.verify('ann', 'a long password')).toBeUndefined();
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/nobody can sign in to the console: .*console-users/);
});
