// Messages: what people write to us, what their clients report about ours, and how ours look.
//
// Who wrote is what the server says in `from`, never what a wrapper or the text says: carbons and forwarded copies are
// not read at all, because a client is not asked to see what it did not get itself.
import type { Clock, Duration, Instant } from '../clock.ts';
import { minute, second } from '../clock.ts';
import type { Log } from '../log.ts';
import { apart } from '../mail/apart.ts';
import type { IncomingMessage, MoreOfMessage, NotifyTarget, NudgeFactsForPrograms } from '../notify/notifier.ts';
import type { BareJid } from '../presence/jid.ts';
import { parseJid } from '../presence/jid.ts';
import { bodyWithoutFallback, RoomIds, readReferences, saidTo } from './references.ts';
import type { Rooms } from './rooms.ts';
import type { Element } from './stanza.ts';
import { capText, delayStamp, errorCondition, ns, xml } from './stanza.ts';

export interface Receipt {
  readonly from: BareJid;
  readonly id: string;
  readonly kind: 'received' | 'displayed';
  readonly at: Instant;
}

export interface MessageEvents {
  message(message: IncomingMessage): void;
  receipt(receipt: Receipt): void;
}

/** Octets of a text that goes out; a nudge is about 1 kB. */
export const longestOutgoing = 4_096;
/** Octets of a text that comes in: longer is no command. */
const longestIncoming = 16_384;

/**
 * XEP-0203 stamps also what a resumed session replays. That is seconds old and was written to us as we are;
 * only what is older was stored, and may have been meant for another hour.
 */
const freshFor: Duration = 30 * second;

/** A message that the server sends twice after a resumption is one message. */
const rememberFor: Duration = 10 * minute;
const mostRemembered = 2_000;

export class Messages {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #ownBare: BareJid;
  readonly #rooms: Rooms;
  readonly #send: (stanza: Element) => Promise<void>;
  readonly #watches: (jid: BareJid) => boolean;
  readonly #events: MessageEvents;
  readonly #seen = new Map<string, Instant>();
  readonly #roomIds = new RoomIds();

  constructor(options: {
    clock: Clock;
    log: Log;
    ownBare: BareJid;
    rooms: Rooms;
    send: (stanza: Element) => Promise<void>;
    watches: (jid: BareJid) => boolean;
    events: MessageEvents;
  }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#ownBare = options.ownBare;
    this.#rooms = options.rooms;
    this.#send = options.send;
    this.#watches = options.watches;
    this.#events = options.events;
  }

