// JIDs: RFC 7622. Compared only through this file, because the XMPP library lower-cases but does not normalise: two
// spellings of one address must be one key, and one that only looks like another must not be taken for it.
import { domainToASCII, domainToUnicode } from 'node:url';

/** `local@domain`, normalised. */
export type BareJid = string & { readonly __brand: 'BareJid' };

export interface Jid {
  readonly bare: BareJid;
  readonly resource?: string;
}

/** RFC 7622 §3.1: octets of each part. */
const longestPart = 1_023;

/** Nearly all: nothing in them that normalising could change, nor refuse. A stream is read at some microseconds each. */
const plain = /^([a-z0-9._+-]+@(?:[a-z0-9_-]+\.)*[a-z0-9_-]+)(?:\/([\x20-\x7e]+))?$/;

let lastText = '';
let last: Jid | undefined;

/** Undefined when it is not a JID with a local part. */
export function parseJid(text: string): Jid | undefined {
  // Whoever handles a stanza asks for its sender anew.
  if (text === lastText) return last;
  last = parseAny(text);
  lastText = text;
  return last;
}

function parseAny(text: string): Jid | undefined {
  const parts = text.length <= longestPart && !text.includes('xn--') ? plain.exec(text) : null;
  if (parts === null) return parseOther(text);
  const bare = parts[1] as BareJid;
  return parts[2] === undefined ? { bare } : { bare, resource: parts[2] };
}

function parseOther(text: string): Jid | undefined {
  // Three parts and two marks at most; what is longer need not be looked at.
  if (text.length > 3 * longestPart + 2 || !text.isWellFormed()) return undefined;
  // RFC 7622 §3.1: the first "/" begins the resource, in which "@" and "/" may be.
  const slash = text.indexOf('/');
  const before = slash < 0 ? text : text.slice(0, slash);
  const at = before.indexOf('@');
  if (at < 0) return undefined;
  const local = normaliseLocal(before.slice(0, at));
  const domain = normaliseDomain(before.slice(at + 1));
  if (local === undefined || domain === undefined) return undefined;
  const bare = `${local}@${domain}` as BareJid;
  if (slash < 0) return { bare };
  const resource = normaliseResource(text.slice(slash + 1));
  return resource === undefined ? undefined : { bare, resource };
}

export function expectBareJid(text: string): BareJid {
  const jid = parseJid(text);
  if (!jid) throw new RangeError(`not a JID: ${JSON.stringify(text)}`);
  return jid.bare;
}

export function domainPart(jid: BareJid): string {
  return jid.slice(jid.lastIndexOf('@') + 1);
}

/** RFC 7622 §3.3: UsernameCaseMapped. Compatibility forms are folded (as Prosody's and ejabberd's nodeprep does). */
function normaliseLocal(text: string): string | undefined {
  // Lower case can need composing, and composing can give what has a lower case: until it stays.
  let local = text;
  for (let round = 0; round < 3; round += 1) local = local.normalize('NFKC').toLowerCase();
  if (local !== local.normalize('NFKC').toLowerCase()) return undefined;
  // RFC 7622 §3.3.1 forbids " & ' / : < > @; spaces, controls, and what is not seen at all look like another address.
  if (local === '' || /["&'/:<>@\s]|[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u.test(local)) return undefined;
  return fits(local);
}

// Of ASCII a name has letters, digits, hyphen, dot, and in practice the underscore; nothing invisible of the rest.
const notInDomain = /[\x00-\x2c\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]|[\p{C}\p{Z}]/u;

function isName(domain: string): boolean {
  return !notInDomain.test(domain) && domain.split('.').every((label) => label !== '');
}

/** RFC 7622 §3.2: the Unicode form of an internationalised name is the one that counts. */
function normaliseDomain(text: string): string | undefined {
  const name = text.normalize('NFC').toLowerCase().replace(/\.$/, '');
  if (/^\[[0-9a-f:.]{2,45}\]$/.test(name)) return name;
  if (!isName(name)) return undefined;
  // Plain names are left as they are: the URL rules behind domainToASCII would read 1.2.3 as 1.2.0.3.
  if (/^[\x21-\x7e]+$/.test(name) && !name.includes('xn--')) return fits(name);
  // The ideographic full stop is a dot too.
  const domain = domainToUnicode(domainToASCII(name)).replace(/\.$/, '');
  // What it cannot read it gives back as nothing; what it shows differently the next time is no name either.
  if (!isName(domain) || domainToUnicode(domainToASCII(domain)) !== domain) return undefined;
  return fits(domain);
}

/** RFC 7622 §3.4: OpaqueString; case counts. */
function normaliseResource(text: string): string | undefined {
  const resource = text.replace(/\p{Zs}/gu, ' ').normalize('NFC');
  if (resource === '' || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(resource)) return undefined;
  return fits(resource);
}

function fits(part: string): string | undefined {
  return Buffer.byteLength(part) <= longestPart ? part : undefined;
}
