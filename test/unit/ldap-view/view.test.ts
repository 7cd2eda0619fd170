// The read-only view: what a real client library is answered, what a filter finds, and that no octets and no names can
// break out, crash it, or find somebody else.
import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { Client, EqualityFilter } from 'ldapts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dnKey } from '../../../src/directory/dn.ts';
import { parseFilter } from '../../../src/directory/filter.ts';
import { BerError, BerReader, ber, berInteger, messageLength } from '../../../src/ldap-view/ber.ts';
import { inScope, matches, personShown } from '../../../src/ldap-view/entries.ts';
import { readMessage } from '../../../src/ldap-view/message.ts';
import { type LdapView, openLdapView } from '../../../src/ldap-view/server.ts';
import { silentLog } from '../../../src/log.ts';
import type { PersonView } from '../../../src/operations.ts';
import { TestClock, testStart } from '../../support/clock.ts';

const base = 'ou=presence,dc=example,dc=org';
const view = (name: string, more: Partial<PersonView> = {}): PersonView => ({
  name,
  mail: `${name}@example.org`,
  jid: `${name}@chat.example.org`,
  groups: ['support'],
  presence: { state: 'available', since: testStart, asOf: testStart },
  source: 'xmpp',
  age: 1_500,
  open: 0,
  lastAssignedAt: null,
  ...more,
});
const alice = view('alice', {
  presence: {
    state: 'dnd',
    since: testStart,
    asOf: testStart,
    status: 'in meeting until 11:30',
    until: testStart + 1_000,
  },
});

let people: PersonView[];
let server: LdapView;
let client: Client;

const open = async (anonymous = false) => {
  server = await openLdapView({
    config: { host: '127.0.0.1', port: 0, base, anonymous },
    operations: { presence: async () => people },
    tokens: { holder: (token) => (token === 'pmt_good' ? 'addressbook' : null) },
    version: '1.0',
    clock: new TestClock(),
    log: silentLog,
  });
  client = new Client({ url: `ldap://127.0.0.1:${server.port}`, timeout: 5_000 });
};
const bound = () => client.bind(`cn=addressbook,${base}`, 'pmt_good');

beforeEach(async () => {
  people = [alice, view('bob')];
  await open();
});
afterEach(async () => {
  await client.unbind();
  await server.close();
});

describe('the view', () => {
  test('shows who is there to whoever has a token', async () => {
    await bound();
    const { searchEntries } = await client.search(base, { filter: '(mail=ALICE@example.org)' });
    expect(searchEntries).toEqual([
      {
        dn: `uid=alice,${base}`,
        objectClass: ['top', 'person', 'organizationalPerson', 'inetOrgPerson', 'pointsmanPerson'],
        uid: 'alice',
        cn: 'alice',
        sn: 'alice',
        mail: 'alice@example.org',
        ou: 'support',
        labeledURI: 'xmpp:alice@chat.example.org',
        description: 'dnd: in meeting until 11:30',
        presenceJid: 'alice@chat.example.org',
        presenceState: 'dnd',
        presenceStatus: 'in meeting until 11:30',
        presenceSince: '20260105090000Z',
        presenceUntil: '20260105090001Z',
        presenceSource: 'xmpp',
        presenceAge: '1',
      },
    ]);
  });

  test.each([
    ['(&(objectClass=person)(|(cn=*lic*)(mail=*lic*)))', ['alice']],
    ['(!(presenceState=dnd))', ['bob']],
    ['(presenceJid=bob@chat.example.org)', ['bob']],
    ['(nothing=x)', []],
    // Neither true nor false: nobody.
    ['(!(nothing=x))', []],
    ['(uid:caseExactMatch:=alice)', []],
    ['(uid=a*ce)', ['alice']],
    ['(uid=*e*a*)', []],
  ])('finds by %s', async (filter, found) => {
    await bound();
    const { searchEntries } = await client.search(base, { filter, scope: 'one', attributes: ['uid'] });
    expect(searchEntries.map(({ uid }) => uid)).toEqual(found);
  });

  test('tells nobody else, and says why', async () => {
    await expect(client.search(base, {})).rejects.toMatchObject({ code: 50 });
    await client.bind('', '');
    await expect(client.search(base, {})).rejects.toMatchObject({ code: 50 });
    await expect(client.bind(`cn=addressbook,${base}`, '')).rejects.toMatchObject({ code: 53 });
    await expect(client.bind(`cn=other,${base}`, 'pmt_good')).rejects.toMatchObject({ code: 49 });
    await expect(client.bind(`cn=addressbook,${base}`, 'pmt_bad')).rejects.toMatchObject({ code: 49 });
    await bound();
    // A bind that fails takes away what there was (RFC 4513 §4).
    await expect(client.bind('EXTERNAL')).rejects.toMatchObject({ code: 7 });
    await expect(client.search(base, {})).rejects.toMatchObject({ code: 50 });
  });

  test('hangs up after three wrong passwords', async () => {
    for (let times = 0; times < 3; times += 1)
      await expect(client.bind(`cn=addressbook,${base}`, 'pmt_bad')).rejects.toThrow();
    await expect.poll(() => client.isConnected).toBe(false);
  });

  test('says what it is to anybody, and refuses to be changed', async () => {
    const { searchEntries } = await client.search('', { scope: 'base' });
    expect(searchEntries[0]).toMatchObject({ namingContexts: base, supportedLDAPVersion: '3' });
    await bound();
    await expect(client.add(`uid=x,${base}`, { uid: 'x' })).rejects.toMatchObject({ code: 53 });
    await expect(client.del(`uid=alice,${base}`)).rejects.toMatchObject({ code: 53 });
    await expect(client.modifyDN(`uid=alice,${base}`, 'uid=y')).rejects.toMatchObject({ code: 53 });
    await expect(client.compare(`uid=alice,${base}`, 'uid', 'alice')).rejects.toMatchObject({ code: 53 });
    await expect(client.search('dc=elsewhere', {})).rejects.toMatchObject({ code: 32 });
    expect(await client.exop('1.3.6.1.4.1.4203.1.11.3')).toMatchObject({ value: `dn:cn=addressbook,${base}` });
  });

  test('is open to all where that is said', async () => {
    await server.close();
    await open(true);
    const { searchEntries } = await client.search('dc=example,dc=org', { filter: '(uid=*)', attributes: ['uid'] });
    expect(searchEntries.map(({ uid }) => uid)).toEqual(['alice', 'bob']);
  });

  test('gives at most what it may', async () => {
    people = Array.from({ length: 1_200 }, (_, index) => view(`p${index}`));
    await bound();
    await expect(client.search(base, { filter: '(uid=p*)' })).rejects.toMatchObject({ code: 4 });
    // The library takes the same answer for right when it asked for so many.
    expect((await client.search(base, { filter: '(uid=p*)', sizeLimit: 5 })).searchEntries).toHaveLength(5);
  });

  test('of a hostile name or address is found by exactly that, and by nothing else', async () => {
    await bound();
    const hostile = fc.oneof(
      fc.constantFrom('*', '*)(uid=*', 'a,ou=b', '\\2a', 'x\u0000y', ' #', '"', '\u202e', 'alice', '+'),
      fc.string({ minLength: 1, maxLength: 20 }),
    );
    await fc.assert(
      fc.asyncProperty(hostile, async (text) => {
        const person = view(text, { mail: `${text}@example.org` });
        const shown = personShown(person, base);
        expect(inScope({ base: shown.dn, scope: 'base' }, base, [shown])).toEqual([shown]);
        expect(dnKey(shown.dn).endsWith(`,${base}`)).toBe(true);
        for (const other of ['bob', 'x*', '*', 'a,ou=b']) {
          const found = matches(shown, { kind: 'equal', attribute: 'mail', value: `${other}@example.org` });
          expect(found).toBe(other.toLowerCase() === text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim());
        }
      }),
    );
    // Over the wire, too: a value is a value, whatever a filter would make of it.
    const { searchEntries } = await client.search(base, {
      filter: new EqualityFilter({ attribute: 'mail', value: '*' }),
    });
    expect(searchEntries).toEqual([]);
  });

  test('survives any octets', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (octets, framed) => {
        const socket = connect(server.port, '127.0.0.1');
        socket.on('error', () => undefined);
        socket.resume();
        socket.end(framed ? ber(0x30, octets) : octets);
        await once(socket, 'close');
      }),
      { numRuns: 60 },
    );
    await bound();
    expect((await client.search(base, { filter: '(uid=bob)' })).searchEntries).toHaveLength(1);
  });
});

