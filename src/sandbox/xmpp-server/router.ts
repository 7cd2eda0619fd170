// What a client sends, and where it goes. RFC 6120 §10, RFC 6121 §8; then the life of a session from bind to end.
import { type Address, parseAddress } from './address.ts';
import { bounce, copyToOthers, deliver } from './deliver.ts';
import { answerIq } from './iq.ts';
import { Muc } from './muc.ts';
import { answerRoomIq } from './muc-iq.ts';
import { limits } from './options.ts';
import { broadcastPresence, directPresence, goUnavailable } from './presence.ts';
import type { Account, Session } from './session.ts';
import type { World } from './world.ts';
import { delayElement, type Element, el, errorReply, isAnswer, ns, readdress, withChild } from './xml.ts';

export class Router {
  readonly #world: World;
  readonly muc: Muc;

  constructor(world: World) {
    this.#world = world;
    this.muc = new Muc(world);
  }

  /** A stanza of a bound client. `from` is set here: RFC 6120 §8.1.2.1. */
  receive(session: Session, received: Element): void {
    session.sm?.countHandled();
    const stanza = readdress(received, { from: session.jid });
    this.#world.events.emit({ kind: 'stanza', direction: 'in', jid: session.jid, stanza });
    this.#world.interceptors.pass('in', session.jid, stanza, () => this.route(session, stanza));
  }

  route(session: Session, stanza: Element) {
    const world = this.#world;
    const to = stanza.attrs.to === undefined ? undefined : parseAddress(stanza.attrs.to);
    if (stanza.attrs.to !== undefined && !to) {
      if (!isAnswer(stanza)) world.send(session, errorReply(stanza, 'modify', 'jid-malformed'));
      return;
    }
    if (to && to.domain === world.roomDomain) return this.#toRoom(session, stanza, to);
    if (to && to.domain !== world.domain) return bounce(world, stanza, 'remote-server-not-found');
    switch (stanza.name) {
      case 'message':
        return this.#message(session, stanza, to);
      case 'presence':
        return this.#presence(session, stanza, to);
      default: {
        const toServer = !to || to.resource === undefined;
        return toServer ? answerIq(world, session, stanza) : deliver(world, stanza);
      }
    }
  }

  #message(session: Session, stanza: Element, to: Address | undefined) {
    if (to && to.local === undefined) return bounce(this.#world, stanza);
    const addressed = readdress(stanza, { to: to?.full ?? session.account.bare }); // RFC 6121 §8.1.1.1
    deliver(this.#world, addressed);
    copyToOthers(this.#world, session.account, [session], 'sent', addressed);
  }

  #presence(session: Session, stanza: Element, to: Address | undefined) {
    if (to && to.local !== undefined) return directPresence(this.#world, session, stanza);
    if (to) return; // the server itself sees it anyway
    broadcastPresence(this.#world, session, stanza);
    if (stanza.attrs.type === 'unavailable') this.muc.leaveAll(session, stanza);
  }

  #toRoom(session: Session, stanza: Element, to: Address) {
    if (stanza.name === 'iq') return answerRoomIq(this.#world, this.muc, session, stanza, to);
    this.muc.receive(session, stanza, to);
  }

  /** RFC 6120 §7. A resource already in use ends the older session, as Prosody and ejabberd do (§7.7.2.2). */
  bind(account: Account, wanted: string | undefined): Session | 'resource-constraint' | 'bad-request' {
    const jid = `${account.bare}/${wanted || this.#world.newId()}`;
    const resource = parseAddress(jid)?.resource;
    if (resource === undefined) return 'bad-request';
    const older = account.sessions.get(resource);
    if (older) this.end(older, 'conflict');
    if (account.sessions.size >= limits.sessionsPerAccount) return 'resource-constraint';
    const session: Session = {
      jid,
      resource,
      account,
      link: undefined,
      sm: undefined,
      waiting: undefined,
      presence: undefined,
      presenceSince: this.#world.clock.now(),
      priority: 0,
      interested: false,
      carbons: false,
      directed: new Set(),
    };
    account.sessions.set(resource, session);
    return session;
  }

  /** The connection is gone without a goodbye: wait for a resumption, or end. XEP-0198 §5. */
  detach(session: Session, waitFor: number) {
    session.link = undefined;
    if (!session.sm?.resumable) return this.end(session);
    const waiting = new AbortController();
    session.waiting = waiting;
    this.#world.events.emit({ kind: 'detached', jid: session.jid });
    const clock = this.#world.clock;
    void clock.sleepUntil(clock.now() + waitFor, waiting.signal).then(() => {
      const resumed = waiting.signal.aborted && waiting.signal.reason !== 'given-up';
      if (!resumed && session.waiting === waiting) this.end(session);
    });
  }

  /** Its contacts and rooms hear of it, and what it has not acknowledged finds another way. */
  end(session: Session, streamError?: string): void {
    const { account } = session;
    if (account.sessions.get(session.resource) !== session) return;
    const link = session.link;
    session.link = undefined;
    session.waiting?.abort('ended');
    session.waiting = undefined;
    account.sessions.delete(session.resource);
    if (link && streamError) link.fail(streamError);
    const goodbye = el('presence', { xmlns: ns.client, type: 'unavailable', from: session.jid });
    goUnavailable(this.#world, session, goodbye);
    this.muc.leaveAll(session, goodbye);
    this.#world.events.emit({ kind: 'ended', jid: session.jid });
    for (const stanza of session.sm?.unacked ?? []) this.#redirect(session, stanza);
  }

  // XEP-0198 §5: messages as if they came for the bare JID; a request is refused; presence means nothing any more.
  #redirect(session: Session, stanza: Element) {
    if (stanza.name === 'iq') return bounce(this.#world, stanza);
    if (stanza.name !== 'message' || stanza.attrs.type === 'groupchat' || stanza.getChild('x', ns.mucUser)) return;
    if (stanza.getChild('received', ns.carbons) ?? stanza.getChild('sent', ns.carbons)) return;
    const delay = stanza.getChild('delay', ns.delay) ? [] : [delayElement(this.#world.domain, this.#world.clock.now())];
    const stamped = delay[0] ? withChild(stanza, delay[0]) : stanza;
    deliver(this.#world, readdress(stamped, { to: session.account.bare }));
  }
}
