// OpenSMTPD's table protocols, and the process that speaks them.
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { silentLog } from '../../../src/log.ts';
import { imsg, lines, protocolOf, TableError } from '../../../src/lookup/opensmtpd.ts';
import { createLookupDoor, type LookupDoor } from '../../../src/lookup/server.ts';
import { doorOf, serveTable } from '../../../src/lookup/table.ts';
import { type Found, readSocketmapAnswer, socketmap, socketmapQuestion } from '../../../src/lookup/wire.ts';

const found: Found = { kind: 'found', value: 'anna@example.test' };
const none: Found = { kind: 'not found' };
const later: Found = { kind: 'temporary', why: 'nobody\nis there' };

/** As smtpd of 6.8 writes it: type, length, flags, peer, process, payload. */
function asked(type: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(type);
  header.writeUInt16LE(16 + payload.length, 4);
  header.writeUInt32LE(4_711, 12);
  return Buffer.concat([header, payload]);
}
const numbers = (...values: number[]): Buffer =>
  Buffer.concat(values.map((value) => Buffer.from(Int32Array.of(value).buffer)));
const open = asked(2, Buffer.concat([numbers(2), Buffer.from('groups\0'), Buffer.alloc(1_017)]));
const lookup = (key: string, { type = 6, service = 1 } = {}) =>
  asked(type, Buffer.concat([numbers(service, 0, 0), Buffer.from(`${key}\0`)]));

describe('imsg, to OpenSMTPD 7.5', () => {
  test.each([
    ['open', open, { kind: 'open', id: '' }],
    ['close', asked(3, Buffer.alloc(0)), { kind: 'close' }],
    ['update', asked(4, Buffer.alloc(0)), { kind: 'update', id: '' }],
    ['check', lookup('a@b', { type: 5 }), { kind: 'check', id: '', key: 'a@b' }],
    ['lookup', lookup('ä@b'), { kind: 'lookup', id: '', key: 'ä@b' }],
    ['lookup of another service', lookup('a@b', { service: 2 }), { kind: 'other', name: '', id: '' }],
    ['fetch', asked(7, numbers(1, 0, 0)), { kind: 'other', name: '', id: '' }],
  ])('%s', (_, octets, question) => {
    expect(protocolOf(octets)).toBe(imsg);
    expect(imsg.read(Buffer.concat([octets, lookup('next')]))).toEqual({ question, used: octets.length });
    for (const cut of [1, 15, octets.length - 1]) expect(imsg.read(octets.subarray(0, cut))).toBeUndefined();
  });

  test.each([
    ['a type there is not', asked(8, Buffer.alloc(0))],
    ['an answer', asked(0, Buffer.alloc(0))],
    ['a length below the header', Buffer.concat([numbers(6), Buffer.alloc(12)])],
    ['another version of it', asked(2, numbers(3))],
  ])('none: %s', (_, octets) => expect(() => imsg.read(octets)).toThrow(TableError));

  test('answers', () => {
    const question = { kind: 'lookup', id: '', key: 'x' } as const;
    const said = (...[asking, what]: Parameters<typeof imsg.answer>) => imsg.answer(asking, what)?.toString('hex');
    const head = (octets: number) =>
      `00000000${Buffer.from(Uint16Array.of(16 + octets).buffer).toString('hex')}${'00'.repeat(10)}`;
    expect(said({ kind: 'open', id: '' }, none)).toBe(head(0));
    expect(said({ kind: 'update', id: '' }, none)).toBe(`${head(4)}01000000`);
    expect(said(question, found)).toBe(`${head(22)}01000000${Buffer.from('anna@example.test\0').toString('hex')}`);
    expect(said(question, none)).toBe(`${head(4)}00000000`);
    expect(said(question, later)).toBe(`${head(4)}ffffffff`);
    expect(said({ ...question, kind: 'check' }, found)).toBe(`${head(4)}01000000`);
    expect(said({ kind: 'other', name: '', id: '' }, none)).toBe(`${head(4)}00000000`);
    expect(said({ kind: 'close' }, none)).toBeUndefined();
  });
});

describe('lines, from OpenSMTPD 7.6 on', () => {
  const table = (rest: string): Buffer => Buffer.from(`table|0.1|1720000000.000001|groups|${rest}\n`);

  test.each([
    [Buffer.from('config|smtpd-version|7.6.0\n'), { kind: 'note' }],
    [Buffer.from('config|ready\n'), { kind: 'open', id: '' }],
    [table('update|0badcafe'), { kind: 'update', id: '0badcafe' }],
    [table('lookup|alias|0badcafe|a|b@c'), { kind: 'lookup', id: '0badcafe', key: 'a|b@c' }],
    [table('check|alias|0badcafe|a@b'), { kind: 'check', id: '0badcafe', key: 'a@b' }],
    [table('check|domain|0badcafe|b'), { kind: 'other', name: 'check', id: '0badcafe' }],
    [table('fetch|alias|0badcafe'), { kind: 'other', name: 'fetch', id: '0badcafe' }],
  ])('%s', (octets, question) => {
    expect(lines.read(octets)).toEqual({ question, used: octets.length });
    expect(lines.read(octets.subarray(0, -1))).toBeUndefined();
  });

  test.each(['hello\n', 'table|0.1|1|groups|drop|alias|1|x\n', 'x'.repeat(20_000)])('none: %.20s', (text) => {
    expect(() => lines.read(Buffer.from(text))).toThrow(TableError);
  });

  test('answers', () => {
    const question = { kind: 'lookup', id: '7', key: 'x' } as const;
    const said = (...[asking, what]: Parameters<typeof lines.answer>) => lines.answer(asking, what)?.toString();
    expect(said({ kind: 'open', id: '' }, none)).toBe('register|alias\nregister|ready\n');
    expect(said({ kind: 'note' }, none)).toBeUndefined();
    expect(said({ kind: 'update', id: '7' }, none)).toBe('update-result|7|ok\n');
    expect(said(question, found)).toBe('lookup-result|7|found|anna@example.test\n');
    expect(said(question, none)).toBe('lookup-result|7|not-found\n');
    expect(said(question, later)).toBe('lookup-result|7|error|nobody is there\n');
    expect(said({ ...question, kind: 'check' }, found)).toBe('check-result|7|found\n');
    expect(said({ kind: 'other', name: 'fetch', id: '7' }, none)).toBe('fetch-result|7|not-found\n');
  });
});

