// The rule language: what is read from good rules, and for each mistake the exact place and words.
import { describe, expect, test } from 'vitest';
import { minute, second } from '../../../src/clock.ts';
import { parseRules } from '../../../src/routing/parse.ts';
import { formatProblem } from '../../../src/routing/problem.ts';
import type { Rules } from '../../../src/routing/rules.ts';

const sample = `people:
  alice: { mail: alice@example.org }
  bob:   { mail: bob@example.org, jid: bob@chat.example.org }
  carol: { mail: carol@example.org, jid: none, operator: true }
groups:
  support:
    address: support@example.org
    members: [alice, bob]
    strategy: longest-idle
    eligible: [chat, available, chat]
    hold: 2m
    fallback: { mailbox: archive@example.org }
    policy: standard
  accounting:
    addresses: [Accounts@example.org, billing@example.org]
    members: [bob]
    fallback: { person: carol }
    policy: none
policies:
  standard:
    until: taken
    steps:
      - { name: next, after: 10m, to: next, times: 2 }
      - { name: room, after: 5m, to: { room: duty@rooms.example.org } }
      - { name: boss, after: 10m, to: { person: carol } }
routes:
  - name: invoices
    match: { recipient: support@example.org, subject: { regex: '(?i)invoice' } }
    group: accounting
    policy: standard
    eligible: available
  - match: { sender: { glob: '*@noisy.example' } }
    pass: true
  - match: { header: { X-Spam-Flag: 'YES' } }
    reject: 'No spam here'
`;

function problemsOf(...texts: string[]): string[] {
  return parseRules(texts.map((text, index) => ({ name: `${'abc'[index]}.yaml`, text }))).problems.map(formatProblem);
}

function expectRules(...texts: string[]): Rules {
  const { rules, problems } = parseRules(texts.map((text, index) => ({ name: `${'abc'[index]}.yaml`, text })));
  expect(problems.map(formatProblem)).toEqual([]);
  if (!rules) throw new Error('no rules');
  return rules;
}

describe('good rules', () => {
  const rules = expectRules(sample);

  test('people: the JID is the mail address unless said', () => {
    expect([...rules.people.values()]).toEqual([
      {
        name: 'alice',
        mail: 'alice@example.org',
        jid: 'alice@example.org',
        operator: false,
        place: { file: 'a.yaml', line: 2, column: 3 },
      },
      {
        name: 'bob',
        mail: 'bob@example.org',
        jid: 'bob@chat.example.org',
        operator: false,
        place: { file: 'a.yaml', line: 3, column: 3 },
      },
      {
        name: 'carol',
        mail: 'carol@example.org',
        jid: null,
        operator: true,
        place: { file: 'a.yaml', line: 4, column: 3 },
      },
    ]);
  });

  test('groups, with defaults', () => {
    const policy = rules.policies.get('standard');
    expect([...rules.groups.values()]).toEqual([
      {
        name: 'support',
        addresses: ['support@example.org'],
        members: ['alice', 'bob'],
        strategy: 'longest-idle',
        eligible: ['chat', 'available'],
        hold: 2 * minute,
        pace: 5 * second,
        fallback: { kind: 'mailbox', mailbox: 'archive@example.org' },
        policy,
        place: { file: 'a.yaml', line: 6, column: 3 },
      },
      {
        name: 'accounting',
        addresses: ['Accounts@example.org', 'billing@example.org'],
        members: ['bob'],
        strategy: 'in-order',
        eligible: ['chat', 'available'],
        hold: null,
        fallback: { kind: 'person', person: 'carol' },
        policy: null,
        place: { file: 'a.yaml', line: 14, column: 3 },
      },
    ]);
  });

  test('policies', () => {
    expect(rules.policies.get('standard')).toEqual({
      name: 'standard',
      until: 'taken',
      steps: [
        { name: 'next', after: 600 * second, to: { kind: 'next' }, times: 2 },
        { name: 'room', after: 300 * second, to: { kind: 'room', room: 'duty@rooms.example.org' }, times: 1 },
        {
          name: 'boss',
          after: 600 * second,
          to: { kind: 'person', person: 'carol', mailbox: 'carol@example.org' },
          times: 1,
        },
      ],
      place: { file: 'a.yaml', line: 20, column: 3 },
    });
  });

  test('routes: overrides only where said, a name from the place', () => {
    expect(rules.routes.map(({ name, action }) => ({ name, action }))).toEqual([
      {
        name: 'invoices',
        action: { kind: 'group', group: 'accounting', policy: rules.policies.get('standard'), eligible: ['available'] },
      },
      { name: 'a.yaml:32', action: { kind: 'pass' } },
      { name: 'a.yaml:34', action: { kind: 'reject', text: 'No spam here' } },
    ]);
  });

  test('nothing of it can be changed', () => {
    expect(Object.isFrozen(rules)).toBe(true);
    expect(Object.isFrozen(rules.routes)).toBe(true);
    expect(Object.isFrozen(rules.groups.get('support')?.members)).toBe(true);
    expect(Object.isFrozen(rules.policies.get('standard')?.steps[0])).toBe(true);
  });
});

