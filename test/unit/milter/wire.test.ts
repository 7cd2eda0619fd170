import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { replyText } from '../../../src/milter/reply.ts';
import {
  largestPacket,
  mostStrings,
  nulEnded,
  PacketReader,
  packet,
  readConnect,
  readMacros,
  readOffer,
  readStrings,
  WireError,
} from '../../../src/milter/wire.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('packets', () => {
  test.each([
    ['without payload', 0x63, '', '00000001 63'],
    ['with payload', 0x68, '410042 00', '00000005 68 41004200'],
  ])('%s', (_, code, payload, octets) => {
    expect(packet(code, hex(payload))).toEqual(hex(octets));
    const reader = new PacketReader();
    reader.push(hex(octets));
    const got = reader.next();
    expect({ code: got?.code, payload: got?.payload }).toEqual({ code, payload: hex(payload) });
    expect(reader.next()).toBeUndefined();
  });

  test('what is looked for in a payload is found there and nowhere else', () => {
    const few = fc.uint8Array({ max: 2, maxLength: 12 });
    const any = fc.tuple(few, few, few, fc.uint8Array({ max: 2, minLength: 1, maxLength: 3 }));
    fc.assert(
      fc.property(any, ([before, payload, after, octets]) => {
        const reader = new PacketReader();
        // In the middle of what arrived: octets of its neighbours are not its own.
        reader.push(Buffer.concat([before, payload, after].map((each) => packet(0x44, each))));
        reader.next();
        expect(reader.next()?.includes(octets)).toBe(Buffer.from(payload).includes(Buffer.from(octets)));
      }),
    );
  });

  test.each([
    ['no code', '00000000'],
    ['one more than the largest', '00100001'],
    ['the largest number', 'ffffffff'],
  ])('a length that no packet has: %s', (_, length) => {
    const reader = new PacketReader();
    reader.push(hex(length));
    expect(() => reader.next()).toThrow(WireError);
  });

  test('the largest packet, in many pieces', () => {
    const reader = new PacketReader();
    const whole = packet(0x42, Buffer.alloc(largestPacket - 1, 'x'));
    for (let at = 0; at < whole.length; at += 1000) {
      expect(reader.next()).toBeUndefined();
      reader.push(whole.subarray(at, at + 1000));
    }
    expect(reader.next()?.payload.length).toBe(largestPacket - 1);
    expect(reader.pending).toBe(0);
  });
});

describe('payloads', () => {
  test('the offer of Postfix 3.7, as seen on the wire', () => {
    expect(readOffer(hex('00000006 000001ff 001fffff'))).toEqual({ version: 6, actions: 0x1ff, protocol: 0x1fffff });
    expect(() => readOffer(hex('00000006 000001ff 001fff'))).toThrow(WireError);
  });

  test.each([
    ['6d7800 34 09dd 3139322e302e322e3100', { hostname: 'mx', family: 'inet', address: '192.0.2.1', port: 2525 }],
    ['6d7800 36 0019 495076363a3a3a3100', { hostname: 'mx', family: 'inet6', address: '::1', port: 25 }],
    ['6d7800 4c 0000 2f6100', { hostname: 'mx', family: 'unix', address: '/a', port: 0 }],
    ['6d7800 55', { hostname: 'mx', family: 'unknown', address: '', port: 0 }],
    ['00 55', { hostname: '', family: 'unknown', address: '', port: 0 }],
  ])('CONNECT %s', (octets, facts) => {
    expect(readConnect(hex(octets))).toEqual(facts);
  });

  test.each([
    '',
    '6d78',
    '6d7800',
    '6d780058',
    '6d780034',
    '6d78003400',
    '6d7800340019',
    '6d780034001931',
  ])('a CONNECT that is none: %s', (octets) => {
    expect(() => readConnect(hex(octets))).toThrow(WireError);
  });

  test('strings end in NUL', () => {
    expect(readStrings(Buffer.from('a\0\0b\0')).map(String)).toEqual(['a', '', 'b']);
    expect(readStrings(Buffer.from(''))).toEqual([]);
    expect(() => readStrings(Buffer.from('a\0b'))).toThrow(WireError);
    // A packet of a million of them would take hundreds of megabytes.
    expect(readStrings(Buffer.alloc(mostStrings))).toHaveLength(mostStrings);
    expect(() => readStrings(Buffer.alloc(mostStrings + 1))).toThrow(WireError);
    expect(() => nulEnded('a\0b')).toThrow(RangeError);
  });

  test('macros with and without braces; an odd one is left out', () => {
    expect(readMacros(Buffer.from('Mi\0Q1\0{mail_addr}\0a@b\0odd\0'))).toEqual({
      stage: 0x4d,
      values: [
        ['i', 'Q1'],
        ['mail_addr', 'a@b'],
      ],
    });
  });
});

describe('reply texts', () => {
  test.each([
    [{ code: 550, enhanced: '5.7.1', text: 'No' }, '550 5.7.1 No'],
    [{ code: 451, text: 'Later' }, '451 4.0.0 Later'],
    [{ code: 451, enhanced: '5.7.1', text: 'class of another' }, '451 4.0.0 class of another'],
    [{ code: 550, enhanced: '5.7.1', text: '50% off\r\n250 Ok' }, '550 5.7.1 50%% off 250 Ok'],
    [{ code: 550, enhanced: '5.7.1', text: 'x'.repeat(2000) }, `550 5.7.1 ${'x'.repeat(900)}`],
  ])('%j', (reply, text) => {
    expect(replyText(reply)).toBe(text);
  });

  test('nothing but 4xx and 5xx can be said', () => {
    expect(() => replyText({ code: 250, text: 'Ok' })).toThrow('250');
  });
});