  handle(stanza: Element): void {
    const from = parseJid(stanza.attrs.from ?? '');
    // RFC 6121 §5.2.2: an absent or unknown type is `normal`. A headline is not written by a person.
    const type = stanza.attrs.type ?? 'normal';
    if (!from || type === 'headline') return;
    if (type === 'error') {
      this.#onError(from.bare, stanza);
      return;
    }
    if (from.bare === this.#ownBare || isWrapper(stanza)) return;
    const room = this.#rooms.has(from.bare) ? from.bare : undefined;
    if (room && from.resource === this.#rooms.nickIn(room)) this.#roomIds.reflected(room, stanza);
    const sender = room ? this.#rooms.realJid(room, from.resource ?? '') : from.bare;
    if (room && (from.resource === undefined || from.resource === this.#rooms.nickIn(room))) return;
    if (!room && type === 'groupchat') return;
    if (type !== 'groupchat' && sender) this.#readReport(stanza, sender);
    const references = readReferences(stanza);
    const body = stanza.getChildText('body') ?? '';
    if (body === '' && references.reactions === undefined) return;
    if (Buffer.byteLength(body) > longestIncoming) {
      this.#log.warn({ from: stanza.attrs.from }, 'a message too long to be a command was ignored');
      return;
    }
    const { id } = stanza.attrs;
    const reacted = references.reactions?.join(' ') ?? '';
    if (id !== undefined && this.#isRepeated(apart(`${stanza.attrs.from}\n${id}\n${body}\n${reacted}`))) return;
    const now = this.#clock.now();
    const stamp = delayStamp(stanza, now);
    // A private message of an occupant is a word to us alone: it is treated as from the real person, if known.
    const inRoom = room !== undefined && type === 'groupchat';
    if (room !== undefined && !inRoom && sender === null) return;
    if (!inRoom && id !== undefined) this.#answerReceipt(stanza, id, sender);
    const called = inRoom ? saidTo(this.#rooms.nickIn(room) ?? '', body) : undefined;
    const { about } = references;
    this.#events.message({
      from: sender,
      ...(inRoom ? { room } : {}),
      ...references,
      ...(about !== undefined && inRoom ? { about: this.#roomIds.ours(room, about) } : {}),
      ...(called === undefined ? {} : { addressed: true }),
      body: called ?? bodyWithoutFallback(stanza, body),
      ...(id === undefined ? {} : { id }),
      at: stamp ?? now,
      delayed: stamp === undefined || (stamp !== null && now - stamp > freshFor),
    });
  }

  compose(target: NotifyTarget, text: string, id: string, more: MoreOfMessage = {}): Element {
    const body = xml('body', {}, capText(text, longestOutgoing));
    // XEP-0359 §3.1: so that what comes back through an archive is known for ours.
    const origin = xml('origin-id', { xmlns: ns.stanzaId, id });
    const facts = more.facts ? [factsElement(more.facts)] : [];
    if (target.kind === 'room')
      return xml('message', { to: target.room, type: 'groupchat', id }, body, origin, ...facts);
    const replaces = more.replaces === undefined ? [] : [xml('replace', { xmlns: ns.correct, id: more.replaces })];
    return xml(
      'message',
      { to: target.jid, type: 'chat', id },
      body,
      origin,
      ...replaces,
      ...facts,
      xml('request', { xmlns: ns.receipts }),
      xml('markable', { xmlns: ns.markers }),
    );
  }

  #onError(from: BareJid, stanza: Element): void {
    const condition = errorCondition(stanza);
    this.#log.warn({ from, id: stanza.attrs.id, condition }, 'a message of ours came back');
    this.#rooms.onMessageError(from, condition);
  }

  /** XEP-0184 §5.2 and XEP-0333 §4. */
  #readReport(stanza: Element, from: BareJid): void {
    const at = delayStamp(stanza, this.#clock.now()) ?? this.#clock.now();
    const received = stanza.getChild('received', ns.receipts) ?? stanza.getChild('received', ns.markers);
    const displayed = stanza.getChild('displayed', ns.markers) ?? stanza.getChild('acknowledged', ns.markers);
    if (received?.attrs.id) this.#events.receipt({ from, id: received.attrs.id, kind: 'received', at });
    if (displayed?.attrs.id) this.#events.receipt({ from, id: displayed.attrs.id, kind: 'displayed', at });
  }

  /** XEP-0184 §5.3, §8: only to those who may see our presence anyway. */
  #answerReceipt(stanza: Element, id: string, sender: BareJid | null): void {
    const { from, type } = stanza.attrs;
    if (!sender || from === undefined || !this.#watches(sender) || !stanza.getChild('request', ns.receipts)) return;
    const received = xml('received', { xmlns: ns.receipts, id });
    const reply = xml('message', { to: from, ...(type === undefined ? {} : { type }) }, received);
    this.#send(reply).catch((error: Error) => this.#log.debug({ err: error }, 'a receipt was not sent'));
  }

  #isRepeated(key: string): boolean {
    const now = this.#clock.now();
    for (const [old, at] of this.#seen) {
      // In the order of arrival: the first that is young enough ends the search.
      if (now - at < rememberFor && this.#seen.size <= mostRemembered) break;
      this.#seen.delete(old);
    }
    if (this.#seen.has(key)) return true;
    this.#seen.set(key, now);
    return false;
  }
}

function isWrapper(stanza: Element): boolean {
  return stanza
    .getChildElements()
    .some((child) => [ns.carbons, ns.forward, ns.mamResult].some((wrapper) => child.getNS() === wrapper));
}

/** docs/reference/nudge.md */
function factsElement(facts: NudgeFactsForPrograms): Element {
  const { id, queueId, revision, step, kind, group, state, owner } = facts;
  return xml('mail', {
    ...{ xmlns: ns.nudge, id, queue: queueId, revision: String(revision), step: String(step), kind, group, state },
    ...(owner === null ? {} : { owner }),
  });
}
