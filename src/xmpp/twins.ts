// A second Pointsman on our account, under another resource: each would take work by its own lights and tell people
// twice. The server shows us our own other resources (RFC 6121 §4.2.2); ours is known by its capabilities (XEP-0115), so
// that an admin who looks into the account with a client of their own is no fault. Under the same resource the server
// itself ends one of the two, which is the link's cause `conflict`.
import type { Clock, Instant } from '../clock.ts';
import type { PresenceFault } from '../presence/fault.ts';
import type { BareJid } from '../presence/jid.ts';
import { parseJid } from '../presence/jid.ts';
import { capsNode } from './caps.ts';
import type { Element } from './stanza.ts';
import { ns } from './stanza.ts';

/** More resources of ours than this are not told apart. */
const mostTwins = 20;

export class Twins {
  readonly #clock: Clock;
  readonly #ownBare: BareJid;
  readonly #since = new Map<string, Instant>();

  constructor(clock: Clock, ownBare: BareJid) {
    this.#clock = clock;
    this.#ownBare = ownBare;
  }

  reset(): void {
    this.#since.clear();
  }

  see(stanza: Element): void {
    const from = parseJid(stanza.attrs.from ?? '');
    const own = parseJid(stanza.attrs.to ?? '')?.resource;
    // Ours comes back to us, too; the server says to whom it speaks.
    if (from?.bare !== this.#ownBare || from.resource === undefined || own === undefined || from.resource === own)
      return;
    const { type } = stanza.attrs;
    if (type === 'unavailable') this.#since.delete(from.resource);
    else if (type === undefined && stanza.getChild('c', ns.caps)?.attrs.node === capsNode)
      if (!this.#since.has(from.resource) && this.#since.size < mostTwins)
        this.#since.set(from.resource, this.#clock.now());
  }

  faults(): readonly PresenceFault[] {
    return [...this.#since].map(([resource, since]) => ({
      id: 'xmpp-account-shared',
      about: `${this.#ownBare}/${resource}`,
      severity: 'error',
      since,
      text: `another Pointsman is logged in to our account, as ${resource}: people may be asked twice, by two that do not know of each other`,
      action: 'stop one of the two, or give it an account of its own',
    }));
  }
}
