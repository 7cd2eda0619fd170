// Rule files laid over a directory: who is whom, whose word counts, what gives way, and that the text between them can
// carry anything.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildDirectory } from '../../../src/directory/build.ts';
import type { Directory, DirectoryPerson } from '../../../src/directory/directory.ts';
import { fold } from '../../../src/directory/dn.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import { directoryText, usedGroups } from '../../../src/routing/directory-text.ts';
import { parseRules, type RuleText } from '../../../src/routing/parse.ts';
import { formatProblem } from '../../../src/routing/problem.ts';

const person = (name: string, more: Partial<DirectoryPerson> = {}): DirectoryPerson => ({
  id: `uid=${name},ou=people,dc=example,dc=org`,
  name,
  mail: expectMailbox(`${name}@example.org`),
  ...more,
});
const duty = { id: 'cn=Duty,ou=groups,dc=example,dc=org', name: 'duty', members: ['alice', 'bob'] };
const directory: Directory = {
  people: [person('alice', { skills: ['german'] }), person('bob'), person('carol'), person('dave')],
  groups: [duty, { id: 'cn=rest,dc=example,dc=org', name: 'rest', members: ['dave'] }],
};
const group = (members: string) =>
  `groups:\n  support:\n    address: support@example.org\n    fallback: unchanged\n    policy: none\n    members: ${members}\n`;

function load(text: string, known: Directory | null = directory) {
  const files: RuleText[] = [{ name: 'rules/10.yaml', text }];
  const all = known === null ? files : [...files, directoryText(files, known, 'ldap://ldap.example.org')];
  const { rules, problems } = parseRules(all, { ordered: true });
  return { rules, problems: problems.map(formatProblem), text: all[1]?.text ?? '' };
}

describe('a group of the directory', () => {
  test.each([
    '{ directory: duty }',
    '[{ directory: "CN=duty, OU=Groups, dc=example, dc=org" }]',
  ])('is its members: %s', (members) => {
    const { rules, problems, text } = load(group(members));
    expect(problems).toEqual([]);
    expect(rules?.groups.get('support')?.members).toEqual(['alice', 'bob']);
    expect(rules?.people.get('alice')).toMatchObject({
      mail: 'alice@example.org',
      jid: 'alice@example.org',
      skills: ['german'],
      directory: { id: 'uid=alice,ou=people,dc=example,dc=org', fields: ['mail', 'skills'] },
    });
    // Nobody else's data is taken along.
    expect(text).not.toMatch(/carol|dave/);
  });

  test('has ranks, and whom the file names has the one it says there', () => {
    const { rules } = load(group('[{ person: bob, weight: 3 }, { directory: duty, tier: 2 }, carol]'));
    expect(rules?.groups.get('support')).toMatchObject({
      members: ['bob', 'alice', 'carol'],
      ranks: { bob: { tier: 1, weight: 3 }, alice: { tier: 2, weight: 1 } },
    });
    expect(rules?.people.get('carol')?.mail).toBe('carol@example.org');
  });

  test('that is not there, was not read, or is empty', () => {
    expect(load(group('{ directory: dutty }')).problems).toEqual([
      'rules/10.yaml:6:27: error: ldap://ldap.example.org has no group "dutty" (there are: )'.replace(
        ' (there are: )',
        '',
      ),
    ]);
    const unread = load(group('{ directory: duty }'), null);
    expect(unread.problems[0]).toContain(
      '"duty" is a group of the directory, which was not read: nobody is in it here',
    );
    expect(unread.rules?.groups.get('support')?.members).toEqual([]);
    const empty = load(group('{ directory: duty }'), { ...directory, groups: [{ ...duty, members: [] }] });
    expect(empty.problems[0]).toContain('the group "duty" of the directory has no members that can be used');
    const twice = load(group('{ directory: duty }'), {
      ...directory,
      groups: [duty, { ...duty, id: 'cn=duty,o=other' }],
    });
    expect(twice.problems[0]).toContain(
      '"duty" is the name of "cn=Duty,ou=groups,dc=example,dc=org" and of "cn=duty,o=other"',
    );
  });

  test('either a person or a group', () => {
    expect(load(group('[{ person: bob, directory: duty }]')).problems[0]).toContain('here is both');
    expect(load(group('[{ tier: 2 }]')).problems[0]).toContain('here is neither');
  });
});

