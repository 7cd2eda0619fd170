// The mark on what we send ourselves: an MTA whose milter we are asks us about our own forwards again, and they must
// pass. A header alone proves nothing, so it carries a MAC over the delivery and the recipient: whoever copies it off
// one mail exempts other mail for that same mailbox from being routed, and nothing else. RFC 2104, with SHA-256.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { type Mailbox, mailboxKey } from './path.ts';

export const markName = 'X-Pointsman-Forward';

/** @param what names the delivery: queue id and number */
export function markField(key: string, what: string, to: Mailbox): string {
  return `${markName}: ${what} ${macOf(key, what, to).toString('base64url')}\r\n`;
}

/** @param values those of all headers of that name */
export function isMarked(key: string, values: readonly string[], to: Mailbox): boolean {
  // More than a few are no mail of ours.
  return values.slice(0, 5).some((value) => {
    const [, what, mac] = /^([0-9A-Z]{13}\.\d{1,6}) ([\w-]{43})$/.exec(value) ?? [];
    if (what === undefined || mac === undefined) return false;
    const given = Buffer.from(mac, 'base64url');
    const right = macOf(key, what, to);
    return given.length === right.length && timingSafeEqual(given, right);
  });
}

function macOf(key: string, what: string, to: Mailbox): Buffer {
  return createHmac('sha256', key)
    .update(`${what}\0${mailboxKey(to)}`)
    .digest();
}
