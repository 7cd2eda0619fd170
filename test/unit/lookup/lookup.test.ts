// The lookup protocols, their door, and what is answered.
import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../../src/log.ts';
import { createLookupDoor, type LookupDoor } from '../../../src/lookup/server.ts';
import { LookupError, socketmap, tcpTable } from '../../../src/lookup/wire.ts';
import { Story } from '../../support/story.ts';

const octets = (text: string) => Buffer.from(text);

describe('socketmap', () => {
  test.each([
    ['13:route a@b.org,rest', { map: 'route', key: 'a@b.org' }, 17],
    ['6:route ,', { map: 'route', key: '' }, 9],
    ['5:route,', { map: 'route', key: '' }, 8],
    ['10:route ä b,', { map: 'route', key: 'ä b' }, 14],
    ['0:,', { map: '', key: '' }, 3],
  ])('%s', (text, question, used) => {
    expect(socketmap.read(octets(text))).toEqual({ question, used });
  });

  test.each(['', '1', '13', '13:', '13:route a@b.or', '13:route a@b.org'])('not all of it: %j', (text) => {
    expect(socketmap.read(octets(text))).toBeUndefined();
  });

  test.each(['x', ':', '01:a,', '-1:a,', '4097:', '123456', '1:ab', 'GET / HTTP/1.1\r\n'])('none: %j', (text) => {
    expect(() => socketmap.read(octets(text))).toThrow(LookupError);
  });

  test('answers', () => {
    expect(socketmap.write({ kind: 'found', value: 'ä@b' })).toBe('7:OK ä@b,');
    expect(socketmap.write({ kind: 'not found' })).toBe('9:NOTFOUND ,');
    expect(socketmap.write({ kind: 'temporary', why: 'w' })).toBe('6:TEMP w,');
    expect(socketmap.write({ kind: 'permanent', why: 'w' })).toBe('6:PERM w,');
  });
});

describe('tcp_table', () => {
  test('questions and answers', () => {
    expect(tcpTable.read(octets('get a%20b%25\nget '))).toEqual({ question: { map: null, key: 'a b%' }, used: 13 });
    expect(tcpTable.read(octets('get a'))).toBeUndefined();
    for (const wrong of ['put a b\n', 'get\n', 'get a b\n', 'x'.repeat(5_000)])
      expect(() => tcpTable.read(octets(wrong))).toThrow(LookupError);
    expect(tcpTable.write({ kind: 'found', value: 'a b%\n' })).toBe('200 a%20b%25%0A\n');
    expect(tcpTable.write({ kind: 'not found' })).toBe('500 no such key\n');
    expect(tcpTable.write({ kind: 'temporary', why: 'x y' })).toBe('400 x%20y\n');
  });
});

