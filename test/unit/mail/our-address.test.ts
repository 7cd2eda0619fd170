// Addresses that only we can make.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ourAddresses } from '../../../src/mail/our-address.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import { newQueueId } from '../../../src/mail/queue-id.ts';

const ours = ourAddresses(Buffer.alloc(32, 7), 'track.example.org');
const ref = { queueId: newQueueId(1_772_442_000_000, () => 0.5), seq: 3 };

describe('our addresses', () => {
  test('read back, in any case', () => {
    const address = ours.reportsOn(ref);
    expect(address.length).toBeLessThan(64);
    expect(ours.read(address)).toEqual({ kind: 'reports', ...ref });
    expect(ours.read(expectMailbox(address.toUpperCase()))).toEqual({ kind: 'reports', ...ref });
    expect(ours.read(ours.copies)).toEqual({ kind: 'copies' });
  });

  test('for another delivery, under another key or altered in any place are forged', () => {
    const other = ourAddresses(Buffer.alloc(32, 8), 'track.example.org');
    expect(ours.read(other.reportsOn(ref))).toEqual({ kind: 'forged' });
    expect(ours.read(other.copies)).toEqual({ kind: 'forged' });
    const address = ours.reportsOn(ref);
    const local = address.slice(0, address.indexOf('@'));
    fc.assert(
      fc.property(fc.nat(local.length - 1), fc.constantFrom(...'0123456789abcdefghjkmnpqrstvwxyz.'), (at, letter) => {
        if (local[at] === letter) return;
        const altered = `${local.slice(0, at)}${letter}${local.slice(at + 1)}@track.example.org`;
        if (/^\.|\.\.|\.@/.test(altered)) return;
        expect(ours.read(expectMailbox(altered))).toEqual({ kind: 'forged' });
      }),
    );
    for (const text of ['a', 'copies', 'report.x.1', 'postmaster'])
      expect(ours.read(expectMailbox(`${text}@track.example.org`))).toEqual({ kind: 'forged' });
  });

  test('elsewhere are none', () => {
    expect(ours.read(expectMailbox(ours.copies.replace('track', 'mail')))).toBeUndefined();
  });

  test('need a real key', () => {
    expect(() => ourAddresses(Buffer.alloc(8), 'track.example.org')).toThrow(RangeError);
  });
});
