// The section "directory": defaults for each kind, and every mistake with its place and words.
import { describe, expect, test } from 'vitest';
import { minute } from '../../../src/clock.ts';
import { parseConfig } from '../../../src/config.ts';
import { formatProblem } from '../../../src/routing/problem.ts';

const needed =
  'hostname: pm.example.org\nstate: /var/lib/pointsman\nrules: rules\nnextHops: { default: mail.example.org:25 }\n';
const read = (text: string) =>
  parseConfig(`${needed}directory:\n${text}`, {
    file: 'pointsman.yaml',
    folder: '/etc/pointsman',
    readSecret: () => ({ value: 'secret\n' }),
    readFile: (path) =>
      path.endsWith('.pem')
        ? { value: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' }
        : { wrong: 'cannot be read: ENOENT' },
  });
const problems = (text: string) => read(text).problems.map(formatProblem);

describe('a directory', () => {
  test('in LDAP with hardly anything said', () => {
    const { config, problems } = read('  ldap: { servers: ldap.example.org, base: "dc=example,dc=org" }');
    expect(problems).toEqual([]);
    expect(config?.directory).toMatchObject({
      refresh: 5 * minute,
      mostGone: 0.2,
      source: {
        kind: 'ldap',
        servers: [{ host: 'ldap.example.org', port: 636 }],
        tls: 'verify',
        ca: null,
        bind: null,
        base: 'dc=example,dc=org',
        people: { base: 'dc=example,dc=org', schema: { filter: '(objectClass=inetOrgPerson)' } },
        groups: [],
        page: 500,
      },
    });
  });

  test('in LDAP with everything said', () => {
    const { config, problems } = read(`  refresh: 30s
  mostGone: 50 %
  ldap:
    servers: [a.example.org, "b.example.org:3890"]
    tls: starttls
    caFile: ca.pem
    bindDn: cn=reader,dc=example,dc=org
    passwordFile: /etc/pointsman/ldap-password
    base: dc=example,dc=org
    people: { schema: activeDirectory, filter: (mail=*), attributes: { jid: [xmpp, jabberID], zone: timezone } }
    groups:
      - { schema: posixGroup, base: "ou=unix,dc=example,dc=org" }
      - { schema: nisMailAlias, filter: (cn=duty*), members: mgrpRFC822MailMember }
    page: 100
    timeout: 3s
`);
    expect(problems).toEqual([]);
    expect(config?.directory).toMatchObject({
      mostGone: 0.5,
      source: {
        servers: [{ port: 389 }, { port: 3890 }],
        ca: expect.stringContaining('BEGIN CERTIFICATE'),
        bind: { dn: 'cn=reader,dc=example,dc=org', password: 'secret' },
        people: {
          schema: {
            filter: '(mail=*)',
            attributes: {
              name: ['sAMAccountName'],
              jid: ['xmpp', 'jabberID'],
              zone: ['timezone'],
              memberOf: ['memberOf'],
            },
          },
        },
        groups: [
          { base: 'ou=unix,dc=example,dc=org', schema: { members: ['memberUid'], by: 'name' } },
          {
            base: 'dc=example,dc=org',
            schema: { filter: '(cn=duty*)', members: ['mgrpRFC822MailMember'], by: 'alias' },
          },
        ],
      },
    });
  });

  test('in a file, from a program; and only shown', () => {
    expect(read('  file: people.csv').config?.directory?.source).toEqual({
      kind: 'file',
      path: '/etc/pointsman/people.csv',
    });
    expect(read('  command: [/usr/bin/people, --json]').config?.directory?.source).toMatchObject({
      command: ['/usr/bin/people', '--json'],
    });
    const shown = read('  view: { listen: "127.0.0.1:3890", base: "ou=presence,dc=example,dc=org" }').config;
    expect(shown?.directory).toBeUndefined();
    expect(shown?.view).toEqual({
      host: '127.0.0.1',
      port: 3890,
      base: 'ou=presence,dc=example,dc=org',
      anonymous: false,
    });
  });

  test.each([
    [
      '  refresh: 5m',
      'pointsman.yaml:6:3: error: say where people are read from (ldap, file or command), or where they are shown (view)',
    ],
    [
      '  file: a.csv\n  command: [/x]',
      'pointsman.yaml:6:3: error: people are read from one place; here are file and command',
    ],
    [
      '  command: [people]',
      'pointsman.yaml:6:12: error: the first word must be the absolute path of a program; no shell is asked',
    ],
    ['  mostGone: 200%\n  file: x', 'pointsman.yaml:6:13: error: "200%" is not a share such as 20%'],
    [
      '  ldap: { servers: "ldaps://x", base: "dc=a" }',
      'pointsman.yaml:6:20: error: "ldaps://x" is a URL; write the host alone, and say "tls"',
    ],
    [
      '  ldap: { servers: x.example.org, base: "dc" }',
      'pointsman.yaml:6:41: error: "dc" is not a DN such as dc=example,dc=org',
    ],
    [
      '  ldap: { servers: x.example.org, tls: none, base: "dc=a" }',
      'pointsman.yaml:6:9: error: without TLS anybody on the way could read it or change who gets mail; say tls: starttls or tls: verify',
    ],
    [
      '  ldap: { servers: x.example.org, base: "dc=a", people: { filter: (mail=* } }',
      'pointsman.yaml:6:67: error: "(mail=*" is not an LDAP filter: a ")" is missing (character 8)',
    ],
    [
      '  ldap: { servers: x.example.org, base: "dc=a", bindDn: "cn=x" }',
      'pointsman.yaml:6:9: error: the account of the directory has exactly one of passwordFile, passwordCredential; here is neither',
    ],
    [
      '  ldap: { servers: x.example.org, base: "dc=a", passwordFile: x }',
      'pointsman.yaml:6:9: error: "bind: anonymous" takes neither bindDn nor a password',
    ],
    [
      '  ldap: { servers: x.example.org, base: "dc=a", bind: external }',
      'pointsman.yaml:6:9: error: "bind: external" needs certFile and keyFile: the server knows us by them',
    ],
    [
      '  ldap: { servers: x.example.org, base: "dc=a", caFile: ca.txt }',
      'pointsman.yaml:6:57: error: "ca.txt" cannot be read: ENOENT',
    ],
    [
      '  ldap: { servers: x.example.org, base: "dc=a", password: x }',
      'pointsman.yaml:6:49: error: a password does not stand in this file; put it in a file of mode 0600 and name that as "passwordFile"',
    ],
    [
      '  ldap: { servers: x.example.org, base: "dc=a", groups: { schema: posix } }',
      'pointsman.yaml:6:67: error: "posix" is not one of groupOfNames, posixGroup, nisMailAlias, activeDirectory',
    ],
    [
      '  view: { listen: "0.0.0.0:3890", base: "dc=a" }',
      'pointsman.yaml:6:19: error: "0.0.0.0:3890" is not a loopback address, and these pages ask for no password',
    ],
  ])('%s', (text, problem) => expect(problems(text)[0]).toBe(problem));
});
