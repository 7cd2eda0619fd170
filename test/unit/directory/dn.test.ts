import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dnKey, escapeDnValue, parseDn } from '../../../src/directory/dn.ts';

describe('a DN', () => {
  test.each([
    ['uid=alice,dc=example,dc=org', [[['uid', 'alice']], [['dc', 'example']], [['dc', 'org']]]],
    [
      'CN=Smith\\, Ann + UID = as , O="Big, Co"',
      [
        [
          ['cn', 'Smith, Ann'],
          ['uid', 'as'],
        ],
        [['o', 'Big, Co']],
      ],
    ],
    ['cn=L\\C3\\BC;o=x', [[['cn', 'Lü']], [['o', 'x']]]],
    ['2.5.4.3=x', [[['2.5.4.3', 'x']]]],
    ['cn=\\ a\\ ', [[['cn', ' a ']]]],
    ['', []],
  ])('%s is read', (text, dn) => expect(parseDn(text)).toEqual(dn));

  test.each(['alice', 'cn=a,', 'cn="a', 'cn=a\\', '=a', 'cn=a,,dc=b', 'cn="a"b'])('%s is none', (text) =>
    expect(parseDn(text)).toBeUndefined());

  test('is the same however it is written', () => {
    const same = [
      'cn=Ann Smith+uid=as,dc=Example',
      'UID=as + CN=ann   smith , DC=example',
      'cn=\\41nn\\20Smith+uid=AS,dc=EXAMPLE',
    ];
    expect(new Set(same.map(dnKey)).size).toBe(1);
    expect(dnKey('cn=a\\,b,dc=c')).not.toBe(dnKey('cn=a,b=dc,dc=c'));
  });

  test('no value becomes structure', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (value) => {
        const clean = value.toWellFormed();
        expect(parseDn(`uid=${escapeDnValue(clean)},ou=people`)).toEqual([[['uid', clean]], [['ou', 'people']]]);
      }),
    );
  });
});
