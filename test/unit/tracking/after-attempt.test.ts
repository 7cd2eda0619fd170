import { describe, expect, it } from 'vitest';
import { day, hour, minute } from '../../../src/clock.ts';
import { afterAttempt } from '../../../src/tracking/after-attempt.ts';
import { testStart } from '../../support/clock.ts';

const policy = { lifetime: 5 * day, firstRetry: 5 * minute, longestRetry: 4 * hour };
const fresh = { attempts: 0, acceptedAt: testStart };
const busy = { kind: 'temporary', reply: { code: 451, enhanced: '4.3.0', text: 'busy' }, cause: 'busy' } as const;

describe('after an attempt', () => {
  it('is delivered when it was accepted', () => {
    const reply = { code: 250, text: 'ok' };
    expect(afterAttempt(fresh, { kind: 'accepted', reply }, policy, testStart, 0.5)).toEqual({
      kind: 'delivered',
      reply,
    });
  });

  it('fails with the next hop’s own words', () => {
    const reply = { code: 550, enhanced: '5.1.1', text: 'no such user' };
    expect(afterAttempt(fresh, { kind: 'permanent', reply, cause: '' }, policy, testStart, 0.5)).toEqual({
      kind: 'failed',
      reply,
    });
  });

  it.each([
    [0, 5 * minute],
    [1, 10 * minute],
    [3, 40 * minute],
    [6, 4 * hour],
    [1_000, 4 * hour],
  ])('backs off: after %i attempts %i ms', (attempts, wait) => {
    expect(afterAttempt({ ...fresh, attempts }, busy, policy, testStart, 0.5)).toEqual({
      kind: 'retry',
      at: testStart + wait,
    });
  });

  it('spreads retries over ±20 %', () => {
    expect(afterAttempt(fresh, busy, policy, testStart, 0)).toEqual({ kind: 'retry', at: testStart + 4 * minute });
    expect(afterAttempt(fresh, busy, policy, testStart, 1)).toEqual({ kind: 'retry', at: testStart + 6 * minute });
  });

  it('tries once more at the horizon, and gives up there with the last reason', () => {
    const late = testStart + 5 * day - minute;
    expect(afterAttempt({ ...fresh, attempts: 30 }, busy, policy, late, 0.5)).toEqual({
      kind: 'retry',
      at: testStart + 5 * day,
    });
    const end = afterAttempt({ ...fresh, attempts: 31 }, busy, policy, testStart + 5 * day, 0.5);
    expect(end).toEqual({
      kind: 'failed',
      reply: { code: 554, enhanced: '5.4.7', text: 'Delivery time expired; last reply: busy' },
    });
  });

  it('counts an unknown error as temporary', () => {
    expect(afterAttempt(fresh, { kind: 'temporary', cause: 'connection lost' }, policy, testStart, 0.5)).toMatchObject({
      kind: 'retry',
    });
  });
});
