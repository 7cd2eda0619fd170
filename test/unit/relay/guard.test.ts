import { describe, expect, test } from 'vitest';
import { hour } from '../../../src/clock.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import { CircleGuard, mostInAnHour } from '../../../src/relay/guard.ts';

const ann = expectMailbox('ann@example.org');
const ben = expectMailbox('ben@example.org');
const often = (guard: CircleGuard, count: number, at: number, id = '<a@b>', who = ann): boolean[] =>
  Array.from({ length: count }, () => guard.admit(id, who, at));

describe('the guard against circles', () => {
  test('one Message-ID goes to one member so often in an hour, and not once more', () => {
    const guard = new CircleGuard();
    expect(often(guard, mostInAnHour, 0)).not.toContain(false);
    expect(guard.admit('<a@b>', ann, hour - 1)).toBe(false);
    expect(guard.admit('<a@b>', ben, hour - 1)).toBe(true);
    expect(guard.admit('<c@d>', ann, hour - 1)).toBe(true);
    expect(guard.admit(undefined, ann, hour - 1)).toBe(true);
    // The next hour, and a clock that was set back, begin anew.
    expect(often(guard, mostInAnHour, hour)).not.toContain(false);
    expect(guard.admit('<a@b>', ann, hour)).toBe(false);
    expect(guard.admit('<a@b>', ann, 0)).toBe(true);
  });

  test('what goes round is remembered under a flood of others, and what does not come again is forgotten', () => {
    const guard = new CircleGuard();
    expect(often(guard, mostInAnHour, 0)).not.toContain(false);
    expect(often(guard, mostInAnHour, 0, '<once@x>')).not.toContain(false);
    for (let count = 0; count < 25_000; count += 1) guard.admit(`<${count}@flood>`, ann, 1);
    expect(guard.admit('<a@b>', ann, 2)).toBe(false);
    for (let count = 0; count < 25_000; count += 1) guard.admit(`<${count}@second>`, ann, 3);
    expect(guard.admit('<a@b>', ann, 4)).toBe(false);
    for (let count = 0; count < 25_000; count += 1) guard.admit(`<${count}@third>`, ann, 5);
    expect(guard.admit('<once@x>', ann, 6)).toBe(true);
  });
});
