// Two messages of one millisecond for which chance draws the same.
import { expect, test } from 'vitest';
import { queueIds } from '../../../src/relay/queue-ids.ts';

test('what chance draws twice in one millisecond is drawn again', () => {
  const draws = [0, 0, 0, 0, 0, 0, 0, 0, 0.5, 0, 0, 0];
  const draw = queueIds(() => draws.shift() ?? 0.9);
  const now = 1_800_000_000_000;
  const [first, second] = [draw(now), draw(now)];
  expect(first.slice(9)).toBe('0000');
  expect(second.slice(9)).toBe('G000');
});

test('thousands of one millisecond are as many ids', () => {
  let seed = 1;
  const draw = queueIds(() => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  });
  for (const now of [1_800_000_000_000, 1_800_000_000_001])
    expect(new Set(Array.from({ length: 5_000 }, () => draw(now))).size).toBe(5_000);
});
