// pointsman.yaml under chance: the parser never throws, and never puts a secret into a problem.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import { initFiles } from '../../src/init.ts';
import { formatProblem } from '../../src/routing/problem.ts';

const written = initFiles({ domain: 'example.org' }).find(({ path }) => path === 'pointsman.yaml')?.content ?? '';
// With the account, without comments, so that damage falls on what counts.
const good = written.replace(/^#(xmpp:| {2}(?:jid|passwordFile|nick|server):)/gm, '$1').replace(/^\s*#.*\n/gm, '');
const secret = 'correct horse battery staple';

const pieces = fc.constantFrom(
  ...[
    ': ',
    '\n',
    '\n  ',
    '- ',
    '[',
    ']',
    '{',
    '}',
    '"',
    '*a',
    '&a ',
    '0',
    '-1',
    '1e9',
    '99999',
    '::',
    '/0',
    '/33',
    '[::1]:25',
    '%eth0',
  ],
  ...[
    'xmpp:',
    'password',
    'tls',
    'default',
    'address',
    '__proto__',
    'true',
    '5d',
    '0s',
    '\u0000',
    '\ud800',
    'ä',
    '.',
    '..',
    '\t',
  ],
);
const soup = fc.array(pieces, { maxLength: 30 }).map((parts) => parts.join(''));
const damaged = fc
  .array(fc.tuple(fc.nat(good.length), fc.nat(20), soup), { minLength: 1, maxLength: 4 })
  .map((cuts) =>
    cuts.reduce((text, [at, length, put]) => text.slice(0, at) + put.slice(0, 30) + text.slice(at + length), good),
  );

test.each([
  ['soup of YAML', soup],
  ['a good file, damaged', damaged],
  ['any text', fc.string({ unit: 'binary', maxLength: 300 })],
  ['any value as JSON', fc.json({ maxDepth: 8 })],
])('%s', (_title, arbitrary) => {
  fc.assert(
    fc.property(arbitrary, (text) => {
      const { config, problems } = parseConfig(text, {
        file: 'pointsman.yaml',
        folder: '/etc/pointsman',
        readSecret: () => ({ value: secret }),
        readFile: () => ({ wrong: 'cannot be read: ENOENT' }),
      });
      expect(config === undefined).toBe(problems.some(({ severity }) => severity === 'error'));
      const shown = problems.map(formatProblem).join(' ');
      expect(shown).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
      expect(shown).not.toContain(secret);
      if (config) expect(Object.isFrozen(config.listen)).toBe(true);
    }),
    { numRuns: 400 },
  );
});

test('the undamaged file is good', () => {
  const surroundings = {
    file: 'p',
    folder: '/',
    readSecret: () => ({ value: secret }),
    readFile: () => ({ wrong: '' }),
  };
  expect(parseConfig(good, surroundings)).toMatchObject({ config: { xmpp: { password: secret } }, problems: [] });
});
