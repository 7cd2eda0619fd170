// The milter and the lookup in pointsman.yaml.
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/config.ts';
import { checkDoors } from '../../../src/routing/doors.ts';
import { parseRules } from '../../../src/routing/parse.ts';
import { formatProblem } from '../../../src/routing/problem.ts';

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

  test('what only the relay can do is refused where an MTA asks, with its place', () => {
    const text = [
      'people:',
      '  ann: { mail: a@b.example }',
      'groups:',
      '  all: { address: all@b.example, members: [ann], strategy: everyone, policy: none, fallback: unchanged }',
      '  try: { address: try@b.example, members: [ann], mode: observe, policy: none, fallback: unchanged }',
      'routes:',
      '  - { name: big, match: { size: { over: 5MB } }, pass: true }',
      '  - { name: marked, match: { subject: x }, tag: urgent }',
    ].join('\n');
    const { rules, problems } = parseRules([{ name: 'rules/a.yaml', text }]);
    if (!rules) throw new Error(problems.map(formatProblem).join('\n'));
    const said = checkDoors(rules, { hold: null }).map(formatProblem);
    expect(said).toEqual([
      expect.stringMatching(/^rules\/a\.yaml:4:.*group all says "strategy: everyone".*a milter/),
      expect.stringMatching(/^rules\/a\.yaml:5:.*group try says "mode: observe"/),
      expect.stringMatching(/^rules\/a\.yaml:7:.*route big says a condition/),
      expect.stringMatching(/^rules\/a\.yaml:8:.*route marked says "copy", "tag"/),
    ]);
    expect(checkDoors(rules, undefined, true)).toHaveLength(2);
    expect(checkDoors(rules, undefined)).toEqual([]);
  });
});
