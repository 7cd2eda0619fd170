// Addresses as the envelope carries them: RFC 5321 §4.1.2 (Mailbox), RFC 6531 §3.3 (non-ASCII).
// A Mailbox keeps the sender's bytes (case, quotes, A-labels); comparing goes through mailboxKey().

/** `local@domain`, syntactically valid, exactly as it was given. */
export type Mailbox = string & { readonly __brand: 'Mailbox' };
/** RFC 5321 §4.5.5: the reverse-path of reports. A value of its own, never the empty string. */
export const nullReversePath = '<>';
export type NullReversePath = typeof nullReversePath;
export type ReversePath = Mailbox | NullReversePath;

// RFC 5321 §4.5.3.1.1–3, in octets.
export const maxLocalPart = 64;
export const maxDomain = 255;
export const maxPath = 254; // 256 with the angle brackets

const atom = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\u{10ffff}]+$/u;
const quoted = /^"(?:[\x20\x21\x23-\x5b\x5d-\x7e\u0080-\u{10ffff}]|\\[\x20-\x7e])*"$/u;
const label = /^[A-Za-z0-9_\u0080-\u{10ffff}](?:[A-Za-z0-9_\-\u0080-\u{10ffff}]*[A-Za-z0-9_\u0080-\u{10ffff}])?$/u;
const literal = /^\[(?:IPv6:[0-9A-Fa-f:.]{2,45}|\d{1,3}(?:\.\d{1,3}){3})\]$/;

/** Undefined when `text` is not a Mailbox. Underscores in a domain are let through: such hosts exist and mail us. */
export function parseMailbox(text: string): Mailbox | undefined {
  if (Buffer.byteLength(text) > maxPath) return undefined;
  const at = text.lastIndexOf('@');
  if (at < 1) return undefined;
  const local = text.slice(0, at);
  const domain = text.slice(at + 1);
  if (Buffer.byteLength(local) > maxLocalPart) return undefined;
  if (!quoted.test(local) && !local.split('.').every((part) => atom.test(part))) return undefined;
  if (!literal.test(domain) && !isDomain(domain)) return undefined;
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
    text.length <= maxDomain &&
    text.split('.').every((part) => part.length <= 63 && label.test(part))
  );
}

export function domainOf(mailbox: Mailbox): string {
  return mailbox.slice(mailbox.lastIndexOf('@') + 1).toLowerCase();
}

export function localPartOf(mailbox: Mailbox): string {
  return mailbox.slice(0, mailbox.lastIndexOf('@'));
}

/**
 * The form in which two mailboxes are compared with those of people and groups. RFC 5321 §2.4 lets local parts differ
 * by case; the addresses of our own groups and people do not, and nobody configures two that differ by case only.
 */
export function mailboxKey(mailbox: Mailbox): string {
  return mailbox.toLowerCase();
}

/** RFC 6531 §3.1: whether a path needs SMTPUTF8. */
export function isInternationalised(path: ReversePath): boolean {
  return /[^\x00-\x7f]/.test(path);
}
