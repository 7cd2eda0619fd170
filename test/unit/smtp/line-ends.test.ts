// What is done piece by piece gives what is done at once.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LongLines, WholeLineEnds, withWholeLineEnds } from '../../../src/smtp/line-ends.ts';
import { fuzz } from '../../support/fuzz.ts';

const pieces = fc.array(
  fc.string({ unit: fc.constantFrom('a', '.', '\r', '\n', '\r\n') }).map((each) => Buffer.from(each)),
);

test('line ends are made whole in any pieces', () => {
  fuzz('line ends made whole', 1_000, [pieces], (given) => {
    const lineEnds = new WholeLineEnds();
    const made = Buffer.concat([...given.map((piece) => lineEnds.add(piece)), lineEnds.end()]);
    expect(made.toString()).toBe(Buffer.from(withWholeLineEnds(Buffer.concat(given))).toString());
  });
});

test('long lines are found in any pieces', () => {
  fuzz('long lines', 1_000, [pieces, fc.integer({ min: 1, max: 8 })], (given, longest) => {
    const lines = new LongLines(longest);
    let found = false;
    for (const piece of given) found = lines.add(piece);
    const all = Buffer.concat(given).toString().split('\n');
    // The last has no end yet.
    expect(found).toBe(all.some((line) => line.length > longest));
  });
});
