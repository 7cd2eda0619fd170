// Duty rooms as a source of presence: whoever sits in one is there. Fed by rooms.ts with what each occupant's presence
// says; tells, by real JID, what all duty rooms together say of a person.
//
// Only a real JID counts (XEP-0045 §7.2.3): a nick is anybody's. A room that hides JIDs from us says nothing of anybody,
// and that is a fault with its remedy, not a silence.
import type { Clock, Instant } from '../clock.ts';
import type { PresenceFault } from '../presence/fault.ts';
import type { BareJid } from '../presence/jid.ts';
import type { Presence, Resource } from '../presence/presence.ts';
import { rollUp } from '../presence/roll-up.ts';

export interface RoomEvents {
  /** `jid` null: the room hides it. Not called for ourselves. */
  present(room: BareJid, nick: string, jid: BareJid | null, resource: Resource): void;
  absent(room: BareJid, nick: string): void;
  renamed(room: BareJid, before: string, after: string): void;
  entered(room: BareJid): void;
  /** We are out of it: nothing is known of who is in. */
  left(room: BareJid, why: string): void;
}

interface Occupant {
  readonly jid: BareJid | null;
  readonly resource: Resource;
  /** COMPAT(Prosody 0.12): the presence after a change of nick comes without the show that was there before. */
  readonly justRenamed: boolean;
}

interface DutyRoom {
  readonly occupants: Map<string, Occupant>;
  hidden: number;
  state: { readonly in: boolean; readonly since: Instant; readonly why: string };
}

/** More clients of one person in duty rooms than this are not told apart. */
const mostPlaces = 32;

export class DutyRooms implements RoomEvents {
  readonly #clock: Clock;
  readonly #tell: (jid: BareJid, presence: Presence | null) => void;
  readonly #rooms = new Map<BareJid, DutyRoom>();
  /** Person → room and nick → what that place says. */
  readonly #places = new Map<BareJid, Map<string, Resource>>();
  readonly #asOf = new Map<BareJid, Instant>();
  #muted = false;

  constructor(clock: Clock, tell: (jid: BareJid, presence: Presence | null) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  watch(rooms: readonly BareJid[]): void {
    const wanted = new Set(rooms);
    for (const room of [...this.#rooms.keys()]) {
      if (wanted.has(room)) continue;
      this.left(room, 'not watched any more');
      this.#rooms.delete(room);
    }
    for (const room of wanted) {
      if (this.#rooms.has(room)) continue;
      const state = { in: false, since: this.#clock.now(), why: 'not entered yet' };
      this.#rooms.set(room, { occupants: new Map(), hidden: 0, state });
    }
  }

  present(room: BareJid, nick: string, jid: BareJid | null, resource: Resource): void {
    const duty = this.#rooms.get(room);
    if (!duty) return;
    const before = duty.occupants.get(nick);
    if (before && before.jid !== jid) this.absent(room, nick);
    const keepShow = before?.justRenamed === true && resource.show === 'available';
    const said = keepShow ? { ...resource, show: before.resource.show } : resource;
    const since = before && before.resource.show === said.show ? before.resource.since : said.since;
    const occupant = { jid, resource: { ...said, since, name: `${room}/${nick}` }, justRenamed: false };
    if (jid === null && before?.jid !== null) duty.hidden += 1;
    duty.occupants.set(nick, occupant);
    if (jid === null) return;
    const places = this.#places.get(jid) ?? new Map<string, Resource>();
    if (!places.has(occupant.resource.name) && places.size >= mostPlaces) return;
    places.set(occupant.resource.name, occupant.resource);
    this.#places.set(jid, places);
    this.#asOf.set(jid, this.#clock.now());
    this.#say(jid);
  }

  absent(room: BareJid, nick: string): void {
    const duty = this.#rooms.get(room);
    const occupant = duty?.occupants.get(nick);
    if (!duty || !occupant) return;
    duty.occupants.delete(nick);
    if (occupant.jid === null) {
      duty.hidden -= 1;
      return;
    }
    this.#places.get(occupant.jid)?.delete(occupant.resource.name);
    this.#say(occupant.jid);
  }

  renamed(room: BareJid, before: string, after: string): void {
    const duty = this.#rooms.get(room);
    const occupant = duty?.occupants.get(before);
    if (!duty || !occupant) return;
    const resource = { ...occupant.resource, name: `${room}/${after}` };
    duty.occupants.delete(before);
    duty.occupants.set(after, { ...occupant, resource, justRenamed: true });
    const places = occupant.jid === null ? undefined : this.#places.get(occupant.jid);
    // In one step: somebody who takes another nick has not been away.
    places?.delete(occupant.resource.name);
    places?.set(resource.name, resource);
  }

  entered(room: BareJid): void {
    const duty = this.#rooms.get(room);
    if (duty) duty.state = { in: true, since: this.#clock.now(), why: '' };
  }

  left(room: BareJid, why: string): void {
    const duty = this.#rooms.get(room);
    if (!duty) return;
    const since = duty.state.in ? this.#clock.now() : duty.state.since;
    duty.state = { in: false, since, why };
    for (const nick of [...duty.occupants.keys()]) this.absent(room, nick);
  }

  /** The link has been down for long: nobody is known to be anywhere. What a resumed session restores is kept. */
  mute(): void {
    if (this.#muted) return;
    this.#muted = true;
    for (const jid of this.#places.keys()) this.#tell(jid, null);
  }

  unmute(): void {
    if (!this.#muted) return;
    this.#muted = false;
    for (const jid of [...this.#places.keys()]) this.#say(jid);
  }

  faults(now: Instant, patience: number): readonly PresenceFault[] {
    const faults: PresenceFault[] = [];
    for (const [room, { hidden, state }] of this.#rooms) {
      if (state.in && hidden > 0) {
        faults.push({
          id: 'duty-room-hides-jids',
          about: room,
          severity: 'error',
          since: state.since,
          text: `the duty room ${room} does not show who ${hidden} of its occupants are, so nobody counts as present in it`,
          action: 'make the room non-anonymous, or Pointsman its moderator (an affiliation of admin)',
        });
      } else if (!state.in && now - state.since >= patience) {
        faults.push({
          id: 'duty-room-not-entered',
          about: room,
          severity: 'warning',
          since: state.since,
          text: `not in the duty room ${room}: ${state.why}`,
          action: 'check that the room exists and that Pointsman may enter it',
        });
      }
    }
    return faults;
  }

  #say(jid: BareJid): void {
    const places = this.#places.get(jid);
    if (places?.size === 0) this.#places.delete(jid);
    if (this.#muted) return;
    const { state, best } = rollUp(places?.values() ?? []);
    if (!best) {
      this.#asOf.delete(jid);
      this.#tell(jid, null);
      return;
    }
    this.#tell(jid, {
      state,
      since: best.since,
      asOf: this.#asOf.get(jid) ?? best.since,
      ...(best.status === undefined ? {} : { status: best.status }),
      ...(best.idleSince === undefined ? {} : { idleSince: best.idleSince }),
    });
  }
}
