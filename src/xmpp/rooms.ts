// Rooms (XEP-0045): being in those that are wanted, in every session, and knowing who really speaks.
//
//   out ── join ──▶ joining ── 110 ──▶ in          in or joining ── error, kicked, shut down ──▶ out (again later)
//
// Who speaks in a room is a nick, which anybody may take; a command needs the real JID, which the room shows to
// moderators, or to all when it is not anonymous. Being in is checked by a self-ping (XEP-0410), because a room that
// was restarted says nothing.
import type { Clock, Duration, Instant } from '../clock.ts';
import { minute, second } from '../clock.ts';
import type { Log } from '../log.ts';
import type { BareJid } from '../presence/jid.ts';
import { parseJid } from '../presence/jid.ts';
import type { RoomEvents } from './duty-rooms.ts';
import type { Iq, IqError } from './iq.ts';
import { readPresence } from './presence-stanza.ts';
import type { Element } from './stanza.ts';
import { errorCondition, ns, xml } from './stanza.ts';

interface Room {
  readonly jid: BareJid;
  state: 'out' | 'joining' | 'in';
  nick: string;
  /** When to try again, or, inside, when to check that we are still in. */
  dueAt: Instant;
  failures: number;
  readonly occupants: Map<string, BareJid | null>;
  pinging: boolean;
}

const answerWithin: Duration = 30 * second;
const checkEvery: Duration = 5 * minute;
const mostOccupants = 2_000;
/** RFC 7622 allows more; a nick of ours that grows with every conflict ends here. */
const mostUnderscores = 5;

export class Rooms {
  readonly #clock: Clock;
  readonly #iq: Iq;
  readonly #send: (stanza: Element) => Promise<void>;
  readonly #nick: string;
  readonly #log: Log;
  readonly #events: RoomEvents | null;
  readonly #rooms = new Map<BareJid, Room>();
  #up = false;

  constructor(options: {
    clock: Clock;
    iq: Iq;
    send: (stanza: Element) => Promise<void>;
    nick: string;
    log: Log;
    events?: RoomEvents;
  }) {
    this.#clock = options.clock;
    this.#iq = options.iq;
    this.#send = options.send;
    this.#nick = options.nick;
    this.#log = options.log;
    this.#events = options.events ?? null;
  }