test('names refer across files, and files are ordered by name', () => {
  const cut = sample.indexOf('groups:');
  const rules = expectRules(sample.slice(cut), sample.slice(0, cut));
  expect(rules.groups.get('support')?.members).toEqual(['alice', 'bob']);
  const route = (name: string) => `routes:\n- { name: ${name}, match: { sender: ${name}@x }, pass: true }\n`;
  const files = [
    { name: '20.yaml', text: route('second') },
    { name: '10.yaml', text: route('first') },
  ];
  expect(parseRules(files).rules?.routes.map(({ name }) => name)).toEqual(['first', 'second']);
});

test('the version is over names and bytes, in order of names', () => {
  const version = (files: Record<string, string>) =>
    parseRules(Object.entries(files).map(([name, text]) => ({ name, text }))).rules?.version;
  const base = version({ 'a.yaml': '#1\n', 'b.yaml': '#2\n' });
  expect(base).toMatch(/^[0-9a-f]{12}$/);
  expect(version({ 'b.yaml': '#2\n', 'a.yaml': '#1\n' })).toBe(base);
  expect(version({ 'a.yaml': '#1\n#2\n', 'b.yaml': '' })).not.toBe(base);
  expect(version({ 'a.yaml': '#1\n', 'c.yaml': '#2\n' })).not.toBe(base);
});

const people = 'people: { alice: { mail: alice@x.org }, bob: { mail: bob@x.org } }\n';
const group = (fields: string) =>
  `${people}groups:\n  g: { address: g@x.org, members: [alice], policy: none, fallback: unchanged, ${fields} }\n`;
const bare = (fields: string) => `${people}groups:\n  g: { policy: none, fallback: unchanged, ${fields} }\n`;
const steps = (text: string) =>
  `${people}groups:\n  g: { address: g@x.org, members: [alice], fallback: unchanged, policy: p }\npolicies:\n  p: { steps: [${text}] }\n`;
const route = (text: string) => `${group('')}routes:\n- ${text}\n`;

