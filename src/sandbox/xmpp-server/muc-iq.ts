// Requests to the rooms' domain, to a room, and through a room to an occupant. XEP-0045 §6, §10; XEP-0410.
import type { Address } from './address.ts';
import type { Muc, Room } from './muc.ts';
import type { Session } from './session.ts';
import type { World } from './world.ts';
import { type Element, el, elementsOf, errorReply, isAnswer, ns, readdress, resultOf } from './xml.ts';

export function answerRoomIq(world: World, muc: Muc, session: Session, iq: Element, to: Address) {
  const room = muc.rooms.get(to.bare);
  if (room && to.resource !== undefined) return throughRoom(world, muc, room, session, iq, to.resource);
  if (isAnswer(iq)) return;
  world.send(session, to.local === undefined ? answerDomain(muc, iq) : answerRoom(muc, room, session, iq));
}

function answerDomain(muc: Muc, iq: Element): Element {
  const [query] = elementsOf(iq);
  if (iq.attrs.type === 'get' && query?.is('query', ns.discoInfo)) {
    return info(iq, 'Rooms', [ns.discoInfo, ns.discoItems, ns.muc, ns.ping]);
  }
  if (iq.attrs.type === 'get' && query?.is('query', ns.discoItems)) {
    const items = [...muc.rooms.values()].map((room) => el('item', { jid: room.jid, name: nameOf(room) }));
    return resultOf(iq, el('query', { xmlns: ns.discoItems }, ...items));
  }
  if (iq.attrs.type === 'get' && query?.is('ping', ns.ping)) return resultOf(iq);
  return errorReply(iq, 'cancel', 'service-unavailable');
}

function answerRoom(muc: Muc, room: Room | undefined, session: Session, iq: Element): Element {
  const [query] = elementsOf(iq);
  const type = iq.attrs.type;
  if (!room) return errorReply(iq, 'cancel', 'item-not-found');
  const occupant = muc.occupantOf(room, session);
  if (type === 'get' && query?.is('query', ns.discoInfo)) {
    // XEP-0045 §6.4
    const kind = ['muc_nonanonymous', 'muc_open', 'muc_public', 'muc_unmoderated', 'muc_unsecured'];
    return info(iq, nameOf(room), [ns.discoInfo, ns.muc, ...kind, room.lasting ? 'muc_persistent' : 'muc_temporary']);
  }
  if (type === 'get' && query?.is('query', ns.discoItems)) {
    const items = [...room.occupants.keys()].map((nick) => el('item', { jid: `${room.jid}/${nick}` }));
    return resultOf(iq, el('query', { xmlns: ns.discoItems }, ...items));
  }
  if (type === 'get' && query?.is('ping', ns.ping)) {
    return occupant ? resultOf(iq) : errorReply(iq, 'cancel', 'not-acceptable');
  }
  if (query?.is('query', ns.mucOwner)) {
    if (!occupant?.owner) return errorReply(iq, 'auth', 'forbidden', '403');
    // §10.1: the instant room; the form offers nothing to change, and what is submitted changes nothing.
    if (type === 'set' && query.getChild('x', ns.dataForms)) return resultOf(iq);
    if (type === 'set') return errorReply(iq, 'cancel', 'feature-not-implemented');
    const form = el('x', { xmlns: ns.dataForms, type: 'form' }, el('title', {}, nameOf(room)));
    return resultOf(iq, el('query', { xmlns: ns.mucOwner }, form));
  }
  if (query?.is('query', ns.mucAdmin)) return administer(muc, room, occupant?.owner === true, iq, query);
  return errorReply(iq, 'cancel', 'service-unavailable');
}

// Kicking (§8.2) is all there is to it.
function administer(muc: Muc, room: Room, owner: boolean, iq: Element, query: Element): Element {
  if (!owner) return errorReply(iq, 'auth', 'forbidden', '403');
  const item = query.getChild('item');
  if (iq.attrs.type === 'get') return resultOf(iq, el('query', { xmlns: ns.mucAdmin }));
  if (item?.attrs.role !== 'none' || !item.attrs.nick) return errorReply(iq, 'cancel', 'feature-not-implemented');
  const kicked = muc.kick(room.jid, item.attrs.nick, item.getChildText('reason') ?? undefined);
  return kicked ? resultOf(iq) : errorReply(iq, 'cancel', 'item-not-found');
}

// XEP-0045 §17.4: rewritten to the real JID, and the answer back. XEP-0410: a ping of oneself is answered by the room.
function throughRoom(world: World, muc: Muc, room: Room, session: Session, iq: Element, nick: string) {
  const sender = muc.occupantOf(room, session);
  const target = room.occupants.get(nick);
  const refuse = (condition: string) => {
    if (!isAnswer(iq)) world.send(session, errorReply(iq, 'cancel', condition));
  };
  if (!sender) return refuse('not-acceptable');
  if (!target) return refuse('item-not-found');
  if (sender === target && elementsOf(iq)[0]?.is('ping', ns.ping) && !isAnswer(iq)) {
    return world.send(session, resultOf(iq));
  }
  world.send(target.session, readdress(iq, { from: `${room.jid}/${sender.nick}`, to: target.session.jid }));
}

function info(iq: Element, name: string, features: readonly string[]): Element {
  const identity = el('identity', { category: 'conference', type: 'text', name });
  return resultOf(
    iq,
    el('query', { xmlns: ns.discoInfo }, identity, ...features.map((feature) => el('feature', { var: feature }))),
  );
}

function nameOf(room: Room): string {
  return room.jid.slice(0, room.jid.indexOf('@'));
}