  join(rooms: readonly BareJid[]): void {
    const wanted = new Set(rooms);
    for (const room of [...this.#rooms.values()]) {
      if (wanted.has(room.jid)) continue;
      this.#rooms.delete(room.jid);
      this.#events?.left(room.jid, 'not wanted any more');
      if (this.#up && room.state !== 'out') {
        this.#post(xml('presence', { to: `${room.jid}/${room.nick}`, type: 'unavailable' }));
      }
    }
    for (const jid of wanted) {
      if (this.#rooms.has(jid)) continue;
      const room: Room = {
        jid,
        state: 'out',
        nick: this.#nick,
        dueAt: 0,
        failures: 0,
        occupants: new Map(),
        pinging: false,
      };
      this.#rooms.set(jid, room);
      if (this.#up) this.#enter(room);
    }
  }

  has(jid: BareJid): boolean {
    return this.#rooms.has(jid);
  }

  isIn(jid: BareJid): boolean {
    return this.#rooms.get(jid)?.state === 'in';
  }

  /** The nick that is ours there, by which an echo is known. */
  nickIn(jid: BareJid): string | undefined {
    return this.#rooms.get(jid)?.nick;
  }

  /** Null: the room hides it, or nobody has that nick. */
  realJid(room: BareJid, nick: string): BareJid | null {
    return this.#rooms.get(room)?.occupants.get(nick) ?? null;
  }

  sessionUp(resumed: boolean): void {
    this.#up = true;
    if (resumed) return;
    for (const room of this.#rooms.values()) {
      this.#leave(room, 0, 'a new session');
      room.nick = this.#nick;
      room.failures = 0;
      this.#enter(room);
    }
  }

  sessionDown(): void {
    this.#up = false;
  }

  /** Our goodbye takes us out of every room: that they say so is not news. */
  stop(): void {
    this.#up = false;
    for (const room of this.#rooms.values()) this.#leave(room, 0, 'stopped');
  }

  /** To be called now and then: tries again, and checks. */
  tick(): void {
    if (!this.#up) return;
    const now = this.#clock.now();
    for (const room of this.#rooms.values()) {
      if (room.dueAt > now) continue;
      if (room.state === 'in') this.#check(room);
      else this.#enter(room);
    }
  }

  /** True when the stanza was about a room. */
  onPresence(stanza: Element): boolean {
    const from = parseJid(stanza.attrs.from ?? '');
    const room = from ? this.#rooms.get(from.bare) : undefined;
    if (!from || !room) return false;
    const { type } = stanza.attrs;
    if (type === 'error') this.#onError(room, errorCondition(stanza));
    else if (from.resource === undefined) {
      // COMPAT(ejabberd 23.01): the room itself sends presence, with its vCard; nobody's.
    } else if (type === undefined) this.#onAvailable(room, from.resource, stanza);
    else if (type === 'unavailable') this.#onUnavailable(room, from.resource, stanza);
    return true;
  }

  /** The room refused a message of ours (XEP-0045 §7.4): we are not in it, whatever we thought. */
  onMessageError(jid: BareJid, condition: string): void {
    const room = this.#rooms.get(jid);
    if (!room || !['not-acceptable', 'item-not-found', 'forbidden'].includes(condition)) return;
    this.#log.warn({ room: jid, condition }, 'the room refused a message; entering it anew');
    this.#leave(room, 0, condition);
    this.#enter(room);
  }

  #enter(room: Room): void {
    room.state = 'joining';
    room.dueAt = this.#clock.now() + answerWithin;
    room.occupants.clear();
    this.#post(
      xml(
        'presence',
        { to: `${room.jid}/${room.nick}` },
        // Nobody's old words are commands.
        xml('x', { xmlns: ns.muc }, xml('history', { maxstanzas: '0', maxchars: '0' })),
      ),
    );
  }

  #leave(room: Room, pause: Duration, why: string): void {
    room.state = 'out';
    this.#events?.left(room.jid, why);
    room.occupants.clear();
    room.dueAt = this.#clock.now() + pause;
  }

  #onAvailable(room: Room, nick: string, stanza: Element): void {
    const x = stanza.getChild('x', ns.mucUser);
    const item = x?.getChild('item');
    const real = parseJid(item?.attrs.jid ?? '')?.bare ?? null;
    if (room.occupants.has(nick) || room.occupants.size < mostOccupants) room.occupants.set(nick, real);
    const codes = statusCodes(x);
    if (!codes.has('110')) {
      this.#tellOf(room, nick, real, stanza);
      return;
    }
    // XEP-0045 §7.2.2: self-presence comes last; 210: the service changed our nick.
    const entered = room.state !== 'in';
    room.nick = nick;
    room.state = 'in';
    room.failures = 0;
    room.dueAt = this.#clock.now() + checkEvery;
    if (entered) {
      this.#log.info({ room: room.jid, nick }, 'in the room');
      this.#events?.entered(room.jid);
    }
    // XEP-0045 §10.1.2: a new room stays locked until its owner accepts the defaults.
    if (codes.has('201')) this.#unlock(room);
  }

  #tellOf(room: Room, nick: string, real: BareJid | null, stanza: Element): void {
    const fact = readPresence(stanza, this.#clock.now());
    if (fact?.kind !== 'available' || !room.occupants.has(nick)) return;
    // XEP-0045 has no use for priorities: whoever sits there is there.
    this.#events?.present(room.jid, nick, real, { ...fact.resource, priority: 0, name: nick });
  }

  #unlock(room: Room): void {
    const form = xml('query', { xmlns: ns.mucOwner }, xml('x', { xmlns: ns.data, type: 'submit' }));
    this.#iq.request('set', room.jid, form).catch((error: IqError) => {
      this.#log.warn({ room: room.jid, condition: error.condition }, 'the new room could not be opened');
    });
  }

  #onUnavailable(room: Room, nick: string, stanza: Element): void {
    const x = stanza.getChild('x', ns.mucUser);
    const codes = statusCodes(x);
    const real = room.occupants.get(nick);
    room.occupants.delete(nick);
    const renamed = codes.has('303') ? x?.getChild('item')?.attrs.nick : undefined;
    if (renamed !== undefined && real !== undefined) {
      room.occupants.set(renamed, real);
      this.#events?.renamed(room.jid, nick, renamed);
    } else this.#events?.absent(room.jid, nick);
    const ours = codes.has('110') || nick === room.nick;
    if (!ours || room.state === 'out') return;
    if (renamed !== undefined) {
      room.nick = renamed;
      return;
    }
    // XEP-0045 §15.6: 301 banned; 307 kicked; 321, 322 not (or no longer) a member; 332 the service shuts down; 333 an error.
    const why = [...codes].filter((code) => code !== '110').join(' ') || 'destroyed or left';
    const pause = codes.has('301') ? 60 * minute : codes.has('307') ? 5 * minute : 30 * second;
    this.#log.warn({ room: room.jid, why, pause }, 'out of the room; will enter it again');
    this.#leave(room, pause, why);
  }

  #onError(room: Room, condition: string): void {
    if (room.state !== 'joining') return;
    room.failures += 1;
    // XEP-0045 §7.2.8.
    if (condition === 'conflict' && room.nick.length < this.#nick.length + mostUnderscores) {
      room.nick = `${room.nick}_`;
      this.#enter(room);
      return;
    }
    room.nick = this.#nick;
    const pause = Math.min(60 * minute, 30 * second * 2 ** Math.min(room.failures, 10));
    this.#log.warn({ room: room.jid, condition, pause }, 'the room does not let us in');
    this.#leave(room, pause, condition);
  }

  /** XEP-0410 §3. */
  #check(room: Room): void {
    room.dueAt = this.#clock.now() + checkEvery;
    if (room.pinging) return;
    room.pinging = true;
    this.#iq
      .request('get', `${room.jid}/${room.nick}`, xml('ping', { xmlns: ns.ping }))
      .catch((error: IqError) => {
        // XEP-0410 §3.2: these say that we are in (ours is the client that cannot answer); silence says nothing.
        if (
          ['service-unavailable', 'feature-not-implemented', 'item-not-found', 'timeout', 'link-down'].includes(
            error.condition,
          )
        ) {
          return;
        }
        this.#log.warn({ room: room.jid, condition: error.condition }, 'no longer in the room; entering it anew');
        this.#leave(room, 0, error.condition);
        if (this.#up && this.#rooms.get(room.jid) === room) this.#enter(room);
      })
      .finally(() => {
        room.pinging = false;
      });
  }

  #post(stanza: Element): void {
    // What does not go now is tried again by tick() or with the next session.
    this.#send(stanza).catch((error: Error) => this.#log.debug({ err: error }, 'a room stanza was not sent'));
  }
}

function statusCodes(x: Element | undefined): Set<string> {
  return new Set(x?.getChildren('status').map((status) => status.attrs.code ?? '') ?? []);
}
