// Addresses of our own, to which evidence comes: one for copies of members' mail, and one per delivery for its reports.
// Each carries a mark that only we can make (HMAC-SHA256 under a key that never leaves the state folder), so what is
// addressed to it was sent by somebody whom we, or the admin, gave it to. Pure.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { domainKey, domainOf, expectMailbox, localPartOf, type Mailbox } from './path.ts';
import { isQueueId, type QueueId } from './queue-id.ts';

export type OurAddress =
  /** Fed with copies of members' own mail. */
  | { readonly kind: 'copies' }
  /** For reports on one delivery. */
  | { readonly kind: 'reports'; readonly queueId: QueueId; readonly seq: number }
  /** In our domain, and not made by us. */
  | { readonly kind: 'forged' };

export interface OurAddresses {
  readonly copies: Mailbox;
  reportsOn(delivery: { readonly queueId: QueueId; readonly seq: number }): Mailbox;
  /** Undefined when the address is not in our domain. */
  read(mailbox: Mailbox): OurAddress | undefined;
}

// 80 bits in 16 letters: with the longest queue id and number, RFC 5321 §4.5.3.1.1's 64 octets are never reached.
const markOctets = 10;

/** @param key at least 32 octets of chance */
export function ourAddresses(key: Uint8Array, domain: string): OurAddresses {
  if (key.length < 32) throw new RangeError('the key of our addresses is too short');
  const mark = (text: string): Buffer => createHmac('sha256', key).update(text).digest().subarray(0, markOctets);
  const address = (text: string): Mailbox => expectMailbox(`${text}.${base32(mark(text))}@${domain}`);
  const ours = domainKey(domain);
  return {
    copies: address('copies'),
    reportsOn: ({ queueId, seq }) => address(`report.${queueId.toLowerCase()}.${seq}`),
    read(mailbox) {
      if (domainOf(mailbox) !== ours) return undefined;
      // Local parts may have changed case on their way (RFC 5321 §2.4 notwithstanding).
      const local = localPartOf(mailbox).toLowerCase();
      const end = local.lastIndexOf('.');
      const text = local.slice(0, Math.max(end, 0));
      const given = Buffer.from(local.slice(end + 1));
      const right = Buffer.from(base32(mark(text)));
      if (given.length !== right.length || !timingSafeEqual(given, right)) return { kind: 'forged' };
      if (text === 'copies') return { kind: 'copies' };
      const [, id = '', seq = ''] = /^report\.([0-9a-z]{13})\.(\d{1,9})$/.exec(text) ?? [];
      const queueId = id.toUpperCase();
      return isQueueId(queueId) ? { kind: 'reports', queueId, seq: Number(seq) } : { kind: 'forged' };
    },
  };
}

const letters = '0123456789abcdefghjkmnpqrstvwxyz';

function base32(octets: Uint8Array): string {
  let bits = 0;
  let value = 0;
  let text = '';
  for (const octet of octets) {
    value = (value << 8) | octet;
    for (bits += 8; bits >= 5; bits -= 5) text += letters[(value >>> (bits - 5)) & 31];
    value &= (1 << bits) - 1;
  }
  return text;
}
