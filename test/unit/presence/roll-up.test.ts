import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Resource } from '../../../src/presence/presence.ts';
import { availability, rollUp } from '../../../src/presence/roll-up.ts';

const resource = (name: string, show: Resource['show'], priority = 0, more: Partial<Resource> = {}): Resource => ({
  name,
  show,
  priority,
  since: 1_000,
  ...more,
});

describe('rollUp', () => {
  it.each<[string, Resource[], string, string | undefined]>([
    ['nothing connected', [], 'offline', undefined],
    ['one away', [resource('a', 'away')], 'away', 'a'],
    ['the most available speaks', [resource('a', 'dnd', 50), resource('b', 'available', 1)], 'available', 'b'],
    ['chat before available', [resource('a', 'available', 9), resource('b', 'chat')], 'chat', 'b'],
    ['away before xa before dnd', [resource('a', 'dnd'), resource('b', 'xa'), resource('c', 'away')], 'away', 'c'],
    ['priority among equals', [resource('a', 'away', 1), resource('b', 'away', 5)], 'away', 'b'],
    ['negative never counts', [resource('a', 'chat', -1)], 'offline', undefined],
    ['negative beside dnd', [resource('a', 'chat', -1), resource('b', 'dnd', 0)], 'dnd', 'b'],
    [
      'in use before idle',
      [resource('a', 'available', 0, { idleSince: 900 }), resource('b', 'available')],
      'available',
      'b',
    ],
    [
      'idle for less',
      [resource('a', 'away', 0, { idleSince: 100 }), resource('b', 'away', 0, { idleSince: 900 })],
      'away',
      'b',
    ],
    ['the newest', [resource('a', 'away'), resource('b', 'away', 0, { since: 2_000 })], 'away', 'b'],
    ['by name at last', [resource('b', 'away'), resource('a', 'away')], 'away', 'a'],
  ])('%s', (_, resources, state, best) => {
    expect(rollUp(resources).state).toBe(state);
    expect(rollUp(resources).best?.name).toBe(best);
  });

  it('does not depend on the order, and no reachable resource is more available than the answer', () => {
    const any = fc.record({
      name: fc.string({ minLength: 1, maxLength: 2 }),
      show: fc.constantFrom(...availability),
      priority: fc.integer({ min: -128, max: 127 }),
      since: fc.nat(5),
    });
    const resources = fc.uniqueArray(any, { selector: ({ name }) => name, maxLength: 6 });
    fc.assert(
      fc.property(resources, (list) => {
        const answer = rollUp(list);
        expect(rollUp([...list].reverse())).toEqual(answer);
        const reachable = list.filter(({ priority }) => priority >= 0);
        if (answer.state === 'offline') expect(reachable).toEqual([]);
        else {
          const rank = availability.indexOf(answer.state);
          expect(Math.min(...reachable.map(({ show }) => availability.indexOf(show)))).toBe(rank);
        }
      }),
    );
  });
});
