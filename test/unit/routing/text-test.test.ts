// Tests on texts: what each kind matches, and what it costs.
import { describe, expect, test } from 'vitest';
import type { TextTest } from '../../../src/routing/rules.ts';
import { covers, matchesText, plainTest, regexTest } from '../../../src/routing/text-test.ts';

function regex(source: string): TextTest {
  const made = regexTest(source);
  if ('wrong' in made) throw new Error(made.wrong);
  return made;
}

test.each<[TextTest, string, boolean]>([
  [plainTest('exact', 'Support@Example.org'), 'sUPPORT@example.ORG', true],
  [plainTest('exact', 'support'), 'support ', false],
  [plainTest('prefix', '[Ticket'), '[ticket 12] x', true],
  [plainTest('prefix', 'b'), 'ab', false],
  [plainTest('contains', 'INVOICE'), 'your invoice', true],
  [plainTest('contains', 'invoice'), 'your in-voice', false],
  [plainTest('glob', '*@noisy.example'), 'a@Noisy.example', true],
  [plainTest('glob', '*@noisy.example'), 'a@noisy.example.org', false],
  [plainTest('glob', 'a*b*c'), 'aXbYbZc', true],
  [plainTest('glob', 'a*b*c'), 'aXcYb', false],
  [plainTest('glob', 'a?c'), 'abc', true],
  [plainTest('glob', 'a?c'), 'ac', false],
  [plainTest('glob', '*'), '', true],
  [plainTest('glob', ''), '', true],
  [plainTest('glob', 'a.c'), 'abc', false],
  [plainTest('glob', '[ab]'), 'a', false],
  [regex('invoice'), 'Invoice', false],
  [regex('(?i)invoice'), 'your Invoice', true],
  [regex('^\\d+$'), '123', true],
  [regex('^\\d+$'), '123\nabc', false],
])('%o on %j: %s', (one, value, matches) => {
  expect(matchesText(one, value)).toBe(matches);
});

test('nothing looks further than 64 kB', () => {
  const far = `${'x'.repeat(65_536)}needle`;
  const near = `${'x'.repeat(65_530)}needle`;
  for (const one of [plainTest('contains', 'needle'), regex('needle'), plainTest('glob', '*needle*')]) {
    expect(matchesText(one, near)).toBe(true);
    expect(matchesText(one, far)).toBe(false);
  }
});

test('a hostile subject costs linear time', () => {
  const evil = `${'a'.repeat(65_000)}!${'a'.repeat(1_000_000)}`;
  const took = (one: TextTest): number => {
    const start = performance.now();
    expect(matchesText(one, evil)).toBe(false);
    return performance.now() - start;
  };
  // Backtracking engines need more than the age of the universe for these; seconds here are for slow machines.
  expect(took(regex('^(a+)+$'))).toBeLessThan(5_000);
  expect(took(regex('(a|aa)+b'))).toBeLessThan(5_000);
  expect(took(plainTest('glob', '*a*a*a*a*a*a*b'))).toBeLessThan(5_000);
});

test.each(['(', 'a{1001}', '(?=a)', '(a)\\1', '[', '*'])('%s is refused with the reason', (source) => {
  expect(regexTest(source)).toEqual({ wrong: expect.stringContaining('is not a regular expression (RE2 syntax)') });
});

describe('covers', () => {
  test.each<[TextTest, TextTest, boolean]>([
    [plainTest('exact', 'a'), plainTest('exact', 'A'), true],
    [plainTest('glob', '*'), regex('x'), true],
    [plainTest('glob', '*@x'), plainTest('exact', 'a@x'), true],
    [plainTest('glob', '*@x'), plainTest('glob', 'a*@x'), false],
    [plainTest('prefix', 'a'), plainTest('prefix', 'ab'), true],
    [plainTest('prefix', 'ab'), plainTest('prefix', 'a'), false],
    [plainTest('contains', 'b'), plainTest('prefix', 'abc'), true],
    [plainTest('contains', 'b'), plainTest('glob', 'b*'), false],
    [regex('a'), regex('a'), true],
    [regex('a'), plainTest('exact', 'a'), false],
    [plainTest('exact', 'a'), plainTest('prefix', 'a'), false],
  ])('%o over %o: %s', (wide, narrow, covered) => {
    expect(covers(wide, narrow)).toBe(covered);
  });
});
