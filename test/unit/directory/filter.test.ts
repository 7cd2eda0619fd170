import { describe, expect, test } from 'vitest';
import { parseFilter } from '../../../src/directory/filter.ts';
import { groupSchemas, personSchemas } from '../../../src/directory/schemas.ts';

describe('a filter', () => {
  test.each([
    ['(uid=a\\2ab)', { kind: 'equal', attribute: 'uid', value: 'a*b' }],
    ['(mail=*)', { kind: 'present', attribute: 'mail' }],
    ['(cn=a*b**c)', { kind: 'substrings', attribute: 'cn', initial: 'a', any: ['b'], final: 'c' }],
    ['(cn=*x*)', { kind: 'substrings', attribute: 'cn', any: ['x'] }],
    ['(!(a>=1))', { kind: 'not', of: { kind: 'greater', attribute: 'a', value: '1' } }],
    [
      '(&(a=1)(|(b=2)))',
      {
        kind: 'and',
        of: [
          { kind: 'equal', attribute: 'a', value: '1' },
          { kind: 'or', of: [{ kind: 'equal', attribute: 'b', value: '2' }] },
        ],
      },
    ],
    [
      '(uac:1.2.840.113556.1.4.803:=2)',
      { kind: 'extensible', attribute: 'uac', rule: '1.2.840.113556.1.4.803', value: '2' },
    ],
    ['(cn=L\\c3\\bc)', { kind: 'equal', attribute: 'cn', value: 'Lü' }],
  ])('%s', (text, filter) => expect(parseFilter(text)).toEqual(filter));

  test.each([
    ['uid=a', 'here "(" is expected (character 1)'],
    ['(uid=a', 'a ")" is missing (character 7)'],
    ['(uid=a))', 'something follows the last ")" (character 8)'],
    ['(uid=\\zz)', '"\\" in a value is followed by two hexadecimal digits (character 6)'],
    ['(uid=a(b))', '"(" in a value is written \\28 (character 7)'],
    ['(=a)', 'here an attribute with "=", ">=", "<=" or "~=" is expected (character 2)'],
    ['(a>=b*)', '"*" may only follow "=" (character 7)'],
    [`${'(!'.repeat(40)}(a=b)${')'.repeat(40)}`, 'filters may be at most 32 deep (character 65)'],
  ])('%s is wrong', (text, wrong) => expect(parseFilter(text)).toEqual({ wrong }));

  test('of every schema is right', () => {
    for (const { filter } of [...Object.values(personSchemas), ...Object.values(groupSchemas)])
      expect(parseFilter(filter)).not.toHaveProperty('wrong');
  });
});