// Each: the rules, and every problem that must be found in them.
const mistakes: readonly (readonly [title: string, text: string, problems: readonly string[]])[] = [
  [
    'a list whose only item is wrong is not empty',
    bare('addresses: [g], members: [A]'),
    [
      'a.yaml:3:55: error: "g" is not a mail address such as alice@example.org',
      'a.yaml:3:69: error: "A" is not a name: lower-case letters, digits, "-", "_" and "." only, at most 64',
    ],
  ],
  [
    'an unknown section',
    'peple: {}\n',
    ['a.yaml:1:1: error: unknown key "peple" in a rule file (did you mean "people"?)'],
  ],
  [
    'a file that is a list',
    '- a\n',
    [
      'a.yaml:1:1: error: a list is not a rule file: a map with the keys people, groups, policies, schedules, routes, include',
    ],
  ],
  ['a section that is a text', 'people: alice\n', ['a.yaml:1:9: error: "alice" is not a map from names to people']],
  [
    'a bad name',
    'people:\n  Al ice: { mail: a@x.org }\n',
    ['a.yaml:2:3: error: "Al ice" is not a name: lower-case letters, digits, "-", "_" and "." only, at most 64'],
  ],
  [
    'a person without mail',
    'people:\n  alice: {}\n',
    ['a.yaml:2:10: error: a person needs the key "mail": a mail address such as alice@example.org'],
  ],
  [
    'a bad address',
    'people:\n  alice: { mail: alice }\n',
    ['a.yaml:2:18: error: "alice" is not a mail address such as alice@example.org'],
  ],
  [
    'a JID with a resource',
    'people: { a: { mail: a@x.org, jid: a@x.org/home } }\n',
    ['a.yaml:1:36: error: "a@x.org/home" has a resource; write it without: a@x.org'],
  ],
  [
    'an address that is no JID',
    "people: { a: { mail: o'neil@x.org } }\n",
    ['a.yaml:1:22: error: "o\'neil@x.org" cannot be a JID too; give the person a jid, or say "jid: none"'],
  ],
  [
    'a key that a person does not have',
    'people: { a: { mail: a@x.org, jidd: none } }\n',
    ['a.yaml:1:31: error: unknown key "jidd" in a person (did you mean "jid"?)'],
  ],
  [
    'yes instead of true',
    'people: { a: { mail: a@x.org, operator: yes } }\n',
    ['a.yaml:1:41: error: "yes" is not true or false'],
  ],
  [
    'a person twice in one file',
    'people:\n  a: { mail: a@x.org }\n  a: { mail: b@x.org }\n',
    ['a.yaml:3:3: error: "a" stands here a second time; the first is in line 2'],
  ],
  [
    'an address of two people',
    'people:\n  a: { mail: a@x.org }\n  b: { mail: A@X.org, jid: none }\n',
    ['a.yaml:3:14: error: the address "A@X.org" of person b is already that of person a'],
  ],
  [
    'a JID of two people',
    'people:\n  a: { mail: a@x.org }\n  b: { mail: b@x.org, jid: a@x.org }\n',
    ['a.yaml:3:28: error: the JID "a@x.org" of person b is already that of person a'],
  ],
  [
    'a group without an address',
    bare('members: [alice]'),
    ['a.yaml:3:3: error: the group "g" needs an address (or a list of addresses)'],
  ],
  [
    'a group with an empty list of addresses',
    bare('addresses: [], members: [alice]'),
    ['a.yaml:3:3: error: the group "g" needs an address (or a list of addresses)'],
  ],
  [
    'a group with both kinds of addresses',
    bare('address: g@x.org, addresses: [h@x.org], members: [alice]'),
    ['a.yaml:3:6: error: the group "g" has both "address" and "addresses"; put all in "addresses"'],
  ],
  [
    "a group address that is a person's",
    bare('address: bob@x.org, members: [alice]'),
    ['a.yaml:3:52: error: the address "bob@x.org" of group g is already that of person bob'],
  ],
  [
    'an address of two groups',
    `${group('')}  h: { address: G@x.org, members: [bob], policy: none, fallback: unchanged }\n`,
    ['a.yaml:4:17: error: the address "G@x.org" of group h is already that of group g'],
  ],
  [
    'an address twice in one group',
    bare('addresses: [g@x.org, g@x.org], members: [alice]'),
    ['a.yaml:3:64: error: the address "g@x.org" of group g is there twice'],
  ],
  [
    'a group without members',
    bare('address: g@x.org'),
    ['a.yaml:3:6: error: a group needs the key "members": a list, each a name'],
  ],
  [
    'an empty list of members',
    bare('address: g@x.org, members: []'),
    ['a.yaml:3:70: error: the group "g" has no members'],
  ],
  [
    'an unknown member, nearly',
    bare('address: g@x.org, members: [alise]'),
    ['a.yaml:3:71: error: there is no person "alise" (did you mean "alice"?)'],
  ],
  [
    'an unknown member',
    bare('address: g@x.org, members: [zoe]'),
    ['a.yaml:3:71: error: there is no person "zoe" (there are: alice, bob)'],
  ],
  [
    'a member twice',
    bare('address: g@x.org, members: [bob, bob]'),
    ['a.yaml:3:76: error: "bob" is a member of "g" twice'],
  ],
  [
    '"member" for "members"',
    bare('address: g@x.org, member: [bob]'),
    [
      'a.yaml:3:6: error: a group needs the key "members": a list, each a name',
      'a.yaml:3:61: error: unknown key "member": a group has "members", a list of names of people',
    ],
  ],
  [
    'an unknown strategy',
    group('strategy: in-ordre'),
    [
      'a.yaml:3:89: error: "in-ordre" is not one of in-order, round-robin, longest-idle, least-busy, most-spare, sticky, everyone, first-to-claim (did you mean "in-order"?)',
    ],
  ],
  [
    'an unknown state',
    group('eligible: [chat, busy]'),
    ['a.yaml:3:96: error: "busy" is not one of chat, available, away, xa, dnd, offline, unknown'],
  ],
  [
    'nobody ever eligible',
    group('eligible: []'),
    ['a.yaml:3:89: error: a list is not one of chat, available, away, xa, dnd, offline, unknown: the list is empty'],
  ],
  [
    'a hold that is no duration',
    group('hold: 2 minutes'),
    ['a.yaml:3:85: error: "2 minutes" is not a duration such as 90s, 10m, 1h30m or 5d'],
  ],
  ['a hold that is too long', group('hold: 8d'), ['a.yaml:3:85: error: "8d" is longer than 7d']],
  [
    'an unknown policy',
    `${people}groups:\n  g: { address: g@x.org, members: [alice], fallback: unchanged, policy: p }\n`,
    ['a.yaml:3:73: error: there is no policy "p" (no policy is defined)'],
  ],
  [
    'a fallback to an unknown person',
    `${people}groups:\n  g: { address: g@x.org, members: [alice], policy: none, fallback: { person: bobb } }\n`,
    ['a.yaml:3:78: error: there is no person "bobb" (did you mean "bob"?)'],
  ],
  [
    'a fallback to two places',
    `${people}groups:\n  g: { address: g@x.org, members: [alice], policy: none, fallback: { person: bob, mailbox: z@x.org } }\n`,
    ['a.yaml:3:68: error: a fallback has exactly one of the keys mailbox, person, group, hold, reject, tempfail'],
  ],
  [
    'a fallback to the group itself',
    `${people}groups:\n  g: { address: g@x.org, members: [alice], policy: none, fallback: { mailbox: G@x.org } }\n`,
    ['a.yaml:3:79: error: "G@x.org" is the address of "g" itself; for delivery there say "fallback: unchanged"'],
  ],
  [
    'a fallback that is a word',
    `${people}groups:\n  g: { address: g@x.org, members: [alice], policy: none, fallback: bob }\n`,
    [
      'a.yaml:3:68: error: "bob" is not a fallback: write unchanged or everyone or { mailbox: … } or { person: … } or { group: … } or { hold: … } or { reject: … } or { tempfail: … }',
    ],
  ],
  [
    'a policy without steps',
    steps(''),
    ['a.yaml:5:15: error: the policy "p" has no steps; leave it out, or give it one'],
  ],
  [
    'a step without a name',
    steps('{ after: 1m, to: next }'),
    ['a.yaml:5:16: error: a step needs the key "name": a name'],
  ],
  [
    'two steps of one name',
    steps('{ name: n, after: 1m, to: next }, { name: n, after: 1m, to: owner }'),
    ['a.yaml:5:58: error: the step "n" stands twice; the first is in line 5'],
  ],
  [
    'a step to nowhere',
    steps('{ name: n, after: 1m, to: nxt }'),
    [
      'a.yaml:5:42: error: "nxt" is not the target of a step: write next or owner or everyone or { group: … } or { room: … } or { person: … } or { mailbox: … }',
    ],
  ],
  [
    'a step to an unknown person',
    steps('{ name: n, after: 1m, to: { person: dave } }'),
    ['a.yaml:5:52: error: there is no person "dave" (there are: alice, bob)'],
  ],
  [
    'a step to no room',
    steps('{ name: n, after: 1m, to: { room: duty } }'),
    ['a.yaml:5:50: error: "duty" is not a JID such as alice@chat.example.org'],
  ],
  [
    'a step taken no times',
    steps('{ name: n, after: 1m, to: next, times: 0 }'),
    ['a.yaml:5:55: error: "0" is not a whole number from 1 to 100'],
  ],
  [
    'an unknown word for until',
    'policies:\n  p: { until: seen, steps: [{ name: n, after: 1m, to: next }] }\n',
    ['a.yaml:2:15: error: "seen" is not one of read, taken, answered'],
  ],
  [
    'a route without an action',
    route('{ match: { sender: a@b } }'),
    ['a.yaml:5:3: error: a route has exactly one of group, pass, reject; here is none'],
  ],
  [
    'a route with two',
    route('{ match: { sender: a@b }, pass: true, group: g }'),
    ['a.yaml:5:3: error: a route has exactly one of group, pass, reject; here is group and pass'],
  ],
  ['pass: false', route('{ match: { sender: a@b }, pass: false }'), ['a.yaml:5:35: error: "false" is not true']],
  [
    '"to" for "group"',
    route('{ match: { sender: a@b }, to: g }'),
    [
      'a.yaml:5:3: error: a route has exactly one of group, pass, reject; here is none',
      'a.yaml:5:29: error: unknown key "to": a route says "group: <name>", "pass: true" or "reject: <text>"',
    ],
  ],
  [
    'a route to an unknown group',
    route('{ match: { sender: a@b }, group: h }'),
    ['a.yaml:5:36: error: there is no group "h" (did you mean "g"?)'],
  ],
  [
    'a strategy where nothing is chosen',
    route('{ match: { sender: a@b }, pass: true, strategy: in-order }'),
    ['a.yaml:5:51: error: "strategy" means nothing here: only a route to a group has one'],
  ],
  [
    'a route that matches all',
    route('{ match: {}, pass: true }'),
    ['a.yaml:5:12: error: the match is empty and would match all mail; for that say { recipient: { glob: "*" } }'],
  ],
  ['a match that is missing', route('{ pass: true }'), ['a.yaml:5:3: error: a route needs the key "match": a match']],
  [
    'a test of no kind',
    route('{ match: { subject: { like: x } }, pass: true }'),
    ['a.yaml:5:25: error: unknown key "like" in a test (there are: exact, prefix, contains, glob, regex)'],
  ],
  [
    'a test of two kinds',
    route('{ match: { subject: { prefix: x, glob: y } }, pass: true }'),
    ['a.yaml:5:23: error: a test has exactly one of exact, prefix, contains, glob, regex; here is "prefix", "glob"'],
  ],
  [
    'a test of nothing',
    route('{ match: { subject: }, pass: true }'),
    ['a.yaml:5:23: error: nothing is not a test: write a text, or { exact | prefix | contains | glob | regex: … }'],
  ],
  [
    'a regex that cannot be linear',
    route("{ match: { subject: { regex: '(?=x)y' } }, pass: true }"),
    [
      'a.yaml:5:32: error: "(?=x)y" is not a regular expression (RE2 syntax): error parsing regexp: invalid or unsupported Perl syntax: `(?=`; look-around and back-references do not exist here: they cannot be matched in linear time',
    ],
  ],
  [
    'a header name with a colon',
    route("{ match: { header: { 'X-A:': y } }, pass: true }"),
    ['a.yaml:5:24: error: "X-A:" is not the name of a header field'],
  ],
  [
    'a reply of two lines',
    route('{ match: { sender: a@b }, reject: "no\\r\\nway" }'),
    ['a.yaml:5:37: error: "no\\r\\nway" is not one line of 1 to 400 printable ASCII characters'],
  ],
  [
    'two routes of one name',
    `${route('{ name: n, match: { sender: a@b }, pass: true }')}- { name: n, match: { sender: c@d }, pass: true }\n`,
    ['a.yaml:6:11: error: the route "n" is named a second time; the first is at a.yaml:5'],
  ],
  // Lint
  [
    'a member without a JID',
    'people: { a: { mail: a@x.org, jid: none } }\ngroups:\n  g: { address: g@x.org, members: [a], policy: none, fallback: unchanged }\n',
    [
      'a.yaml:1:11: warning: "a" has no JID, so the group "g" never chooses them; give a jid, or make "unknown" eligible',
    ],
  ],
  [
    'a policy never used',
    'policies:\n  p: { steps: [{ name: n, after: 1m, to: next }] }\n',
    ['a.yaml:2:3: warning: no group and no route uses the policy "p"'],
  ],
  [
    'a group that says neither policy nor fallback',
    `${people}groups:\n  g: { address: g@x.org, members: [alice] }\n`,
    [
      'a.yaml:3:3: warning: the group "g" has no policy, so nobody hears of mail that is not read; name one, or say "policy: none"',
      'a.yaml:3:3: warning: the group "g" has no fallback: when nobody is eligible, mail goes on to the group\'s own address; name one, or say "fallback: unchanged"',
    ],
  ],
  [
    'a route behind a wider one',
    `${route("{ name: wide, match: { subject: { contains: 'VOICE' } }, pass: true }")}- { name: narrow, match: { sender: a@b, subject: { prefix: invoice } }, group: g }\n`,
    ['a.yaml:6:3: warning: the route "narrow" is never reached: "wide" at a.yaml:5 takes all its mail'],
  ],
  [
    'a fallback to another group',
    `${people}groups:\n  g: { address: g@x.org, members: [alice], policy: none, fallback: unchanged }\n  h: { address: h@x.org, members: [alice], policy: none, fallback: { mailbox: g@x.org } }\n`,
    [
      'a.yaml:4:3: warning: the fallback of "h" is the address of the group "g", but it goes to the next hop as it is: nobody of "g" is chosen',
    ],
  ],
  [
    'a step to a group',
    steps('{ name: n, after: 1m, to: { mailbox: g@x.org } }'),
    [
      'a.yaml:5:3: warning: the step "n" forwards to the address of the group "g", but it goes to the next hop as it is: nobody of "g" is chosen',
    ],
  ],
  // YAML
  [
    'a tab',
    'people:\n\ta: { mail: a@x.org }\n',
    [
      'a.yaml:2:1: error: cannot be read as YAML: Tabs are not allowed as indentation; indent with spaces, not with tabs',
    ],
  ],
  [
    'a colon in a value',
    'people:\n  a: { mail: a@x.org }\n  b: c: d\n',
    [
      'a.yaml:3:6: error: cannot be read as YAML: Nested mappings are not allowed in compact mappings; a value that holds ": " must be in quotes',
    ],
  ],
  [
    'two documents',
    'people: {}\n---\ngroups: {}\n',
    ['a.yaml:2:1: error: a second document begins here, but one file holds one: remove the line ---'],
  ],
  [
    'a tag',
    'people: !!js/regexp x\n',
    ['a.yaml:1:9: error: cannot be read as YAML: Unresolved tag: tag:yaml.org,2002:js/regexp'],
  ],
  [
    'a control character',
    'people:\n  a\u001b[2J: {}\n',
    [
      'a.yaml:2:4: error: the character "\\u001b" may not stand in a YAML file; in a text with double quotes write it as \\x… or \\u…',
    ],
  ],
  ['an alias of nothing', 'people: *all\n', ['a.yaml:1:9: error: *all stands for nothing: no &all comes before it']],
  ['a key that is a list', '[a, b]: c\n', ['a.yaml:1:1: error: a key must be text, not a list']],
  [
    'a merge key',
    'people:\n  a: { <<: { mail: a@x.org }, mail: b@x.org }\n',
    [
      'a.yaml:2:8: error: unknown key "<<" in a person (there are: mail, also, jid, operator, skills, capacity, hours, duty, quiet, zone, language, phone, absent)',
    ],
  ],
];

