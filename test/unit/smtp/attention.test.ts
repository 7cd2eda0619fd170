// Looking again instead of sleeping: only for peers that are quick.
import { describe, expect, test } from 'vitest';
import { Attention } from '../../../src/smtp/attention.ts';

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
  return {
    attention,
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
    const { attention, looks } = scene();
    expect(looks()).toBe(0);
    attention.answered();
    const once = looks();
    expect(once).toBeGreaterThan(4);
    expect(once).toBeLessThan(12);
    expect(looks()).toBe(0);
  });

  test('of several replies it looks once', () => {
    const { attention, looks } = scene();
    attention.answered();
    const alone = looks();
    attention.answered();
    attention.answered();
    expect(looks()).toBe(alone);
  });

  test('peers that are slow are soon not waited for, and asked again seldom', () => {
    const { attention, looks } = scene();
    let attentive = 0;
    for (let reply = 0; reply < 1_000; reply += 1) {
      attention.answered();
      if (looks() > 0) attentive += 1;
      attention.heard(20);
    }
    expect(attentive).toBeGreaterThan(10);
    expect(attentive).toBeLessThan(30);
  });

  test('a peer that is quick is waited for each time, and again after slow ones', () => {
    const { attention, looks } = scene();
    for (let reply = 0; reply < 100; reply += 1) {
      attention.answered();
      looks();
    }
    let attentive = 0;
    for (let reply = 0; reply < 1_000; reply += 1) {
      attention.answered();
      if (looks(3) > 0) {
        attentive += 1;
        attention.heard(0.03);
      }
      looks();
    }
    expect(attentive).toBeGreaterThan(900);
  });

  test('when the peer has spoken it looks no more', () => {
    const { attention, looks } = scene();
    attention.answered();
    expect(looks(2)).toBe(2);
    attention.heard(0.02);
    expect(looks()).toBe(1);
  });
});
