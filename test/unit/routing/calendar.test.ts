// Days, hours and zones, above all where a day has 23 or 25 hours: working hours are what the clock on the wall shows.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hour, minute } from '../../../src/clock.ts';
import {
  endOf,
  instantOf,
  isOpenAt,
  isWithin,
  localTime,
  nextClosing,
  nextOpening,
} from '../../../src/routing/calendar.ts';
import { parseRules } from '../../../src/routing/parse.ts';
import type { Schedule } from '../../../src/routing/rules.ts';
import { runs } from '../../support/runs.ts';

function scheduleOf(text: string): Schedule {
  const { rules, problems } = parseRules([{ name: 'r', text: `schedules: { s: ${text} }` }]);
  const schedule = rules?.schedules?.get('s');
  if (!schedule) throw new Error(JSON.stringify(problems));
  return schedule;
}
const at = (text: string): number => {
  const value = Date.parse(text);
  if (Number.isNaN(value)) throw new Error(text);
  return value;
};
const iso = (moment: number | null): string | null => (moment === null ? null : new Date(moment).toISOString());

describe('office hours in Berlin', () => {
  const office = scheduleOf(
    "{ zone: Europe/Berlin, open: { days: mon-fri, from: '09:00', to: '17:00' }, closed: ['12-25', 2026-03-31] }",
  );

  test.each([
    // In winter nine is 8:00 UTC, from 29 March on it is 7:00 UTC, from 25 October on 8:00 again.
    ['2026-03-27T07:59:59Z', false],
    ['2026-03-27T08:00:00Z', true],
    ['2026-03-30T06:59:59Z', false],
    ['2026-03-30T07:00:00Z', true],
    ['2026-03-30T14:59:59Z', true],
    ['2026-03-30T15:00:00Z', false],
    ['2026-10-23T07:00:00Z', true],
    ['2026-10-26T07:00:00Z', false],
    ['2026-10-26T08:00:00Z', true],
    // Closed: one day, and one of each year.
    ['2026-03-31T10:00:00Z', false],
    ['2026-12-25T10:00:00Z', false],
    ['2028-12-25T10:00:00Z', false],
    ['2026-03-28T10:00:00Z', false],
  ])('%s', (moment, open) => expect(isOpenAt(office, at(moment))).toBe(open));

  test.each([
    ['2026-03-27T16:00:00Z', '2026-03-30T07:00:00.000Z'],
    ['2026-10-23T16:00:00Z', '2026-10-26T08:00:00.000Z'],
    ['2026-03-30T15:00:00Z', '2026-04-01T07:00:00.000Z'],
  ])('after %s it opens at %s', (after, opens) => expect(iso(nextOpening(office, at(after)))).toBe(opens));
});

describe('where the day has 23 hours', () => {
  // Berlin, 29 March 2026: 2:00 is 3:00.
  const sunday = scheduleOf("{ zone: Europe/Berlin, open: { days: sun, from: '22:00', to: '06:00' } }");

  test.each([
    ['2026-03-29T19:59:00Z', false],
    ['2026-03-29T20:00:00Z', true],
    // Half past midnight on Monday: 24 hours before it was Saturday.
    ['2026-03-29T22:30:00Z', true],
    ['2026-03-30T03:59:00Z', true],
    ['2026-03-30T04:00:00Z', false],
    // And the night before is Saturday's.
    ['2026-03-28T23:30:00Z', false],
  ])('Sunday night, at %s', (moment, open) => expect(isOpenAt(sunday, at(moment))).toBe(open));

  test('the day itself is not passed over when the next opening is looked for', () => {
    const morning = scheduleOf("{ zone: Europe/Berlin, open: { days: sun, from: '09:00', to: '10:00' } }");
    // Half past eleven on Saturday night: 24 hours later it is Monday.
    expect(iso(nextOpening(morning, at('2026-03-28T22:30:00Z')))).toBe('2026-03-29T07:00:00.000Z');
  });

  test('an hour that is skipped opens at the moment it is skipped to', () => {
    const early = scheduleOf("{ zone: Europe/Berlin, open: { days: mon-sun, from: '02:30', to: '04:00' } }");
    const opens = nextOpening(early, at('2026-03-28T12:00:00Z'));
    expect(iso(opens)).toBe('2026-03-29T01:00:00.000Z');
    expect(isOpenAt(early, at('2026-03-29T00:59:59Z'))).toBe(false);
    expect(isOpenAt(early, at('2026-03-29T01:00:00Z'))).toBe(true);
  });
});

