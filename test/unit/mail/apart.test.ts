// What is remembered for long holds on to nothing of the mail it came with.
import { describe, expect, test } from 'vitest';
import { apart } from '../../../src/mail/apart.ts';
import { fieldsOf } from '../../../src/mail/header.ts';
import { remembering } from '../../../src/mail/memo.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import { CircleGuard } from '../../../src/relay/guard.ts';
import { heapNow } from '../../support/heap.ts';

const size = 1_000_000;
const count = 40;

/** As it comes: read from octets, and then cut. */
const header = (number: number): string =>
  Buffer.from(`Message-ID: <${number}.of.a.long.header@example.org>\r\nX-Long: ${'x'.repeat(size)}`).toString();
const idOf = (text: string): string => text.slice(12, text.indexOf('\r'));

/** Megabytes that are still in use after so many headers of one have gone by. */
function heldBy(use: (text: string, number: number) => void): number {
  const before = heapNow();
  for (let number = 0; number < count; number += 1) use(header(number), number);
  return (heapNow() - before) / 1e6;
}

describe('headers of a megabyte go', () => {
  test('but not where a part of one is kept as it was cut', () => {
    const kept: string[] = [];
    expect(heldBy((text) => kept.push(idOf(text)))).toBeGreaterThan(count / 2);
    expect(kept).toHaveLength(count);
  });

  test('with a part that is apart', () => {
    const kept: string[] = [];
    expect(heldBy((text) => kept.push(apart(idOf(text))))).toBeLessThan(count / 4);
    expect(kept[7]).toBe('<7.of.a.long.header@example.org>');
  });

  test('when the guard remembers their Message-IDs', () => {
    const guard = new CircleGuard(Math.random);
    const ann = expectMailbox('ann@example.org');
    expect(heldBy((text) => guard.admit(idOf(text), ann, 0))).toBeLessThan(count / 4);
    expect(guard.admit('<7.of.a.long.header@example.org>', ann, 0)).toBe(true);
  });

  test('when what was worked out for a part of them is remembered', () => {
    const half = remembering((text) => ({ end: text.slice(-20) }));
    expect(heldBy((text) => half(idOf(text)))).toBeLessThan(count / 4);
    expect(half('<7.of.a.long.header@example.org>')).toEqual({ end: 'g.header@example.org>'.slice(-20) });
  });

  test('when names of fields are remembered', () => {
    const cut = (text: string, number: number): string => text.slice(text.length - 30 - number);
    const held = heldBy((text, number) => fieldsOf([[cut(text, number), '1']]));
    expect(held).toBeLessThan(count / 4);
  });
});
