// The books of the fault campaign (npm run torture) find what they are kept for: a relay that loses, doubles, mixes up or
// misreports mail in any one way does not balance. A campaign that cannot fail would prove nothing.
import { describe, expect, test } from 'vitest';
import { type Ledger, settleAccounts } from '../../long/torture/ledger.ts';
import { messageIdOf, type Posted } from '../../long/torture/load.ts';
import type { Arrival } from '../../long/torture/next-hop.ts';

const mail = (number: number, recipients: string[], more: Partial<Posted> = {}): Posted => ({
  number,
  queueId: `Q${number}`,
  from: 'sender@source.test',
  recipients,
  never: false,
  envid: `e${number}`,
  digest: `d${number}`,
  life: 1,
  ...more,
});

const arrival = (number: number, recipient: string, more: Partial<Arrival> = {}): Arrival => ({
  queueId: `Q${number}`,
  messageId: messageIdOf(number),
  recipients: [recipient],
  life: 1,
  replied: true,
  digest: `d${number}`,
  ...more,
});

const report = (queueId: string, number: number, failed: string, more: Partial<Arrival> = {}): Arrival => ({
  queueId,
  messageId: `<${queueId}.report@pointsman.test>`,
  recipients: ['sender@source.test'],
  life: 1,
  replied: true,
  digest: '',
  report: { envid: `e${number}`, about: messageIdOf(number), failed: [failed] },
  ...more,
});

const said = (queueId: string, to: string, life = 2) => ({
  level: 'warn',
  msg: 'an earlier attempt was cut off after its final dot: possible duplicate',
  queueId,
  to,
  life,
});
const forwarded = (queueId: string, to: string, life = 1) => ({
  level: 'info',
  msg: 'forwarded',
  event: 'forwarded',
  queueId,
  to,
  life,
});

/** Two mails for the same group, one of which came twice and was announced; one refused; one refused without a report. */
const good: Ledger = {
  posted: [
    mail(1, ['desk@torture.test']),
    mail(2, ['desk@torture.test']),
    mail(3, ['ba-3@sink.test', 'refused-3@sink.test']),
    mail(4, ['refused-4@sink.test'], { from: '' }),
    mail(5, ['ba-5@sink.test']),
  ],
  unsure: [],
  arrivals: [
    arrival(1, 'anna@torture.test'),
    arrival(1, 'chief@torture.test'),
    arrival(2, 'bert@torture.test', { replied: false }),
    arrival(2, 'chief@torture.test', { life: 2 }),
    arrival(2, 'anna@torture.test', { life: 2 }),
    arrival(3, 'ba-3@sink.test'),
    report('R3', 3, 'refused-3@sink.test'),
    arrival(5, 'ba-5@sink.test'),
    arrival(90, 'bulk-1@sink.test', { messageId: '<1@smtp-source>' }),
  ],
  log: [said('Q2', 'anna@torture.test'), forwarded('Q1', 'anna@torture.test'), forwarded('Q3', 'ba-3@sink.test')],
  stored: [],
  refused: new Set(['refused-3@sink.test', 'refused-4@sink.test']),
  dead: new Set(['Q4 refused-4@sink.test']),
  expiredIn: 0,
  cutAfter: new Set(),
  bulk: [{ recipient: 'bulk-1@sink.test', queueIds: new Map([['Q90', '<1@smtp-source>']]) }],
};

const without = (key: (each: Arrival) => boolean): Pick<Ledger, 'arrivals'> => ({
  arrivals: good.arrivals.filter((each) => !key(each)),
});
const plus = (...more: Arrival[]): Pick<Ledger, 'arrivals'> => ({ arrivals: [...good.arrivals, ...more] });
const problemsOf = (change: Partial<Ledger>) => settleAccounts({ ...good, ...change }).problems;

test('good books balance', () => {
  expect(settleAccounts(good)).toEqual({
    problems: [],
    recipients: 6,
    delivered: 4,
    reported: 1,
    dead: 1,
    bulk: 1,
    arrivals: 9,
    reports: 1,
    duplicates: 1,
    announced: 1,
  });
});

