// Replies of a next hop as they come from the network: cut anywhere, they are the same replies, none is lost or made up,
// and what never ends is known as such.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseReply } from '../../src/mail/reply.ts';
import { longestReply, ReplyReader } from '../../src/smtp/reply-reader.ts';
import { fuzz } from '../support/fuzz.ts';

const piece = fc.oneof(
  fc.constantFrom(
    '250 ok\r\n',
    '250-first\r\n',
    '250',
    '-',
    ' ',
    '\r\n',
    '\n',
    '\r',
    '354',
    '5.1.1',
    'ü',
    '2500-',
    '25',
  ),
  fc.string({ unit: 'binary', maxLength: 3 }),
);
const cuts = fc.array(fc.nat(60), { maxLength: 8 });

function readAll(whole: Buffer, places: readonly number[]): { replies: string[]; reader: ReplyReader } {
  const reader = new ReplyReader();
  const ends = [...places.filter((at) => at < whole.length), whole.length].sort((one, other) => one - other);
  const replies = ends.flatMap((end, index) => reader.read(whole.subarray(ends[index - 1] ?? 0, end)));
  return { replies, reader };
}

test('the cut changes nothing, and no octet is lost', () => {
  fuzz('replies from the network, in pieces', 2_000, [fc.array(piece, { maxLength: 20 }), cuts], (pieces, places) => {
    const whole = Buffer.from(pieces.join(''));
    const once = readAll(whole, []);
    const cut = readAll(whole, places);
    expect(cut.replies).toEqual(once.replies);
    expect(cut.reader.isWithin).toBe(once.reader.isWithin);
    const octets = Buffer.from(once.replies.map((reply) => `${reply}\n`).join(''));
    if (whole.equals(Buffer.from(whole.toString('utf8')))) expect(whole.subarray(0, octets.length)).toEqual(octets);
    for (const reply of once.replies) {
      const lines = reply.split('\n');
      for (const line of lines.slice(0, -1)) expect(line).toMatch(/^\d{3}-/);
      expect(lines.at(-1)).not.toMatch(/^\d{3}-/);
      parseReply(reply);
    }
  });
});

test('whole replies are read as what they are', () => {
  const code = fc.constantFrom('220', '250', '354', '421', '450', '550', '554');
  const line = fc.string({ unit: fc.constantFrom('a', ' ', '-', '5.1.1', 'ü', '\t'), maxLength: 10 });
  const reply = fc.tuple(code, fc.array(line, { minLength: 1, maxLength: 4 }));
  fuzz('replies: whole ones', 1_000, [fc.array(reply, { maxLength: 6 }), cuts], (all, places) => {
    const said = all.map(([number, lines]) =>
      lines.map((text, at) => `${number}${at === lines.length - 1 ? ' ' : '-'}${text}\r\n`).join(''),
    );
    const { replies, reader } = readAll(Buffer.from(said.join('')), places);
    expect(replies.map((each) => `${each}\n`)).toEqual(said);
    expect(replies.map((each) => parseReply(each)?.code)).toEqual(all.map(([number]) => Number(number)));
    expect(reader.isWithin).toBe(false);
  });
});

test('what does not end is known, and not before', () => {
  const reader = new ReplyReader();
  expect(reader.read(Buffer.from(`250 ${'x'.repeat(longestReply - 4)}`))).toEqual([]);
  expect(reader.isEndless).toBe(false);
  expect(reader.read(Buffer.from('x'))).toEqual([]);
  expect(reader.isEndless).toBe(true);
});
