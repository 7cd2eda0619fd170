import { describe, expect, test } from 'vitest';
import {
  domainOf,
  expectMailbox,
  isDomain,
  isInternationalised,
  localPartOf,
  mailboxKey,
  nullReversePath,
  parseMailbox,
} from '../../../src/mail/path.ts';

describe('a mailbox', () => {
  test.each([
    'a@b',
    'user@example.com',
    'User.Name+tag@Example.COM',
    "!#$%&'*+-/=?^_`{|}~@example.com",
    '"a b"@example.com',
    '"x@y"@example.com',
    '"\\"<>\\\\"@example.com',
    '""@example.com',
    'a@[192.0.2.1]',
    'a@[IPv6:2001:db8::1]',
    'a@[IPv6:::ffff:192.0.2.1]',
    'jürgen@bücher.example',
    '\u7528\u6237@\u4f8b\u5b50.example',
    'a@xn--bcher-kva.example',
    // Stricter grammars refuse these; the world uses them.
    'user.@example.com',
    '.user@example.com',
    'u..v@docomo.example',
    'a@host_name.example.com',
    `${'x'.repeat(120)}@example.com`,
    `${'x'.repeat(242)}@example.com`,
  ])('%s', (text) => {
    expect(parseMailbox(text)).toBe(text);
  });

  test.each([
    '',
    'a',
    '@example.com',
    'a@',
    'a@b@example.com',
    'a b@example.com',
    '<a@example.com>',
    'a@example..com',
    'a@.example.com',
    'a@example.com.',
    'a@-example.com',
    'a@example-.com',
    'a@exa mple.com',
    `a@${'x'.repeat(64)}.com`,
    `${'x'.repeat(243)}@example.com`,
    '"a@example.com',
    'a"b@example.com',
    '"a"b"@example.com',
    '"a\\"@example.com',
    '.@example.com',
    'a@[300.0.2.1]',
    'a@[192.0.2]',
    'a@[IPv6:xyz]',
    'a@[IPv6:1::2::3]',
    'a@[2001:db8::1]',
    'a@[]',
    'a\r\n@example.com',
    '"a\n"@example.com',
    'a\x00@example.com',
    'a\x7f@example.com',
    'a\x85@example.com',
    'a\u200b@example.com',
    'a\u202e@example.com',
    'a@exam\u2066ple.com',
    'a\u2028@example.com',
    'a\u3000b@example.com',
    'a\ud800@example.com',
    '\ufeffa@example.com',
  ])('is not %j', (text) => {
    expect(parseMailbox(text)).toBeUndefined();
    expect(() => expectMailbox(text)).toThrow(JSON.stringify(text));
  });

  test('of 254 octets is the longest', () => {
    const longest = `${'ü'.repeat(121)}@example.com`;
    expect(Buffer.byteLength(longest)).toBe(254);
    expect(parseMailbox(longest)).toBe(longest);
    expect(parseMailbox(`x${longest}`)).toBeUndefined();
  });

  test('has parts', () => {
    const mailbox = expectMailbox('"x@Y"@Bücher.EXAMPLE');
    expect(localPartOf(mailbox)).toBe('"x@Y"');
    expect(domainOf(mailbox)).toBe('xn--bcher-kva.example');
    expect(isInternationalised(mailbox)).toBe(true);
    expect(isInternationalised(nullReversePath)).toBe(false);
  });
});

test.each([
  ['User@Example.COM', 'user@example.com'],
  ['"user"@example.com', 'user@example.com'],
  ['"us\\er"@example.com', 'user@example.com'],
  ['a@xn--bcher-kva.example', 'a@bücher.example'],
  ['a@BÜCHER.example', 'a@bücher.example'],
  ['u\u0308@example.com', '\u00fc@example.com'],
])('%s and %s are one mailbox', (one, other) => {
  expect(mailboxKey(expectMailbox(one))).toBe(mailboxKey(expectMailbox(other)));
});

test.each([
  ['"a b"@example.com', 'ab@example.com'],
  ['"a@b"@example.com', 'a@example.com'],
  ['a.b@example.com', 'ab@example.com'],
  ['a@example.com', 'a@example.org'],
])('%s and %s are two', (one, other) => {
  expect(mailboxKey(expectMailbox(one))).not.toBe(mailboxKey(expectMailbox(other)));
});

test.each([
  ['example.com', true],
  ['localhost', true],
  ['a_b.example', true],
  ['', false],
  ['.', false],
  ['a..b', false],
  ['a b', false],
  ['a@b', false],
  ['x'.repeat(64), false],
  [Array(64).fill('abc').join('.'), true],
  [`${Array(64).fill('abc').join('.')}.x`, false],
])('isDomain(%j) is %s', (text, is) => {
  expect(isDomain(text)).toBe(is);
});