describe('they do not, when', () => {
  test.each<[string, Partial<Ledger>, RegExp]>([
    ['a mail is lost', without(({ queueId }) => queueId === 'Q5'), /^lost: ba-5@sink.test of Q5/],
    [
      'a mail for a group is lost, though another for it came',
      without(({ queueId }) => queueId === 'Q1'),
      /^lost: desk@torture.test of Q1/,
    ],
    [
      'an escalation is lost',
      without(({ queueId, recipients }) => queueId === 'Q1' && recipients.includes('chief@torture.test')),
      /^did not go on to chief@torture.test: desk@torture.test of Q1/,
    ],
    ['a report is lost', without(({ queueId }) => queueId === 'R3'), /^lost: refused-3@sink.test of Q3/],
    ['a dead letter is lost', { dead: new Set() }, /^lost: refused-4@sink.test of Q4/],
    ['a mail of smtp-source is lost', without(({ queueId }) => queueId === 'Q90'), /^lost: bulk-1@sink.test of Q90/],
    ['a duplicate is silent', { log: good.log.slice(1) }, /^2 times, 0 of them announced: Q2 desk@torture.test/],
    [
      'a duplicate was announced for another recipient',
      {
        ...plus(arrival(3, 'ba-3@sink.test', { replied: false })),
        log: [...good.log.slice(0, 2), said('Q3', 'bb-3@sink.test')],
      },
      /^2 times, 0 of them announced: Q3 ba-3@sink.test/,
    ],
    [
      'it was announced before the first came, and not since',
      { log: [said('Q2', 'anna@torture.test', 0), ...good.log.slice(1)] },
      /^2 times, 0 of them announced: Q2/,
    ],
    [
      'one announcement is for two',
      plus(arrival(2, 'bert@torture.test', { life: 2 })),
      /^3 times, 1 of them announced: Q2/,
    ],
    [
      'the same event in log and store counts twice',
      {
        ...plus(arrival(5, 'ba-5@sink.test'), arrival(5, 'ba-5@sink.test')),
        log: [...good.log, { ...said('Q5', 'ba-5@sink.test', 1), event: 'deferred', at: 7, seq: 0 }],
        stored: [
          { queueId: 'Q5', to: 'ba-5@sink.test', event: 'deferred', at: 7, seq: 0, reply: 'possible duplicate' },
        ],
      },
      /^3 times, 1 of them announced: Q5/,
    ],
    [
      'a report is silently doubled',
      plus(report('R3', 3, 'refused-3@sink.test', { life: 2 })),
      /^2 times, 0 of them announced: R3/,
    ],
    ['two reports tell the same', plus(report('R4', 3, 'refused-3@sink.test')), /^2 reports about refused-3/],
    [
      'a mail is delivered and reported',
      plus(report('R5', 5, 'ba-5@sink.test')),
      /^several ends: ba-5@sink.test of Q5.*delivered and reported/,
    ],
    [
      'nobody had refused what is reported',
      { ...without(({ queueId }) => queueId === 'Q5'), ...{ refused: new Set<string>(), dead: good.dead } },
      /^reported, but never refused: refused-3/,
    ],
    [
      'a null reverse-path gets a report',
      plus(report('R6', 4, 'refused-4@sink.test')),
      /^reported although forbidden: refused-4/,
    ],
    [
      'what could be reported is a dead letter',
      { ...without(({ queueId }) => queueId === 'R3'), dead: new Set([...good.dead, 'Q3 refused-3@sink.test']) },
      /^dead although reportable: refused-3/,
    ],
    [
      'it comes again after it was settled',
      { ...plus(arrival(3, 'ba-3@sink.test', { life: 2 })), log: [...good.log, said('Q3', 'ba-3@sink.test')] },
      /^again after it was settled in life 1: Q3 ba-3/,
    ],
    [
      'it is altered',
      { arrivals: good.arrivals.map((each) => (each.queueId === 'Q5' ? { ...each, digest: 'other' } : each)) },
      /^came as another: Q5/,
    ],
    [
      'it is mixed up with another',
      {
        arrivals: good.arrivals.map((each) => (each.queueId === 'Q5' ? { ...each, messageId: messageIdOf(3) } : each)),
      },
      /^came as another: Q5 as <torture-3@/,
    ],
    [
      'a report returns the ENVID of another mail',
      plus(report('R7', 3, 'refused-3@sink.test', { report: { envid: 'e5', about: messageIdOf(3), failed: [] } })),
      /^a report on nothing that was sent: R7/,
    ],
    [
      'a report is on nothing',
      plus(report('R8', 3, 'x@sink.test', { report: { envid: 'e99', about: messageIdOf(99), failed: [] } })),
      /^a report on nothing that was sent: R8/,
    ],
  ])('%s', (_, change, problem) => {
    expect(problemsOf(change)).toEqual(expect.arrayContaining([expect.stringMatching(problem)]));
  });
});

describe('they do, when', () => {
  test.each<[string, Partial<Ledger>]>([
    [
      'the store knows what a killed process could not log',
      {
        log: good.log.slice(1),
        stored: [
          { queueId: 'Q2', to: 'bert@torture.test', event: 'deferred', at: 7, seq: 0, reply: 'x: possible duplicate' },
        ],
      },
    ],
    ['a power cut took back the record of the final dot', { log: good.log.slice(1), cutAfter: new Set([1]) }],
    [
      'a dead letter is the report that nobody took',
      {
        ...without(({ queueId }) => queueId === 'R3'),
        dead: new Set([...good.dead, 'R3 sender@source.test']),
        stored: [{ queueId: 'Q3', event: 'reported', to: 'sender@source.test', report: 'R3' }],
      },
    ],
    [
      'it was given up after days, by a clock that was ahead',
      {
        ...without(({ queueId }) => queueId === 'Q5'),
        ...plus(report('R5', 5, 'ba-5@sink.test')),
        expiredIn: 1,
        arrivals: [...without(({ queueId }) => queueId === 'Q5').arrivals, report('R5', 5, 'ba-5@sink.test')],
      },
    ],
    [
      'a reply to a mail was not heard, and it came',
      { ...plus(arrival(7, 'ba-7@sink.test')), unsure: [mail(7, ['ba-7@sink.test'])] },
    ],
  ])('%s', (_, change) => {
    expect(problemsOf(change)).toEqual([]);
  });
});
