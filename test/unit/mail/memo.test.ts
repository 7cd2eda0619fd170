import { expect, test } from 'vitest';
import { remembering } from '../../../src/mail/memo.ts';

test('what was worked out is kept, within bounds', () => {
  const asked: string[] = [];
  const known = remembering((text) => {
    asked.push(text);
    return text.toUpperCase();
  }, 2);
  const ask = (texts: string) => [...texts].map((each) => known(each)).join('');
  expect(ask('aabb')).toBe('AABB');
  expect(asked.join('')).toBe('ab');
  // The third begins a new generation, to which those come over that are still asked for; `b` is forgotten with the old.
  expect(ask('cad')).toBe('CAD');
  expect(asked.join('')).toBe('abcd');
  expect(ask('dab')).toBe('DAB');
  expect(asked.join('')).toBe('abcdb');
});

test('nothing of what is not there, and nothing long', () => {
  let asked = 0;
  const none = remembering((): string | undefined => {
    asked += 1;
    return undefined;
  });
  none('a');
  none('a');
  expect(asked).toBe(2);
  const long = remembering((text) => {
    asked += 1;
    return text;
  });
  long('x'.repeat(401));
  expect(long('x'.repeat(401))).toHaveLength(401);
  expect(asked).toBe(4);
});

test('a text that is not well-formed is taken as it is, each time', () => {
  const same = remembering((text) => text);
  expect(same('\ud800')).toBe('\ud800');
  expect(same('\ud800')).toBe('\ud800');
  expect(same('\ufffd')).toBe('\ufffd');
});
