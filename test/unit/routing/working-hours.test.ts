// What the rules say of somebody's time is the same to the presence board as to a choice.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { minute } from '../../../src/clock.ts';
import { dutyAt } from '../../../src/presence/schedule.ts';
import { isOpenAt } from '../../../src/routing/calendar.ts';
import { parseRules } from '../../../src/routing/parse.ts';
import type { Person } from '../../../src/routing/rules.ts';
import { timeReader, weeklyHoursOf } from '../../../src/routing/working-hours.ts';

const read = (text: string) => parseRules([{ name: 'rules/x.yaml', text }]);
function person(said: string, more = ''): Person {
  const { rules, problems } = read(
    `people:\n  ann: { mail: ann@example.org, ${said} }\n  ben: { mail: ben@example.org }\n${more}`,
  );
  const ann = rules?.people.get('ann');
  if (!ann) throw new Error(problems.map(({ message }) => message).join('\n'));
  return ann;
}
const at = (text: string): number => Date.parse(text);

const schedules = `schedules:
  office: { open: { days: mon-fri, from: '08:00', to: '17:00' }, closed: ['12-25', 2026-11-25] }
  nights: { open: [{ days: fri-sun, from: '22:00', to: '06:00' }, { days: wed, from: '02:30', to: '04:00' }], closed: ['01-01'] }
`;

it.each(['office', 'nights'])('%s: on duty exactly when open, over clock changes and closed days', (name) => {
  const ann = person(`zone: Europe/Berlin, hours: ${name}`, schedules);
  const hours = ann.hours as NonNullable<Person['hours']>;
  const weekly = weeklyHoursOf(hours);
  const whole = fc.integer({ min: at('2026-01-01') / minute, max: at('2027-12-31') / minute });
  const tricky = fc
    .constantFrom('2026-03-29', '2026-10-25', '2026-11-25', '2026-12-25', '2027-01-01')
    .chain((day) => fc.integer({ min: -1_500, max: 3_000 }).map((offset) => at(day) / minute + offset));
  fc.assert(
    fc.property(fc.oneof(whole, tricky), (minutes) => {
      const now = minutes * minute;
      expect(dutyAt(weekly, now).on, new Date(now).toISOString()).toBe(isOpenAt(hours, now));
    }),
    { numRuns: 3_000 },
  );
});

describe('what somebody has said of their time', () => {
  it('is nothing for who has said nothing', () => {
    expect(timeReader()(person('operator: true'))).toEqual({ hours: null, duty: null, absences: [] });
  });

  it('is shared by those who share a schedule and a zone', () => {
    const timeOf = timeReader();
    const ann = person('hours: office, duty: office', schedules);
    expect(timeOf(ann).hours).toBe(timeOf(person('hours: office', schedules)).hours);
    expect(timeOf(ann).hours).toBe(timeOf(ann).duty);
    expect(timeOf(ann).hours).not.toBe(timeOf(person('zone: Asia/Tokyo, hours: office', schedules)).hours);
  });

  it('an absence lasts from the first midnight to the one after the last day, in their zone', () => {
    const said = 'zone: Europe/Berlin, absent: { from: 2026-12-24, to: 2027-01-06, substitute: ben }';
    expect(timeReader()(person(said)).absences).toEqual([
      { from: at('2026-12-23T23:00Z'), until: at('2027-01-06T23:00Z'), substitute: 'ben' },
    ]);
  });

  it.each([
    ['substitute: nobody', /there is no person "nobody"/],
    ['substitute: ann', /"ann" cannot stand in for themselves/],
  ])('%s is refused', (substitute, message) => {
    const { problems } = read(
      `people:\n  ann: { mail: ann@example.org, absent: { from: 2026-12-24, to: 2027-01-06, ${substitute} } }\n`,
    );
    expect(problems.map((problem) => problem.message).join('\n')).toMatch(message);
  });
});
