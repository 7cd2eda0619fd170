import { expect, it } from 'vitest';
import { Traffic } from '../../../src/relay/traffic.ts';

const at = (traffic: Traffic, count: number, from: number) => {
  for (let index = 0; index < count; index += 1) traffic.came(from);
};

it('is busy while mail comes fast, and a moment longer', () => {
  const traffic = new Traffic();
  expect(traffic.busy(1_000)).toBe(false);
  at(traffic, 14, 1_000);
  expect(traffic.busy(1_050)).toBe(false);
  at(traffic, 1, 1_099);
  expect(traffic.busy(1_099)).toBe(true);
  expect(traffic.busy(1_199)).toBe(true);
  expect(traffic.busy(1_299)).toBe(false);
});

it('is not busy after a pause, however much came before it', () => {
  const traffic = new Traffic();
  at(traffic, 100, 1_000);
  expect(traffic.busy(60_000)).toBe(false);
});

it('forgets what a clock that was ahead has seen', () => {
  const traffic = new Traffic();
  at(traffic, 100, 60_000);
  expect(traffic.busy(1_000)).toBe(false);
  at(traffic, 20, 1_000);
  expect(traffic.busy(1_001)).toBe(true);
});
