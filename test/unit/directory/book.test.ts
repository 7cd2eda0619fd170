// The book of the directory: what is in force when it cannot be read, changes too much, or the program starts anew.
import { beforeEach, describe, expect, test } from 'vitest';
import { minute, second } from '../../../src/clock.ts';
import type { Directory, Reading } from '../../../src/directory/directory.ts';
import { DirectoryError } from '../../../src/directory/source.ts';
import { type DirectoryBook, openDirectoryBook } from '../../../src/directory-book.ts';
import { silentLog } from '../../../src/log.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import { settle, TestClock } from '../../support/clock.ts';

const people = (names: readonly string[]) =>
  names.map((name) => ({ id: `uid=${name}`, name, mail: expectMailbox(`${name}@example.org`) }));
const said = (...members: string[]): Directory => ({
  people: people(members),
  groups: [{ id: 'cn=duty', name: 'duty', members }],
});
const files = [{ name: 'rules/a.yaml', text: 'groups: { duty: { members: { directory: duty } } }' }];

let clock: TestClock;
let memory: Map<string, string>;
let answer: () => Promise<Reading>;
let changes: number;

beforeEach(() => {
  clock = new TestClock();
  memory = new Map();
  changes = 0;
  answer = async () => ({ directory: said('alice', 'bob'), flaws: [] });
});

const open = (name = 'ldap://one'): Promise<DirectoryBook> =>
  openDirectoryBook({
    source: { name, read: () => answer() },
    refresh: 5 * minute,
    mostGone: 0.2,
    store: {
      remember: async (key, value) => void memory.set(key, value),
      recall: async (key) => memory.get(key) ?? null,
    },
    clock,
    log: silentLog,
    ruleFiles: () => files,
    changed: async () => {
      changes += 1;
    },
  });
const members = (book: DirectoryBook) => book.view().groups[0]?.members;
const wrong = (book: DirectoryBook) =>
  Object.fromEntries(book.findings().flatMap(({ kind, wrong: text }) => (text === null ? [] : [[kind, text]])));
const fails = (kind: 'down' | 'refused', text: string) => async () => {
  throw new DirectoryError(kind, text);
};

describe('the directory', () => {
  test('is read at the first start, then on its schedule; a change is told once', async () => {
    const book = await open();
    expect(members(book)).toEqual(['alice', 'bob']);
    book.start();
    await settle();
    expect(changes).toBe(1);
    answer = async () => ({ directory: said('alice', 'carol'), flaws: [] });
    await clock.advance(5 * minute);
    expect(members(book)).toEqual(['alice', 'carol']);
    expect(changes).toBe(2);
    await clock.advance(5 * minute);
    expect(changes).toBe(2);
    book.stop();
  });

  test.each([
    ['down', 'directory-down', 'connect ECONNREFUSED'],
    ['refused', 'directory-refused', 'Invalid credentials'],
  ] as const)('that is %s changes nothing but a fault, and is tried again after a minute', async (kind, fault, text) => {
    const book = await open();
    book.start();
    await settle();
    answer = fails(kind, text);
    await clock.advance(5 * minute);
    expect(members(book)).toEqual(['alice', 'bob']);
    expect(wrong(book)).toEqual({ [fault]: `${text}. What was read 5m ago stays in force.` });
    answer = async () => ({ directory: said('alice', 'bob', 'carol'), flaws: [] });
    await clock.advance(minute);
    expect(wrong(book)).toEqual({});
    expect(members(book)).toEqual(['alice', 'bob', 'carol']);
    book.stop();
  });

  test('that cannot be read after a restart is as it was, with its age', async () => {
    await open();
    await clock.advance(3 * minute);
    answer = fails('down', 'no route');
    const book = await open();
    expect(members(book)).toEqual(['alice', 'bob']);
    expect(book.text(files)?.text).toContain('alice@example.org');
    await book.refresh();
    expect(wrong(book)).toEqual({ 'directory-down': 'no route. What was read 3m ago stays in force.' });
  });

  test('that was never read is waited for at a start, not for ever', async () => {
    answer = () => new Promise<never>(() => undefined);
    const opening = open();
    await settle();
    await clock.advance(20 * second);
    const book = await opening;
    expect(book.text(files)).toBeNull();
    book.stop();
  });

  test('that empties a group is held back until somebody accepts it, also over a restart', async () => {
    await open();
    answer = async () => ({ directory: said(), flaws: [] });
    const book = await open();
    await book.refresh();
    expect(members(book)).toEqual(['alice', 'bob']);
    expect(wrong(book)).toEqual({ 'directory-change-held': 'duty: nobody is in it any more: alice, bob.' });
    await book.accept();
    expect(members(book)).toEqual([]);
    expect(wrong(book)).toEqual({});
    expect(changes).toBe(2);
    await expect(book.accept()).rejects.toThrow('no change of the directory is held back');
    const again = await open();
    expect(members(again)).toEqual([]);
  });

  test('with broken members says which', async () => {
    const broken: Directory = {
      people: people(['alice']),
      groups: [{ id: 'cn=duty', name: 'duty', members: ['alice'], missing: ['"uid=x" has no mail address'] }],
    };
    answer = async () => ({ directory: broken, flaws: [{ id: 'uid=x', text: 'has no mail address' }] });
    const book = await open();
    expect(wrong(book)).toEqual({
      'directory-entries': '1 of its members get no mail: duty: "uid=x" has no mail address',
    });
  });

  test('that is another one is taken as it is', async () => {
    await open();
    answer = async () => ({ directory: said('zoe'), flaws: [] });
    const book = await open('ldap://two');
    expect(members(book)).toEqual(['alice', 'bob']);
    await book.refresh();
    expect(members(book)).toEqual(['zoe']);
    expect(wrong(book)).toEqual({});
  });

  test('asked for while it is being read is read once more: the change may be younger than that reading', async () => {
    const book = await open();
    const first = Promise.withResolvers<Reading>();
    const answers = [first.promise, { directory: said('alice', 'bob', 'carol'), flaws: [] }];
    answer = async () => answers.shift() ?? Promise.reject(new Error('read a third time'));
    const scheduled = book.refresh();
    const asked = Promise.all([book.refreshWithin(), book.refreshWithin()]);
    first.resolve({ directory: said('alice', 'bob'), flaws: [] });
    await scheduled;
    await asked;
    expect(members(book)).toEqual(['alice', 'bob', 'carol']);
    expect(wrong(book)).toEqual({});
  });

  test('asked for by two at once is read once', async () => {
    const book = await open();
    let reads = 0;
    answer = async () => {
      reads += 1;
      return { directory: said('alice', 'bob'), flaws: [] };
    };
    await Promise.all([book.refresh(), book.refresh()]);
    expect(reads).toBe(1);
  });

  test('whose memory cannot be written is in force all the same', async () => {
    const book = await open();
    memory.set = () => {
      throw new Error('disk full');
    };
    answer = async () => ({ directory: said('alice', 'bob', 'carol'), flaws: [] });
    await book.refresh();
    expect(members(book)).toEqual(['alice', 'bob', 'carol']);
  });
});
