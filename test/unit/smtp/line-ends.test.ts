// What is done piece by piece gives what is done at once.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LongLines, WholeLineEnds, withWholeLineEnds } from '../../../src/smtp/line-ends.ts';
import { runs } from '../../support/runs.ts';

const pieces = fc.array(
  fc.string({ unit: fc.constantFrom('a', '.', '\r', '\n', '\r\n') }).map((each) => Buffer.from(each)),
);

test('line ends are made whole in any pieces', () => {
  fc.assert(
    fc.property(pieces, (given) => {
      const lineEnds = new WholeLineEnds();
      const made = Buffer.concat([...given.map((piece) => lineEnds.add(piece)), lineEnds.end()]);
      expect(made.toString()).toBe(Buffer.from(withWholeLineEnds(Buffer.concat(given))).toString());
    }),
    { numRuns: runs(1_000) },
  );
});

test('long lines are found in any pieces', () => {
  fc.assert(
    fc.property(pieces, fc.integer({ min: 1, max: 8 }), (given, longest) => {
      const lines = new LongLines(longest);
      let found = false;
      for (const piece of given) found = lines.add(piece);
      const all = Buffer.concat(given).toString().split('\n');
      // The last has no end yet.
      expect(found).toBe(all.some((line) => line.length > longest));
    }),
    { numRuns: runs(1_000) },
  );
});
