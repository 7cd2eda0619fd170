// Tokens for programs: what lets one in over TCP, and to what. They are in the state folder, one a line, as hashes; the
// token itself is shown once, when it is made. 256 random bits cannot be guessed, so one round of SHA-256 is enough: a
// slow hash is for passwords that people think up.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Instant } from '../clock.ts';
import { describeError } from '../mail/error.ts';
import { RefusedError, type TokenView } from '../operations.ts';

/** A token may do exactly what it names; no scope includes another. */
export const scopes = ['route', 'presence', 'metrics', 'read', 'act'] as const;
export type Scope = (typeof scopes)[number];

export interface Token extends TokenView {
  readonly scopes: readonly Scope[];
}

export interface Tokens {
  /** @returns the token, which nobody can be told again. @throws RefusedError when the name is taken */
  add(name: string, may: readonly Scope[], until: Instant | null, now: Instant): string;
  list(): readonly Token[];
  /** Whether there was one of that name. */
  revoke(name: string): boolean;
  /** Whose token this is; undefined for one that is not known, or has run out. */
  verify(text: string, now: Instant): Token | undefined;
  /** The name of that token when it may do this; null: nobody's. */
  holder(text: string, scope: Scope, now: Instant): string | null;
}

export const isTokenName = (name: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name);

interface Stored extends Token {
  readonly id: string;
  readonly hash: Buffer;
}

const file = 'tokens';
const largest = 1_048_576;
/** `pmt_` lets a secret scanner find one that was committed by mistake. The id says which hash to compare with. */
const form = /^pmt_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/;
const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest();
const hashOfNothing = hashOf('');

/**
 * The file is read again whenever it has changed, so a line that an admin deletes is a token revoked. One that cannot be
 * read then lets nobody in.
 * @throws when it is there and cannot be read at the start
 */
export function openTokens(folder: string, onWarning: (text: string) => void): Tokens {
  const at = join(folder, file);
  let known = read(at);
  let seen = stateOf(at);

  function current(): readonly Stored[] {
    const state = stateOf(at);
    if (state === seen) return known;
    try {
      known = read(at);
    } catch (error) {
      known = [];
      onWarning(`no token is believed any more: ${describeError(error)}`);
    }
    seen = state;
    return known;
  }

  function replaceBy(tokens: readonly Stored[]): void {
    write(at, tokens);
    known = tokens;
    seen = stateOf(at);
  }

  const verify: Tokens['verify'] = (text, now) => {
    const id = form.exec(text)?.[1];
    const found = id === undefined ? undefined : current().find((each) => each.id === id);
    // Compared always, so that the time taken tells nothing of which ids there are.
    const same = timingSafeEqual(hashOf(text), found?.hash ?? hashOfNothing);
    return found && same && (found.until === null || now < found.until) ? shown(found) : undefined;
  };

  return {
    add(name, may, until, now) {
      if (!isTokenName(name)) throw new RefusedError(`${JSON.stringify(name.slice(0, 80))} is not a name for a token`);
      const others = current();
      if (others.some((each) => each.name === name))
        throw new RefusedError(`there is a token ${name}; revoke it, or take another name`);
      const id = randomBytes(6).toString('hex');
      const text = `pmt_${id}_${randomBytes(32).toString('base64url')}`;
      // A second is as fine as the file says it.
      const createdAt = Math.floor(now / 1000) * 1000;
      replaceBy([...others, { id, hash: hashOf(text), name, scopes: [...may], createdAt, until }]);
      return text;
    },
    list: () => current().map(shown),
    revoke(name) {
      const all = current();
      const left = all.filter((each) => each.name !== name);
      if (left.length < all.length) replaceBy(left);
      return left.length < all.length;
    },
    verify,
    holder(text, scope, now) {
      const token = verify(text, now);
      return token?.scopes.includes(scope) ? token.name : null;
    },
  };
}

const shown = ({ name, scopes: may, createdAt, until }: Stored): Token => ({ name, scopes: may, createdAt, until });

/** What changes when the file does; null when there is none. */
function stateOf(at: string): string | null {
  const found = statSync(at, { throwIfNoEntry: false });
  return found ? `${found.ino} ${found.size} ${found.mtimeMs} ${found.mode}` : null;
}

function read(at: string): readonly Stored[] {
  let descriptor: number;
  try {
    descriptor = openSync(at, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  try {
    const { mode, size } = fstatSync(descriptor);
    if ((mode & 0o077) !== 0) throw new Error(`${at} may be read by others; make it 0600: chmod 600 ${at}`);
    if (size > largest) throw new Error(`${at} is larger than ${largest} octets`);
    const tokens = readFileSync(descriptor, 'utf8')
      .split('\n')
      .flatMap((line, index) => (line === '' || line.startsWith('#') ? [] : [readLine(line, `${at}:${index + 1}`)]));
    const names = new Set(tokens.map(({ name }) => name));
    if (names.size < tokens.length) throw new Error(`${at}: two tokens have one name`);
    return tokens;
  } finally {
    closeSync(descriptor);
  }
}

/** `id sha256 name scope,scope created until`; the last is `-` when it never ends. */
function readLine(line: string, where: string): Stored {
  const [id = '', hash = '', name = '', may = '', created = '', until = '', ...rest] = line.split(' ');
  const words = may.split(',');
  const known = scopes.filter((scope) => words.includes(scope));
  const createdAt = Date.parse(created);
  const ends = until === '-' ? null : Date.parse(until);
  const right =
    /^[0-9a-f]{12}$/.test(id) &&
    /^[0-9a-f]{64}$/.test(hash) &&
    isTokenName(name) &&
    known.length > 0 &&
    known.length === words.length &&
    !Number.isNaN(createdAt) &&
    !Number.isNaN(ends) &&
    rest.length === 0;
  // The line is not quoted: it may hold what somebody took for the place of a secret.
  if (!right)
    throw new Error(`${where}: not a token; take the line out, and make a new one with "pointsman token add"`);
  return { id, hash: Buffer.from(hash, 'hex'), name, scopes: known, createdAt, until: ends };
}

/** Whole or not at all, and on disk before anybody is told the token. */
function write(at: string, tokens: readonly Stored[]): void {
  const fresh = `${at}.new`;
  const descriptor = openSync(fresh, 'w', 0o600);
  try {
    const lines = tokens.map(({ id, hash, name, scopes: may, createdAt, until }) => {
      const ends = until === null ? '-' : new Date(until).toISOString();
      return `${id} ${hash.toString('hex')} ${name} ${may.join(',')} ${new Date(createdAt).toISOString()} ${ends}\n`;
    });
    writeSync(descriptor, lines.join(''));
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(fresh, at);
}
