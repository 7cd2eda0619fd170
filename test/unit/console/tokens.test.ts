// Tokens: kept as hashes, believed exactly, revoked at once, and nobody gets in by a damaged or readable file.
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openTokens } from '../../../src/console/tokens.ts';
import { RefusedError } from '../../../src/operations.ts';

const now = Date.UTC(2026, 2, 1, 10);
let folder: string;
let warnings: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pointsman-tokens-'));
  warnings = [];
});
afterEach(() => rmSync(folder, { recursive: true }));
const open = () => openTokens(folder, (text) => warnings.push(text));
const path = () => join(folder, 'tokens');

describe('a token', () => {
  test('is believed, also after a restart, and says what it may do', () => {
    const text = open().add('ticket-system', ['route', 'presence'], null, now);
    expect(text).toMatch(/^pmt_[0-9a-f]{12}_[\w-]{43}$/);
    expect(open().verify(text, now)).toEqual({
      name: 'ticket-system',
      scopes: ['route', 'presence'],
      createdAt: now,
      until: null,
    });
  });

  test('is not in the file, which is for its owner alone', () => {
    const text = open().add('one', ['route'], null, now);
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    const kept = readFileSync(path(), 'utf8');
    expect(kept).not.toContain(text.slice(17));
    expect(kept).toMatch(/^[0-9a-f]{12} [0-9a-f]{64} one route 2026-03-01T10:00:00.000Z -\n$/);
  });

  test('is not believed with any octet changed, cut or added', () => {
    const tokens = open();
    const text = tokens.add('one', ['route'], null, now);
    tokens.add('two', ['act'], null, now);
    for (let at = 0; at < text.length; at += 1) {
      const other = text[at] === 'a' ? 'b' : 'a';
      expect(tokens.verify(text.slice(0, at) + other + text.slice(at + 1), now)).toBeUndefined();
      expect(tokens.verify(text.slice(0, at), now)).toBeUndefined();
    }
    for (const wrong of ['', `${text} `, `${text}A`, ` ${text}`, `${text}\n`, text.toUpperCase()])
      expect(tokens.verify(wrong, now)).toBeUndefined();
    expect(tokens.verify(text, now)?.name).toBe('one');
  });

  test('ends at its time', () => {
    const tokens = open();
    const text = tokens.add('guest', ['read'], now + 60_000, now);
    expect(tokens.verify(text, now + 59_999)?.name).toBe('guest');
    expect(tokens.verify(text, now + 60_000)).toBeUndefined();
    expect(open().verify(text, now + 60_000)).toBeUndefined();
  });

  test('once revoked lets nobody in; the others stay', () => {
    const tokens = open();
    const [one, two] = [tokens.add('one', ['route'], null, now), tokens.add('two', ['route'], null, now)];
    expect(tokens.revoke('one')).toBe(true);
    expect(tokens.revoke('one')).toBe(false);
    expect(tokens.verify(one, now)).toBeUndefined();
    expect(tokens.verify(two, now)?.name).toBe('two');
    expect(
      open()
        .list()
        .map(({ name }) => name),
    ).toEqual(['two']);
  });

  test('has a name of its own, and one that fits on a line', () => {
    const tokens = open();
    tokens.add('one', ['route'], null, now);
    expect(() => tokens.add('one', ['act'], null, now)).toThrow(RefusedError);
    for (const name of ['', 'a b', 'a\nb', '-x', 'ü', 'x'.repeat(65)])
      expect(() => tokens.add(name, ['act'], null, now)).toThrow(RefusedError);
    expect(tokens.list()).toHaveLength(1);
  });
});

describe('the file', () => {
  test('a line that an admin deletes is a token revoked, at once', () => {
    const tokens = open();
    const text = tokens.add('one', ['route'], null, now);
    writeFileSync(path(), '# none\n');
    expect(tokens.verify(text, now)).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  test('damaged while running: nobody gets in, and the log says so; mended: as before', () => {
    const tokens = open();
    const text = tokens.add('one', ['route'], null, now);
    const good = readFileSync(path(), 'utf8');
    writeFileSync(path(), `${good}nonsense\n`);
    expect(tokens.verify(text, now)).toBeUndefined();
    expect(tokens.verify(text, now)).toBeUndefined();
    expect(warnings).toEqual([expect.stringMatching(/tokens:2: not a token/)]);
    writeFileSync(path(), good);
    expect(tokens.verify(text, now)?.name).toBe('one');
  });

  test.each([
    ['a scope that there is not', 'x'.replace('x', 'everything')],
    ['no scope', ''],
  ])('%s is an error that says where, and quotes no secret', (_, scope) => {
    writeFileSync(path(), `0123456789ab ${'0'.repeat(64)} one ${scope} 2026-03-01T10:00:00Z -\n`, { mode: 0o600 });
    expect(open).toThrow(/tokens:1: not a token; take the line out/);
  });

  test('two of one name, a file that others may read, and a date that is none are errors', () => {
    const line = `0123456789ab ${'0'.repeat(64)} one route 2026-03-01T10:00:00Z -\n`;
    writeFileSync(path(), line + line, { mode: 0o600 });
    expect(open).toThrow(/two tokens have one name/);
    writeFileSync(path(), line.replace('-\n', 'soon\n'));
    expect(open).toThrow(/not a token/);
    writeFileSync(path(), line);
    chmodSync(path(), 0o640);
    expect(open).toThrow(/may be read by others/);
  });
});
