import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Packing, Shelf } from '../../../src/relay/shelf.ts';

interface One {
  readonly text: string;
  readonly number: number;
  readonly count: number;
  readonly flag: boolean;
  readonly shared: object | null;
  readonly octets: readonly number[];
}

const packing: Packing<One> = {
  room: ({ text, octets }) => 4 + 3 * text.length + 8 + 4 + 1 + 4 + 4 + octets.length,
  put({ text, number, count, flag, shared, octets }, page) {
    page.putText(text);
    page.putNumber(number);
    page.putCount(count);
    page.putFlag(flag);
    page.putShared(shared);
    page.putOctets((to, at) => {
      to.set(octets, at);
      return octets.length;
    });
  },
  take: (page) => ({
    text: page.takeText(),
    number: page.takeNumber(),
    count: page.takeCount(),
    flag: page.takeFlag(),
    shared: page.takeShared() as object | null,
    octets: [...page.takeOctets()],
  }),
};

const things = [{ name: 'a plan' }, { name: 'a presence' }, null];
const one = fc.record({
  text: fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ maxLength: 20_000, unit: 'binary-ascii' })),
  number: fc.double({ noDefaultInfinity: true }),
  count: fc.nat({ max: 0xffff_ffff }),
  flag: fc.boolean(),
  shared: fc.constantFrom(...things),
  octets: fc.array(fc.nat({ max: 255 }), { maxLength: 300 }),
});

describe('what waits outside the heap', () => {
  test('comes back as it was put, first come first served, whatever is put and taken in between', () => {
    const turns = fc.array(fc.oneof({ weight: 3, arbitrary: one }, { weight: 2, arbitrary: fc.constant('take') }));
    fc.assert(
      fc.property(turns, (all) => {
        const shelf = new Shelf(packing);
        const model: One[] = [];
        for (const turn of all) {
          if (typeof turn !== 'string') {
            shelf.put(turn);
            model.push(turn);
          } else if (model.length > 0) {
            const wanted = model.shift();
            const taken = shelf.take();
            expect(taken).toEqual(wanted);
            expect(taken.shared).toBe(wanted?.shared);
          }
          expect(shelf.length).toBe(model.length);
        }
        while (model.length > 0) expect(shelf.take()).toEqual(model.shift());
        expect(shelf.octets).toBe(0);
        expect(() => shelf.take()).toThrow(RangeError);
      }),
    );
  });

  test('pages are written again when they are empty, and one that is too large for a page stays what it is', () => {
    const shelf = new Shelf(packing);
    const of = (count: number, length: number): One => ({
      text: 'x'.repeat(length),
      number: Number.NaN,
      count,
      flag: true,
      shared: null,
      octets: [],
    });
    // Some twelve pages full.
    for (let round = 0; round < 3; round += 1) {
      const all = Array.from({ length: 300 }, (_, count) => of(count, count % 50 === 0 ? 40_000 : 10_000));
      for (const each of all) shelf.put(each);
      // What takes as much as it says is kept by what it takes, what stays an object by what it would take at most.
      expect(shelf.octets).toBe(294 * (1 + 10_000 + 25) + 6 * (1 + 120_000 + 25));
      for (const [count, each] of all.entries()) {
        const taken = shelf.take();
        expect(taken).toEqual(each);
        expect(taken === each).toBe(count % 50 === 0);
      }
      expect(shelf.octets).toBe(0);
    }
  });

  test('one that cannot be laid down whole leaves nothing behind', () => {
    const fails: Packing<number> = {
      room: () => 20,
      put(number, page) {
        page.putNumber(number);
        if (number < 0) throw new Error('no');
        page.putCount(number);
      },
      take: (page) => page.takeNumber() + page.takeCount(),
    };
    const shelf = new Shelf(fails);
    for (const number of [1, -1, 2, -1, -1, 3]) {
      if (number < 0) expect(() => shelf.put(number)).toThrow('no');
      else shelf.put(number);
    }
    expect([shelf.take(), shelf.take(), shelf.take()]).toEqual([2, 4, 6]);
    expect(shelf.octets).toBe(0);
  });
});