describe('the lookup door', () => {
  let door: LookupDoor | undefined;
  afterEach(() => door?.close());

  async function ask(protocol: 'socketmap' | 'tcp table', pieces: readonly string[], admit = true): Promise<string> {
    door = createLookupDoor({
      log: silentLog,
      admit: () => admit,
      answer({ key }) {
        if (key === 'bad') throw new Error('bad');
        return key === 'none' ? { kind: 'not found' } : { kind: 'found', value: `<${key}>` };
      },
    });
    const at = await door.listen(protocol, { host: '127.0.0.1', port: 0 });
    const socket = connect({ host: '127.0.0.1', port: 'port' in at ? at.port : 0, allowHalfOpen: true, noDelay: true });
    socket.on('error', () => undefined);
    let answer = '';
    socket.setEncoding('utf8').on('data', (text) => {
      answer += text;
    });
    for (const piece of pieces) {
      socket.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.end();
    await once(socket, 'close');
    return answer;
  }

  test('many questions in one piece, and one octet at a time', async () => {
    const text = '7:route a,10:route none,9:route bad,';
    const answers = '6:OK <a>,9:NOTFOUND ,19:TEMP internal error,';
    expect(await ask('socketmap', [text])).toBe(answers);
    await door?.close();
    expect(await ask('socketmap', [...text])).toBe(answers);
    await door?.close();
    expect(await ask('tcp table', ['get a\nget none\n'])).toBe('200 <a>\n500 no such key\n');
  });

  test('what cannot be read ends the connection, after what came before it', async () => {
    expect(await ask('socketmap', ['7:route a,x'])).toBe('6:OK <a>,');
  });

  test('strangers get nothing', async () => {
    expect(await ask('socketmap', ['7:route a,'], false)).toBe('');
  });
});

describe('any octets', () => {
  test.each([
    ['socketmap', socketmap],
    ['tcp_table', tcpTable],
  ])('%s reads, waits or refuses', (_, protocol) => {
    const digitsAndMore = fc.string({ unit: fc.constantFrom(...'0123456789:, getroute@\n%'), maxLength: 60 });
    fc.assert(
      fc.property(
        fc.oneof(
          digitsAndMore.map(octets),
          fc.uint8Array().map((bytes) => Buffer.from(bytes)),
        ),
        (bytes) => {
          try {
            const read = protocol.read(bytes);
            if (read) expect(read.used).toBeGreaterThan(0);
          } catch (error) {
            expect(error).toBeInstanceOf(LookupError);
          }
        },
      ),
    );
  });
});

describe('what is answered', () => {
  const rules = `people:
  ann: { mail: ann@example.org }
  ben: { mail: ben@example.org }
  cid: { mail: cid@example.org, jid: none }
groups:
  support:
    addresses: [support@example.org, help@example.org]
    members: [ann, ben]
    strategy: longest-idle
    fallback: { mailbox: duty@example.org }
    policy: none
`;

  test('the best member, steadily for a moment, then by turns; the fallback when nobody is there', async () => {
    const story = await Story.begin(rules);
    const ask = story.relay.lookup(5_000);
    story.link = { state: 'up', since: story.clock.now() };
    expect(ask('route', 'support@example.org')).toEqual({ kind: 'temporary', why: 'presence is not known yet' });
    story.presence('ann', 'available');
    story.presence('ben', 'available');
    expect(ask('route', 'Support@EXAMPLE.org')).toEqual({ kind: 'found', value: 'ann@example.org' });
    expect(ask(null, 'help@example.org')).toEqual({ kind: 'found', value: 'ann@example.org' });
    await story.clock.advance(5_000);
    expect(ask('route', 'support@example.org')).toEqual({ kind: 'found', value: 'ben@example.org' });
    story.presence('ben', 'dnd');
    expect(ask('route', 'support@example.org')).toEqual({ kind: 'found', value: 'ann@example.org' });
    story.presence('ann', 'offline');
    expect(ask('route', 'support@example.org')).toEqual({ kind: 'found', value: 'duty@example.org' });
    for (const nobody of ['ann@example.org', '@example.org', 'support', '', 'x@support@example.org'])
      expect(ask('route', nobody), nobody).toEqual({ kind: 'not found' });
    await story.end();
  });

  test('everyone is a list; a chain goes on to the next group; who has said "away" is not answered', async () => {
    const story =
      await Story.begin(`${rules}  all: { address: all@example.org, members: [ann, ben], strategy: everyone, fallback: unchanged, policy: none }
  first: { address: first@example.org, members: [cid], fallback: [{ group: support }, { person: cid }], policy: none }
`);
    const ask = story.relay.lookup(5_000);
    story.presence('ann', 'available');
    story.presence('ben', 'available');
    expect(ask('route', 'all@example.org')).toEqual({ kind: 'found', value: 'ann@example.org, ben@example.org' });
    expect(ask('route', 'first@example.org')).toEqual({ kind: 'found', value: 'ann@example.org' });
    await story.says('ann', 'away 1h');
    await story.quiet();
    expect(ask('route', 'first@example.org')).toEqual({ kind: 'found', value: 'ben@example.org' });
    expect(ask('route', 'all@example.org')).toEqual({ kind: 'found', value: 'ben@example.org' });
    await story.end();
  });

  test('the other maps', async () => {
    const story = await Story.begin(rules);
    const ask = story.relay.lookup(5_000);
    story.presence('ann', 'away');
    expect(ask('presence', 'Ann@example.org')).toEqual({ kind: 'found', value: 'away' });
    expect(ask('presence', 'ben')).toEqual({ kind: 'found', value: 'unknown' });
    expect(ask('presence', 'support@example.org')).toEqual({ kind: 'not found' });
    expect(ask('members', 'support')).toEqual({ kind: 'found', value: 'ann@example.org, ben@example.org' });
    expect(ask('members', 'help@example.org')).toMatchObject({ kind: 'found' });
    expect(ask('jid', 'ann')).toEqual({ kind: 'found', value: 'ann@example.org' });
    expect(ask('jid', 'cid')).toEqual({ kind: 'not found' });
    expect(ask('passwords', 'ann')).toMatchObject({ kind: 'permanent' });
    await story.end();
  });
});
