// The rules' pages: what they show of files, what trying them asks for, and that nothing that is uploaded gets anywhere.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { day } from '../../../src/clock.ts';
import { painted, pieces } from '../../../src/console/web/yaml-paint.ts';
import { type Operations, RefusedError } from '../../../src/operations.ts';
import type { ReplayQuestion } from '../../../src/oversight.ts';
import { host, hostile, openPages } from '../../support/console-pages.ts';
import { sampleId } from '../../support/fake-operations.ts';

const file = (text: string, name: string) => new File([text], name, { type: 'application/yaml' });

async function send(
  path: string,
  fields: readonly (readonly [string, string | File])[],
  over: Partial<Operations> = {},
) {
  const opened = openPages(over);
  const { cookie, token } = await opened.visit();
  const body = new FormData();
  body.append('token', token);
  for (const [name, value] of fields) body.append(name, value);
  const request = new Request(`http://${host}${path}`, { method: 'POST', headers: { host, cookie }, body });
  const response = await opened.pages.fetch(request);
  const asked = (verb: string) => opened.operations.calls.find(([name]) => name === verb)?.[1];
  return { response, text: await response.text(), asked };
}

describe('the files', () => {
  test('are shown with what is in force, and problems at their lines', async () => {
    const problem = {
      severity: 'error',
      place: { file: 'rules/x.yaml', line: 2, column: 1 },
      message: 'no <such> key',
    } as const;
    const { get } = openPages({
      ruleFiles: () => ({
        version: 'abc',
        rejected: true,
        problems: [problem],
        files: [{ name: 'rules/x.yaml', text: 'people:\n  ann: { mail: ann@example.org } # her\n' }],
      }),
    });
    const text = await (await get('/rules')).text();
    expect(text).toContain('not in force; version abc stays');
    expect(text).toContain('href="#rules_x.yaml-2"');
    expect(text).toMatch(/<li id="rules_x.yaml-2" class="line-error">.*no &lt;such&gt; key/s);
    expect(text).toContain('<span class="y-key">people</span>');
    expect(text).toContain('<span class="y-comment"># her</span>');
  });

  test('painting loses and adds no character, whatever the line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (line) => {
        expect(
          pieces(line)
            .map(({ text }) => text)
            .join(''),
        ).toBe(line);
      }),
    );
    expect(pieces('a#b')).not.toContainEqual({ kind: 'comment', text: '#b' });
  });

  test('a long line of quotes is painted in no time', () => {
    const from = performance.now();
    pieces('"'.repeat(20_000) + "'\\".repeat(20_000));
    expect(performance.now() - from).toBeLessThan(2_000);
  });

  test('text and names of files are text', async () => {
    const text = String(await painted(hostile, hostile, []));
    expect(text).not.toMatch(/<script|<img/);
    const { get } = openPages({
      ruleFiles: () => ({ version: hostile, rejected: false, problems: [], files: [{ name: hostile, text: hostile }] }),
    });
    const page = await (await get('/rules')).text();
    expect(page).not.toMatch(/<script>|<img/);
    expect(page).not.toContain('\u202e');
  });
});

describe('trying', () => {
  test('sends the message, the moment where the viewer is, and how people are', async () => {
    const { text, asked } = await send('/rules/try', [
      ['message', 'To: a@example.org\n\nhi'],
      ['to', 'support@example.org, ops@example.org'],
      ['from', '<>'],
      ['moment', '2026-01-05T10:00'],
      ['is alice', 'away'],
      ['is mallory', 'away'],
    ]);
    expect(asked('tryOut')).toEqual({
      files: null,
      message: 'To: a@example.org\r\n\r\nhi',
      to: ['support@example.org', 'ops@example.org'],
      from: '<>',
      at: Date.UTC(2026, 0, 5, 10),
      people: { alice: 'away' },
    });
    expect(text).toContain('<p>to alice</p>');
    expect(text).toContain('first in order');
    // What was filled in stays.
    expect(text).toContain('value="2026-01-05T10:00"');
    expect(text).toMatch(/<option value="away" selected>/);
  });

  test('a file goes before what was typed, and rule files with it', async () => {
    const { asked } = await send('/rules/try', [
      ['message', 'typed'],
      ['mail', file('Subject: from a file\r\n\r\n', 'x.eml')],
      ['files', file('people: {}', 'C:\\rules\\10-people.yaml')],
      ['files', file('', 'empty.yaml')],
    ]);
    expect(asked('tryOut')).toMatchObject({
      message: 'Subject: from a file\r\n\r\n',
      files: [{ name: 'rules/10-people.yaml', text: 'people: {}' }],
    });
  });

  test.each([
    ['an address that is none', [['to', 'nobody']], 'nobody is not a mail address'],
    ['a moment that is none', [['moment', 'soon']], 'say until when'],
    [
      'a file that is no rule file',
      [['files', file('x', '../../etc/passwd')]],
      'the name of a rule file ends in .yaml',
    ],
  ] as [string, [string, string | File][], string][])('%s is told, and nothing is tried', async (_, fields, said) => {
    const { response, text, asked } = await send('/rules/try', fields);
    expect(response.status).toBe(200);
    expect(text).toContain(said);
    expect(asked('tryOut')).toBeUndefined();
  });

  test('what is refused is told', async () => {
    const { text } = await send('/rules/try', [], { tryOut: () => Promise.reject(new RefusedError('too <long>')) });
    expect(text).toContain('too &lt;long&gt;');
  });

  test('too large an upload is refused', async () => {
    const { response } = await send('/rules/try', [['files', file('x'.repeat(5_000_000), 'big.yaml')]]);
    expect(response.status).toBe(413);
  });
});

test('replaying asks for days and shows what would move, and loads', async () => {
  const { text, asked } = await send('/rules/replay', [['span', '7']]);
  const { since, until, files } = asked('replayDays') as ReplayQuestion;
  expect([until - since, files]).toEqual([7 * day, null]);
  expect(text).toContain('1 of 1 deliveries of 1 mails would go elsewhere.');
  expect(text).toContain(`href="/message/${sampleId}"`);
  expect(text).toContain('<strong>to bob</strong>');
  expect(text).not.toContain('\u202e');
});

test('a viewer reads the files, and tries nothing', async () => {
  const ann = { name: 'ann', role: 'viewer' } as const;
  const opened = openPages({}, { play: null, users: { find: () => ann, verify: async () => ann } });
  const entered = await opened.post('/sign-in', { name: 'ann', password: 'right' });
  const cookie = (entered.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  expect((await opened.get('/rules', { cookie })).status).toBe(200);
  for (const path of ['/rules/try', '/rules/replay']) expect((await opened.get(path, { cookie })).status).toBe(403);
});