describe('mistakes', () => {
  test.each(mistakes)('%s', (_title, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
    const isError = problems.some((problem) => problem.includes(': error: '));
    expect(parseRules([{ name: 'a.yaml', text }]).rules === undefined).toBe(isError);
  });

  test('all of them at once, in all files, in order', () => {
    expect(
      problemsOf('people: { a: { mail: a } }\ngroups: { g: { address: g } }\n', 'people: { a: { mail: b@x.org } }\n'),
    ).toEqual([
      'a.yaml:1:22: error: "a" is not a mail address such as alice@example.org',
      'a.yaml:2:11: warning: the group "g" has no policy, so nobody hears of mail that is not read; name one, or say "policy: none"',
      'a.yaml:2:11: warning: the group "g" has no fallback: when nobody is eligible, mail goes on to the group\'s own address; name one, or say "fallback: unchanged"',
      'a.yaml:2:14: error: a group needs the key "members": a list, each a name',
      'a.yaml:2:25: error: "g" is not a mail address such as alice@example.org',
      'b.yaml:1:11: error: the person "a" is defined a second time; the first is at a.yaml:1',
    ]);
  });

  test('a name is not reported as unknown while a file cannot be read', () => {
    expect(problemsOf(bare('address: g@x.org, members: [zoe]'), 'people: "zoe\n')).toEqual([
      'b.yaml:2:1: error: cannot be read as YAML: Missing closing "quote',
    ]);
  });

  test('what is quoted cannot move the cursor', () => {
    expect(problemsOf('people: { a: { mail: "\\e[2J\\u202ex\\x9b" } }\n')).toEqual([
      'a.yaml:1:22: error: "\\u001b[2J\\u{202e}x\\u{9b}" is not a mail address such as alice@example.org',
    ]);
  });
});

