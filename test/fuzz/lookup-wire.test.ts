// Lookups as they come from the network: a question, not all of one, or an error; the same however it is cut; and an
// answer is one record, whatever is in it.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Found, LookupError, type Protocol, type Question, socketmap, tcpTable } from '../../src/lookup/wire.ts';
import { fuzz } from '../support/fuzz.ts';

const piece = fc.oneof(
  fc.constantFrom('13:route a@b.org,', '0:,', '5:a b c,', ':', ',', ' ', '9', '4096:', '4097:', 'route', '-1:a,'),
  fc.constantFrom('get a@b.org\n', 'get %41%zz\r\n', 'get ', '%', '%2', '\n', '\r', 'put', 'ü', '\0'),
  fc.string({ unit: 'binary', maxLength: 3 }),
);
const octets = fc.array(piece, { maxLength: 16 }).map((pieces) => Buffer.from(pieces.join('')));
const cuts = fc.array(fc.nat(60), { maxLength: 6 });

/** As the door does it. */
function questions(
  protocol: Protocol,
  pieces: readonly Buffer[],
): { asked: Question[]; failed: boolean; left: number } {
  const asked: Question[] = [];
  let rest = Buffer.alloc(0);
  for (const each of pieces) {
    rest = Buffer.concat([rest, each]);
    try {
      for (let read = protocol.read(rest); read; read = protocol.read(rest)) {
        expect(read.used).toBeGreaterThan(0);
        expect(read.used).toBeLessThanOrEqual(rest.length);
        asked.push(read.question);
        rest = rest.subarray(read.used);
      }
    } catch (error) {
      if (!(error instanceof LookupError)) throw error;
      return { asked, failed: true, left: 0 };
    }
  }
  return { asked, failed: false, left: rest.length };
}

describe.each([
  ['socketmap', socketmap],
  ['tcp_table', tcpTable],
] as const)('%s', (name, protocol) => {
  test('questions of any octets, in any pieces', () => {
    fuzz(`lookup: questions (${name})`, 1_000, [octets, cuts], (whole, places) => {
      const ends = [...places.filter((at) => at < whole.length), whole.length].sort((one, other) => one - other);
      const pieces = ends.map((end, index) => whole.subarray(ends[index - 1] ?? 0, end));
      const once = questions(protocol, [whole]);
      expect(questions(protocol, pieces)).toEqual(once);
      expect(once.left).toBeLessThanOrEqual(4_200);
    });
  });

  test('an answer is one record, whatever is in it', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 12 });
    const found: fc.Arbitrary<Found> = fc.oneof(
      text.map((value): Found => ({ kind: 'found', value })),
      fc.constant<Found>({ kind: 'not found' }),
      text.map((why): Found => ({ kind: 'temporary', why })),
      text.map((why): Found => ({ kind: 'permanent', why })),
    );
    fuzz(`lookup: answers (${name})`, 500, [found], (one) => {
      const answer = Buffer.from(protocol.write(one));
      if (protocol === tcpTable) {
        expect(answer.toString('latin1')).toMatch(/^(?:200|400|500) [\x20-\x7e]*\n$/);
        return;
      }
      const colon = answer.indexOf(':');
      expect(Number(answer.toString('latin1', 0, colon))).toBe(answer.length - colon - 2);
      expect(answer.at(-1)).toBe(0x2c);
    });
  });
});

test('a key comes back as it was asked for', () => {
  const key = fc.string({ unit: 'grapheme', maxLength: 20 });
  fuzz('lookup: keys there and back', 500, [key], (one) => {
    const text = `route ${one}`;
    const asked = `${Buffer.byteLength(text)}:${text},`;
    expect(socketmap.read(Buffer.from(asked))?.question).toEqual({ map: 'route', key: Buffer.from(one).toString() });
    const coded = [...Buffer.from(one)].map((octet) => `%${octet.toString(16).padStart(2, '0')}`).join('');
    expect(tcpTable.read(Buffer.from(`get ${coded}\n`))?.question.key).toBe(Buffer.from(one).toString());
  });
});
