// Open time: what counts, over nights, weekends, closed days and the two odd days of the year.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { day, hour, minute } from '../../../src/clock.ts';
import { afterOpenTime } from '../../../src/routing/business-time.ts';
import { isOpenAt } from '../../../src/routing/calendar.ts';
import type { Schedule } from '../../../src/routing/rules.ts';

const office: Schedule = {
  name: 'office',
  zone: 'Europe/Berlin',
  windows: [{ days: [1, 2, 3, 4, 5], from: 9 * 60, to: 17 * 60 }],
  closed: ['2026-12-25'],
} as unknown as Schedule;
const nights = {
  ...office,
  windows: [{ days: [1, 2, 3, 4, 5, 6, 7], from: 22 * 60, to: 6 * 60 }],
  closed: [],
} as Schedule;
const always = { ...office, windows: [{ days: [1, 2, 3, 4, 5, 6, 7], from: 0, to: 24 * 60 }], closed: [] } as Schedule;
const never = { ...office, windows: [] } as Schedule;
const at = (text: string) => Date.parse(text);

describe('open time', () => {
  it.each([
    ['within the day', office, '2026-11-23T10:00+01:00', 30 * minute, '2026-11-23T10:30+01:00'],
    ['over night', office, '2026-11-23T16:45+01:00', 30 * minute, '2026-11-24T09:15+01:00'],
    ['over the weekend', office, '2026-11-27T16:30+01:00', hour, '2026-11-30T09:30+01:00'],
    ['from the night', office, '2026-11-24T03:00+01:00', 10 * minute, '2026-11-24T09:10+01:00'],
    ['up to closing: not after it', office, '2026-11-23T16:30+01:00', 30 * minute, '2026-11-24T09:00+01:00'],
    ['over a closed day', office, '2026-12-24T16:30+01:00', hour, '2026-12-28T09:30+01:00'],
    ['several days', office, '2026-11-23T09:00+01:00', 20 * hour, '2026-11-25T13:00+01:00'],
    ['the day the clock springs', office, '2026-03-27T16:30+01:00', hour, '2026-03-30T09:30+02:00'],
    ['a night shift', nights, '2026-11-23T23:30+01:00', 7 * hour, '2026-11-24T22:30+01:00'],
    ['a schedule that never opens does not count', never, '2026-11-23T10:00Z', hour, '2026-11-23T11:00Z'],
  ])('%s', (_name, schedule, from, lasts, expected) => {
    expect(new Date(afterOpenTime(schedule, at(from), lasts)).toISOString()).toBe(new Date(at(expected)).toISOString());
  });

  it('ends at a moment that is open, never earlier than without hours, and later for longer', () => {
    const moment = fc.integer({ min: at('2026-01-01T00:00Z'), max: at('2027-12-31T00:00Z') });
    const lasts = fc.integer({ min: 1000, max: 3 * day });
    fc.assert(
      fc.property(fc.constantFrom(office, nights, always), moment, lasts, lasts, (schedule, from, some, more) => {
        const end = afterOpenTime(schedule, from, some);
        expect(isOpenAt(schedule, end)).toBe(true);
        expect(end).toBeGreaterThanOrEqual(from + some);
        expect(afterOpenTime(schedule, from, some + more)).toBeGreaterThan(end - 1);
        // In two pieces as in one.
        expect(afterOpenTime(schedule, end, more)).toBe(afterOpenTime(schedule, from, some + more));
      }),
      { numRuns: 60 }, // a run costs 9 ms; 15,000 have been run
    );
  });
});
