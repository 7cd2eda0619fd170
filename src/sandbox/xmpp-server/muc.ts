// Rooms, XEP-0045: non-anonymous, without history, one nick per session. Who first enters an unknown room makes it and
// owns it; it goes with its last occupant. Rooms named in the options are always there and nobody owns them.
import type { Instant } from '../../clock.ts';
import { type Address, parseAddress } from './address.ts';
import { bounce } from './deliver.ts';
import { limits } from './options.ts';
import type { Session } from './session.ts';
import type { World } from './world.ts';
import { delayElement, type Element, el, errorReply, isAnswer, ns, readdress } from './xml.ts';

export interface Occupant {
  readonly session: Session;
  nick: string;
  readonly owner: boolean;
  presence: Element;
}

export interface Room {
  readonly jid: string;
  readonly lasting: boolean;
  subject: { readonly text: string; readonly from: string; readonly at: Instant };
  /** By nick. */
  readonly occupants: Map<string, Occupant>;
}

export class Muc {
  readonly #world: World;
  readonly rooms = new Map<string, Room>();

  constructor(world: World) {
    this.#world = world;
    for (const local of world.options.rooms ?? []) this.#open(`${local.toLowerCase()}@${world.roomDomain}`, true);
  }

  /** Messages and presence to an address of the rooms' domain. Requests: muc-iq.ts. */
  receive(session: Session, stanza: Element, to: Address) {
    if (to.local === undefined) return bounce(this.#world, stanza);
    const room = this.rooms.get(to.bare);
    if (stanza.name === 'presence') return this.#presence(session, stanza, to, room);
    const sender = room && this.occupantOf(room, session);
    if (!room) return this.#refuse(session, stanza, 'cancel', 'item-not-found');
    if (!sender) return this.#refuse(session, stanza, 'modify', 'not-acceptable'); // §7.4
    const from = `${room.jid}/${sender.nick}`;
    if (to.resource !== undefined) return this.#privateMessage(session, stanza, room, from, to.resource);
    if (stanza.attrs.type !== 'groupchat') return this.#refuse(session, stanza, 'modify', 'bad-request');
    // §8.1: a subject without a body changes the subject.
    const subject = stanza.getChild('body') ? undefined : stanza.getChildText('subject');
    if (subject !== undefined && subject !== null) {
      room.subject = { text: subject, from, at: this.#world.clock.now() };
    }
    this.say(room, readdress(stanza, { from }));
  }

  /** To everybody in the room, the sender included (§7.4). */
  say(room: Room, message: Element): void {
    for (const occupant of room.occupants.values()) {
      this.#world.send(occupant.session, readdress(message, { to: occupant.session.jid }));
    }
  }

  occupantOf(room: Room, session: Session): Occupant | undefined {
    return [...room.occupants.values()].find((occupant) => occupant.session === session);
  }

  /** §8.2: as a moderator would. False when nobody there has that nick. */
  kick(roomJid: string, nick: string, reason?: string): boolean {
    const room = this.rooms.get(roomJid);
    const occupant = room?.occupants.get(nick);
    if (!room || !occupant) return false;
    this.#leave(room, occupant, el('presence', { xmlns: ns.client }), { codes: ['307'], reason, role: 'none' });
    return true;
  }

  /** The session is gone, or went unavailable: it leaves all its rooms. */
  leaveAll(session: Session, unavailable: Element): void {
    for (const room of [...this.rooms.values()]) {
      const occupant = this.occupantOf(room, session);
      if (occupant) this.#leave(room, occupant, unavailable);
    }
  }

  #open(jid: string, lasting: boolean): Room {
    const room: Room = {
      jid,
      lasting,
      subject: { text: '', from: jid, at: this.#world.clock.now() },
      occupants: new Map(),
    };
    this.rooms.set(jid, room);
    return room;
  }

  #presence(session: Session, stanza: Element, to: Address, known: Room | undefined) {
    const here = known && this.occupantOf(known, session);
    switch (stanza.attrs.type) {
      case 'unavailable':
        if (known && here) this.#leave(known, here, stanza);
        return;
      case undefined:
        if (to.resource === undefined) return this.#refuse(session, stanza, 'modify', 'jid-malformed', '400'); // §7.2.1
        if (known && here && here.nick === to.resource) return this.#update(known, here, stanza);
        if (known && here) return this.#rename(known, here, to.resource, stanza);
        return this.#enter(session, stanza, to, to.resource, known);
      default:
        return; // probes, subscriptions and errors mean nothing to a room
    }
  }

  // §7.2
  #enter(session: Session, stanza: Element, to: Address, nick: string, known: Room | undefined) {
    if (known?.occupants.has(nick)) return this.#refuse(session, stanza, 'cancel', 'conflict', '409');
    if (!known && this.rooms.size >= limits.rooms) return this.#refuse(session, stanza, 'cancel', 'not-allowed', '405');
    const room = known ?? this.#open(to.bare, false);
    if (room.occupants.size >= limits.occupants)
      return this.#refuse(session, stanza, 'wait', 'service-unavailable', '503');
    const occupant: Occupant = { session, nick, owner: !known, presence: stanza };
    for (const other of room.occupants.values()) this.#show(room, other, session);
    room.occupants.set(nick, occupant);
    for (const other of room.occupants.values()) {
      // §7.2.2: 110 your own, 100 the room shows real JIDs, 201 it is new
      const codes = other === occupant ? ['100', '110', ...(known ? [] : ['201'])] : [];
      this.#show(room, occupant, other.session, { codes });
    }
    this.#tellSubject(room, session);
  }

