import { describe, expect, test } from 'vitest';
import type { Directory } from '../../../src/directory/directory.ts';
import { judge } from '../../../src/directory/judge.ts';
import { expectMailbox } from '../../../src/mail/path.ts';

const people = (...names: string[]): Directory['people'] =>
  names.map((name) => ({ id: `uid=${name}`, name, mail: expectMailbox(`${name}@example.org`) }));
const group = (name: string, ...members: string[]) => ({ id: `cn=${name}`, name, members });
const many = Array.from({ length: 20 }, (_, index) => `p${index}`);
const last: Directory = {
  people: people(...many),
  groups: [group('duty', 'p0', 'p1'), group('all', ...many), group('unused', 'p2')],
};
const used = new Set(['cn=duty', 'cn=all']);

describe('a change of the directory', () => {
  test('that is ordinary is taken over', () => {
    const next = {
      people: people(...many.slice(2), 'new'),
      groups: [group('duty', 'p2'), group('all', ...many.slice(2)), group('unused')],
    };
    expect(judge(last, next, used, 0.2)).toEqual({ directory: next, held: new Map() });
  });

  test('that empties a group the rules name is held back for that group alone', () => {
    const next = {
      people: people(...many.slice(1)),
      groups: [group('duty'), group('all', ...many.slice(1)), group('unused', 'p3')],
    };
    const { directory, held } = judge(last, next, used, 0.2);
    expect([...held]).toEqual([['duty', 'nobody is in it any more: p0, p1']]);
    expect(directory.groups).toContainEqual(group('duty', 'p0', 'p1'));
    expect(directory.groups).toContainEqual(group('unused', 'p3'));
    // Somebody who is gone from the directory, but in a group that is kept, is kept.
    expect(directory.people.map(({ name }) => name)).toContain('p0');
  });

  test('that removes a group is held back, whoever else is emptied is not', () => {
    const next = { people: last.people, groups: [group('all', ...many)] };
    expect([...judge(last, next, used, 0.2).held]).toEqual([['duty', 'the group is gone: p0, p1']]);
  });

  test('that takes a large part of a group is held back', () => {
    const next = { people: last.people, groups: [group('duty', 'p0', 'p1'), group('all', ...many.slice(5))] };
    expect([...judge(last, next, used, 0.2).held]).toEqual([['all', '5 of 20 members are gone: p0, p1, p2, p3, p4']]);
    expect(judge(last, next, used, 0.25).held.size).toBe(0);
  });

  test('that takes a large part of all people is held back whole', () => {
    const next = { people: people(...many.slice(6)), groups: [group('duty', 'p7'), group('all', ...many.slice(6))] };
    const { directory, held } = judge(last, next, used, 0.2);
    expect(directory).toBe(last);
    expect([...held]).toEqual([['people', '6 of 20 people are gone: p0, p1, p2, p3, p4 and 1 more']]);
  });

  test('an address that has moved to somebody else is not given back', () => {
    const moved = { id: 'uid=new', name: 'new', mail: expectMailbox('P0@example.org') };
    const next = {
      people: [...people(...many.slice(1)), moved],
      groups: [group('duty'), group('all', ...many.slice(1))],
    };
    const { directory } = judge(last, next, used, 0.2);
    expect(directory.groups).toContainEqual(group('duty', 'p1'));
    expect(directory.people.map(({ name }) => name)).not.toContain('p0');
  });
});
