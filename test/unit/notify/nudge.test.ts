import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { minute } from '../../../src/clock.ts';
import {
  confirmText,
  greeting,
  headline,
  helpText,
  movedOnText,
  nudgeText,
  reminderText,
  roomText,
  takenText,
  toldText,
} from '../../../src/notify/nudge.ts';
import { oneLine } from '../../../src/notify/text.ts';

const facts = {
  shortId: 'k7mf',
  from: 'Ann <ann@example.net>',
  subject: 'The printer is on fire',
  address: 'support@example.org',
  age: 3 * minute,
};

describe('a nudge', () => {
  it('says who, what, why you, and what to answer', () => {
    expect(nudgeText(facts, 'the only one, 1 of 3 members of support eligible')).toBe(
      [
        '#k7mf Mail for support@example.org from Ann <ann@example.net>: “The printer is on fire”',
        'It is in your mailbox (3m old). Why you: the only one, 1 of 3 members of support eligible.',
        'Answer: ack k7mf (I have it), pass k7mf (somebody else, please) or help.',
      ].join('\n'),
    );
  });

  it('of a mail without a subject says so', () => {
    expect(headline({ ...facts, subject: null })).toContain('without a subject');
    expect(headline({ ...facts, subject: ' ' })).toContain('without a subject');
  });

  it('stays near 1 kB and on its lines whatever the mail says', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (subject, from) => {
        const wild = { ...facts, subject: subject.repeat(50), from: from.repeat(50) };
        for (const text of [
          nudgeText(wild, from),
          reminderText(wild),
          roomText(wild, [from]),
          movedOnText(wild, 'bob', from),
          takenText(wild, from),
          confirmText(wild),
          toldText(wild),
        ]) {
          expect(text.split('\n').length).toBeLessThanOrEqual(3);
          expect(Array.from(text).length).toBeLessThan(1_000);
          expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/);
        }
      }),
    );
  });

  it('greets once with who this is and how to get help', () => {
    expect(greeting('mx.example.org')).toMatch(/Pointsman on mx\.example\.org[\s\S]*help/);
    expect(helpText().length).toBeLessThan(700);
  });
});

describe('one line', () => {
  it.each([
    ['a\r\nb\u0001c\u202ed', 10, 'a b c d'],
    ['  spaced \t out ', 20, 'spaced out'],
    ['abcdef', 4, 'abc…'],
    ['\ud800x', 4, '\ufffdx'],
    ['😀😀😀', 2, '😀…'],
  ])('%j at most %i is %j', (text, limit, expected) => {
    expect(oneLine(text, limit)).toBe(expected);
  });
});
