// How many transactions a next hop is given at one time: it finds its level by what it answers.
import { beforeEach, describe, expect, it } from 'vitest';
import { minute, second } from '../../../src/clock.ts';
import { Hops } from '../../../src/relay/hops.ts';
import type { Outcome } from '../../../src/transport.ts';
import { testStart } from '../../support/clock.ts';

const ok: Outcome = { kind: 'accepted', reply: { code: 250, text: 'ok' } };
const lost: Outcome = { kind: 'temporary', cause: 'timed out' };
const said = (code: number, enhanced?: string): Outcome => ({
  kind: 'temporary',
  reply: { code, text: 'no', ...(enhanced ? { enhanced } : {}) },
  cause: '',
});

let hops: Hops;
let now: number;
beforeEach(() => {
  hops = new Hops(() => 0.5, 100);
  now = testStart;
});

function once(...outcomes: Outcome[]): void {
  expect(hops.enter('x', now).kind).toBe('go');
  now += 100;
  hops.left('x', outcomes, now);
}
const level = (): number => hops.status('x').level;

describe('the level of a next hop', () => {
  it('halves with a time-out or a lost connection, and comes back quickly to half of that, then slowly', () => {
    once(ok);
    expect(level()).toBe(100);
    once(lost);
    expect(level()).toBe(50);
    once(lost);
    expect(level()).toBe(25);
    // One in 25, in 26 …: about 25 that end well for one more.
    for (let count = 0; count < 30; count += 1) once(ok);
    expect(level()).toBeGreaterThanOrEqual(26);
    expect(level()).toBeLessThan(28);
  });

  it('grows by one each time up to where it last failed', () => {
    for (let count = 0; count < 3; count += 1) once(lost);
    expect(level()).toBe(12);
    once(said(451, '4.3.2'));
    expect(level()).toBe(6);
    const before = level();
    once(ok);
    expect(level() - before).toBeLessThanOrEqual(1);
  });

  it.each([
    ['452 without a code', [said(452)], 50],
    ['4.3.2, system busy', [said(450, '4.3.2')], 50],
    ['4.4.5, congestion', [said(451, '4.4.5')], 50],
    ['greylisting', [said(450, '4.7.1')], 100],
    ['a full mailbox', [said(452, '4.2.2')], 100],
    ['450 without a code', [said(450)], 100],
    ['one of two recipients', [said(451), ok], 100],
  ])('%s', (_, outcomes, expected) => {
    once(...outcomes);
    expect(level()).toBe(expected);
  });

  it('never opens the circuit breaker for 4xx: it does answer', () => {
    for (let count = 0; count < 20; count += 1) once(said(451));
    expect(hops.status('x')).toMatchObject({ state: 'closed', level: 1 });
  });
});

describe('room for turns', () => {
  it('is the level; none while what it has hangs; all of it for one that is down', () => {
    once(lost);
    expect(hops.most('x', now)).toBe(50);
    hops.enter('x', now);
    expect(hops.most('x', now + 30 * second)).toBe(0);
    hops.left('x', [lost], now + 30 * second);
    now += minute;
    for (let count = 0; count < 3; count += 1) once(lost);
    expect(hops.status('x').state).toBe('open');
    expect(hops.most('x', now)).toBe(100);
  });
});

describe('what finds no room', () => {
  it('gets a turn of its own, as far apart as the next hop takes mail', () => {
    for (let count = 0; count < 200; count += 1) once(ok);
    const turns = Array.from({ length: 50 }, () => hops.crowded('x', now).until);
    expect(turns[0]).toBeGreaterThanOrEqual(now + 5 * second);
    const apart = turns.slice(1).map((at, index) => at - (turns[index] ?? 0));
    for (const gap of apart) expect(gap).toBeCloseTo(100, 0);
  });

  it('is hastened by as many as there is room for', () => {
    once(lost);
    once(lost);
    hops.crowded('x', now);
    hops.enter('x', now);
    hops.enter('x', now);
    expect(hops.left('x', [ok], now).hasten).toBe(level() - 1);
  });
});
