// pointsman.yaml: what is read from a good file, and for each mistake the exact place and words.
import { describe, expect, test } from 'vitest';
import { day, hour, minute } from '../../../src/clock.ts';
import { type ConfigSurroundings, parseConfig, type SecretSource } from '../../../src/config.ts';
import { formatProblem } from '../../../src/routing/problem.ts';

const surroundings: ConfigSurroundings = {
  file: 'pointsman.yaml',
  folder: '/etc/pointsman',
  readSecret: (source: SecretSource) => ({
    value: `secret of ${source.kind === 'file' ? source.path : source.name}\n`,
  }),
  readFile: (path) =>
    path.endsWith('.pem')
      ? { value: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' }
      : { wrong: 'cannot be read: ENOENT' },
};

const needed =
  'hostname: pm.example.org\nstate: /var/lib/pointsman\nrules: rules\nnextHops: { default: mail.example.org:25 }\n';

const problemsOf = (text: string, changes: Partial<ConfigSurroundings> = {}): string[] =>
  parseConfig(text, { ...surroundings, ...changes }).problems.map(formatProblem);

describe('a good file', () => {
  test('with nothing but what is needed: safe defaults', () => {
    expect(parseConfig(needed, surroundings)).toEqual({
      config: {
        hostname: 'pm.example.org',
        state: '/var/lib/pointsman',
        rules: '/etc/pointsman/rules',
        listen: [{ host: '127.0.0.1', port: 2525, carriesMembers: false }],
        http: { host: '127.0.0.1', port: 8025, hosts: [] },
        peers: [],
        domains: [],
        nextHops: {
          default: { name: 'default', host: 'mail.example.org', port: 25, tls: 'verify', maxConnections: 10 },
          byDomain: new Map(),
        },
        size: 50_000_000,
        queue: {
          lifetime: 5 * day,
          firstRetry: 5 * minute,
          longestRetry: 4 * hour,
          keepContent: 7 * day,
          keepHistory: 30 * day,
          onReload: 'finish',
          reportLifetime: 2 * day,
          delayNotice: 4 * hour,
        },
        postmaster: null,
        limits: { messages: null, recipients: null, most: 1_000_000, leastFree: 100_000_000 },
        reports: { languages: [] },
        xmpp: null,
        operators: null,
        evidence: null,
        imap: null,
        presence: { up: 3_000, down: 20_000, rooms: [], readStatusIn: null, keep: 2_592_000_000 },
        log: { level: 'info', pretty: null },
      },
      problems: [],
    });
  });

  test('with everything', () => {
    const text = `hostname: PM.example.org
state: ./state
rules: /srv/rules
listen: ['[::1]:2525', { address: 10.0.0.5:25, carries: members }, localhost:0]
http: '[::1]:0'
peers: [127.0.0.1, { address: 10.0.0.0/8, carries: members }, '2001:db8::/32']
domains: [Example.org, example.org, example.com]
nextHops:
  default: 127.0.0.1:10026
  Example.com: { host: mx.example.com, port: 465, tls: encrypt, maxConnections: 3 }
  v6.example: '[2001:db8::1]:25'
size: 1MiB
limits: { connectionsPerPeer: 50, messagesPerMinute: 600 }
queue: { lifetime: 2d, firstRetry: 1m, keepHistory: 90d, reportLifetime: 1d, delayNotice: none, onReload: replan }
reports: { languages: [de, en] }
xmpp:
  jid: Pointsman@chat.example.org
  resource: relay-1
  passwordFile: xmpp.password
  server: chat.example.org:5223
  caFile: ca.pem
  nick: Points
  rate: 10kB
evidence:
  domain: Track.example.org
  imap: { server: '[::1]:143', user: '{mail}*pm', passwordFile: imap.password }
log: { level: debug, pretty: false }
`;
    const { config, problems } = parseConfig(text, surroundings);
    expect(problems).toEqual([]);
    expect(config).toEqual({
      hostname: 'pm.example.org',
      state: '/etc/pointsman/state',
      rules: '/srv/rules',
      listen: [
        { host: '::1', port: 2525, carriesMembers: false },
        { host: '10.0.0.5', port: 25, carriesMembers: true },
        { host: 'localhost', port: 0, carriesMembers: false },
      ],
      http: { host: '::1', port: 0, hosts: [] },
      peers: [
        { network: '127.0.0.1', carriesMembers: false },
        { network: '10.0.0.0/8', carriesMembers: true },
        { network: '2001:db8::/32', carriesMembers: false },
      ],
      domains: ['example.org', 'example.com'],
      nextHops: {
        default: { name: 'default', host: '127.0.0.1', port: 10026, tls: 'none', maxConnections: 10 },
        byDomain: new Map([
          [
            'example.com',
            { name: 'Example.com', host: 'mx.example.com', port: 465, tls: 'encrypt', maxConnections: 3 },
          ],
          ['v6.example', { name: 'v6.example', host: '2001:db8::1', port: 25, tls: 'verify', maxConnections: 10 }],
        ]),
      },
      size: 1_048_576,
      queue: {
        lifetime: 2 * day,
        firstRetry: minute,
        longestRetry: 4 * hour,
        keepContent: 7 * day,
        keepHistory: 90 * day,
        onReload: 'replan',
        reportLifetime: day,
        delayNotice: null,
      },
      postmaster: null,
      limits: {
        messages: 600,
        recipients: null,
        door: { connectionsPerPeer: 50 },
        most: 1_000_000,
        leastFree: 100_000_000,
      },
      reports: { languages: ['de', 'en'] },
      xmpp: {
        jid: 'pointsman@chat.example.org',
        resource: 'relay-1',
        password: 'secret of /etc/pointsman/xmpp.password',
        server: { host: 'chat.example.org', port: 5223 },
        tls: 'required',
        ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
        nick: 'Points',
        rate: 10_000,
      },
      operators: null,
      evidence: { domain: 'track.example.org' },
      imap: {
        host: '::1',
        port: 143,
        tls: 'none',
        ca: null,
        user: '{mail}*pm',
        password: 'secret of /etc/pointsman/imap.password',
        folder: 'INBOX',
        connections: 20,
      },
      presence: { up: 3_000, down: 20_000, rooms: [], readStatusIn: null, keep: 2_592_000_000 },
      log: { level: 'debug', pretty: false },
    });
    for (const part of [
      config,
      config?.listen,
      config?.listen[0],
      config?.nextHops.byDomain.get('example.com'),
      config?.xmpp,
    ])
      expect(Object.isFrozen(part)).toBe(true);
  });

  test('a systemd credential', () => {
    const text = `${needed}xmpp: { jid: a@b.example, passwordCredential: xmpp-password }\n`;
    expect(parseConfig(text, surroundings).config?.xmpp?.password).toBe('secret of xmpp-password');
  });

  test.each([
    ['65536', 65_536],
    ['512kB', 512_000],
    ['512 kB', 512_000],
    ['25MB', 25_000_000],
    ['25MiB', 26_214_400],
  ])('size: %s', (size, octets) => {
    expect(parseConfig(`${needed}size: ${size}\n`, surroundings).config?.size).toBe(octets);
  });
});

// Each: what stands in line 5, after what is needed, and every problem that must be found.
const account = (text: string) => `xmpp: { jid: a@b.example, ${text} }`;
const mistakes: readonly (readonly [title: string, line: string, problems: readonly string[]])[] = [
  ['an unknown key', 'lisen: []', ['5:1: error: unknown key "lisen" in the configuration (did you mean "listen"?)']],
  ['a key twice', 'state: /tmp', ['5:1: error: "state" stands here a second time; the first is in line 2']],
  ['no listener at all', 'listen: []', ['5:9: error: the list is empty; name at least one address to listen on']],
  [
    'a listener that is no list',
    'listen: 127.0.0.1:25',
    [
      '5:9: error: "127.0.0.1:25" is not a list of listeners, each an address and port such as 127.0.0.1:2525 or [::1]:2525',
    ],
  ],
  [
    'a listener without a port',
    'listen: [127.0.0.1]',
    ['5:10: error: "127.0.0.1" is not an address and port such as 127.0.0.1:2525 or [::1]:2525'],
  ],
  [
    'a port too high',
    "listen: ['127.0.0.1:65536']",
    ['5:10: error: "127.0.0.1:65536" is not an address and port such as 127.0.0.1:2525 or [::1]:2525'],
  ],
  [
    'IPv6 without brackets',
    "listen: ['::1:25']",
    ['5:10: error: "::1:25" is not an address and port such as 127.0.0.1:2525 or [::1]:2525'],
  ],
  [
    'an address that is none',
    "listen: ['127.0.0.256:25']",
    ['5:10: error: "127.0.0.256:25" is not an address and port such as 127.0.0.1:2525 or [::1]:2525'],
  ],
  [
    'a name to listen on',
    "listen: ['pm.example.org:25']",
    [
      '5:10: error: "pm.example.org:25" is not an address and port such as 127.0.0.1:2525 or [::1]:2525: a name may stand for another address tomorrow',
    ],
  ],
  [
    'a listener twice',
    "listen: ['127.0.0.1:25', '127.0.0.1:25']",
    ['5:26: error: "127.0.0.1" with port 25 stands twice'],
  ],
  ['carries what', "listen: [{ address: '127.0.0.1:25', carries: all }]", ['5:46: error: "all" is not members']],
  [
    'open to others without peers',
    "listen: ['0.0.0.0:25']",
    [
      '5:10: error: "0.0.0.0" can be reached from other machines, but there are no peers, so nobody may relay; list the addresses of your mail servers under "peers"',
    ],
  ],
  [
    'open to others with an empty list',
    "{ listen: ['[::]:25'], peers: [] }",
    [
      '5:31: error: "::" can be reached from other machines, but there are no peers, so nobody may relay; list the addresses of your mail servers under "peers"',
    ],
  ],
  [
    'http for everybody',
    'http: 0.0.0.0:8025',
    ['5:7: error: "0.0.0.0:8025" is not a loopback address, and these pages ask for no password'],
  ],
  [
    'a peer by name',
    'peers: [mail.example.org]',
    ['5:9: error: "mail.example.org" is not an IP address or network such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32'],
  ],
  [
    'everybody a peer',
    "peers: ['0.0.0.0/0']",
    ['5:9: error: "0.0.0.0/0" is everybody; name the networks of the mail servers that may relay'],
  ],
  ['host bits', 'peers: [10.1.2.3/8]', ['5:9: error: "10.1.2.3/8" has host bits set; the network is 10.0.0.0/8']],
  [
    'a prefix too long',
    'peers: [10.0.0.0/33]',
    ['5:9: error: "10.0.0.0/33" is not an IP address or network such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32'],
  ],
  [
    'a pattern of domains',
    "domains: ['*.example.org']",
    ['5:11: error: "*.example.org" is a pattern; name each domain by itself'],
  ],
  ['too small', 'size: 10kB', ['5:7: error: "10kB" is less than 65536 octets']],
  ['too large', 'size: 2000MB', ['5:7: error: "2000MB" is more than 500000000 octets']],
  ['a unit that is none', 'size: 10GB', ['5:7: error: "10GB" is not a size such as 25MB or 512kB']],
  ['retries that never begin', 'queue: { firstRetry: 5h }', ['5:8: error: "firstRetry" is longer than "longestRetry"']],
  ['retries after the end', 'queue: { lifetime: 1h }', ['5:8: error: "longestRetry" is longer than "lifetime"']],
  [
    'a lifetime of nothing',
    'queue: { lifetime: 0s }',
    ['5:20: error: "0s" is not a duration such as 90s, 10m, 1h30m or 5d'],
  ],
  ['a log level', 'log: { level: warning }', ['5:15: error: "warning" is not one of debug, info, warn, error']],
  [
    'an account without a JID',
    'xmpp: { passwordFile: p }',
    ['5:7: error: the xmpp account needs the key "jid": a JID such as pointsman@chat.example.org'],
  ],
  [
    'a JID with a resource',
    'xmpp: { jid: a@b.example/c, passwordFile: p }',
    ['5:14: error: "a@b.example/c" has a resource; write a@b.example, and the resource as "resource"'],
  ],
  [
    'no password',
    'xmpp: { jid: a@b.example }',
    ['5:7: error: the xmpp account has exactly one of passwordFile, passwordCredential; here is neither'],
  ],
  [
    'two passwords',
    account('passwordFile: p, passwordCredential: q'),
    ['5:7: error: the xmpp account has exactly one of passwordFile, passwordCredential; here is both'],
  ],
  [
    'a password in the file',
    account('password: hunter2'),
    [
      '5:27: error: a password does not stand in this file; put it in a file of mode 0600 and name that as "passwordFile"',
    ],
  ],
  [
    'TLS switched off',
    account('passwordFile: p, tls: none'),
    ['5:44: error: TLS cannot be switched off; a server with a certificate of its own authority needs "caFile"'],
  ],
  [
    'a credential that is a path',
    account('passwordCredential: ../p'),
    ['5:47: error: "../p" is not the name of a systemd credential'],
  ],
  [
    'an authority that is not there',
    account('passwordFile: p, caFile: ca.crt'),
    ['5:52: error: "ca.crt" cannot be read: ENOENT'],
  ],
];

describe('mistakes', () => {
  test.each(mistakes)('%s', (_title, line, problems) => {
    // A line in braces is a whole file in flow style.
    const text = line.startsWith('{')
      ? `\n\n\n\n${line.slice(0, -2)}, hostname: a.b, state: s, rules: r, nextHops: { default: 'a.b:25' } }\n`
      : `${needed}${line}\n`;
    expect(problemsOf(text)).toEqual(problems.map((problem) => `pointsman.yaml:${problem}`));
    expect(parseConfig(text, surroundings).config).toBeUndefined();
  });

  test.each([
    ['', 'pointsman.yaml:1:1: error: the file is empty; "pointsman init" writes one'],
    ['# nothing\n', 'pointsman.yaml:1:1: error: the file is empty; "pointsman init" writes one'],
  ])('an empty file', (text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });

  test('all that is missing', () => {
    expect(problemsOf('log: {}\n')).toEqual([
      'pointsman.yaml:1:1: error: the configuration needs the key "hostname": a host name such as pointsman.example.org',
      'pointsman.yaml:1:1: error: the configuration needs the key "state": the path of a folder',
      'pointsman.yaml:1:1: error: the configuration needs the key "rules": the path of a folder',
      'pointsman.yaml:1:1: error: the configuration needs the key "nextHops": a map from "default" and domains to next hops',
    ]);
  });

  test('next hops', () => {
    const text =
      'hostname: a.b\nstate: s\nrules: r\nnextHops:\n  a b: x.y:25\n  x.org: x.y\n  y.org: { port: 0, tls: off }\n';
    expect(problemsOf(text)).toEqual([
      'pointsman.yaml:5:3: error: "a b" is neither "default" nor a domain',
      'pointsman.yaml:5:3: error: nextHops needs the key "default": where mail goes that no domain here names',
      'pointsman.yaml:6:10: error: "x.y" is not a host and port such as mail.example.org:25 or [::1]:25',
      'pointsman.yaml:7:3: error: the next hop "y.org" has exactly one of host and socket',
      'pointsman.yaml:7:18: error: "0" is not a whole number from 1 to 65535',
      'pointsman.yaml:7:26: error: "off" is not one of none, may, encrypt, verify',
    ]);
  });

  test('next hops of every kind', () => {
    const text = `hostname: a.b
state: s
rules: r
nextHops:
  default: { socket: lmtp, protocol: lmtp }
  x.org: { host: x.org, user: ann, passwordFile: p, caFile: ca, fallbacks: ['y.org:26'] }
  z.org: { host: z.org, pins: ['${Array(32).fill('ab').join(':')}'] }
`;
    const { config, problems } = parseConfig(text, {
      ...surroundings,
      readSecret: () => ({ value: 'secret\n' }),
      readFile: () => ({ value: '-----BEGIN CERTIFICATE-----' }),
    });
    expect(problems).toEqual([]);
    expect(config?.nextHops.default).toMatchObject({ socket: '/etc/pointsman/lmtp', protocol: 'lmtp', tls: 'none' });
    expect(config?.nextHops.byDomain.get('x.org')).toMatchObject({
      auth: { user: 'ann', password: 'secret' },
      ca: '-----BEGIN CERTIFICATE-----',
      tls: 'verify',
      fallbacks: [{ host: 'y.org', port: 26, auth: { user: 'ann' }, tls: 'verify' }],
    });
    expect(config?.nextHops.byDomain.get('z.org')?.pins).toEqual([Array(32).fill('AB').join(':')]);
    const open =
      'hostname: a.b\nstate: s\nrules: r\nnextHops:\n  default: { host: x.org, tls: may, user: ann, passwordFile: p }\n';
    expect(problemsOf(open)).toContainEqual(expect.stringContaining('a password goes only where tls is verify'));
  });

  test.each([
    ['\n', 'holds nothing; it must hold the password alone'],
    ['one\ntwo\n', 'holds more than one line; it must hold the password alone'],
  ])('a password file with %j', (value, words) => {
    const text = `${needed}${account('passwordFile: p')}\n`;
    expect(problemsOf(text, { readSecret: () => ({ value }) })).toEqual([`pointsman.yaml:5:41: error: "p" ${words}`]);
  });

  test('our own certificate: both files, and what is in them', () => {
    const key = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';
    const readSecret = () => ({ value: key });
    const text = `${needed}tls: { certFile: tls/cert.pem, keyFile: tls/key.pem }\n`;
    expect(parseConfig(text, { ...surroundings, readSecret }).config?.tls).toEqual({
      certFile: '/etc/pointsman/tls/cert.pem',
      keyFile: '/etc/pointsman/tls/key.pem',
    });
    expect(parseConfig(needed, surroundings).config?.tls).toBeUndefined();
    const wrong = (tls: string, secret: string) =>
      problemsOf(`${needed}tls: ${tls}\n`, { readSecret: () => ({ value: secret }) });
    expect(wrong('{ certFile: c.pem }', key)).toEqual([expect.stringMatching(/keyFile/)]);
    expect(wrong('{ certFile: c.pem, keyFile: k.pem }', key.replaceAll('PRIVATE', 'ENCRYPTED PRIVATE'))).toEqual([
      'pointsman.yaml:5:34: error: "k.pem" holds no private key in PEM form without a password',
    ]);
    expect(wrong('{ certFile: missing, keyFile: k.pem }', key)).toEqual([
      'pointsman.yaml:5:18: error: "missing" cannot be read: ENOENT',
    ]);
  });

  test('a secret is in no problem', () => {
    const text = `${needed}${account('passwordFile: p, password: hunter2, passwort: hunter2')}\n`;
    const shown = problemsOf(text, { readSecret: () => ({ value: 'hunter2\nhunter2' }) }).join('\n');
    expect(shown).toContain('unknown key "passwort"');
    expect(shown).not.toContain('hunter2');
  });
});
