import { describe, expect, it } from 'vitest';
import { expectBareJid, parseJid } from '../../../src/presence/jid.ts';

describe('parseJid', () => {
  it.each([
    ['alice@example.test', 'alice@example.test', undefined],
    ['Alice@Example.TEST/Desk', 'alice@example.test', 'Desk'],
    ['alice@example.test.', 'alice@example.test', undefined],
    ['alice@example.test/a/b@c', 'alice@example.test', 'a/b@c'],
    ['STRASSE@bücher.example', 'strasse@bücher.example', undefined],
    ['a@xn--bcher-kva.example', 'a@bücher.example', undefined],
    // The same letter, composed and not.
    ['re\u0301gine@example.test', 'régine@example.test', undefined],
    // Full width.
    ['ａｌｉｃｅ@example.test', 'alice@example.test', undefined],
    ['a@127.0.0.1', 'a@127.0.0.1', undefined],
    ['a@1.2.3', 'a@1.2.3', undefined],
    ['a@[::1]', 'a@[::1]', undefined],
    ['a@localhost', 'a@localhost', undefined],
    ['o\\20brien@example.test', 'o\\20brien@example.test', undefined],
    [`${'a'.repeat(1023)}@b`, `${'a'.repeat(1023)}@b`, undefined],
  ])('%j is %j, resource %j', (text, bare, resource) => {
    expect(parseJid(text)).toEqual(resource === undefined ? { bare } : { bare, resource });
  });

  it.each([
    '',
    '@',
    'alice',
    '@example.test',
    'alice@',
    'alice@/desk',
    'alice@example.test/',
    'a b@example.test',
    'a"b@example.test',
    'a@b@c',
    // Becomes an @ when folded.
    'alice＠evil.test@example.test',
    'a\u0000@example.test',
    'a\u200bb@example.test',
    'a\u00adb@example.test',
    'a\u202eb@example.test',
    'a\ud800@example.test',
    'alice@example.test:5222',
    'alice@exa mple.test',
    'alice@example..test',
    'alice@.test',
    'alice@ex<b>',
    'alice@example.test/a\nb',
    `${'a'.repeat(1024)}@b`,
    `a@b/${'é'.repeat(512)}`,
  ])('%j is none', (text) => {
    expect(parseJid(text)).toBeUndefined();
  });

  it('names what it was given', () => {
    expect(() => expectBareJid('no one')).toThrow('not a JID: "no one"');
    expect(expectBareJid('A@b/c')).toBe('a@b');
  });
});
