// However the octets are cut: the same text, no piece that ends amid a mark, and no declaration.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TextReader } from '../../../src/xmpp/text-reader.ts';

function read(octets: Buffer, cuts: readonly number[]): string {
  const reader = new TextReader();
  const at = [...new Set([0, ...cuts.map((cut) => cut % (octets.length + 1)), octets.length])].sort((a, b) => a - b);
  return at
    .slice(1)
    .reduce((text, end, index) => text + [...reader.pieces(octets.subarray(at[index], end))].join(''), '');
}
const cutAnywhere = fc.array(fc.nat(400), { maxLength: 20 });
const plain =
  "<?xml version='1.0'?><!---- <!DOCTYPE in a - -- comment ---><a x='ß日本👍'>t <![CDATA[<!DOCTYPE ]> as text]]> &lt;!</a>.";

describe('the reader of a stream', () => {
  it('gives the text, wherever it was cut', () => {
    fc.assert(fc.property(cutAnywhere, (cuts) => void expect(read(Buffer.from(plain), cuts)).toBe(plain)));
  });

  it.each([
    '<!DOCTYPE a []>',
    '<!ENTITY a "b">',
    '<!doctype a>',
    '<![INCLUDE[ x ]]>',
    '<!x',
  ])('refuses %s, wherever it was cut', (bad) => {
    const text = `${plain}${bad}<b/>`;
    fc.assert(
      fc.property(cutAnywhere, (cuts) => {
        expect(() => read(Buffer.from(text), cuts)).toThrow(/declaration/);
      }),
    );
  });
});
