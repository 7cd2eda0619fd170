// What a report says of made-up mail, by hand.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hour, minute } from '../../../src/clock.ts';
import { ReportFold, type ReportMail } from '../../../src/tracking/report.ts';

const utcHour = (at: number) => Math.floor(at / hour) % 24;
const mail = (more: Partial<ReportMail> = {}): ReportMail => ({
  group: 'support',
  acceptedAt: 0,
  state: 'tracked',
  closedAt: null,
  owner: 'alice',
  escalations: 0,
  given: [{ person: 'alice', at: 0 }],
  evidence: [],
  ...more,
});
function reportOf(...mails: ReportMail[]) {
  const fold = new ReportFold(utcHour);
  for (const one of mails) fold.add(one);
  return fold.result(0, 24 * hour);
}

test('weak evidence counts for nothing, reading and taking each for themselves', () => {
  const report = reportOf(
    mail({ evidence: [{ grade: 3, at: 10 }] }),
    mail({
      evidence: [
        { grade: 4, at: 60 },
        { grade: 7, at: 90 },
      ],
    }),
    // Taken without having been read: the stronger says the weaker.
    mail({ evidence: [{ grade: 8, at: 30 }] }),
  );
  expect(report.toRead).toMatchObject({
    count: 2,
    values: [{ percent: 50, time: 30 }, { percent: 75, time: 60 }, {}, {}, {}],
  });
  expect(report.toTaken).toMatchObject({
    count: 2,
    values: [{ percent: 50, time: 30 }, { percent: 75, time: 90 }, {}, {}, {}],
  });
});

test('a promise is a sign of having read, and no taking', () => {
  const report = reportOf(mail({ evidence: [{ grade: 6, at: 40 }] }));
  expect([report.toRead.count, report.toTaken.count]).toEqual([1, 0]);
});

test('an end by somebody’s word counts as taken where no evidence has a grade; an expiry does not', () => {
  expect(reportOf(mail({ state: 'acknowledged', closedAt: 70 })).toTaken.values[0]).toEqual({ percent: 50, time: 70 });
  const expired = reportOf(mail({ state: 'expired', closedAt: 70 }));
  expect([expired.toTaken.count, expired.expired]).toEqual([0, 1]);
});

test('shares are of what is watched; what no policy watches is only counted', () => {
  const report = reportOf(mail({ state: null }), mail({ escalations: 2 }), mail());
  expect(report).toMatchObject({ mails: 3, watched: 2, escalated: 1 });
  expect(report.groups).toEqual([
    { group: 'support', mails: 3, watched: 2, escalated: 1, taken: 0, medianToTaken: null },
  ]);
});

test('load is by person and hour, and the time to taking runs from when they had it', () => {
  const report = reportOf(
    mail({
      acceptedAt: hour,
      given: [
        { person: 'alice', at: hour },
        { person: 'bob', at: hour + 50 * minute },
      ],
      owner: 'bob',
      escalations: 1,
      evidence: [{ grade: 7, at: 2 * hour + 5 * minute }],
    }),
    mail({ given: [{ person: 'alice', at: 23 * hour }] }),
  );
  const [alice, bob] = report.people;
  expect(alice).toMatchObject({ person: 'alice', given: 2, taken: 0, medianToTaken: null });
  expect([alice?.hours[1], alice?.hours[23], bob?.hours[1]]).toEqual([1, 1, 1]);
  expect(bob).toMatchObject({ person: 'bob', given: 1, taken: 1, medianToTaken: 15 * minute });
});

test('nothing makes a report of nothing', () => {
  expect(reportOf()).toMatchObject({ mails: 0, watched: 0, toRead: { count: 0, values: [] }, groups: [], people: [] });
});

test('percentiles occurred, never fall, and the order of mail does not matter', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 60 }), (times) => {
      const mails = times.map((at) => mail({ evidence: [{ grade: 7, at }] }));
      const report = reportOf(...mails);
      const values = report.toTaken.values.map(({ time }) => time);
      for (const [index, value] of values.entries()) {
        expect(times).toContain(value);
        if (index > 0) expect(value).toBeGreaterThanOrEqual(values[index - 1] ?? 0);
      }
      expect(reportOf(...mails.toReversed())).toEqual(report);
    }),
  );
});
