// Whose turn it is when there are more mailboxes than connections.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextVisit, rota, visitEvery } from '../../../src/imap/rota.ts';

const turns = (count: number) => Array.from({ length: count }, (_v, at) => ({ mailbox: `m${at}`, deadline: 100 - at }));

describe('the rota', () => {
  test('gives everybody a connection while there are enough', () => {
    expect(rota(turns(3), 3)).toEqual({ standing: ['m2', 'm1', 'm0'], rounds: [], visitors: 0 });
  });

  test('lets the soonest stand, and a quarter of the connections go round', () => {
    const { standing, rounds, visitors } = rota(turns(10), 8);
    expect({ standing, rounds, visitors }).toEqual({
      standing: ['m9', 'm8', 'm7', 'm6', 'm5', 'm4'],
      rounds: ['m3', 'm2', 'm1', 'm0'],
      visitors: 2,
    });
  });

  test('with one connection that one goes round', () => {
    expect(rota(turns(2), 1)).toEqual({ standing: [], rounds: ['m1', 'm0'], visitors: 1 });
  });

  test('never uses more connections than there are, and leaves nobody out', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.integer({ min: 1, max: 30 }), (count, connections) => {
        const { standing, rounds, visitors } = rota(turns(count), connections);
        expect(standing.length + visitors).toBeLessThanOrEqual(connections);
        expect(new Set([...standing, ...rounds]).size).toBe(count);
        if (rounds.length > 0) expect(visitors).toBeGreaterThan(0);
      }),
    );
  });
});

test('the next visit is the soonest one that was not visited lately and that nobody else visits', () => {
  const visited = new Map([['a', 1_000]]);
  expect(nextVisit(['a', 'b', 'c'], visited, new Set(['b']), 2_000)).toBe('c');
  expect(nextVisit(['a', 'b', 'c'], visited, new Set(), 1_000 + visitEvery)).toBe('a');
  expect(nextVisit(['a'], visited, new Set(), 2_000)).toBeNull();
});
