// No text breaks the parser; and what it gives is a fixed point: one address, one key.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseJid } from '../../src/presence/jid.ts';

const odd = fc.constantFrom(
  '@',
  '/',
  '.',
  'ß',
  'İ',
  'ſ',
  '\u0301',
  '\u200b',
  'ａ',
  '＠',
  '／',
  'xn--',
  '\ud800',
  'Ω',
  'ǆ',
  '。',
  ' ',
);
// Mostly what names are made of, so that most of it is parsed.
const letter = fc.constantFrom(...'abzABZ019-_éÉßİſΩǆñйЯ日本한글ａＺﬁ①ªñ\u0301');
const letters = fc.array(fc.oneof({ weight: 9, arbitrary: letter }, { weight: 1, arbitrary: odd }), {
  minLength: 1,
  maxLength: 8,
});
const named = fc
  .tuple(letters, letters, fc.option(letters, { nil: [] }))
  .map(([local, domain, resource]) =>
    `${local.join('')}@${domain.join('')}.test/${resource.join('')}`.replace(/\/$/, ''),
  );
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.oneof(odd, fc.string({ unit: 'grapheme', maxLength: 3 }))).map((parts) => parts.join('')),
  named,
);

it('a parsed JID parses to itself', () => {
  let parsed = 0;
  fc.assert(
    fc.property(text, (input) => {
      const jid = parseJid(input);
      if (!jid) return;
      parsed += 1;
      const written = jid.resource === undefined ? jid.bare : `${jid.bare}/${jid.resource}`;
      expect(parseJid(written)).toEqual(jid);
      expect(parseJid(jid.bare)).toEqual({ bare: jid.bare });
      const [local = '', ...domain] = jid.bare.split('@');
      expect(domain).toHaveLength(1);
      expect(local).not.toMatch(/[\s\p{C}/<>&"']/u);
      expect(jid.bare).not.toMatch(/[/<>&"'\p{Cc}]/u);
    }),
    { numRuns: 5_000 },
  );
  // Else the property would hold for want of anything parsed.
  expect(parsed).toBeGreaterThan(300);
});

it('the short way for plain JIDs says what the long way says', () => {
  const part = (pattern: RegExp) => fc.stringMatching(pattern);
  const [local, domain] = [part(/^[a-z0-9._+-]{1,12}$/), part(/^[a-z0-9_.-]{0,11}[a-z0-9_-]$/)];
  fc.assert(
    fc.property(local, domain, part(/^(\/[ -~]{0,6})?$/), (one, other, resource) => {
      // A dot at the end of the domain counts for nothing, but is not plain.
      expect(parseJid(`${one}@${other}${resource}`)).toEqual(parseJid(`${one}@${other}.${resource}`));
    }),
    { numRuns: 2_000 },
  );
});
