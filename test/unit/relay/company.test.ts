// What waits for company while mail comes fast, and goes on at once when it does not.
import { expect, test } from 'vitest';
import { Company } from '../../../src/relay/company.ts';
import { Traffic } from '../../../src/relay/traffic.ts';
import { settle, TestClock } from '../../support/clock.ts';

function scene(busy: boolean) {
  const clock = new TestClock();
  const traffic = new Traffic();
  const ending = new AbortController();
  const company = new Company(clock, traffic, 50, ending.signal);
  const gone: string[] = [];
  if (busy) for (let count = 0; count < 15; count += 1) traffic.came(clock.now());
  const wait = (name: string) => void company.wait()?.then(() => gone.push(name));
  return { clock, company, ending, gone, wait };
}

test('nobody waits while it is quiet', () => {
  expect(scene(false).company.wait()).toBeNull();
});

test('all that come within so long of the first go on together, and the next ones after that', async () => {
  const { clock, gone, wait } = scene(true);
  wait('one');
  await clock.advance(49);
  wait('two');
  await settle();
  expect(gone).toEqual([]);
  await clock.advance(1);
  await settle();
  expect(gone).toEqual(['one', 'two']);
  wait('three');
  await settle();
  expect(gone).toHaveLength(2);
  await clock.advance(50);
  await settle();
  expect(gone).toEqual(['one', 'two', 'three']);
});

test('at the end nobody waits any more', async () => {
  const { company, ending, gone, wait } = scene(true);
  wait('one');
  ending.abort();
  await settle();
  expect(gone).toEqual(['one']);
  expect(company.wait()).toBeNull();
});