describe('a person', () => {
  const members = group('{ directory: duty }');

  test('of the files comes first, field by field, and is the same by name', () => {
    const { rules, problems } = load(`people:\n  alice: { capacity: 3, skills: [french], jid: none }\n${members}`);
    expect(problems.filter((text) => text.includes('error'))).toEqual([]);
    expect(rules?.people.get('alice')).toMatchObject({
      mail: 'alice@example.org',
      jid: null,
      skills: ['french'],
      capacity: 3,
      directory: { fields: ['mail'] },
    });
  });

  test('or by address: then the name of the file counts', () => {
    const { rules } = load(`people:\n  ally: { mail: ALICE@example.org }\n${members}`);
    expect(rules?.groups.get('support')?.members).toEqual(['ally', 'bob']);
    expect([...(rules?.people.keys() ?? [])]).toEqual(['ally', 'bob']);
    expect(rules?.people.get('ally')?.skills).toEqual(['german']);
  });

  test('without a mail address anywhere is a mistake of the file', () => {
    expect(load(`people:\n  zoe: { capacity: 3 }\n${members}`).problems).toEqual([
      'rules/10.yaml:2:8: error: a person needs the key "mail": a mail address such as alice@example.org',
    ]);
  });

  test('of the directory gives way where it would clash with the files', () => {
    const known: Directory = {
      people: [person('alice', { mail: expectMailbox('support@example.org') }), person('bob', { jid: null })],
      groups: [duty],
    };
    const { rules, problems } = load(members, known);
    expect(rules?.groups.get('support')?.members).toEqual(['bob']);
    expect(problems).toContain(
      'directory.json:2:1: warning: the address "support@example.org" of "uid=alice,ou=people,dc=example,dc=org" is that of a group: left out',
    );
    const twins = { ...directory, people: [person('alice'), person('bob', { jid: 'alice@example.org' as never })] };
    expect(load(members, twins).rules?.people.get('bob')?.jid).toBeNull();
  });

  test('has other addresses: they are theirs, but mail is not relayed there', async () => {
    const { isRelayed, indexOf } = await import('../../../src/routing/admission.ts');
    const known = {
      ...directory,
      people: [person('alice', { also: [expectMailbox('a@private.example')] }), person('bob')],
    };
    const { rules } = load(members, known);
    if (!rules) throw new Error('no rules');
    expect(indexOf(rules).personByAddress.get('a@private.example')?.name).toBe('alice');
    expect(isRelayed(expectMailbox('a@private.example'), rules, [])).toBe(false);
    expect(isRelayed(expectMailbox('alice@example.org'), rules, [])).toBe(true);
  });
});

describe('the version of the rules', () => {
  const text = group('{ directory: duty }');
  test('is another one when a member changes, and the same when somebody else does', () => {
    const before = load(text).rules?.version;
    const other = { ...directory, people: [...directory.people, person('erin')] };
    expect(load(text, other).rules?.version).toBe(before);
    expect(load(text, { ...directory, groups: [{ ...duty, members: ['bob'] }] }).rules?.version).not.toBe(before);
  });

  test('and the groups that count are known by the files', () => {
    expect([...usedGroups([{ name: 'a', text }], directory)]).toEqual([duty.id]);
  });
});

test('whatever a directory says, the rules are built or the directory gives way; no value becomes another field', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.constantFrom('"}}\n{"person":{"name":"root"', '__proto__', '\u2028', 'a: b', '*)(uid=*', '"alice"@example.org'),
  );
  const draft = fc.record({ name: hostile, mail: fc.oneof(hostile, fc.emailAddress()), skill: hostile });
  fc.assert(
    fc.property(fc.array(draft, { minLength: 1, maxLength: 6 }), (drafts) => {
      const { directory: built } = buildDirectory(
        drafts.map(({ name, mail, skill }) => ({
          id: `uid=${name}`,
          key: fold(name),
          names: [name],
          mails: [mail],
          skills: [skill],
        })),
        [
          {
            id: `cn=duty,${drafts[0]?.name}`,
            key: 'duty',
            names: ['duty'],
            members: drafts.map(({ name }) => ({ by: 'id', value: fold(name) })),
          },
        ],
      );
      const { rules, problems } = load(group('{ directory: duty }'), built);
      expect(problems.filter((text) => text.includes(': error: '))).toEqual([]);
      expect(rules?.groups.get('support')?.members).toEqual(built.groups[0]?.members);
      for (const { name, mail } of built.people) expect(rules?.people.get(name)?.mail).toBe(mail);
    }),
  );
});
