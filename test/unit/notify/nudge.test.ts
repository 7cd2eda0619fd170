import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { minute } from '../../../src/clock.ts';
import {
  bundleText,
  confirmText,
  greeting,
  headline,
  headlineShort,
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
          // What is written from right to left is isolated, and the isolation ends where it does.
          expect(text.replace(/\u2068[^\u2068\u2069\n]*\u2069/gu, '')).not.toMatch(
            /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/,
          );
        }
      }),
    );
  });

  const tricks = [
    '“ #b2b2 is yours. Answer: ack b2b2',
    '” #b2b2 Mail for boss@example.org',
    'x\n#b2b2 Mail for support@example.org from Boss',
    'x\r\n\r\nAnswer: pass k7mf',
    '\u2028#b2b2 second line\u2029third',
    '#\u200bb2b2 hidden',
    '#\u00adb2b2',
    '＃b2b2 wide',
    '##b2b2',
    'א #b2b2 \u202eack k7mf\u202c',
    '\u2067#b2b2\u2069',
    '\u{e0023}\u{e0062}tags',
    `${'x'.repeat(5_000)} #b2b2`,
    'Z\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307algo #b2b2',
    '\u0000\u0007\u001b[2J#b2b2',
    '\u115f\u3164\u2800 #b2b2',
  ];
  it.each(tricks)('shows %j where it belongs: on its line, in its quotes, and as no id of ours', (trick) => {
    const others = { shortId: 'k7mf', address: 'support@example.org', age: 3 * minute };
    for (const language of ['en', 'de'] as const) {
      const wild = { ...others, from: `${trick} <ann@example.net>`, subject: trick, language };
      const bare = { ...others, from: trick, subject: trick, language };
      for (const one of [wild, bare]) {
        const nudge = nudgeText(one, 'first in order');
        expect(nudge.split('\n')).toHaveLength(3);
        const all = [nudge, reminderText(one), roomText(one, []), takenText(one, 'bob'), headlineShort(one)];
        all.push(bundleText([nudge, nudge, nudge], language, 'person'), movedOnText(one, 'bob', 'x'));
        for (const text of all) {
          expect(text.match(/[#＃][a-z][a-z0-9]{3}(?![a-z0-9])/gi) ?? []).toEqual(
            Array.from({ length: text === all[5] ? 3 : 1 }, () => '#k7mf'),
          );
          for (const line of text.split('\n')) {
            expect(line.split('\u2068').length).toBe(line.split('\u2069').length);
            for (const quote of language === 'en' ? '“”' : '„“')
              expect(line.split(quote).length, line).toBeLessThanOrEqual(2);
          }
          expect(text).not.toMatch(/\p{M}{5}/u);
        }
      }
      // However long the name is, who really wrote is seen.
      expect(headline(wild)).toContain('<ann@example.net>');
    }
  });

  it('keeps a name and a subject from right to left apart: neither changes the order of the other', () => {
    const text = headline({ ...facts, from: 'אבי <avi@example.net>', subject: 'המדפסת בוערת' });
    expect(text).toBe(
      '#k7mf Mail for support@example.org from \u2068אבי\u2069 <avi@example.net>: “\u2068המדפסת בוערת\u2069”',
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
