// Any XMPP address: an account, a room, an occupant, or a bare domain. RFC 7622. Accounts and rooms are normalised by
// presence/jid.ts; here only the domain alone is added to it.
import { parseJid } from '../../presence/jid.ts';

export interface Address {
  readonly local: string | undefined;
  readonly domain: string;
  readonly resource: string | undefined;
  readonly bare: string;
  readonly full: string;
}

export function parseAddress(text: string): Address | undefined {
  const slash = text.indexOf('/');
  const beforeResource = slash < 0 ? text : text.slice(0, slash);
  const hasLocal = beforeResource.includes('@');
  // RFC 7622 §3.1: the local part is optional. `x@` only lends the rest to the one parser.
  const jid = parseJid(hasLocal ? text : `x@${text}`);
  if (!jid) return undefined;
  const at = jid.bare.indexOf('@');
  const domain = jid.bare.slice(at + 1);
  const bare = hasLocal ? jid.bare : domain;
  const local = hasLocal ? jid.bare.slice(0, at) : undefined;
  const full = jid.resource === undefined ? bare : `${bare}/${jid.resource}`;
  return { local, domain, resource: jid.resource, bare, full };
}

export function expectAddress(text: string): Address {
  const address = parseAddress(text);
  if (!address) throw new RangeError(`not an XMPP address: ${JSON.stringify(text)}`);
  return address;
}
