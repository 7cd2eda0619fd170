// JIDs: RFC 7622. Compared only through this file, because the XMPP library lower-cases but does not normalise.

/** `local@domain`, normalised. */
export type BareJid = string & { readonly __brand: 'BareJid' };

export interface Jid {
  readonly bare: BareJid;
  readonly resource?: string;
}

/** Undefined when it is not a JID with a local part. RFC 7622 §3: each part at most 1023 octets. */
export function parseJid(text: string): Jid | undefined {
  const slash = text.indexOf('/');
  const bareText = (slash < 0 ? text : text.slice(0, slash)).normalize('NFC');
  const resource = slash < 0 ? undefined : text.slice(slash + 1);
  const at = bareText.indexOf('@');
  const local = bareText.slice(0, at).toLowerCase();
  const domain = bareText
    .slice(at + 1)
    .toLowerCase()
    .replace(/\.$/, '');
  if (at < 1 || domain === '' || domain.includes('@')) return undefined;
  // RFC 7622 §3.3.1: what a localpart must not hold.
  if (/["&'/:<>@\s\p{Cc}]/u.test(local) || /[\s/\p{Cc}<>&"']/u.test(domain)) return undefined;
  if (resource === '' || [local, domain, resource ?? ''].some((part) => Buffer.byteLength(part) > 1023))
    return undefined;
  const bare = `${local}@${domain}` as BareJid;
  return resource === undefined ? { bare } : { bare, resource };
}

export function expectBareJid(text: string): BareJid {
  const jid = parseJid(text);
  if (!jid) throw new RangeError(`not a JID: ${JSON.stringify(text)}`);
  return jid.bare;
}
