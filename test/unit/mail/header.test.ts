import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MailFacts } from '../../../src/mail/facts.ts';
import {
  decodeText,
  fieldsOf,
  headerBlock,
  maxField,
  maxFields,
  readFacts,
  readFields,
} from '../../../src/mail/header.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';

const octets = (text: string): Buffer => Buffer.from(text, 'latin1');

function factsOf(text: string): MailFacts {
  return readFacts({
    queueId: '0123456789ABC' as QueueId,
    receivedAt: 1_000,
    envelope: {
      reversePath: '<>',
      forwardPaths: [{ mailbox: expectMailbox('Team@example.com') }],
      body: '7BIT',
      smtputf8: false,
    },
    content: octets(text),
    client: { address: '192.0.2.1', carriesMembers: true },
  });
}

test.each([
  ['A: b\r\n\r\nbody', 'A: b\r\n'],
  ['A: b\r\nC: d\r\n\r\n\r\n', 'A: b\r\nC: d\r\n'],
  ['\r\nbody', ''],
  ['A: b', 'A: b'],
  ['', ''],
])('the header of %j is %j', (content, header) => {
  expect(Buffer.from(headerBlock(octets(content))).toString()).toBe(header);
});

describe('fields', () => {
  test.each([
    [
      'A: b\r\nC:d\r\n\r\nE: f',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    ['A: b\r\n c\r\n\t d\r\n\r\n', [['a', 'b c\t d']]],
    ['A:\r\n b\r\n\r\n', [['a', 'b']]],
    ['A:\r\n\r\n', [['a', '']]],
    ['A : b\r\n\r\n', [['a', 'b']]],
    ['A: b: c\r\n\r\n', [['a', 'b: c']]],
    ['From x Mon\r\nA: b\r\n\r\n', [['a', 'b']]],
    ['A: b\r\nno field\r\nC: d\r\n\r\n', [['a', 'b']]],
    ['no field\r\nC: d\r\n\r\n', []],
    ['A b: c\r\n\r\n', []],
    [': c\r\n\r\n', []],
    [
      'A: \xc3\xbc\r\nB: \xfc\r\n\r\n',
      [
        ['a', 'ü'],
        ['b', 'ü'],
      ],
    ],
    [
      'A: b\nC: d\n\r\n\r\n',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    ['\x00\xff', []],
  ])('of %j', (content, fields) => {
    expect(readFields(octets(content)).map(({ name, value }) => [name, value])).toEqual(fields);
  });

  test('are cut and counted', () => {
    const [long] = readFields(octets(`A: ${'x'.repeat(100_000)}\r\n\r\n`));
    expect(long?.value.length).toBeLessThanOrEqual(maxField);
    expect(long?.value.length).toBeGreaterThan(maxField - 10);
    expect(readFields(octets('A: b\r\n'.repeat(maxFields + 5)))).toHaveLength(maxFields);
  });
});

test.each([
  ['plain', 'plain'],
  ['=?utf-8?B?w7w=?=', 'ü'],
  ['=?iso-8859-1?Q?J=FCrgen?= <j@x>', 'Jürgen <j@x>'],
  // A character cut in two by the encoder.
  ['=?utf-8?B?w7w=?= =?utf-8?Q?=C3?= =?utf-8?Q?=BC?=', 'üü'],
  ['=?utf-8?Q?a=0D=0ABcc:_x=07y?=', 'a Bcc: xy'],
  ['=?utf-8?Q?a=1B[31m?=', 'a[31m'],
  ['a\u2028b\u0085c', 'a b c'],
  ['=?utf-8?Q?unfinished', '=?utf-8?Q?unfinished'],
])('%j reads %j', (value, text) => {
  expect(decodeText(value)).toBe(text);
});

test('a charset nobody knows or a cut word does no harm', () => {
  for (const value of [
    '=?x-unknown?B?w7w=?=',
    '=?utf-7?Q?+AGE-?=',
    '=?utf-8?B?!!!?=',
    '=?utf-8?Q?=ZZ?=',
    '=?utf-8?B?w7?=',
  ]) {
    expect(decodeText(value)).not.toMatch(/[\x00-\x1f]/);
  }
});

describe('facts', () => {
  test('of a whole header', () => {
    const facts = factsOf(
      [
        'Received: from a',
        'Delivered-To: <Team@Example.com>',
        'Received: from b',
        'Subject: =?utf-8?B?w7w=?=',
        'Subject: second',
        'From: "A" <a@example.org>',
        'Message-ID: <1@example.org>',
        'In-Reply-To: <0@example.org>',
        'References: <9@example.org>',
        '\t<0@example.org> junk <no good>',
        'Auto-Submitted: auto-replied',
        '',
        'Subject: body',
      ].join('\r\n'),
    );
    expect(facts).toMatchObject({
      queueId: '0123456789ABC',
      receivedAt: 1_000,
      reversePath: '<>',
      recipients: ['Team@example.com'],
      peer: '192.0.2.1',
      carriesMembers: true,
      subject: 'ü',
      from: '"A" <a@example.org>',
      messageId: '<1@example.org>',
      references: ['<9@example.org>', '<0@example.org>'],
      autoSubmitted: true,
      receivedCount: 2,
      deliveredTo: ['team@example.com'],
    });
    expect(facts.headers.map(([name]) => name).slice(0, 4)).toEqual([
      'received',
      'delivered-to',
      'received',
      'subject',
    ]);
    expect(facts.headers).toContainEqual(['subject', 'ü']);
  });

  test('of none: absent is not empty', () => {
    const facts = factsOf('\r\nbody');
    expect(facts).toMatchObject({ size: 6, references: [], headers: [], receivedCount: 0, deliveredTo: [] });
    expect(facts.autoSubmitted).toBe(false);
    for (const name of ['subject', 'from', 'messageId']) expect(facts).not.toHaveProperty(name);
    expect(factsOf('Subject:\r\n\r\n').subject).toBe('');
  });

  test.each([
    ['no', false],
    ['No', false],
    ['no (really)', false],
    ['no; x=y', false],
    ['auto-generated', true],
    ['auto-notified; owner-email="a@b"', true],
    ['nonsense', true],
    ['', true],
  ])('Auto-Submitted: %s is %s', (value, is) => {
    expect(factsOf(`Auto-Submitted: ${value}\r\n\r\n`).autoSubmitted).toBe(is);
  });

  test('keep the newest of too many references', () => {
    const many = Array.from({ length: 500 }, (_, index) => `<${index}@x>`).join('\r\n ');
    const { references } = factsOf(`References: ${many}\r\n\r\n`);
    expect(references).toHaveLength(200);
    expect(references.at(-1)).toBe('<499@x>');
  });
});

describe('a header told field by field', () => {
  const name = fc.stringMatching(/^[!-9;-~]{1,30}$/);
  const line = fc.stringMatching(/^[\x20-\x7e\xa0-\xff]{0,60}$/);
  const value = fc
    .array(line, { minLength: 1, maxLength: 3 })
    .map((lines) => lines.join('\n '))
    .filter((text) => text.trim() !== '');

  test('says the same as its octets', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 20 }), (raw) => {
        const block = raw.map(([key, text]) => `${key}: ${text.replaceAll('\n', '\r\n')}\r\n`).join('');
        expect(fieldsOf(raw)).toEqual(readFields(octets(block)));
      }),
    );
  });

  test('no line end makes a field of what is none, and what is no name ends the header', () => {
    expect(fieldsOf([['A', 'b\nBcc: x']])).toEqual([{ name: 'a', value: 'b' }]);
    expect(
      fieldsOf([
        ['A', 'b'],
        ['no name', 'x'],
        ['C', 'd'],
      ]),
    ).toEqual([{ name: 'a', value: 'b' }]);
    expect(fieldsOf(Array.from({ length: maxFields + 5 }, () => ['A', 'b'] as const))).toHaveLength(maxFields);
  });
});
