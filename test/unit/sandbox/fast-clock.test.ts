// The clock of `--speed`: sleepers wake in order and see their own time, never one that has run past them; it stands
// still while something is in hand.
import { expect, type TestContext, test } from 'vitest';
import { hour, minute, second } from '../../../src/clock.ts';
import { parseRules } from '../../../src/routing/parse.ts';
import { castOf } from '../../../src/sandbox/cast.ts';
import { dayOf } from '../../../src/sandbox/day.ts';
import { createFastClock } from '../../../src/sandbox/fast-clock.ts';
import { beginDay, seeded } from '../../../src/sandbox/played-day.ts';
import { settle } from '../../support/clock.ts';

/** The real world goes a millisecond further whenever it is looked at. */
function fast(context: TestContext) {
  let real = 0;
  const clock = createFastClock(0, () => (real += 1));
  context.onTestFinished(() => clock.stop());
  clock.hurry(1000);
  return clock;
}

test('an hour is over at once; whoever wakes sees their own time', async (context) => {
  const clock = fast(context);
  const woken: [string, number][] = [];
  const sleeper = (name: string, at: number) => clock.sleepUntil(at).then(() => void woken.push([name, clock.now()]));
  await Promise.all([sleeper('late', hour), sleeper('soon', 90 * second), sleeper('also', 90 * second)]);
  expect(woken.map(([name]) => name)).toEqual(['soon', 'also', 'late']);
  // A step is at most a second, so nobody sees more than that.
  expect(woken[0]?.[1]).toBeLessThan(91 * second);
  expect(woken[2]?.[1]).toBeLessThan(hour + second);
  await clock.sleepUntil(minute);
  expect(clock.now()).toBeGreaterThanOrEqual(hour);
});

test('it stands still while something is in hand', async (context) => {
  const clock = fast(context);
  await clock.sleepUntil(minute);
  const work = Promise.withResolvers<void>();
  const done = clock.still(work.promise);
  const at = clock.now();
  for (let n = 0; n < 50; n += 1) await settle();
  expect(clock.now()).toBe(at);
  work.resolve();
  await done;
  clock.busy('a mail', 1_000_000);
  for (let n = 0; n < 50; n += 1) await settle();
  expect(clock.now()).toBe(at);
  clock.free('a mail');
  await clock.sleepUntil(at + minute);
});

test('who no longer wants to sleep is woken', async (context) => {
  const clock = fast(context);
  const over = new AbortController();
  const slept = clock.sleepUntil(1000 * hour, over.signal);
  over.abort();
  await slept;
  expect(clock.now()).toBeLessThan(1000 * hour);
});

const { rules } = parseRules([
  {
    name: 'r',
    text: `people: { a: { mail: a@x.test }, b: { mail: b@x.test } }
groups: { g: { address: g@x.test, members: [a, b], policy: none, fallback: unchanged } }`,
  },
]);

test('a day begins at seven, is over by now, and is no Sunday; the same seed makes the same day', (context) => {
  if (!rules) throw new Error('the rules are wrong');
  const monday = Date.UTC(2026, 0, 5, 10);
  const day = beginDay(monday, { speed: 10, for: 24 * hour });
  context.onTestFinished(() => day.clock.stop());
  expect(new Date(day.from).toISOString()).toBe('2026-01-02T07:00:00.000Z');
  expect(day.until).toBeLessThan(monday);
  const make = (seed: number) => dayOf(rules, castOf(rules), { ...day, random: seeded(seed) });
  expect(make(1)).toEqual(make(1));
  expect(make(1)).not.toEqual(make(2));
  const events = make(1);
  expect(events.filter(({ kind }) => kind === 'mail').length).toBeGreaterThan(80);
  expect(events.filter(({ kind }) => kind === 'mood').length).toBeGreaterThan(6);
  for (const { at } of events) expect(at >= day.from && at < day.until).toBe(true);
});
