import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildDirectory, type GroupDraft, nameFrom, type PersonDraft } from '../../../src/directory/build.ts';
import { dnKey } from '../../../src/directory/dn.ts';

const person = (name: string, mail = `${name}@example.org`, more: Partial<PersonDraft> = {}): PersonDraft => ({
  id: `uid=${name},ou=people,dc=example,dc=org`,
  key: dnKey(`uid=${name},ou=people,dc=example,dc=org`),
  names: [name],
  mails: [mail],
  ...more,
});
const group = (name: string, members: GroupDraft['members'], more: Partial<GroupDraft> = {}): GroupDraft => ({
  id: `cn=${name},ou=groups,dc=example,dc=org`,
  key: dnKey(`cn=${name},ou=groups,dc=example,dc=org`),
  names: [name],
  members,
  ...more,
});
const byDn = (name: string, of = 'people') => ({
  by: 'id' as const,
  value: dnKey(`${of === 'people' ? 'uid' : 'cn'}=${name},ou=${of},dc=example,dc=org`),
});

describe('people', () => {
  test('keep what the directory says of them', () => {
    const { directory, flaws } = buildDirectory(
      [
        person('alice', 'alice@example.org', {
          mails: ['alice@example.org', 'a.smith@example.org', 'ALICE@example.org'],
          jid: 'alice@chat.example.org',
          skills: ['German', 'billing & more'],
          zone: 'Europe/Berlin',
          language: 'de-DE, en;q=0.5',
          phone: '+49 30 1234',
          absentFrom: '20261224000000Z',
          absentTo: '2027-01-06',
          substitute: 'bob',
        }),
        person('bob'),
      ],
      [],
    );
    expect(flaws).toEqual([]);
    expect(directory.people[0]).toEqual({
      id: 'uid=alice,ou=people,dc=example,dc=org',
      name: 'alice',
      mail: 'alice@example.org',
      also: ['a.smith@example.org'],
      jid: 'alice@chat.example.org',
      skills: ['german', 'billing-more'],
      zone: 'Europe/Berlin',
      language: 'de',
      phone: '+49 30 1234',
      absent: { from: '2026-12-24', to: '2027-01-06', substitute: 'bob' },
    });
  });

  test.each([
    ['no address', { mails: [] }, 'has no mail address'],
    ['a broken address', { mails: ['foo@@bar baz'] }, '"foo@@bar baz" is not a mail address that can be used'],
    ['a name of nothing', { names: ['***'] }, '"***" cannot be made a name of'],
    ['no name', { names: [] }, 'has no name'],
    ['a JID with a resource', { jid: 'x@y.example/phone' }, '"x@y.example/phone" is not a JID without a resource'],
  ])('with %s are left out, and said to be', (_, more, text) => {
    const { directory, flaws } = buildDirectory([person('eve', 'eve@example.org', more), person('bob')], []);
    expect(directory.people.map(({ name }) => name)).toEqual(['bob']);
    expect(flaws).toEqual([{ id: 'uid=eve,ou=people,dc=example,dc=org', text }]);
  });

  test('of two with one name, or one address, the same one counts whatever order they come in', () => {
    const all = [
      person('bob', 'bob@example.org'),
      person('BOB ', 'other@example.org'),
      person('ann', 'Bob@example.org'),
    ];
    for (const order of [all, [...all].reverse()]) {
      const { directory, flaws } = buildDirectory(order, []);
      expect(directory.people.map(({ name, mail }) => [name, mail])).toEqual([
        ['ann', 'Bob@example.org'],
        ['bob', 'other@example.org'],
      ]);
      expect(flaws).toHaveLength(1);
    }
  });

  test('names are fit for rules', () => {
    expect(nameFrom('Jürgen Groß')).toBe('jurgen-gross');
    expect(nameFrom('CORP\\alice')).toBe('corp-alice');
    expect(nameFrom('a'.repeat(80))).toBe('a'.repeat(64));
    expect(nameFrom('山田')).toBeUndefined();
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const name = nameFrom(text);
        expect(name === undefined || /^[a-z0-9][a-z0-9_.-]{0,63}$/.test(name)).toBe(true);
      }),
    );
  });
});

describe('members', () => {
  test('are found by DN however it is written, by login name, by address and by alias', () => {
    const people = [person('alice'), person('bob'), person('carol')];
    const { directory } = buildDirectory(people, [
      group('dn', [{ by: 'id', value: dnKey('UID=Alice , OU=people,dc=example, dc=ORG') }]),
      group('posix', [
        { by: 'name', value: 'BOB' },
        { by: 'name', value: 'alice' },
      ]),
      group('alias', [
        { by: 'alias', value: 'CAROL@example.org' },
        { by: 'alias', value: 'posix' },
        { by: 'alias', value: 'guest@partner.example' },
      ]),
    ]);
    expect(directory.groups.map(({ name, members }) => [name, members])).toEqual([
      ['dn', ['alice']],
      ['posix', ['bob', 'alice']],
      ['alias', ['carol', 'bob', 'alice', 'guest']],
    ]);
    expect(directory.people.at(-1)).toEqual({
      id: 'guest@partner.example',
      name: 'guest',
      mail: 'guest@partner.example',
    });
  });

  test('of groups in groups count once, circles too; memberOf is read backwards', () => {
    const { directory } = buildDirectory(
      [person('alice'), person('bob', undefined, { memberOf: [byDn('inner', 'groups').value] })],
      [
        group('outer', [byDn('inner', 'groups'), byDn('alice')]),
        group('inner', [byDn('outer', 'groups'), byDn('alice')]),
      ],
    );
    expect(directory.groups.map(({ members }) => members)).toEqual([
      ['alice', 'bob'],
      ['alice', 'bob'],
    ]);
  });

  test('that cannot be used are named with the reason', () => {
    const { directory } = buildDirectory(
      [person('alice'), person('eve', 'nonsense')],
      [group('duty', [byDn('alice'), byDn('eve'), byDn('ghost')])],
    );
    expect(directory.groups[0]?.missing).toEqual([
      '"uid=eve,ou=people,dc=example,dc=org" "nonsense" is not a mail address that can be used',
      '"uid=ghost,ou=people,dc=example,dc=org" is nobody that was read',
    ]);
  });

  test('nothing a source says can make it throw', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.constantFrom('__proto__', 'constructor', '*)(uid=*', 'a@b'),
    );
    const draft = fc.record({
      id: text,
      key: text,
      names: fc.array(text),
      mails: fc.array(text),
      memberOf: fc.array(text),
    });
    const ref = fc.record({ by: fc.constantFrom('id' as const, 'name' as const, 'alias' as const), value: text });
    const groups = fc.record({
      id: text,
      key: text,
      names: fc.array(text),
      members: fc.array(ref),
      memberOf: fc.array(text),
    });
    fc.assert(
      fc.property(fc.array(draft, { maxLength: 8 }), fc.array(groups, { maxLength: 5 }), (people, some) => {
        const { directory } = buildDirectory(people, some);
        const names = directory.people.map(({ name }) => name);
        expect(new Set(names).size).toBe(names.length);
        for (const { members } of directory.groups) for (const member of members) expect(names).toContain(member);
      }),
    );
  });
});