test('any octets are read, waited for, or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
      for (const protocol of [imsg, lines]) {
        try {
          const read = protocol.read(Buffer.from(octets));
          if (read) expect(read.used).toBeLessThanOrEqual(octets.length);
        } catch (error) {
          expect(error).toBeInstanceOf(TableError);
        }
      }
    }),
  );
});

test('a socketmap is asked and its answers are read', () => {
  const asking = Buffer.from(socketmapQuestion('route', 'ä@b'));
  expect(socketmap.read(asking)).toEqual({ question: { map: 'route', key: 'ä@b' }, used: asking.length });
  for (const answer of [found, none, later, { kind: 'permanent', why: 'no such map' } as const]) {
    const octets = Buffer.from(socketmap.write(answer));
    expect(readSocketmapAnswer(octets)).toEqual({ found: answer, used: octets.length });
    expect(readSocketmapAnswer(octets.subarray(0, -1))).toBeUndefined();
  }
  expect(() => readSocketmapAnswer(Buffer.from('5:WHAT?,'))).toThrow('an answer "WHAT?"');
});

describe('the process', () => {
  let door: LookupDoor;
  let port: number;
  let smtpd: Socket;
  let listener: Server;
  let complaints: string[];
  let ended: Promise<void>;
  const answer = ({ key }: { key: string }): Found => (key === 'x@b' ? found : none);
  const openDoor = async (at: number): Promise<void> => {
    door = createLookupDoor({ answer, admit: () => true, log: silentLog });
    const bound = await door.listen('socketmap', { host: '127.0.0.1', port: at });
    port = 'port' in bound ? bound.port : 0;
  };

  beforeEach(async () => {
    await openDoor(0);
    complaints = [];
    // smtpd gives one end of a pair of unix sockets.
    const path = join(tmpdir(), `pointsman-table-${process.pid}-${Math.random()}`);
    listener = createServer().listen(path);
    await once(listener, 'listening');
    smtpd = connect(path);
    const [other] = (await once(listener, 'connection')) as [Socket];
    ended = serveTable(`127.0.0.1:${port}`, 'route', (line) => complaints.push(line), systemClock, other);
  });
  afterEach(async () => {
    smtpd.destroy();
    listener.close();
    await door.close();
    await ended.catch(() => undefined);
  });

  const say = async (octets: Buffer): Promise<string> => {
    smtpd.write(octets);
    return String((await once(smtpd, 'data'))[0]);
  };

  test('answers smtpd what the door says, over a restart of Pointsman; while it is away: later', async () => {
    const ask = (key: string) => say(Buffer.from(`table|0.1|1|t|lookup|alias|7|${key}\n`));
    expect(await say(Buffer.from('config|protocol|0.1\nconfig|ready\n'))).toBe('register|alias\nregister|ready\n');
    expect(await ask('x@b')).toBe('lookup-result|7|found|anna@example.test\n');
    await door.close();
    expect(await ask('x@b')).toMatch(/^lookup-result\|7\|error\|Pointsman cannot be asked: /);
    expect(complaints).toEqual([expect.stringMatching(/^pointsman: Pointsman cannot be asked: .*ECONNREFUSED.*\n$/)]);
    await openDoor(port);
    expect(await ask('x@b')).toBe('lookup-result|7|found|anna@example.test\n');
    expect(await ask('y@b')).toBe('lookup-result|7|not-found\n');
  });

  test('speaks imsg to an older one, and ends when it closes', async () => {
    smtpd.write(open.subarray(0, 5));
    const ready = once(smtpd, 'data');
    smtpd.write(open.subarray(5));
    expect((await ready)[0]).toHaveLength(16);
    expect(await say(lookup('x@b'))).toContain('anna@example.test\0');
    smtpd.write(asked(3, Buffer.alloc(0)));
    await ended;
  });

  test('ends with an error when it does not understand', async () => {
    smtpd.write('GET / HTTP/1.1\r\n\r\n');
    await expect(ended).rejects.toThrow(TableError);
  });
});

test.each([
  ['127.0.0.1:10028', { host: '127.0.0.1', port: 10_028 }],
  ['[::1]:10028', { host: '::1', port: 10_028 }],
  ['unix:/run/x', { path: '/run/x' }],
])('a door: %s', (text, door) => expect(doorOf(text)).toEqual(door));

test.each(['10028', 'host:', 'host:0', 'host:70000', 'unix:x'])('no door: %s', (text) => {
  expect(() => doorOf(text)).toThrow('neither host:port');
});
