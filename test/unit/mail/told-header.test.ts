import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeText, factsOf, fieldsOf, headersOfFacts } from '../../../src/mail/header.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { nameSet, ToldHeader } from '../../../src/mail/told-header.ts';

/** As an MTA tells it, each field somewhere in a chunk of its own. */
function told(fields: readonly (readonly [string, string])[], leadingSpace = false): ToldHeader {
  const header = new ToldHeader(leadingSpace);
  for (const [name, value] of fields) {
    const octets = Buffer.from(`L${name}\0${leadingSpace ? ' ' : ''}${value}\0more`, 'latin1');
    expect(header.add(octets, 1, octets.length - 4)).toBe(true);
  }
  return header;
}

const some = nameSet(['subject', 'x-customer']);

describe('a header told field by field', () => {
  test.each([false, true])('is read as far as somebody asks (leading space: %s)', (leadingSpace) => {
    const header = told(
      [
        ['From', 'a@b'],
        ['SUBJECT', 'one'],
        ['X-Customer', 'gold'],
        ['Subject', ' two'],
      ],
      leadingSpace,
    );
    expect(header.pick(some)).toEqual([
      ['SUBJECT', 'one'],
      ['X-Customer', 'gold'],
      ['Subject', ' two'],
    ]);
    expect(header.all().map(([name]) => name)).toEqual(['From', 'SUBJECT', 'X-Customer', 'Subject']);
    expect(header.raw(1)).toEqual(['SUBJECT', leadingSpace ? ' one' : 'one']);
    expect(() => header.raw(4)).toThrow(RangeError);
  });

  test.each([
    ['no value', 'Subject\0'],
    ['no NUL', 'Subject'],
    ['a value that does not end', 'Subject\0one'],
    ['nothing', ''],
  ])('what is no field is not taken: %s', (_, octets) => {
    const header = new ToldHeader(false);
    expect(header.add(Buffer.from(octets, 'latin1'), 0, octets.length)).toBe(false);
    expect(header.fields).toBe(0);
  });

  test('an empty value is a value, and counts as the octets it makes', () => {
    const header = told([['X-Customer', '']]);
    expect(header.pick(some)).toEqual([['X-Customer', '']]);
    expect(header.size).toBe('X-Customer: \r\n'.length);
  });

  test('names that hash alike are told apart by what they are', () => {
    // Every hash is taken for the right one.
    const wanted = { names: new Set(['subject']), hashes: { has: () => true } as unknown as ReadonlySet<number> };
    expect(
      told([
        ['From', 'a'],
        ['Subject', 'b'],
      ]).pick(wanted),
    ).toEqual([['Subject', 'b']]);
  });

  const name = fc.oneof(
    fc.constantFrom(...headersOfFacts, 'Subject', 'X-Customer', 'RECEIVED', 'bad name', 'bad:name', 'n\u00e4me'),
    fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 12 }).filter((text) => !text.includes('\0')),
    fc.constant('x'.repeat(201)),
  );
  const value = fc.oneof(
    fc.constantFrom('<a@b> <c@d>', 'no', 'auto-replied', 'a\n b', '=?utf-8?q?=C3=A4?=', ' x', ''),
    fc.string({ unit: 'binary-ascii', maxLength: 30 }).map((text) => text.replaceAll('\0', '')),
  );
  const anyHeader = fc.array(fc.tuple(name, value), { maxLength: 12 });
  const head = {
    queueId: '0000000000000' as QueueId,
    receivedAt: 0,
    envelope: { reversePath: expectMailbox('a@b'), forwardPaths: [], body: '7BIT', smtputf8: false } as const,
    size: 1,
    client: { address: '', carriesMembers: false },
  };

  test('facts taken from what is picked are those of the whole header, but for the headers among them', () => {
    const wanted = nameSet([...headersOfFacts, 'x-customer']);
    fc.assert(
      fc.property(anyHeader, fc.boolean(), (fields, leadingSpace) => {
        const header = told(fields, leadingSpace);
        const whole = factsOf({ ...head, fields: fieldsOf(header.all()) });
        const picked = factsOf({ ...head, fields: fieldsOf(header.pick(wanted)) });
        expect({ ...picked, headers: whole.headers }).toEqual(whole);
        expect(picked.headers).toEqual(whole.headers.filter(([each]) => wanted.names.has(each)));
        expect(header.all()).toEqual(fields.map(([one, other]) => [one, other]));
        expect(header.size).toBe(fields.reduce((sum, [one, other]) => sum + one.length + other.length + 4, 0));
        expect(whole.headers).toEqual(fieldsOf(header.all()).map((field) => [field.name, decodeText(field.value)]));
      }),
    );
  });

  test('a header beyond the limits ends for both at the same field', () => {
    const many = Array.from({ length: 1_005 }, (_, index): [string, string] => ['X-Customer', `${index}`]);
    expect(told(many).pick(some).length).toBe(fieldsOf(many).length);
    const large = Array.from({ length: 20 }, (): [string, string] => ['X-Customer', 'x'.repeat(100_000)]);
    expect(told(large).pick(some).length).toBe(fieldsOf(large).length);
  });
});
