import { describe, expect, test } from 'vitest';
import { isMarked, loopMark, type MarkKey, markHeader } from '../../../src/mail/loop-mark.ts';

const key = (id: string, secret = id): MarkKey => ({ id, secret: Buffer.from(secret) });
const keys = [key('new'), key('old')];
const markOf = (line: string) => line.slice(markHeader.length + 2).trimEnd();
const mark = (by = keys) => markOf(loopMark(by, 'support', '<1@x>'));

describe('a mark', () => {
  test('is one line of header, the same each time', () => {
    expect(loopMark(keys, 'support', '<1@x>')).toMatch(/^X-Pointsman-Trace: v1 new [\w-]{43}\r\n$/);
    expect(mark()).toBe(mark());
  });

  test('is believed under a key of ours only', () => {
    expect(isMarked([mark()], keys, 'support', '<1@x>')).toBe(true);
    expect(isMarked([mark([key('old')])], keys, 'support', '<1@x>')).toBe(true);
    expect(isMarked([mark([key('gone')])], keys, 'support', '<1@x>')).toBe(false);
    expect(isMarked([mark([key('new', 'another secret')])], keys, 'support', '<1@x>')).toBe(false);
  });

  test('is for this group and this Message-ID', () => {
    expect(isMarked([mark()], keys, 'sales', '<1@x>')).toBe(false);
    expect(isMarked([mark()], keys, 'support', '<2@x>')).toBe(false);
    expect(isMarked([mark()], keys, 'support', undefined)).toBe(false);
    expect(isMarked([markOf(loopMark(keys, 'support', undefined))], keys, 'support', undefined)).toBe(true);
  });

  test.each([
    '',
    'v1',
    'v1 new',
    `v1 new ${'A'.repeat(43)}`,
    `v1 new ${'A'.repeat(10_000)}`,
    'v2 new x',
    'v1 ../x y',
  ])('that is none is not believed: %j', (value) => {
    expect(isMarked([value], keys, 'support', '<1@x>')).toBe(false);
  });

  test('is looked for among others, and without a key there is none', () => {
    expect(isMarked(['junk', mark()], keys, 'support', '<1@x>')).toBe(true);
    expect(loopMark([], 'support', '<1@x>')).toBe('');
  });
});
