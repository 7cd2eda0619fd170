// The milter and the lookup in pointsman.yaml.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/config.ts';
import { checkDoors } from '../../../src/routing/doors.ts';
import { parseRules } from '../../../src/routing/parse.ts';
import { formatProblem } from '../../../src/routing/problem.ts';
import type { Problem } from '../../../src/routing/rules.ts';

const parse = (text: string) =>
  parseConfig(`hostname: pm.example.org\nstate: s\nrules: r\nnextHops: { default: 127.0.0.1:26 }\n${text}`, {
    file: 'p.yaml',
    folder: '/etc',
    readSecret: () => ({ value: '' }),
    readFile: () => ({ wrong: '' }),
  });

describe('doors in the configuration', () => {
  test('what is not said', () => {
    expect(parse('').config).not.toHaveProperty('milter');
    expect(parse('milter: { listen: ["unix:/run/p/milter", "[::1]:8893"] }').config?.milter).toEqual({
      listen: [{ path: '/run/p/milter' }, { host: '::1', port: 8893 }],
      onFailure: 'tempfail',
      hold: null,
      carriesMembers: false,
    });
    expect(parse('lookup: { tcpTable: [127.0.0.1:1] }').config?.lookup).toEqual({
      socketmap: [],
      tcpTable: [{ host: '127.0.0.1', port: 1 }],
      steady: 5_000,
    });
  });

  test.each([
    ['milter: {}', /milter.*listen/],
    ['milter: { listen: [] }', /p\.yaml:5/],
    ['milter: { listen: [unix:milter] }', /not absolute/],
    [`milter: { listen: ["unix:/${'x'.repeat(110)}"] }`, /longer than the 103/],
    ['milter: { listen: [mail.example.org:8893] }', /such as 127\.0\.0\.1:8893/],
    ['milter: { listen: [192.0.2.1:8893] }', /no peers/],
    ['milter: { listen: [127.0.0.1:8893], hold: forever }', /tempfail.*quarantine/],
    ['lookup: {}', /neither "socketmap" nor "tcpTable"/],
    ['lookup: { socketmap: [192.0.2.1:1] }', /no peers/],
  ])('%s', (text, problem) => {
    const { config, problems } = parse(text);
    expect(config).toBeUndefined();
    expect(problems.map(formatProblem).join('\n')).toMatch(problem);
  });

  test('a group that holds is refused where there is a milter, unless it is said what becomes of it', () => {
    const { rules } = parseRules([
      {
        name: 'rules/a.yaml',
        text: 'people:\n  ann: { mail: a@b.example }\ngroups:\n  g: { address: g@b.example, members: [ann], hold: 1h, fallback: unchanged }\n',
      },
    ]);
    if (!rules) throw new Error('rules');
    expect(checkDoors(rules, undefined)).toEqual([]);
    expect(checkDoors(rules, { hold: 'tempfail' })).toEqual([]);
    expect(checkDoors(rules, { hold: null }).map(formatProblem)).toEqual([
      expect.stringMatching(/^rules\/a\.yaml:4:\d+: .*the group g holds mail.*hold: tempfail/),
    ]);
  });

  // Each row of the table in docs/reference/milter.md, and rules that say what it is about.
  const group = (more: string) => ({ groups: `  g: { address: g@b.example, members: [ann], ${more} }` });
  const plain = 'policy: none, fallback: unchanged';
  const route = (more: string) => ({ ...group(plain), routes: `  - { name: r, ${more} }` });
  const rows: Readonly<Record<string, readonly { groups: string; routes?: string }[]>> = {
    'routes by recipient, sender, subject, header': [
      route('match: { recipient: a@b.example, sender: c@d.example, subject: x, header: { X-Y: z } }, pass: true'),
    ],
    'conditions on size, attachments': [
      route('match: { size: { over: 5MB } }, group: g'),
      route('match: { attachment: true }, group: g'),
    ],
    'conditions on the thread, presence, time, list, spam, importance': [
      route('match: { thread: seen, presence: { person: ann, is: available }, list: true, spam: false }, pass: true'),
    ],
    'a condition on what is `waiting`': [
      route('match: { waiting: { group: g, count: { over: 3 } } }, pass: true'),
      route('match: { any: [{ subject: x }, { not: { waiting: { group: g, count: { over: 3 } } } }] }, pass: true'),
    ],
    '`reject`': [route('match: { subject: x }, reject: No')],
    '`copy`, `tag`, `addHeader`': [
      route('match: { subject: x }, copy: { person: ann }, tag: t, addHeader: { X-A: b }'),
    ],
    'strategies `in-order`, `round-robin`, `longest-idle`, `least-busy`, `most-spare`': [
      'in-order',
      'round-robin',
      'longest-idle',
      'least-busy',
      'most-spare',
    ].map((strategy) => group(`${plain}, strategy: ${strategy}`)),
    '`sticky`': [group(`${plain}, strategy: sticky`)],
    '`everyone`': [group(`${plain}, strategy: everyone`)],
    '`first-to-claim`': [group('policy: p, fallback: unchanged, strategy: first-to-claim')],
    '`askAfter`': [group(`${plain}, askAfter: 5m`)],
    '`exclude`, `excludeSender`': [
      group(`${plain}, exclude: { person: ann, when: { subject: x } }`),
      group(`${plain}, excludeSender: true`),
    ],
    '`mode: observe`': [group(`${plain}, mode: observe`)],
    '`mode: propose`': [group('policy: p, fallback: unchanged, mode: propose')],
    '`hold`': [group('policy: none, hold: 1h, fallback: unchanged')],
    'a chain with groups, everyone, persons, mailboxes': [
      group('policy: none, fallback: [everyone]'),
      group('policy: none, fallback: [{ person: ann }]'),
    ],
    'a chain that holds': [group('policy: none, fallback: [{ hold: 10m }, { person: ann }]')],
    'a chain that refuses': [group('policy: none, fallback: [{ reject: nobody is there }]')],
    '`policy`': [group('policy: p, fallback: unchanged')],
  };
  const page = readFileSync(new URL('../../../docs/reference/milter.md', import.meta.url), 'utf8');
  const table = page
    .slice(page.indexOf('| rule |'))
    .split('\n')
    .slice(2)
    .flatMap((line) => (line.startsWith('|') ? [line.split('|').map((cell) => cell.trim())] : []));

  test('every rule of the table has its proof', () => {
    expect(table.map(([, rule]) => rule)).toEqual(Object.keys(rows));
  });

  test.each(
    table.map(([, rule = '', relay = '', milter = '', lookup = '']) => ({ rule, relay, milter, lookup })),
  )('$rule: milter $milter; lookup $lookup', ({ rule, relay, milter, lookup }) => {
    expect(relay).toBe('yes');
    for (const { groups, routes } of rows[rule] ?? []) {
      const text = `people:\n  ann: { mail: a@b.example, operator: true }\ngroups:\n${groups}\npolicies:\n  p: { until: taken, steps: [{ name: s, after: 1h, to: next }] }\n${routes ? `routes:\n${routes}\n` : ''}`;
      const { rules, problems } = parseRules([{ name: 'rules/a.yaml', text }]);
      if (!rules) throw new Error(problems.map(formatProblem).join('\n'));
      expect(checkDoors(rules, undefined)).toEqual([]);
      const line = text.split('\n').findIndex((each) => each === (routes ?? groups)) + 1;
      const at = (said: readonly Problem[], door: string) => {
        expect(said).toHaveLength(1);
        expect(formatProblem(said[0] as Problem)).toMatch(new RegExp(`^rules/a\\.yaml:${line}:\\d+: .*a ${door}`));
      };
      const byMilter = checkDoors(rules, { hold: null });
      if (milter.startsWith('refused')) at(byMilter, 'milter');
      else expect([milter.slice(0, 3), byMilter]).toEqual(['yes', []]);
      if (milter.includes('unless')) expect(checkDoors(rules, { hold: 'tempfail' })).toEqual([]);
      else expect(checkDoors(rules, { hold: 'tempfail' })).toEqual(byMilter);
      const byLookup = checkDoors(rules, undefined, true);
      if (lookup.startsWith('refused')) at(byLookup, 'lookup');
      else expect([/^(?:yes|ignored)/.test(lookup), byLookup]).toEqual([true, []]);
    }
  });
});
