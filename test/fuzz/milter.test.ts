// Any octets in any state: the session answers, or ends; it never throws, and what it writes is packets that an MTA
// takes, however the network cuts what it is sent.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EndVerdict } from '../../src/milter/reply.ts';
import { Session } from '../../src/milter/session.ts';
import {
  offerPacket,
  PacketReader,
  packet,
  readConnect,
  readMacros,
  readOffer,
  readStrings,
  WireError,
} from '../../src/milter/wire.ts';
import { fuzz } from '../support/fuzz.ts';

const letters = 'CHMRTLNBEADQKUOZ'.split('');
const text = fc.string({ unit: 'binary-ascii', maxLength: 30 });
const strings = fc.array(text, { maxLength: 4 }).map((list) => Buffer.from(list.map((one) => `${one}\0`).join('')));
const payload = fc.oneof(
  strings,
  fc.uint8Array({ maxLength: 60 }).map((octets) => Buffer.from(octets)),
);
const anyPacket = fc
  .tuple(fc.constantFrom(...letters), payload)
  .map(([code, octets]) => packet(code.charCodeAt(0), octets));
const lawful = fc.constantFrom(
  packet(0x43, Buffer.from('mx\x004\x00\x19192.0.2.1\0')),
  packet(0x48, Buffer.from('mx\0')),
  packet(0x4d, Buffer.from('<a@example.net>\0')),
  packet(0x52, Buffer.from('<b@example.org>\0')),
  packet(0x54),
  packet(0x4c, Buffer.from('Subject\0 x\0')),
  packet(0x4e),
  packet(0x42, Buffer.from('body')),
  packet(0x45),
  packet(0x41),
);
const conversation = fc.array(fc.oneof({ weight: 6, arbitrary: lawful }, { weight: 1, arbitrary: anyPacket }), {
  maxLength: 40,
});

/** What was written, and whether it ended the connection. */
function talk(pieces: readonly Buffer[], fewReplies: boolean, end: EndVerdict) {
  const written: Buffer[] = [];
  let ended = 0;
  let reserved = 0;
  const session = new Session({
    handlers: {
      message(message) {
        message.headers();
        message.headerBlock();
        message.body();
        message.macro('i');
        return end;
      },
    },
    wants: () => ({ actions: 0x1ff, decidesAt: new Set(), body: true, fewReplies }),
    onFailure: 'tempfail',
    write: (octets) => void written.push(octets),
    end: () => {
      ended += 1;
    },
    complain: () => undefined,
    largestMessage: 200,
    reserve(octets) {
      reserved += octets;
      return true;
    },
  });
  for (const piece of pieces) session.receive(piece);
  session.close();
  expect(reserved).toBe(0);
  expect(ended).toBeLessThanOrEqual(1);
  return { written: Buffer.concat(written), ended };
}

const cutAt = (whole: Buffer, cuts: readonly number[]): Buffer[] => {
  const places = [...new Set([0, ...cuts.map((cut) => cut % (whole.length + 1)), whole.length])].sort((a, b) => a - b);
  return places.slice(1).map((place, index) => whole.subarray(places[index], place));
};

describe('milter session', () => {
  const end: EndVerdict = {
    verdict: { kind: 'continue' },
    edits: [
      { kind: 'remove recipient', raw: Buffer.from('<b@example.org>') },
      { kind: 'add recipient', address: 'c@example.org', parameters: 'ORCPT=rfc822;b@example.org' },
    ],
  };
  const offer = offerPacket({ version: 6, actions: 0x1ff, protocol: 0x1fffff });

  test('holds in each state, however it is cut', () => {
    fuzz(
      'milter: conversations, in pieces',
      400,
      [conversation, fc.boolean(), fc.array(fc.nat(), { maxLength: 20 })],
      (packets, few, cuts) => {
        const whole = Buffer.concat([offer, ...packets]);
        const once = talk([whole], few, end);
        const pieces = talk(cutAt(whole, cuts), few, end);
        expect(pieces.written.equals(once.written)).toBe(true);
        expect(pieces.ended).toBe(once.ended);
        const reader = new PacketReader();
        reader.push(once.written);
        for (let one = reader.next(); one; one = reader.next())
          expect('Ocatrdysp+2-ehimbq').toContain(String.fromCharCode(one.code));
        expect(reader.pending).toBe(0);
      },
    );
  });

  test('holds against any octets', () => {
    fuzz('milter: any octets', 500, [fc.uint8Array({ maxLength: 200 }), fc.boolean()], (octets, negotiated) => {
      talk(negotiated ? [offer, Buffer.from(octets)] : [Buffer.from(octets)], false, end);
    });
  });
});

describe('the readers of milter packets', () => {
  const given = fc.oneof(
    payload,
    fc
      .tuple(fc.constantFrom('mx', '[192.0.2.1]', ''), fc.constantFrom('4', '6', 'L', 'U', 'X', ''), payload)
      .map(([name, family, rest]) => Buffer.concat([Buffer.from(`${name}\0${family}`), rest])),
  );
  const wellOrWireError = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return undefined;
    }
  };

  test('say what is there, or that it is no milter protocol', () => {
    fuzz('milter: packets (offer, connect, macros, strings)', 1_000, [given], (octets) => {
      const strings = wellOrWireError(() => readStrings(octets));
      if (strings !== undefined) {
        const back = Buffer.concat(strings.flatMap((one) => [one, Buffer.of(0)]));
        expect(back.equals(octets)).toBe(true);
      }
      const connect = wellOrWireError(() => readConnect(octets));
      if (connect !== undefined) expect(connect.port).toBeLessThanOrEqual(65_535);
      const macros = wellOrWireError(() => readMacros(octets));
      for (const [name] of macros?.values ?? []) expect(name).not.toContain('\0');
      const offered = wellOrWireError(() => readOffer(octets));
      if (offered !== undefined) expect(octets.length).toBeGreaterThanOrEqual(12);
    });
  });
});
