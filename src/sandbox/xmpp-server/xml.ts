// XML elements and stanzas: how they are built, copied and answered. All output is written through ltx, which escapes.
import Element from 'ltx/src/Element.js';
import parse from 'ltx/src/parse.js';

export { Element };

export const ns = {
  client: 'jabber:client',
  stream: 'http://etherx.jabber.org/streams',
  streamErrors: 'urn:ietf:params:xml:ns:xmpp-streams',
  stanzaErrors: 'urn:ietf:params:xml:ns:xmpp-stanzas',
  tls: 'urn:ietf:params:xml:ns:xmpp-tls',
  sasl: 'urn:ietf:params:xml:ns:xmpp-sasl',
  bind: 'urn:ietf:params:xml:ns:xmpp-bind',
  session: 'urn:ietf:params:xml:ns:xmpp-session',
  roster: 'jabber:iq:roster',
  discoInfo: 'http://jabber.org/protocol/disco#info',
  discoItems: 'http://jabber.org/protocol/disco#items',
  ping: 'urn:xmpp:ping',
  version: 'jabber:iq:version',
  time: 'urn:xmpp:time',
  vcard: 'vcard-temp',
  private: 'jabber:iq:private',
  carbons: 'urn:xmpp:carbons:2',
  forward: 'urn:xmpp:forward:0',
  hints: 'urn:xmpp:hints',
  delay: 'urn:xmpp:delay',
  sm: 'urn:xmpp:sm:3',
  muc: 'http://jabber.org/protocol/muc',
  mucUser: 'http://jabber.org/protocol/muc#user',
  mucOwner: 'http://jabber.org/protocol/muc#owner',
  mucAdmin: 'http://jabber.org/protocol/muc#admin',
  chatStates: 'http://jabber.org/protocol/chatstates',
  dataForms: 'jabber:x:data',
} as const;

export type Attributes = Readonly<Record<string, string | undefined>>;

export function el(name: string, attrs: Attributes = {}, ...children: readonly (Element | string)[]): Element {
  const element = new Element(name, { ...attrs });
  element.append(...children);
  return element;
}

/** For tests and scripts; what a client sends goes through the bounded stream parser instead. */
export function parseXml(text: string): Element {
  const element = parse(text);
  element.attrs.xmlns ??= ns.client;
  return element;
}

export function elementsOf(parent: Element): Element[] {
  return parent.children.filter((child) => typeof child !== 'string');
}

/** The same stanza with other attributes. The children are shared and must not be changed. */
export function readdress(stanza: Element, attrs: Attributes): Element {
  const copy = new Element(stanza.name, { ...stanza.attrs, ...attrs });
  copy.children = [...stanza.children];
  return copy;
}

/** A copy with one more child. */
export function withChild(stanza: Element, child: Element): Element {
  const copy = readdress(stanza, {});
  copy.append(child);
  return copy;
}

/** What goes on the wire: the stream's default namespace is not repeated on each stanza. */
export function serialise(stanza: Element): string {
  return (stanza.attrs.xmlns === ns.client ? readdress(stanza, { xmlns: undefined }) : stanza).toString();
}

export function isStanza(element: Element): boolean {
  return ['message', 'presence', 'iq'].includes(element.name);
}

export type ErrorType = 'auth' | 'cancel' | 'continue' | 'modify' | 'wait';

/** RFC 6120 §8.3. */
export function errorReply(stanza: Element, type: ErrorType, condition: string, code?: string): Element {
  const { from, to, id } = stanza.attrs;
  return el(
    stanza.name,
    { xmlns: ns.client, type: 'error', from: to, to: from, id },
    el('error', { type, code }, el(condition, { xmlns: ns.stanzaErrors })),
  );
}

export function isAnswer(stanza: Element): boolean {
  return stanza.attrs.type === 'error' || stanza.attrs.type === 'result';
}

export function resultOf(iq: Element, ...children: readonly Element[]): Element {
  const { from, to, id } = iq.attrs;
  return el('iq', { xmlns: ns.client, type: 'result', from: to, to: from, id }, ...children);
}

/** XEP-0203. */
export function delayElement(from: string, at: number): Element {
  return el('delay', { xmlns: ns.delay, from, stamp: new Date(at).toISOString() });
}
