// Weekly hours in a time zone, with exceptions, over clock changes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { minute } from '../../../src/clock.ts';
import { dutyAt, type Schedule } from '../../../src/presence/schedule.ts';
import { wallInstant, wallTimeAt } from '../../../src/zone.ts';
import { parseSchedule } from '../../support/written-schedule.ts';

const at = (text: string): number => Date.parse(text);
const berlin = (...lines: string[]): Schedule => {
  const parsed = parseSchedule(lines, { zone: 'Europe/Berlin' });
  if ('wrong' in parsed) throw new Error(parsed.wrong);
  return parsed.schedule;
};
const duty = (schedule: Schedule, time: string): string => {
  const { on, since, until } = dutyAt(schedule, at(time));
  const show = (instant: number | null): string =>
    instant === null ? '?' : new Date(instant).toISOString().slice(0, 16);
  return `${on ? 'on' : 'off'} ${show(since)} ${show(until)}`;
};

describe('dutyAt', () => {
  const office = berlin('mon-fri 08:00-12:00, 13:00-17:00', '2026-12-24 08:00-12:00', '2026-12-25 to 2026-12-26 off');
  it.each([
    ['in the morning', '2026-11-23T08:00:00Z', 'on 2026-11-23T07:00 2026-11-23T11:00'],
    ['at the first instant', '2026-11-23T07:00:00Z', 'on 2026-11-23T07:00 2026-11-23T11:00'],
    ['at noon', '2026-11-23T11:00:00Z', 'off 2026-11-23T11:00 2026-11-23T12:00'],
    ['on Friday evening', '2026-11-20T20:00:00Z', 'off 2026-11-20T16:00 2026-11-23T07:00'],
    ['on a short day', '2026-12-24T13:00:00Z', 'off 2026-12-24T11:00 2026-12-28T07:00'],
    ['on a holiday', '2026-12-25T09:00:00Z', 'off 2026-12-24T11:00 2026-12-28T07:00'],
    ['in summer', '2026-07-06T06:30:00Z', 'on 2026-07-06T06:00 2026-07-06T10:00'],
  ])('%s', (_, time, expected) => {
    expect(duty(office, time)).toBe(expected);
  });

  it('knows nights, which belong to the day they begin on', () => {
    const night = berlin('fri 22:00-06:00');
    expect(duty(night, '2026-11-21T02:00:00Z')).toBe('on 2026-11-20T21:00 2026-11-21T05:00');
    expect(duty(berlin('fri 22:00-06:00', '2026-11-21 off'), '2026-11-21T02:00:00Z')).toMatch(/^on/);
    expect(duty(berlin('fri 22:00-06:00', '2026-11-20 off'), '2026-11-21T02:00:00Z')).toMatch(/^off/);
  });

  it('joins what touches, and ends no sooner than the last of it', () => {
    expect(duty(berlin('mon 08:00-24:00', 'tue 00:00-09:00'), '2026-11-23T20:00:00Z')).toBe(
      'on 2026-11-23T07:00 2026-11-24T08:00',
    );
    expect(duty(berlin('daily 00:00-24:00'), '2026-11-23T20:00:00Z')).toBe('on ? ?');
    expect(duty(berlin(), '2026-11-23T20:00:00Z')).toBe('off ? ?');
  });

  it('keeps to the wall clock when that changes', () => {
    const shift = berlin('sun 01:00-05:00');
    // 2026-03-29 is an hour short, 2026-10-25 an hour long.
    expect(duty(shift, '2026-03-29T01:30:00Z')).toBe('on 2026-03-29T00:00 2026-03-29T03:00');
    expect(duty(shift, '2026-10-25T01:30:00Z')).toBe('on 2026-10-24T23:00 2026-10-25T04:00');
    // 02:30 is skipped: the instant of the change.
    expect(duty(berlin('sun 02:30-05:00'), '2026-03-29T01:00:00Z')).toMatch(/^on 2026-03-29T01:00/);
  });
});

it('a wall time and its instant lead back to each other, wherever there is one', () => {
  const zones = ['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Pacific/Apia', 'UTC'];
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.integer({ min: at('2011-01-01'), max: at('2030-01-01') }),
      (zone, some) => {
        const instant = Math.floor(some / minute) * minute;
        const wall = wallTimeAt(instant, zone);
        const back = wallInstant(wall, zone);
        // The first of two that are called the same: at most an hour earlier, but for Samoa's lost day.
        expect(back).toBeLessThanOrEqual(instant);
        expect(wallTimeAt(back, zone)).toEqual(wall);
      },
    ),
    { numRuns: 3_000 },
  );
});

it('what is on duty now was so at `since` and is no more at `until`', () => {
  const hours = fc.tuple(fc.nat(23), fc.nat(23)).filter(([a, b]) => a !== b);
  const line = fc
    .tuple(fc.constantFrom('mon', 'tue-thu', 'fri-sun', 'daily', '2026-11-24'), hours)
    .map(([days, [from, to]]) => `${days} ${String(from).padStart(2, '0')}:00-${String(to).padStart(2, '0')}:00`);
  fc.assert(
    fc.property(
      fc.uniqueArray(line, { maxLength: 4, selector: (one) => one.slice(0, 10) }),
      fc.nat(14 * 24 * 60),
      (lines, minutes) => {
        const parsed = parseSchedule(lines, { zone: 'Europe/Berlin' });
        if ('wrong' in parsed) return;
        const now = at('2026-11-16T00:00:00Z') + minutes * minute;
        const { on, since, until } = dutyAt(parsed.schedule, now);
        if (since !== null) {
          expect(since).toBeLessThanOrEqual(now);
          expect(dutyAt(parsed.schedule, since).on).toBe(on);
          expect(dutyAt(parsed.schedule, since - 1).on).toBe(!on);
        }
        if (until !== null) {
          expect(until).toBeGreaterThan(now);
          expect(dutyAt(parsed.schedule, until - 1).on).toBe(on);
          expect(dutyAt(parsed.schedule, until).on).toBe(!on);
        }
      },
    ),
    { numRuns: 1_000 },
  );
});