describe('where the day has 25 hours', () => {
  test('an hour that comes twice is open twice', () => {
    const night = scheduleOf("{ zone: Europe/Berlin, open: { days: sun, from: '02:00', to: '03:00' } }");
    for (const moment of [
      '2026-10-25T00:00:00Z',
      '2026-10-25T00:59:00Z',
      '2026-10-25T01:00:00Z',
      '2026-10-25T01:59:00Z',
    ])
      expect(isOpenAt(night, at(moment)), moment).toBe(true);
    expect(isOpenAt(night, at('2026-10-24T23:59:00Z'))).toBe(false);
    expect(isOpenAt(night, at('2026-10-25T02:00:00Z'))).toBe(false);
  });

  test('an absence ends with the day on the wall', () => {
    const period = { from: '2026-10-24', to: '2026-10-25', zone: 'Europe/Berlin' };
    expect(iso(endOf(period))).toBe('2026-10-25T23:00:00.000Z');
    expect(isWithin(period, at('2026-10-25T22:59:59Z'))).toBe(true);
    expect(isWithin(period, at('2026-10-25T23:00:00Z'))).toBe(false);
    expect(isWithin(period, at('2026-10-23T21:59:59Z'))).toBe(false);
    expect(isWithin(period, at('2026-10-23T22:00:00Z'))).toBe(true);
  });
});

// Zones of half and three quarter hours, across the date line, with and without daylight saving, north and south.
const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Pacific/Kiritimati',
  'America/St_Johns',
];

test('whatever the zone: local time and back; the next opening is open, and nothing is open before it', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.integer({ min: at('2025-01-01T00:00:00Z'), max: at('2028-01-01T00:00:00Z') }),
      fc.integer({ min: 0, max: 1439 }),
      fc.integer({ min: 1, max: 1439 }),
      fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      (zone, moment, from, length, days) => {
        const now = Math.floor(moment / minute) * minute;
        const { date, minutes } = localTime(now, zone);
        const back = instantOf(date, minutes, zone);
        // In the hour that comes twice, either of the two.
        expect([0, 0.5 * hour, hour]).toContain(Math.abs(back - now));
        expect(localTime(back, zone)).toEqual(localTime(now, zone));

        const to = (from + length) % 1440;
        const place = { file: '', line: 1, column: 1 };
        const schedule: Schedule = { name: 's', zone, windows: [{ days, from, to }], closed: [], place };
        const opens = nextOpening(schedule, now);
        expect(opens).not.toBeNull();
        if (opens === null || isOpenAt(schedule, now)) return;
        expect(opens).toBeGreaterThan(now);
        // The shortest window may lie in an hour that is skipped; then it opens when that is over, or not that day.
        if (length >= 120) expect(isOpenAt(schedule, opens)).toBe(true);
        for (let step = 1; step < 20; step += 1) {
          const between: number = now + Math.floor(((opens - now) * step) / 20);
          if (between < opens && isOpenAt(schedule, between))
            expect.fail(`${iso(between)} is open, but ${iso(opens)} is said to be the next opening`);
        }
      },
    ),
    { numRuns: runs(2_000) },
  );
});

describe('the end of what is open', () => {
  const nights = scheduleOf("{ zone: Europe/Berlin, open: { days: mon-sun, from: '22:00', to: '07:00' } }");

  test.each([
    ['2026-01-10T22:30:00Z', '2026-01-11T06:00:00.000Z'],
    ['2026-01-11T03:00:00Z', '2026-01-11T06:00:00.000Z'],
    // Over the change to summer time the night is an hour shorter.
    ['2026-03-28T22:30:00Z', '2026-03-29T05:00:00.000Z'],
  ])('at %s is %s', (from, to) => {
    expect(isOpenAt(nights, at(from))).toBe(true);
    expect(iso(nextClosing(nights, at(from)))).toBe(to);
  });

  test('is none where it never closes', () => {
    const always = { ...nights, windows: [{ days: [1, 2, 3, 4, 5, 6, 7], from: 0, to: 0 }] };
    expect(nextClosing(always, at('2026-01-10T22:30:00Z'))).toBeNull();
  });
});
