// Who may sign in to the console: a file in the state folder, one a line, `name:role:scrypt:N:r:p:salt:hash`. Read again
// whenever it has changed, so a line that an admin deletes is a user gone. One that cannot be read lets nobody in.
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export const roles = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof roles)[number];

export interface User {
  readonly name: string;
  readonly role: Role;
}

interface Stored extends User {
  readonly cost: readonly [n: number, r: number, p: number];
  readonly salt: Buffer;
  readonly hash: Buffer;
}

export interface Users {
  find(name: string): User | undefined;
  /** As long for an unknown name as for a wrong password. */
  verify(name: string, password: string): Promise<User | undefined>;
}

export const usersFileIn = (state: string): string => join(state, 'console-users');
export const isUserName = (name: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/.test(name);
export const shortestPassword = 10;
export const longestPassword = 1_000;

// 2^15 · 8 · 128 octets: 32 MB and some 80 ms for each try.
const cost = [32_768, 8, 1] as const;
const hashLength = 32;

function hashed(password: string, salt: Buffer, [N, r, p]: Stored['cost']): Promise<Buffer> {
  const options: ScryptOptions = { N, r, p, maxmem: 256 * N * r };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, hashLength, options, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

export function openUsers(state: string, onWarning: (text: string) => void): Users {
  const path = usersFileIn(state);
  let seen = '';
  let known: ReadonlyMap<string, Stored> = new Map();
  const current = (): ReadonlyMap<string, Stored> => {
    const now = stampOf(path);
    if (now === seen) return known;
    seen = now;
    try {
      known = new Map(read(path).map((user) => [user.name, user]));
    } catch (error) {
      known = new Map();
      onWarning(`nobody can sign in to the console: ${error instanceof Error ? error.message : String(error)}`);
    }
    return known;
  };
  const nobody = { salt: randomBytes(16), cost, hash: randomBytes(hashLength) };
  return {
    find: (name) => viewOf(current().get(name)),
    async verify(name, password) {
      if (password.length > longestPassword) return undefined;
      const user = current().get(name);
      const { salt, cost: price, hash } = user ?? nobody;
      const given = await hashed(password, salt, price);
      return timingSafeEqual(given, hash) ? viewOf(user) : undefined;
    },
  };
}

const viewOf = (user: Stored | undefined): User | undefined => user && { name: user.name, role: user.role };

/** Adds a user, or gives a known one another role and password. @returns whether it was there before */
export async function writeUser(state: string, { name, role }: User, password: string): Promise<boolean> {
  const salt = randomBytes(16);
  const hash = await hashed(password, salt, cost);
  return change(state, name, { name, role, cost, salt, hash });
}

/** @returns whether there was one of that name */
export const removeUser = (state: string, name: string): boolean => change(state, name, null);

export const listUsers = (state: string): readonly User[] =>
  read(usersFileIn(state)).map(({ name, role }) => ({ name, role }));

function change(state: string, name: string, user: Stored | null): boolean {
  const path = usersFileIn(state);
  const before = read(path);
  const after = [...before.filter((one) => one.name !== name), ...(user ? [user] : [])];
  // Whole or not at all: a crash in between leaves the former file.
  const next = `${path}.new`;
  const file = openSync(next, 'w', 0o600);
  try {
    writeSync(file, after.map(lineOf).join(''));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(next, path);
  return after.length - (user ? 1 : 0) < before.length;
}

function lineOf({ name, role, cost: price, salt, hash }: Stored): string {
  return `${[name, role, 'scrypt', ...price, salt.toString('base64url'), hash.toString('base64url')].join(':')}\n`;
}

function read(path: string): readonly Stored[] {
  let text: string;
  try {
    const { mode } = statSync(path);
    if ((mode & 0o077) !== 0) throw new Error(`${path} can be read by others; say: chmod 600 ${path}`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    // No file is no user.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const user = parse(line);
    if (!user) throw new Error(`${path}:${index + 1} is no user; "pointsman user add" writes them`);
    return [user];
  });
}

function parse(line: string): Stored | undefined {
  const [name = '', word, kind, n, r, p, salt = '', hash = '', ...more] = line.split(':');
  const role = roles.find((one) => one === word);
  const price = [Number(n), Number(r), Number(p)] as const;
  const key = Buffer.from(hash, 'base64url');
  const sane = price.every((one) => Number.isInteger(one) && one > 0) && price[0] <= 2 ** 20 && price[1] <= 32;
  if (!isUserName(name) || !role || kind !== 'scrypt' || !sane || key.length !== hashLength || more.length > 0)
    return undefined;
  return { name, role, cost: price, salt: Buffer.from(salt, 'base64url'), hash: key };
}

function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stat ? `${stat.ino} ${stat.size} ${stat.mtimeNs}` : 'none';
}
