// Long work is done in order and whole, in many turns of the event loop; what ends it ends it.
import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { inSlices, Reading, Slices } from '../../../src/xmpp/slices.ts';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('slices', () => {
  it('a few things are done at once', () => {
    const done: number[] = [];
    new Slices<number>((one) => done.push(one)).add(numbers(100));
    expect(done).toEqual(numbers(100));
  });

  it('many are done over many turns, in order, with those that came later behind them', async () => {
    const done: number[] = [];
    const slices = new Slices<number>((one) => done.push(one));
    slices.add(numbers(1_000));
    slices.add([-1]);
    expect(done).toEqual([]);
    let turns = 0;
    for (; done.length < 1_001; turns += 1) await nextTurn();
    expect(turns).toBeGreaterThan(5);
    expect(done).toEqual([...numbers(1_000), -1]);
    slices.add([-2]);
    expect(done.at(-1)).toBe(-2);
  });

  it('what one thing brings about comes after all that waited already', async () => {
    const done: number[] = [];
    const slices: Slices<number> = new Slices((one) => {
      done.push(one);
      if (one === 3) slices.add([-1]);
    });
    slices.add(numbers(300));
    while (done.length < 301) await nextTurn();
    expect(done).toEqual([...numbers(300), -1]);
  });

  it('stopped, nothing more is done', async () => {
    const done: number[] = [];
    const slices = new Slices<number>((one) => done.push(one));
    slices.add(numbers(1_000));
    await nextTurn();
    slices.stop();
    const count = done.length;
    await nextTurn();
    await nextTurn();
    expect(done.length).toBe(count);
    expect(count).toBeLessThan(1_000);
  });

  it('a list ends early when it is not wanted any more', async () => {
    const done: number[] = [];
    let wanted = true;
    const end = inSlices(
      numbers(10_000),
      (one) => done.push(one),
      () => wanted,
    );
    await nextTurn();
    wanted = false;
    expect(await end).toBe(false);
    expect(done.length).toBeLessThan(1_000);
    expect(
      await inSlices(
        [1],
        () => undefined,
        () => false,
      ),
    ).toBe(true);
  });
});

describe('reading', () => {
  const fail = (error: Error) => {
    throw error;
  };
  const pieces = (count: number): Iterator<string> =>
    numbers(count)
      .map((n) => `${n}`.padEnd(8_192))
      [Symbol.iterator]();
  const socket = () => new PassThrough() as unknown as Parameters<Reading['read']>[1] & PassThrough;

  it('more than fits into one turn waits, in order, and the socket with it', async () => {
    const read: number[] = [];
    const reading = new Reading(
      (piece) => read.push(Number(piece)),
      () => true,
      fail,
    );
    const from = socket();
    from.resume();
    reading.read(pieces(10), from);
    expect(read).toEqual([0, 1]);
    expect(from.isPaused()).toBe(true);
    reading.read([`${10}`][Symbol.iterator](), from);
    while (read.length < 11) await nextTurn();
    expect(read).toEqual(numbers(11));
    expect(from.isPaused()).toBe(false);
  });

  it('nothing waits where it may not: what came in the clear is read before TLS begins', () => {
    const read: number[] = [];
    const reading = new Reading(
      (piece) => read.push(Number(piece)),
      () => false,
      fail,
    );
    const from = socket();
    reading.read(pieces(10), from);
    expect(read).toEqual(numbers(10));
  });

  it('a piece that cannot be taken is told of, also in a later turn, and the rest is dropped', async () => {
    const failed: string[] = [];
    const read: number[] = [];
    const reading = new Reading(
      (piece) => {
        if (Number(piece) === 5) throw new Error('five');
        read.push(Number(piece));
      },
      () => true,
      ({ message }) => failed.push(message),
    );
    reading.read(pieces(10), socket());
    while (failed.length === 0) await nextTurn();
    await nextTurn();
    expect(failed).toEqual(['five']);
    expect(read).toEqual(numbers(5));
  });
});
