// One simulated person: a real XMPP client of the embedded server. It can be there, be somewhere else, sit in rooms,
// read what is said to it, and say something. What it does with that is people.ts's to decide.
import { EventEmitter, once } from 'node:events';
import { type Clock, systemRandom } from '../clock.ts';
import type { XmppConfig } from '../config.ts';
import type { Log } from '../log.ts';
import { Link } from '../xmpp/link.ts';
import { type Element, ns, xml } from '../xmpp/stanza.ts';
import type { Player } from './cast.ts';

/** The resource that marks a simulated person; anybody else at that JID is a human. */
export const simulatedResource = 'simulated';

export type Mood = 'chat' | 'available' | 'away' | 'xa' | 'dnd' | 'offline';

export interface HeardMessage {
  readonly from: string;
  /** Said in a room; `from` is then the occupant. */
  readonly inRoom: boolean;
  readonly body: string;
}

export class SimulatedPerson {
  readonly player: Player;
  readonly #link: Link;
  readonly #rooms: readonly string[];
  readonly #up = new EventEmitter();
  readonly #hear: (message: HeardMessage) => void;
  #mood: Mood = 'offline';

  constructor(options: {
    player: Player;
    server: { host: string; port: number };
    password: string;
    /** JIDs. */
    rooms: readonly string[];
    clock: Clock;
    log: Log;
    hear: (message: HeardMessage) => void;
  }) {
    this.player = options.player;
    this.#rooms = options.rooms;
    this.#hear = options.hear;
    const config: XmppConfig = {
      jid: options.player.jid,
      resource: simulatedResource,
      password: options.password,
      server: options.server,
      tls: 'none',
      ca: null,
      nick: options.player.name,
      rate: 50_000,
    };
    const log = options.log.child({ part: 'sandbox', person: options.player.name });
    this.#link = new Link({
      config,
      clock: options.clock,
      random: systemRandom,
      log,
      events: {
        up: () => {
          this.#up.emit('up');
          // After a link that was lost: as before.
          if (this.#mood !== 'offline') this.#announce().catch((err: unknown) => log.info({ err }, 'not announced'));
        },
        down: () => undefined,
        stanza: (stanza) => this.#onStanza(stanza).catch((err: unknown) => log.info({ err }, 'not answered')),
        acked: () => undefined,
        askAlive: () => this.#link.requestAck(),
      },
    });
  }

  get mood(): Mood {
    return this.#mood;
  }

  /** Resolves when logged in; nobody sees it before become(). */
  async start(signal: AbortSignal): Promise<void> {
    const up = once(this.#up, 'up', { signal });
    this.#link.start();
    await up;
  }

  stop(): Promise<void> {
    return this.#link.stop();
  }

  /** Resolves when the presence is sent. */
  async become(mood: Mood): Promise<void> {
    if (mood === this.#mood) return;
    const before = this.#mood;
    this.#mood = mood;
    // Without a link it is announced when there is one again.
    if (this.#link.status().state !== 'up') return;
    if (mood === 'offline') await this.#link.send(xml('presence', { type: 'unavailable' }));
    else await this.#announce(before === 'offline');
  }

  async say(to: string, body: string): Promise<void> {
    await this.#link.send(xml('message', { to, type: 'chat', id: newId() }, xml('body', {}, body)));
  }

  async sayInRoom(room: string, body: string): Promise<void> {
    await this.#link.send(xml('message', { to: room, type: 'groupchat', id: newId() }, xml('body', {}, body)));
  }

  async #announce(enterRooms = true): Promise<void> {
    const show = this.#mood === 'available' ? [] : [xml('show', {}, this.#mood)];
    await this.#link.send(xml('presence', {}, ...show));
    if (!enterRooms) return;
    for (const room of this.#rooms) {
      // XEP-0045 §7.2.2; no history: what was said before is no question to us.
      const join = xml('x', { xmlns: ns.muc }, xml('history', { maxstanzas: '0' }));
      await this.#link.send(xml('presence', { to: `${room}/${this.player.name}` }, join));
    }
  }

  async #onStanza(stanza: Element): Promise<void> {
    const { from, id, type } = stanza.attrs;
    if (from === undefined || type === 'error') return;
    if (stanza.getName() === 'iq') {
      // RFC 6120 §8.2.3: whoever asks gets an answer.
      if (type !== 'get' && type !== 'set') return;
      const unavailable = xml('service-unavailable', { xmlns: ns.stanzaErrors });
      const answer = stanza.getChild('ping', ns.ping)
        ? xml('iq', { type: 'result', to: from, id })
        : xml('iq', { type: 'error', to: from, id }, xml('error', { type: 'cancel' }, unavailable));
      await this.#link.send(answer);
      return;
    }
    const body = stanza.getChildText('body');
    // Stored while nobody was there: a person who comes back does not answer what has gone on without them.
    if (stanza.getName() !== 'message' || !body || stanza.getChild('delay', ns.delay)) return;
    if (stanza.getChild('request', ns.receipts) && id !== undefined) {
      await this.#link.send(xml('message', { to: from }, xml('received', { xmlns: ns.receipts, id })));
    }
    this.#hear({ from, inRoom: type === 'groupchat', body });
  }
}

let sent = 0;
function newId(): string {
  sent += 1;
  return `said-${sent}`;
}
