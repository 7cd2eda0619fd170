import fc from 'fast-check';
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
    const guard = new CircleGuard(Math.random);
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
    const guard = new CircleGuard(Math.random);
    expect(often(guard, mostInAnHour, 0)).not.toContain(false);
    expect(often(guard, mostInAnHour, 0, '<once@x>')).not.toContain(false);
    for (let count = 0; count < 25_000; count += 1) guard.admit(`<${count}@flood>`, ann, 1);
    expect(guard.admit('<a@b>', ann, 2)).toBe(false);
    for (let count = 0; count < 25_000; count += 1) guard.admit(`<${count}@second>`, ann, 3);
    expect(guard.admit('<a@b>', ann, 4)).toBe(false);
    for (let count = 0; count < 25_000; count += 1) guard.admit(`<${count}@third>`, ann, 5);
    expect(guard.admit('<once@x>', ann, 6)).toBe(true);
  });

  test('counts as a list of all pairs would, and takes none for another', () => {
    const ids = fc.constantFrom(...Array.from({ length: 12 }, (_, at) => `<${at}@${'x'.repeat(at)}>`), '', 'é');
    const turns = fc.array(fc.tuple(ids, fc.constantFrom(ann, ben), fc.nat({ max: 2 * hour })), { maxLength: 300 });
    fc.assert(
      fc.property(turns, (all) => {
        const guard = new CircleGuard(Math.random);
        const model = new Map<string, { count: number; since: number }>();
        for (const [id, who, at] of all) {
          const key = `${who} ${id}`;
          const known = model.get(key) ?? { count: 0, since: at };
          const anew = at - known.since >= hour || at < known.since;
          const now = anew ? { count: 1, since: at } : { count: known.count + 1, since: known.since };
          model.set(key, now);
          expect(guard.admit(id, who, at)).toBe(now.count <= mostInAnHour);
        }
      }),
    );
    const guard = new CircleGuard(Math.random);
    for (let count = 0; count < 300_000; count += 1)
      if (!guard.admit(`<${count}.0f3a@host.example>`, ann, count)) throw new Error(`${count} was taken for another`);
  });
});
