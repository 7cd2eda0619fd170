// Pacing: a few at once, then rounds; nothing waits longer than a round, and nobody hears more than the rounds allow.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { minute, second } from '../../../src/clock.ts';
import { Pacing, perMinute, roundEvery } from '../../../src/notify/pacing.ts';

function burst(pacing: Pacing, to: string, now: number): void {
  for (let count = 0; count < perMinute; count += 1) {
    expect(pacing.ask(to, now)).toEqual({ may: 'one by one' });
    pacing.said(to, now);
  }
}

describe('pacing', () => {
  it('lets a few through at once, and holds the next until the round', () => {
    const pacing = new Pacing();
    burst(pacing, 'alice', 0);
    expect(pacing.ask('alice', 3 * second)).toEqual({ may: 'wait', until: roundEvery });
    expect(pacing.ask('alice', roundEvery)).toEqual({ may: 'together' });
    expect(pacing.ask('bob', 3 * second)).toEqual({ may: 'one by one' });
  });

  it('says more than that together, at once', () => {
    expect(new Pacing().ask('alice', 0, perMinute)).toEqual({ may: 'one by one' });
    expect(new Pacing().ask('alice', 0, perMinute + 1)).toEqual({ may: 'together' });
  });

  it('takes all portions of one round, then waits for the next', () => {
    const pacing = new Pacing();
    burst(pacing, 'alice', 0);
    pacing.ask('alice', roundEvery);
    pacing.said('alice', roundEvery);
    expect(pacing.ask('alice', roundEvery + 100)).toEqual({ may: 'together' });
    pacing.said('alice', roundEvery + 100);
    expect(pacing.ask('alice', roundEvery + second)).toEqual({ may: 'wait', until: 2 * roundEvery });
  });

  it('is as before after a quiet minute', () => {
    const pacing = new Pacing();
    burst(pacing, 'alice', 0);
    expect(pacing.ask('alice', minute)).toEqual({ may: 'one by one' });
  });

  it('never holds anything longer than a round, whatever comes when', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 60 }), (pauses) => {
        const pacing = new Pacing();
        let now = 0;
        for (const pause of pauses) {
          now += pause;
          const answer = pacing.ask('alice', now);
          if (answer.may !== 'wait') {
            pacing.said('alice', now);
            continue;
          }
          expect(answer.until - now).toBeGreaterThan(0);
          expect(answer.until - now).toBeLessThanOrEqual(roundEvery);
          // Whoever comes again then is let through.
          expect(pacing.ask('alice', answer.until).may).not.toBe('wait');
          now = answer.until;
          pacing.said('alice', now);
        }
      }),
    );
  });

  it('lets through at most the few and the rounds in any minute of a steady flood', () => {
    const pacing = new Pacing();
    const at: number[] = [];
    for (let now = 0; now < 5 * minute; now += second) {
      if (pacing.ask('alice', now).may === 'wait') continue;
      pacing.said('alice', now);
      at.push(now);
    }
    for (const from of at) {
      const within = at.filter((each) => each >= from && each - from < minute).length;
      expect(within).toBeLessThanOrEqual(perMinute + minute / roundEvery);
    }
  });
});