  // §7.2.15: always sent, even when empty, and last.
  #tellSubject(room: Room, session: Session): void {
    const { text, from, at } = room.subject;
    const children = [el('subject', {}, ...(text ? [text] : [])), ...(text ? [delayElement(room.jid, at)] : [])];
    this.#world.send(
      session,
      el('message', { xmlns: ns.client, type: 'groupchat', from, to: session.jid }, ...children),
    );
  }

  #update(room: Room, occupant: Occupant, stanza: Element): void {
    // A second join of a client that lost its mind about being in (§7.2.1 repeated) is told everything again.
    const rejoin = stanza.getChild('x', ns.muc) !== undefined;
    occupant.presence = stanza;
    for (const other of room.occupants.values()) {
      if (rejoin && other !== occupant) this.#show(room, other, occupant.session);
      if (other !== occupant) this.#show(room, occupant, other.session);
    }
    this.#show(room, occupant, occupant.session, { codes: rejoin ? ['100', '110'] : ['110'] });
    if (rejoin) this.#tellSubject(room, occupant.session);
  }

  // §7.6
  #rename(room: Room, occupant: Occupant, nick: string, stanza: Element) {
    if (room.occupants.has(nick)) return this.#refuse(occupant.session, stanza, 'cancel', 'conflict', '409');
    for (const other of room.occupants.values()) {
      const own = other === occupant ? ['110'] : [];
      this.#show(room, occupant, other.session, { type: 'unavailable', codes: ['303', ...own], newNick: nick });
    }
    room.occupants.delete(occupant.nick);
    occupant.nick = nick;
    occupant.presence = stanza;
    room.occupants.set(nick, occupant);
    for (const other of room.occupants.values()) {
      this.#show(room, occupant, other.session, { codes: other === occupant ? ['110'] : [] });
    }
  }

  // §7.14
  #leave(room: Room, occupant: Occupant, unavailable: Element, why: Omit<Shown, 'type'> = {}): void {
    occupant.presence = unavailable;
    for (const other of room.occupants.values()) {
      const codes = [...(why.codes ?? []), ...(other === occupant ? ['110'] : [])];
      this.#show(room, occupant, other.session, { ...why, codes, type: 'unavailable', role: 'none' });
    }
    room.occupants.delete(occupant.nick);
    if (room.occupants.size === 0 && !room.lasting) this.rooms.delete(room.jid);
  }

  /** One occupant's presence, as `to` gets to see it. */
  #show(room: Room, occupant: Occupant, to: Session, shown: Shown = {}): void {
    const { presence, session, nick, owner } = occupant;
    const role = shown.role ?? (owner ? 'moderator' : 'participant');
    const item = el('item', { affiliation: owner ? 'owner' : 'none', role, jid: session.jid, nick: shown.newNick });
    if (shown.reason !== undefined) item.append(el('reason', {}, shown.reason));
    const status = (shown.codes ?? []).map((code) => el('status', { code }));
    const attrs = { from: `${room.jid}/${nick}`, to: to.jid, type: shown.type };
    const copy = readdress(presence, attrs);
    // Whatever a client claims about itself in the room's own words is not passed on.
    copy.children = copy.children.filter(
      (child) => typeof child === 'string' || (!child.is('x', ns.muc) && !child.is('x', ns.mucUser)),
    );
    copy.append(el('x', { xmlns: ns.mucUser }, item, ...status));
    this.#world.send(to, copy);
  }

  // §7.5
  #privateMessage(session: Session, stanza: Element, room: Room, from: string, nick: string) {
    const target = room.occupants.get(nick);
    if (!target) return this.#refuse(session, stanza, 'cancel', 'item-not-found');
    if (stanza.attrs.type === 'groupchat') return this.#refuse(session, stanza, 'modify', 'bad-request');
    this.#world.send(target.session, readdress(stanza, { from, to: target.session.jid }));
  }

  #refuse(session: Session, stanza: Element, ...error: [Parameters<typeof errorReply>[1], string, string?]): void {
    if (isAnswer(stanza)) return;
    this.#world.send(session, errorReply(stanza, ...error));
  }
}

interface Shown {
  readonly type?: 'unavailable';
  readonly codes?: readonly string[];
  readonly role?: 'none';
  readonly newNick?: string;
  readonly reason?: string | undefined;
}

/** `ops` or `ops@rooms.example` → the room's JID. */
export function roomJid(world: World, name: string): string {
  const given = parseAddress(name.includes('@') ? name : `${name}@${world.roomDomain}`);
  if (given?.local === undefined || given.domain !== world.roomDomain) {
    throw new RangeError(`not a room of ${world.roomDomain}: ${JSON.stringify(name)}`);
  }
  return given.bare;
}
