// One stream: one TCP connection to the server, from the first octet to its end, with one fresh @xmpp/client in it.
//
// The library opens the stream, runs SASL, binds the resource and keeps the counters of XEP-0198. Everything where it
// may hang, guess or be led astray is taken from it here: the socket and TLS are ours, it sees no stanza once the
// session is up, it has no timer, and every way to end leads through end(), once.
//
//   opening ─▶ tls ─▶ opening ─▶ finishing ─▶ up          any ─▶ ended
//   (opening: features, SASL, bind; finishing: the session stands, the library has yet to finish its turn)
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Client } from '@xmpp/client';
import type { Clock } from '../clock.ts';
import type { XmppConfig } from '../config.ts';
import type { Log } from '../log.ts';
import type { LinkCause } from '../presence/watcher.ts';
import { notPinned, tlsOptions } from './dial.ts';
import { isStanza, makeClient } from './library.ts';
import type { Scram } from './scram.ts';
import type { Resumable, StreamEnd, StreamEvents } from './session.ts';
import { Reading } from './slices.ts';
import type { Element } from './stanza.ts';
import { conditionOf, ns, xml } from './stanza.ts';
import { TextReader } from './text-reader.ts';

/** Larger than any honest stanza to us (a roster of 10 000 people is 0.9 MB), small enough to parse in a second. */
const largestStanza = 2 * 1024 * 1024;

type Phase = 'opening' | 'tls' | 'finishing' | 'up' | 'ended';

