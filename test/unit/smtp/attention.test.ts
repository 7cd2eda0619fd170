// Looking again instead of sleeping: only for peers that are quick.
import { describe, expect, test } from 'vitest';
import { Attention, type Peer } from '../../../src/smtp/attention.ts';

/** Time passes by 10 µs each time the event loop looks. */
function scene() {
  let time = 0;
  let work: (() => void) | undefined;
  const attention = new Attention(
    () => time,
    (next) => {
      expect(work).toBeUndefined();
      work = next;
    },
  );
  const peer: Peer = { answeredAt: null };
  return {
    answered: () => attention.answered(peer),
    /** So long after it was answered, or after it has spoken last. */
    heard(after: number): void {
      time += after;
      attention.heard(peer);
    },
    /** How often it looks before it sleeps. */
    looks(most = 1_000): number {
      let looks = 0;
      while (work !== undefined && looks < most) {
        const now = work;
        work = undefined;
        time += 0.01;
        looks += 1;
        now();
      }
      return looks;
    },
  };
}

describe('attention', () => {
  test('for a moment after a reply it looks again, then it sleeps', () => {
    const { answered, looks } = scene();
    expect(looks()).toBe(0);
    answered();
    const once = looks();
    expect(once).toBeGreaterThan(4);
    expect(once).toBeLessThan(12);
    expect(looks()).toBe(0);
  });

  test('of several replies it looks once', () => {
    const { answered, looks } = scene();
    answered();
    const alone = looks();
    answered();
    answered();
    expect(looks()).toBe(alone);
  });

  test.each([
    ['peers that are slow are soon not waited for, and asked again seldom', 0],
    ['a peer that is slow to speak, and then sends much at once, is no quick one', 10],
  ])('%s', (_, chunks) => {
    const { answered, heard, looks } = scene();
    let attentive = 0;
    for (let reply = 0; reply < 1_000; reply += 1) {
      answered();
      if (looks() > 0) attentive += 1;
      heard(20);
      for (let chunk = 0; chunk < chunks; chunk += 1) heard(0.01);
    }
    expect(attentive).toBeGreaterThan(10);
    expect(attentive).toBeLessThan(30);
  });

  test('a peer that is quick is waited for each time, and again after slow ones', () => {
    const { answered, heard, looks } = scene();
    for (let reply = 0; reply < 100; reply += 1) {
      answered();
      looks();
    }
    let attentive = 0;
    for (let reply = 0; reply < 1_000; reply += 1) {
      answered();
      if (looks(3) > 0) {
        attentive += 1;
        heard(0.005);
      }
      looks();
    }
    expect(attentive).toBeGreaterThan(900);
  });

  test('when the peer has spoken it looks no more', () => {
    const { answered, heard, looks } = scene();
    answered();
    expect(looks(2)).toBe(2);
    heard(0.001);
    expect(looks()).toBe(1);
  });
});
