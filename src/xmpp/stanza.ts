// Reading and writing stanzas: namespaces, XML-legal text, addresses and time stamps.
import type { Element } from '@xmpp/client';
import { xml } from '@xmpp/client';
import type { Instant } from '../clock.ts';
import { parseJid } from '../presence/jid.ts';

export type { Element };
export { xml };

export const ns = {
  stream: 'http://etherx.jabber.org/streams', // RFC 6120 §4.8.1
  streamErrors: 'urn:ietf:params:xml:ns:xmpp-streams', // RFC 6120 §4.9.2
  stanzaErrors: 'urn:ietf:params:xml:ns:xmpp-stanzas', // RFC 6120 §8.3.2
  tls: 'urn:ietf:params:xml:ns:xmpp-tls', // RFC 6120 §5.4.2
  sasl: 'urn:ietf:params:xml:ns:xmpp-sasl', // RFC 6120 §6.4
  sasl2: 'urn:xmpp:sasl:2', // XEP-0388
  sm: 'urn:xmpp:sm:3', // XEP-0198
  roster: 'jabber:iq:roster', // RFC 6121 §2
  delay: 'urn:xmpp:delay', // XEP-0203
  idle: 'urn:xmpp:idle:1', // XEP-0319
  receipts: 'urn:xmpp:receipts', // XEP-0184
  markers: 'urn:xmpp:chat-markers:0', // XEP-0333
  carbons: 'urn:xmpp:carbons:2', // XEP-0280
  forward: 'urn:xmpp:forward:0', // XEP-0297
  mamResult: 'urn:xmpp:mam:2', // XEP-0313
  muc: 'http://jabber.org/protocol/muc', // XEP-0045
  mucUser: 'http://jabber.org/protocol/muc#user', // XEP-0045
  mucOwner: 'http://jabber.org/protocol/muc#owner', // XEP-0045
  data: 'jabber:x:data', // XEP-0004
  ping: 'urn:xmpp:ping', // XEP-0199
  discoInfo: 'http://jabber.org/protocol/disco#info', // XEP-0030
  discoItems: 'http://jabber.org/protocol/disco#items', // XEP-0030
  version: 'jabber:iq:version', // XEP-0092
  time: 'urn:xmpp:time', // XEP-0202
  commands: 'http://jabber.org/protocol/commands', // XEP-0050
  caps: 'http://jabber.org/protocol/caps', // XEP-0115
  vcard: 'vcard-temp', // XEP-0054
  vcardUpdate: 'vcard-temp:x:update', // XEP-0153
  reply: 'urn:xmpp:reply:0', // XEP-0461
  reactions: 'urn:xmpp:reactions:0', // XEP-0444
  correct: 'urn:xmpp:message-correct:0', // XEP-0308
  fallback: 'urn:xmpp:fallback:0', // XEP-0428
  stanzaId: 'urn:xmpp:sid:0', // XEP-0359
  hints: 'urn:xmpp:hints', // XEP-0334
  pubsub: 'http://jabber.org/protocol/pubsub', // XEP-0060
  event: 'urn:pointsman:event:1', // docs/reference/pubsub.md
  nudge: 'urn:pointsman:nudge:1', // docs/reference/nudge.md
} as const;

// What XML 1.0 §2.2 cannot carry, even escaped: the server would answer not-well-formed and end the stream.
const illegal = /[\x00-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]/g;

/** Text that XML can carry: illegal characters and lone surrogates removed, line ends as XML reads them (XML 1.0 §2.11). */
export function legalText(text: string): string {
  const clean = text.replace(/\r\n?/g, '\n').replace(illegal, '');
  return clean.isWellFormed() ? clean : clean.replace(/\p{Cs}/gu, '');
}

/** At most `octets` of UTF-8, cut between characters, an ellipsis telling that there was more. */
export function capText(text: string, octets: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= octets) return text;
  let end = Math.max(0, octets - Buffer.byteLength('…'));
  // RFC 3629 §3: 10xxxxxx continues a character; step back to where the one that was cut begins.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return `${bytes.subarray(0, end).toString()}…`;
}

/** Makes every text and attribute of a stanza legal, in place: the one thing that every stanza passes on its way out. */
export function makeLegal(element: Element): Element {
  for (const [name, value] of Object.entries(element.attrs)) {
    if (value !== undefined) element.attrs[name] = legalText(value);
  }
  element.children = element.children.map((child) => (typeof child === 'string' ? legalText(child) : makeLegal(child)));
  return element;
}

/** An address for comparing, also of a server or a room's service. */
export function normaliseAddress(text: string): string {
  const jid = parseJid(text);
  if (jid) return jid.resource === undefined ? jid.bare : `${jid.bare}/${jid.resource}`;
  return text.toLowerCase();
}

/** XEP-0082. Undefined when it is not a time. */
export function parseStamp(text: string | undefined): Instant | undefined {
  if (text === undefined || !/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}/.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isFinite(at) ? at : undefined;
}

/** XEP-0203: when the stanza was first sent, never later than now. Null: not delayed; undefined: delayed, time unreadable. */
export function delayStamp(stanza: Element, now: Instant): Instant | null | undefined {
  const delay = stanza.getChild('delay', ns.delay);
  if (!delay) return null;
  const at = parseStamp(delay.attrs.stamp);
  return at === undefined ? undefined : Math.min(at, now);
}

/** RFC 6120 §8.3.2: the condition of an error stanza; `undefined-condition` when there is none to read. */
export function errorCondition(stanza: Element): string {
  return conditionOf(stanza.getChild('error'), ns.stanzaErrors);
}

/** The first child in the namespace that is not the human text. */
export function conditionOf(error: Element | undefined, namespace: string): string {
  const condition = error
    ?.getChildElements()
    .find((child) => child.getNS() === namespace && child.getName() !== 'text');
  return condition?.getName() ?? 'undefined-condition';
}