export class XmppStream {
  readonly ended: Promise<StreamEnd>;
  readonly #config: XmppConfig;
  readonly #domain: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #events: StreamEvents;
  readonly #client: Client;
  readonly #libraryOnElement: (element: Element) => void;
  readonly #former: Resumable | null;
  #resolveEnded: (end: StreamEnd) => void = () => undefined;
  #reader = new TextReader();
  #phase: Phase = 'opening';
  #socket: Socket | null = null;
  #scram: Scram | null = null;
  #authenticated = false;
  #asked: 'enable' | 'resume' | null = null;
  #formerLives: boolean;
  #offersAcks = false;
  #acks = false;
  #counting = false;
  #inbound = 0;
  #held: Element[] = [];
  #unparsed = 0;
  // RFC 6120 §5.4.3.3: while TLS is being negotiated nothing may be left for later.
  readonly #reading = new Reading(
    (piece) => this.#onPiece(piece),
    () => this.#phase === 'up',
    ({ message }) => this.end(`the server sent what cannot be read: ${message}`, 'unreadable', { session: 'gone' }),
  );
  heardAt: number;

  constructor(options: {
    config: XmppConfig;
    clock: Clock;
    log: Log;
    events: StreamEvents;
    former: Resumable | null;
  }) {
    this.#config = options.config;
    this.#domain = domainOf(options.config);
    this.#clock = options.clock;
    this.#log = options.log;
    this.#events = options.events;
    this.#former = options.former;
    this.#formerLives = options.former !== null;
    this.heardAt = options.clock.now();
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#client = this.#makeClient();
    this.#libraryOnElement = Object.getPrototypeOf(this.#client)._onElement.bind(this.#client);
  }

  /** Speaks XMPP over a connected socket from now on. */
  begin(socket: Socket, secure: boolean): void {
    const x = this.#client;
    // The address is never dialled by the library; it only picks the TCP transport by its scheme.
    const transport = x._findTransport('xmpp://localhost:5222');
    if (!transport) throw new Error('@xmpp/client has no TCP transport');
    x.Transport = transport;
    x.Socket = transport.prototype.Socket;
    x.Parser = transport.prototype.Parser;
    this.#attach(socket, secure);
    x.open({ domain: this.#domain }).catch((error: Error) => this.end(error.message, 'closed'));
  }

  /** Resolves when the kernel has taken it; the server's word for it is `acked`. */
  async send(stanza: Element): Promise<void> {
    if (this.#phase !== 'up') throw new Error('the stream is not up');
    await this.#client.send(stanza);
  }

  /** XEP-0198 §4: asks how far the server has come. */
  requestAck(): void {
    if (this.#phase !== 'up' || !this.#acks) return;
    this.#write(xml('r', { xmlns: ns.sm }));
  }

  /** Says goodbye (RFC 6120 §4.4); the caller bounds the wait for `ended`. */
  close(): void {
    if (this.#phase === 'ended') return;
    // Nothing is resumed after a goodbye.
    this.#formerLives = false;
    if (this.#phase !== 'up') {
      this.end('stopped', 'stopped');
      return;
    }
    if (this.#acks) this.#write(xml('a', { xmlns: ns.sm, h: String(this.#inbound) }));
    this.#acks = false;
    this.#client.write('</stream:stream>').catch((error: Error) => this.end(error.message, 'closed'));
  }

  /** The only way a stream ends; calling it again changes nothing. */
  end(
    reason: string,
    cause: LinkCause,
    { kind = 'lost', session = 'kept' }: { kind?: StreamEnd['kind']; session?: 'kept' | 'gone' } = {},
  ): void {
    if (this.#phase === 'ended') return;
    const wasUp = this.#phase === 'up';
    this.#phase = 'ended';
    this.#held = [];
    const resumable = session === 'gone' ? null : wasUp ? this.#resumable() : this.#formerLives ? this.#former : null;
    // Destroyed, not closed: closing waits for a peer that may be dead, and tells a living one to end the session.
    this.#socket?.destroy();
    this.#resolveEnded({ reason, cause, kind, resumable, wasUp });
  }

  #resumable(): Resumable | null {
    const sm = this.#client.streamManagement;
    const jid = this.#client.jid?.toString();
    if (!this.#acks || sm.id === '' || jid === undefined) return null;
    return { id: sm.id, jid, inbound: this.#inbound, outbound: sm.outbound, queue: [...sm.outbound_q] };
  }

  #makeClient(): Client {
    const x = makeClient({
      config: this.#config,
      domain: this.#domain,
      clock: this.#clock,
      isSecure: () => this.#isSecure(),
      onScram: (scram) => {
        this.#scram = scram;
      },
      onAsk: (asked) => {
        this.#asked = asked;
      },
    });
    if (this.#former) {
      const { id, inbound, outbound, queue, jid } = this.#former;
      Object.assign(x.streamManagement, { id, inbound, outbound, outbound_q: [...queue] });
      x._jid(jid);
    }
    x._onData = (data) => this.#onData(data);
    x._onElement = (element) => this.#onElement(element);
    x.on('error', (error: Error) => this.#onError(error));
    x.on('disconnect', () => this.end('the connection was closed', 'closed'));
    // RFC 6120 §4.4: the server said goodbye, and with it the session is over.
    x.on('close', () => this.end('the server closed the stream', 'closed', { session: 'gone' }));
    x.on('online', () => this.#onBound());
    x.streamManagement.on('resumed', () => this.#onResumed());
    x.streamManagement.on('ack', (stanza: Element) => this.#guarded('ack', () => this.#events.acked(stanza)));
    return x;
  }

  #write(element: Element): void {
    this.#client.send(element).catch((error: Error) => this.end(error.message, 'closed'));
  }

  #attach(socket: Socket, secure: boolean): void {
    this.#socket = Object.assign(socket, { secure });
    this.#client._attachSocket(socket);
  }

  #isSecure(): boolean {
    return (this.#socket as (Socket & { secure?: boolean }) | null)?.secure === true;
  }

  #onData(data: Buffer): void {
    if (this.#phase === 'ended') return;
    this.heardAt = this.#clock.now();
    this.#unparsed += data.length;
    if (this.#unparsed > largestStanza) {
      this.end(`the server sent a stanza over ${largestStanza} octets`, 'unreadable', { session: 'gone' });
      return;
    }
    this.#reading.read(this.#reader.pieces(data), this.#socket);
  }

  #onPiece(piece: string): void {
    if (this.#phase !== 'ended') this.#client.parser?.write(piece);
  }

  #onElement(element: Element): void {
    if (this.#phase === 'ended') return;
    this.#unparsed = 0;
    if (this.#phase === 'tls') {
      // RFC 6120 §5.4.3.3: nothing follows <proceed/> in the clear; what does was put there by somebody.
      this.end('something was said between STARTTLS and TLS', 'tls', { session: 'gone' });
    } else if (element.is('error', ns.stream)) this.#onStreamError(element);
    else if (element.is('features', ns.stream)) this.#onFeatures(element);
    else if (element.getNS() === ns.tls) this.#onStartTls(element);
    else if (element.getNS() === ns.sasl) this.#onSasl(element);
    else if (element.getNS() === ns.sm) this.#onStreamManagement(element);
    else if (isStanza(element)) this.#onStanza(element);
    else this.#log.debug({ element: element.name }, 'an element that is not known was ignored');
  }

  #onStanza(stanza: Element): void {
    if (this.#counting) this.#inbound += 1;
    if (this.#phase === 'up') this.#guarded('stanza', () => this.#events.stanza(stanza));
    else if (this.#phase === 'finishing') this.#held.push(stanza);
    // The answer to bind is the only stanza that the library gets to see.
    else this.#libraryOnElement(stanza);
  }

  #onStreamError(error: Element): void {
    const condition = conditionOf(error, ns.streamErrors);
    const text = error.getChildText('text', ns.streamErrors);
    const said = text ? `${condition} (${text.slice(0, 200)})` : condition;
    const reason =
      condition === 'conflict'
        ? `${said}: another session uses our resource; does a second Pointsman run with this account?`
        : `the server ended the stream: ${said}`;
    const refused = ['conflict', 'host-unknown', 'not-authorized', 'policy-violation', 'see-other-host'];
    // RFC 6120 §4.9.1.1: unrecoverable. Resuming would send again what may have caused it.
    const final = refused.includes(condition);
    this.end(reason, condition === 'conflict' ? 'conflict' : final ? 'refused' : 'stream-error', {
      kind: final ? 'refused' : 'lost',
      session: 'gone',
    });
  }

  #onFeatures(features: Element): void {
    if (!this.#isSecure() && this.#config.tls === 'required') {
      if (features.getChild('starttls', ns.tls)) {
        this.#write(xml('starttls', { xmlns: ns.tls }));
        return;
      }
      this.end('the server offers no TLS, which is required: somebody may be in between', 'no-tls', {
        kind: 'refused',
      });
      return;
    }
    // Ours is the TLS; and SASL2 of the servers at hand breaks their own stream.
    features.children = features.children.filter(
      (child) => typeof child === 'string' || !(child.is('starttls', ns.tls) || child.is('authentication', ns.sasl2)),
    );
    if (this.#authenticated) {
      if (features.getChild('bind', 'urn:ietf:params:xml:ns:xmpp-bind') === undefined) {
        this.end('the server offers no resource binding', 'refused', { kind: 'refused', session: 'gone' });
        return;
      }
      this.#offersAcks = features.getChild('sm', ns.sm) !== undefined;
      if (!this.#offersAcks) this.#formerLives = false;
    } else if (features.getChild('mechanisms', ns.sasl) === undefined) {
      this.end('the server offers no way to log in', 'refused', { kind: 'refused' });
      return;
    }
    this.#libraryOnElement(features);
  }

  #onStartTls(element: Element): void {
    if (!element.is('proceed') || this.#isSecure() || this.#config.tls === 'none') {
      this.end('the server refused STARTTLS', 'no-tls', { kind: 'refused' });
      return;
    }
    this.#phase = 'tls';
    const plain = this.#socket;
    if (!plain) return;
    this.#client._detachSocket();
    // Its errors also reach the TLS socket, which is listened to.
    plain.on('error', () => undefined);
    const secure = connectTls({ ...tlsOptions(this.#config, this.#domain), socket: plain });
    this.#socket = secure;
    // A certificate is not better in half a second.
    const failed = (error: Error): void => this.end(`TLS: ${error.message}`, 'tls', { kind: 'refused' });
    const closed = (): void => this.end('the connection was closed while TLS began', 'tls');
    secure.on('error', failed).on('close', closed);
    secure.once('secureConnect', () => {
      if (this.#phase === 'ended') return;
      const unpinned = notPinned(secure, this.#config);
      if (unpinned) {
        failed(unpinned);
        return;
      }
      secure.off('error', failed).off('close', closed);
      this.#phase = 'opening';
      this.#reader = new TextReader();
      this.#attach(secure, true);
      this.#client.restart().catch((error: Error) => this.end(error.message, 'closed'));
    });
  }

  #onSasl(element: Element): void {
    if (element.is('failure')) {
      const condition = conditionOf(element, ns.sasl);
      const text = element.getChildText('text', ns.sasl);
      const temporary = condition === 'temporary-auth-failure';
      this.end(
        `the server refused our login as ${this.#config.jid}: ${condition}${text ? ` (${text.slice(0, 200)})` : ''}`,
        'login',
        { kind: temporary ? 'lost' : 'refused' },
      );
      return;
    }
    if (element.is('success')) {
      // RFC 5802 §3: without it anybody could play the server.
      if (this.#scram && !this.#scram.serverProved(Buffer.from(element.text(), 'base64').toString())) {
        this.end('the server did not prove that it knows our password', 'login', { kind: 'refused' });
        return;
      }
      this.#authenticated = true;
    }
    this.#libraryOnElement(element);
  }

  #onStreamManagement(element: Element): void {
    const sm = this.#client.streamManagement;
    if (element.is('a') || element.is('resumed')) {
      const handled = Number(element.attrs.h);
      // The library trusts it and fails on a count beyond its queue.
      if (!Number.isInteger(handled) || handled < sm.outbound || handled > sm.outbound + sm.outbound_q.length) {
        const sent = sm.outbound + sm.outbound_q.length;
        this.end(`the server acknowledged ${element.attrs.h ?? 'nothing'} of ${sent} stanzas`, 'unreadable', {
          session: 'gone',
        });
        return;
      }
    }
    if (element.is('resumed')) {
      this.#counting = true;
      this.#inbound = this.#former?.inbound ?? 0;
      this.#phase = 'finishing';
    } else if (element.is('enabled')) {
      this.#counting = true;
      this.#inbound = 0;
    } else if (element.is('failed') && this.#asked === 'resume') this.#formerLives = false;
    sm.inbound = this.#inbound;
    this.#libraryOnElement(element);
    if (this.#asked === 'enable' && (element.is('enabled') || element.is('failed'))) this.#finish(false);
  }

  #onBound(): void {
    // With XEP-0198 the session stands after <enabled/>, so that every stanza of ours is counted.
    if (!this.#offersAcks) this.#finish(false);
  }

  #onResumed(): void {
    this.#finish(true);
  }

  /** The library sets its counters some promises later than it gets the element: its turn is let end first. */
  #finish(resumed: boolean): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'finishing';
    setImmediate(() => {
      if (this.#phase !== 'finishing') return;
      const sm = this.#client.streamManagement;
      this.#acks = sm.enabled;
      sm.inbound = this.#inbound;
      this.#phase = 'up';
      const jid = this.#client.jid?.toString() ?? this.#config.jid;
      this.#guarded('up', () => this.#events.up({ jid, resumed, acks: this.#acks }));
      for (const stanza of this.#held.splice(0)) this.#guarded('stanza', () => this.#events.stanza(stanza));
    });
  }

  #onError(error: Error & { code?: string }): void {
    const text = error.code && !error.message.includes(error.code) ? `${error.message} (${error.code})` : error.message;
    this.end(text, error.name === 'XMLError' ? 'unreadable' : 'closed');
  }

  /** A mistake in what handles one stanza must not cost the stream: it would come again after every resumption. */
  #guarded(what: string, handle: () => void): void {
    try {
      handle();
    } catch (error) {
      this.#log.error({ err: error, what }, 'a handler failed; the stream goes on');
    }
  }
}

export function domainOf(config: Pick<XmppConfig, 'jid'>): string {
  return config.jid.slice(config.jid.lastIndexOf('@') + 1);
}
