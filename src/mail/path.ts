// Addresses as the envelope carries them: RFC 5321 §4.1.2 (Mailbox), RFC 6531 §3.3 (non-ASCII).
// A Mailbox keeps the sender's bytes (case, quotes, A-labels); comparing goes through mailboxKey().
//
// Where the grammar is stricter than the world, the world wins, because a relay that answers 501 makes its peer bounce
// mail that would have arrived:
// - dots at the edges of a local part or in a row (Japanese carriers, HPE iLO);
// - local parts of more than 64 octets (RFC 5321 §4.5.3.1.1 is what everyone must take, not what everyone must refuse;
//   forwarding and VERP addresses are longer);
// - underscores in a domain.
// Never let through: controls, and the invisible or direction-changing characters that make one address look like another.
import { domainToASCII } from 'node:url';
import ipaddr from 'ipaddr.js';
import { remembering } from './memo.ts';

/** `local@domain`, fit for an envelope, exactly as it was given. */
export type Mailbox = string & { readonly __brand: 'Mailbox' };
/** RFC 5321 §4.5.5: the reverse-path of reports. A value of its own, never the empty string. */
export const nullReversePath = '<>' as const;
export type NullReversePath = typeof nullReversePath;
export type ReversePath = Mailbox | NullReversePath;

// RFC 5321 §4.5.3.1.2–3, in octets.
export const maxDomain = 255;
export const maxPath = 254; // 256 with the angle brackets

const dotAtoms = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.\u0080-\u{10ffff}]+$/u;
const quoted = /^"(?:[\x20\x21\x23-\x5b\x5d-\x7e\u0080-\u{10ffff}]|\\[\x20-\x7e])*"$/u;
const label = /^[A-Za-z0-9_\u0080-\u{10ffff}](?:[A-Za-z0-9_\-\u0080-\u{10ffff}]*[A-Za-z0-9_\u0080-\u{10ffff}])?$/u;
// Beyond ASCII: C1 controls, lone surrogates, separators and spaces, zero-width and bidirectional controls.
const deceptive = /[\x00-\x1f\x7f-\xa0\u1680\u2000-\u200b\u2028-\u202f\u205f-\u2069\u3000\ufeff\p{Cs}]/u;

/** Undefined when `text` is not a Mailbox. */
export const parseMailbox: (text: string) => Mailbox | undefined = remembering(checkMailbox);

function checkMailbox(text: string): Mailbox | undefined {
  if (Buffer.byteLength(text) > maxPath || deceptive.test(text)) return undefined;
  const at = text.lastIndexOf('@');
  if (at < 1) return undefined;
  const local = text.slice(0, at);
  const domain = text.slice(at + 1);
  if (!dotAtoms.test(local) && !quoted.test(local)) return undefined;
  if (/^\.+$/.test(local)) return undefined;
  if (!isAddressLiteral(domain) && !isDomain(domain)) return undefined;
  return text as Mailbox;
}

/** @throws RangeError when `text` is not a Mailbox: for text that has been checked before (config, store). */
export function expectMailbox(text: string): Mailbox {
  const mailbox = parseMailbox(text);
  if (mailbox === undefined) throw new RangeError(`not a mailbox: ${JSON.stringify(text)}`);
  return mailbox;
}

export function isDomain(text: string): boolean {
  return (
    text.length > 0 &&
    Buffer.byteLength(text) <= maxDomain &&
    !deceptive.test(text) &&
    text.split('.').every((part) => part.length <= 63 && label.test(part))
  );
}

/** RFC 5321 §4.1.3: `[192.0.2.1]`, `[IPv6:2001:db8::1]`. */
function isAddressLiteral(text: string): boolean {
  const parts = /^\[(IPv6:)?([0-9A-Fa-f:.]{2,45})\]$/i.exec(text);
  if (!parts?.[2]) return false;
  return parts[1] ? ipaddr.IPv6.isValid(parts[2]) : ipaddr.IPv4.isValidFourPartDecimal(parts[2]);
}

/** The domain in the form in which domains are compared: lower case, A-labels (RFC 5890 §2.3.2.1). */
export function domainOf(mailbox: Mailbox): string {
  return domainKey(mailbox.slice(mailbox.lastIndexOf('@') + 1));
}

export function domainKey(domain: string): string {
  // domainToASCII answers '' for what it cannot map; such a domain equals only itself.
  return /[^\x00-\x7f]/.test(domain)
    ? domainToASCII(domain) || domain.normalize('NFC').toLowerCase()
    : domain.toLowerCase();
}

/** As written, with its quotes. */
export function localPartOf(mailbox: Mailbox): string {
  return mailbox.slice(0, mailbox.lastIndexOf('@'));
}

/**
 * The form in which two mailboxes are compared with those of people and groups. RFC 5321 §2.4 lets local parts differ
 * by case; the addresses of our own groups and people do not, and nobody configures two that differ by case only.
 * `"ab"@x` is `ab@x` (RFC 5321 §4.1.2), and a domain is the same in U-labels and in A-labels.
 */
export const mailboxKey: (mailbox: Mailbox) => string = remembering((text) => {
  const mailbox = text as Mailbox;
  // What nearly all are.
  if (!/^"|[^\x00-\x7f]/.test(mailbox)) return mailbox.toLowerCase();
  const local = localPartOf(mailbox);
  const bare = local.startsWith('"') ? local.slice(1, -1).replace(/\\(.)/g, '$1') : local;
  const plain = dotAtoms.test(bare) ? bare : local;
  return `${plain.normalize('NFC').toLowerCase()}@${domainOf(mailbox)}`;
});

/** RFC 6531 §3.1: whether a path needs SMTPUTF8. */
export function isInternationalised(path: ReversePath): boolean {
  return /[^\x00-\x7f]/.test(path);
}
