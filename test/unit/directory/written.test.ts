import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readCsv, readJson } from '../../../src/directory/written.ts';

describe('JSON', () => {
  test('says people and groups', () => {
    const text = JSON.stringify({
      people: [
        { name: 'Alice', mail: ['alice@example.org', 'a@example.org'], skills: 'german' },
        { name: 'bob', mail: 'x' },
        7,
      ],
      groups: [{ name: 'duty', members: ['alice', 'bob', 'guest@partner.example'] }],
    });
    expect(readJson(text)).toEqual({
      directory: {
        people: [
          { id: 'Alice', name: 'alice', mail: 'alice@example.org', also: ['a@example.org'], skills: ['german'] },
          { id: 'guest@partner.example', name: 'guest', mail: 'guest@partner.example' },
        ],
        groups: [
          {
            id: 'duty',
            name: 'duty',
            members: ['alice', 'guest'],
            missing: ['"bob" "x" is not a mail address that can be used'],
          },
        ],
      },
      flaws: [
        { id: 'people[2]', text: 'has no "name"' },
        { id: 'bob', text: '"x" is not a mail address that can be used' },
      ],
    });
  });

  test.each([
    ['{"people": [', /^it is not JSON: /],
    ['[]', /^it is not \{"people"/],
    ['{"people": {}}', /^it is not \{"people"/],
  ])('%s cannot be used', (text, wrong) => expect(readJson(text)).toEqual({ wrong: expect.stringMatching(wrong) }));
});

describe('CSV', () => {
  test('has a person a line, and groups by name', () => {
    const text =
      '\ufeffName,Mail,skills,Groups\r\nalice,alice@example.org;a@example.org,"german; billing","duty;all"\r\n"bob ""b""",bob@example.org,,all\r\n\r\n,x@example.org,,';
    expect(readCsv(text)).toEqual({
      directory: {
        people: [
          {
            id: 'alice',
            name: 'alice',
            mail: 'alice@example.org',
            also: ['a@example.org'],
            skills: ['german', 'billing'],
          },
          { id: 'bob "b"', name: 'bob-b', mail: 'bob@example.org' },
        ],
        groups: [
          { id: 'duty', name: 'duty', members: ['alice'] },
          { id: 'all', name: 'all', members: ['alice', 'bob-b'] },
        ],
      },
      flaws: [{ id: 'row 5', text: 'has no name' }],
    });
  });

  test.each([
    ['mail\nx', 'its first line names no column "name"'],
    ['name,mail\n"a,b', 'a quotation mark of row 2 is never closed'],
    ['name,mail\n"a"b,c', 'in row 2 something follows a closing quotation mark'],
  ])('%j cannot be used', (text, wrong) => expect(readCsv(text)).toEqual({ wrong }));

  test('any text is read or refused', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('"', ',', '\n', '\r', 'name', 'mail', ';', 'a@b.c', ' ')), (parts) => {
        const read = readCsv(`name,mail\n${parts.join('')}`);
        expect('wrong' in read || read.directory.people.length >= 0).toBe(true);
      }),
    );
  });
});
