import { describe, expect, it } from 'vitest';
import { minute } from '../../../src/clock.ts';
import type { Until } from '../../../src/routing/rules.ts';
import { acknowledge } from '../../../src/tracking/acknowledge.ts';
import { type Grade, grades, stops } from '../../../src/tracking/evidence.ts';
import type { TrackState } from '../../../src/tracking/tracked.ts';
import { testStart } from '../../support/clock.ts';
import { policy, step, tracked } from '../../support/fixtures.ts';

const steps = [step('next', { kind: 'next' })];
const message = (until: Until, more = {}) => {
  const base = tracked(['alice', 'bob'], steps, more);
  return { ...base, plan: { ...base.plan, policy: policy(steps, { until }) } };
};
const ack = { grade: grades.taken, trusted: true, person: 'alice' } as const;

describe('what stops the clock', () => {
  const table: Record<Until, readonly Grade[]> = {
    read: [grades.seen, grades.displayed, grades.taken, grades.answered],
    taken: [grades.taken, grades.answered],
    answered: [grades.answered],
  };
  it.each(Object.entries(table))('until: %s', (until, stopping) => {
    for (const grade of Object.values(grades)) {
      expect(stops({ grade, trusted: true }, until as Until), `grade ${grade}`).toBe(stopping.includes(grade));
      expect(stops({ grade, trusted: false }, until as Until), `untrusted grade ${grade}`).toBe(false);
    }
  });
});

describe('an acknowledgement', () => {
  it('closes, and says by whom and when', () => {
    const result = acknowledge(message('read'), ack, 'alice', testStart);
    expect(result).toMatchObject({
      kind: 'closed',
      tracked: { state: 'acknowledged', closedBy: 'alice', closedAt: testStart, nextStepAt: null, revision: 4 },
    });
  });

  it('by somebody else makes them the owner', () => {
    const result = acknowledge(message('taken'), { ...ack, person: 'bob' }, 'bob', testStart);
    expect(result).toMatchObject({ kind: 'closed', tracked: { owner: 'bob', ownedSince: testStart } });
  });

  it('takes the message without closing it where only an answer closes', () => {
    const result = acknowledge(message('answered'), { ...ack, person: 'bob' }, 'bob', testStart);
    expect(result).toMatchObject({ kind: 'owned', tracked: { state: 'tracked', owner: 'bob', nextStepAt: testStart } });
  });

  it('an answer closes as answered', () => {
    const result = acknowledge(message('answered'), { ...ack, grade: grades.answered }, 'alice', testStart);
    expect(result).toMatchObject({ kind: 'closed', tracked: { state: 'answered' } });
  });

  it('without a trusted path changes nothing', () => {
    expect(acknowledge(message('read'), { ...ack, trusted: false }, 'mallory', testStart)).toEqual({
      kind: 'recorded',
    });
  });

  it.each([
    'acknowledged',
    'answered',
    'withdrawn',
  ] satisfies TrackState[])('that comes late (%s) changes nothing and says so', (state) => {
    const closed = message('read', { state, closedBy: 'bob', closedAt: testStart - 3 * minute, nextStepAt: null });
    expect(acknowledge(closed, ack, 'alice', testStart)).toEqual({
      kind: 'late',
      text: `already ${state} by bob 3m ago`,
    });
  });

  it('closes what has expired: a late answer is still worth having', () => {
    const result = acknowledge(message('read', { state: 'expired', nextStepAt: null }), ack, 'alice', testStart);
    expect(result).toMatchObject({ kind: 'closed', tracked: { state: 'acknowledged' } });
  });

  it.each(['waiting', 'held'] satisfies TrackState[])('is too early while %s', (state) => {
    expect(
      acknowledge(message('read', { state, owner: null, nextStepAt: null }), ack, 'alice', testStart),
    ).toMatchObject({ kind: 'late' });
  });
});
