// Requests to the server itself or to an account's bare JID, which the server answers for it. RFC 6120 §8.2.3.
import { parseAddress } from './address.ts';
import { pushRoster } from './deliver.ts';
import { limits } from './options.ts';
import { sendSubscription } from './presence.ts';
import { itemElement, newItem, rosterQuery } from './roster.ts';
import type { Session } from './session.ts';
import type { World } from './world.ts';
import { type Element, el, elementsOf, errorReply, ns, readdress, resultOf } from './xml.ts';

type Handler = (world: World, session: Session, iq: Element, query: Element) => Element;

// By `type name namespace`.
const handlers: Readonly<Record<string, Handler>> = {
  [`get query ${ns.roster}`]: getRoster,
  [`set query ${ns.roster}`]: setRoster,
  [`get ping ${ns.ping}`]: (_world, _session, iq) => resultOf(iq),
  [`set session ${ns.session}`]: (_world, _session, iq) => resultOf(iq),
  [`get query ${ns.discoInfo}`]: discoInfo,
  [`get query ${ns.discoItems}`]: discoItems,
  [`get query ${ns.version}`]: (_world, _session, iq) =>
    resultOf(iq, el('query', { xmlns: ns.version }, el('name', {}, 'Pointsman sandbox'), el('version', {}, '1'))),
  [`get time ${ns.time}`]: (world, _session, iq) =>
    resultOf(
      iq,
      el('time', { xmlns: ns.time }, el('tzo', {}, '+00:00'), el('utc', {}, new Date(world.clock.now()).toISOString())),
    ),
  [`get vCard ${ns.vcard}`]: (world, session, iq) => {
    const vcard = iq.attrs.to === world.domain ? undefined : (world.accountOf(iq.attrs.to) ?? session.account).vcard;
    return vcard ? resultOf(iq, vcard) : errorReply(iq, 'cancel', 'item-not-found');
  },
  [`set vCard ${ns.vcard}`]: (_world, session, iq, query) => {
    session.account.vcard = query;
    return resultOf(iq);
  },
  [`get query ${ns.private}`]: (_world, session, iq, query) => {
    const [wanted] = elementsOf(query);
    if (!wanted) return errorReply(iq, 'modify', 'bad-request');
    return resultOf(iq, el('query', { xmlns: ns.private }, session.account.privateXml.get(keyOf(wanted)) ?? wanted));
  },
  [`set query ${ns.private}`]: (_world, session, iq, query) => {
    const [given] = elementsOf(query);
    if (!given || session.account.privateXml.size >= 50) return errorReply(iq, 'modify', 'not-acceptable');
    session.account.privateXml.set(keyOf(given), given);
    return resultOf(iq);
  },
  [`set enable ${ns.carbons}`]: (_world, session, iq) => {
    session.carbons = true;
    return resultOf(iq);
  },
  [`set disable ${ns.carbons}`]: (_world, session, iq) => {
    session.carbons = false;
    return resultOf(iq);
  },
};

// What only the account itself may ask.
const private_ = new Set<string>([ns.roster, ns.private, ns.carbons, ns.session]);

export function answerIq(world: World, session: Session, iq: Element) {
  const [query] = elementsOf(iq);
  const type = iq.attrs.type;
  if (type === 'result' || type === 'error') return; // an answer to the server, which asked nothing it waits for
  if (!query || !iq.attrs.id || (type !== 'get' && type !== 'set')) {
    return world.send(session, errorReply(iq, 'modify', 'bad-request'));
  }
  const namespace = query.getNS() ?? '';
  const handler = handlers[`${type} ${query.getName()} ${namespace}`];
  const target = iq.attrs.to === undefined ? session.account : world.accountOf(iq.attrs.to);
  const toServer = iq.attrs.to !== undefined && parseAddress(iq.attrs.to)?.local === undefined;
  const foreign = target !== session.account && (private_.has(namespace) || type === 'set');
  if (!handler || (!target && !toServer)) return world.send(session, errorReply(iq, 'cancel', 'service-unavailable'));
  // Some clients address these to their server's domain; a stranger's are refused.
  if (foreign && !toServer) return world.send(session, errorReply(iq, 'auth', 'forbidden'));
  world.send(session, handler(world, session, iq, query));
}

function keyOf(element: Element): string {
  return `${element.getNS()} ${element.getName()}`;
}

// RFC 6121 §2.1.3
function getRoster(_world: World, session: Session, iq: Element): Element {
  session.interested = true;
  const items = [...session.account.roster.values()].filter((item) => item.listed);
  return resultOf(iq, rosterQuery(...items.map(itemElement)));
}

// RFC 6121 §2.1.5, §2.5
function setRoster(world: World, session: Session, iq: Element, query: Element): Element {
  const { account } = session;
  const [given, ...more] = query.getChildren('item');
  const contact = parseAddress(given?.attrs.jid ?? '')?.bare;
  if (!given || more.length > 0 || !contact) return errorReply(iq, 'modify', 'bad-request');
  const known = account.roster.get(contact);
  if (given.attrs.subscription === 'remove') {
    if (!known?.listed) return errorReply(iq, 'cancel', 'item-not-found');
    for (const verb of ['unsubscribe', 'unsubscribed'] as const) {
      const needed = verb === 'unsubscribe' ? known.to || known.pendingOut : known.from || known.pendingIn;
      if (needed) sendSubscription(world, account, contact, verb, el('presence', { xmlns: ns.client, type: verb }));
    }
    account.roster.delete(contact);
    pushRoster(world, account, rosterQuery(el('item', { jid: contact, subscription: 'remove' })));
    return resultOf(iq);
  }
  if (!known && account.roster.size >= limits.rosterItems) return errorReply(iq, 'wait', 'resource-constraint');
  const groups = [...new Set(given.getChildren('group').map((group) => group.getText()))];
  const item = { ...(known ?? newItem(contact)), name: given.attrs.name, groups, listed: true };
  account.roster.set(contact, item);
  pushRoster(world, account, rosterQuery(itemElement(item)));
  return resultOf(iq);
}

// XEP-0030
function discoInfo(world: World, _session: Session, iq: Element, query: Element): Element {
  const toAccount = iq.attrs.to === undefined || world.accountOf(iq.attrs.to) !== undefined;
  if (query.attrs.node) return errorReply(iq, 'cancel', 'item-not-found');
  const identity = toAccount
    ? el('identity', { category: 'account', type: 'registered' })
    : el('identity', { category: 'server', type: 'im', name: 'Pointsman sandbox' });
  const features = toAccount
    ? [ns.discoInfo, ns.discoItems, ns.vcard, ns.ping]
    : [ns.discoInfo, ns.discoItems, ns.ping, ns.version, ns.time, ns.vcard, ns.private, ns.carbons, 'msgoffline'];
  return resultOf(
    iq,
    el('query', { xmlns: ns.discoInfo }, identity, ...features.map((name) => el('feature', { var: name }))),
  );
}

function discoItems(world: World, _session: Session, iq: Element): Element {
  const toServer = iq.attrs.to === world.domain;
  const items = toServer ? [el('item', { jid: world.roomDomain, name: 'Rooms' })] : [];
  return resultOf(readdress(iq, {}), el('query', { xmlns: ns.discoItems }, ...items));
}