describe('limits', () => {
  test.each([
    ['the size of a file', `#${'x'.repeat(1_000_000)}`, 'is larger than 1000000 octets'],
    ['open brackets', '['.repeat(500_000), 'maps and lists may be at most 32 deep'],
    ['depth', `people: ${'[ '.repeat(40)}${'] '.repeat(40)}`, 'maps and lists may be at most 32 deep'],
    ['depth of blocks', '- '.repeat(5_000), 'maps and lists may be at most 32 deep'],
    ['an anchor in itself', 'people: &a [*a]\n', 'maps and lists may be at most 32 deep'],
    ['an alias bomb', bomb(), 'more than 100000 values once its aliases are followed'],
  ])('%s', (_title, text, words) => {
    const problems = problemsOf(text);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.length).toBeLessThanOrEqual(10);
    expect(problems.join('\n')).toContain(words);
  });

  test('anchors within the limits are followed', () => {
    const text = `people: { a: { mail: a@x.org } }
groups:
  g: { address: g@x.org, members: &all [a], policy: none, fallback: unchanged }
  h: { address: h@x.org, members: *all, policy: none, fallback: unchanged }
`;
    expect(expectRules(text).groups.get('h')?.members).toEqual(['a']);
  });

  test('twenty thousand people take less than quadratic time', () => {
    const text = `people:\n${Array.from({ length: 20_000 }, (_, n) => `  p${n}: { mail: p${n}@x.org }\n`).join('')}`;
    expect(expectRules(text).people.size).toBe(20_000);
  });
});

function bomb(): string {
  const names = 'abcdefghij';
  const lines = [...names].map((name, index) => {
    const inner = index === 0 ? 'x' : `*${names[index - 1]}`;
    return `${name}: &${name} [${Array(9).fill(inner).join(', ')}]`;
  });
  return `${lines.join('\n')}\n`;
}
