// Asking about people: the server, by a probe (RFC 6121 §4.3), and their clients themselves, by a ping (XEP-0199).
//
// A probe is answered by the server from what it believes, so it repairs what we missed. A ping is answered by a client
// that is really there, so it tells somebody whose line has died (and who looks present for minutes) from somebody who
// sits there: doubt is decided by it.
import type { Clock, Duration, Instant } from '../clock.ts';
import { second } from '../clock.ts';
import type { Log } from '../log.ts';
import type { BareJid } from '../presence/jid.ts';
import type { Presence } from '../presence/presence.ts';
import type { Iq } from './iq.ts';
import { IqError } from './iq.ts';
import type { Element } from './stanza.ts';
import { ns, xml } from './stanza.ts';

/** After a presence error: the person is asked about again. */
const firstRecheck: Duration = 60 * second;
const lastRecheck: Duration = 300 * second;
/** Of one person: more clients than this are not asked at once. */
const mostPinged = 5;

export class Probes {
  readonly #clock: Clock;
  readonly #iq: Iq;
  readonly #send: (stanza: Element) => Promise<void>;
  readonly #log: Log;
  readonly #toProbe = new Set<BareJid>();
  #probing = false;
  readonly #rechecks = new Map<BareJid, { at: Instant; pause: Duration }>();

  constructor(options: { clock: Clock; iq: Iq; send: (stanza: Element) => Promise<void>; log: Log }) {
    this.#clock = options.clock;
    this.#iq = options.iq;
    this.#send = options.send;
    this.#log = options.log;
  }

  keepOnly(wanted: ReadonlySet<BareJid>): void {
    for (const jid of this.#rechecks.keys()) if (!wanted.has(jid)) this.#rechecks.delete(jid);
  }

  /** Their server answered with an error: it is asked again, less and less often, until it tells. */
  doubtful(jid: BareJid): void {
    const pause = Math.min(lastRecheck, (this.#rechecks.get(jid)?.pause ?? firstRecheck / 2) * 2);
    this.#rechecks.set(jid, { at: this.#clock.now() + pause, pause });
  }

  heard(jid: BareJid): void {
    this.#rechecks.delete(jid);
  }

  tick(now: Instant): void {
    for (const [jid, recheck] of this.#rechecks) {
      if (recheck.at > now) continue;
      recheck.at = now + recheck.pause;
      this.probe(jid);
    }
  }

  /** Probes that have not gone yet: until they have, silence says nothing. */
  get busy(): boolean {
    return this.#probing;
  }

  /** The server answers it for those we are subscribed to. */
  probe(jid: BareJid): void {
    this.#toProbe.add(jid);
    this.#probeAll();
  }

  /** One after the other: thousands at once would fill the way out. */
  async #probeAll(): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    try {
      for (const jid of this.#toProbe) {
        this.#toProbe.delete(jid);
        await this.#send(xml('presence', { to: jid, type: 'probe' }));
      }
    } catch (error) {
      // The link is down: the next session is told of everybody anyway, a resumed one by what the server kept.
      this.#toProbe.clear();
      this.#log.debug({ err: error }, 'not all probes were sent');
    } finally {
      this.#probing = false;
    }
  }

  /** True: a client answered. False: none did in time. Null: there is none to ask, or asking was not possible. */
  async ping(jid: BareJid, presence: Presence, within: Duration): Promise<boolean | null> {
    const places = (presence.resources ?? []).filter(({ priority }) => priority >= 0).slice(0, mostPinged);
    if (places.length === 0) return null;
    const answers = places.map(({ name }) => this.#pingOne(`${jid}/${name}`, within));
    // The first that answers is enough; who is silent keeps nobody waiting.
    return new Promise((resolve) => {
      for (const answer of answers) answer.then((here) => here === true && resolve(true));
      Promise.all(answers).then((all) => resolve(all.includes(true) ? true : all.includes(false) ? false : null));
    });
  }

  async #pingOne(address: string, within: Duration): Promise<boolean | null> {
    try {
      await this.#iq.request('get', address, xml('ping', { xmlns: ns.ping }), within);
      return true;
    } catch (error) {
      if (!(error instanceof IqError)) throw error;
      // XEP-0199 §4.1: a client that does not know pings answers so itself; whoever answers is there. Of a client that
      // has gone the server says the same, so only the other conditions prove anything against it.
      if (error.condition === 'timeout' || error.condition === 'recipient-unavailable') return false;
      if (error.condition === 'item-not-found' || error.condition === 'remote-server-timeout') return false;
      return null;
    }
  }
}