describe('the codec', () => {
  test('reads what it writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (value) => {
        expect(new BerReader(berInteger(value)).take(2).integer()).toBe(value);
      }),
    );
    fc.assert(
      fc.property(fc.string({ maxLength: 70_000, size: 'max' }), (text) => {
        const octets = ber(4, text);
        expect(new BerReader(octets).take(4).text()).toBe(text.toWellFormed());
      }),
      { numRuns: 20 },
    );
  });

  test('knows a length, or that more is needed, or that it is too much', () => {
    const message = ber(0x30, 'x'.repeat(300));
    for (let cut = 0; cut < 4; cut += 1) expect(messageLength(message.subarray(0, cut), 1_000)).toBeNull();
    expect(messageLength(message.subarray(0, 4), 1_000)).toBe(304);
    expect(() => messageLength(message, 100)).toThrow(BerError);
    expect(() => messageLength(Buffer.from('GET / HTTP/1.1'), 100)).toThrow(BerError);
    expect(() => messageLength(Buffer.from([0x30, 0x80]), 100)).toThrow(BerError);
  });

  test('of any octets: a message or a BerError, nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => {
        try {
          readMessage(octets);
        } catch (error) {
          expect(error).toBeInstanceOf(BerError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('a filter too deep, or with too many parts, is refused', () => {
    const nested = (depth: number): Buffer => (depth === 0 ? ber(0x87, 'uid') : ber(0xa2, nested(depth - 1)));
    const asked = (filter: Buffer) =>
      ber(
        0x30,
        berInteger(1),
        ber(
          0x63,
          ber(4),
          ber(10, Buffer.from([2])),
          ber(10, Buffer.from([0])),
          berInteger(0),
          berInteger(0),
          ber(1, Buffer.from([0])),
          filter,
          ber(0x30),
        ),
      );
    expect(readMessage(asked(nested(20))).request).toMatchObject({ kind: 'search', scope: 'sub' });
    expect(() => readMessage(asked(nested(40)))).toThrow('at most 32 deep');
    const wide = ber(0xa1, ...Array.from({ length: 300 }, () => ber(0x87, 'uid')));
    expect(() => readMessage(asked(wide))).toThrow('at most 200 parts');
  });

  test('written filters mean the same', () => {
    const shown = personShown(alice, base);
    for (const [text, expected] of [
      ['(uid=\\61lice)', true],
      ['(uid=bob)', false],
      ['(presenceAge>=1)', true],
    ] as const) {
      const filter = parseFilter(text);
      if ('wrong' in filter) throw new Error(filter.wrong);
      expect(matches(shown, filter)).toBe(expected);
    }
  });
});
