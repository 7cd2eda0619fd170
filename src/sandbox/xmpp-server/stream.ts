// One TCP connection: the stream, its features, its login, and the stanzas of the session bound to it. RFC 6120 §4–§7.
//   header → features → (STARTTLS → header → features) → SASL → header → features → bind or resume → stanzas
import type { Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { parseAddress } from './address.ts';
import type { Faults } from './faults.ts';
import { Login } from './login.ts';
import { defaultResumeTimeout, limits } from './options.ts';
import type { Router } from './router.ts';
import { mechanisms } from './sasl.ts';
import type { Account, Link, Session } from './session.ts';
import { StreamManagement } from './sm.ts';
import { StreamFault, StreamParser } from './stream-parser.ts';
import type { World } from './world.ts';
import { type Element, el, errorReply, isStanza, ns, resultOf, serialise } from './xml.ts';

/** How long the client may take to close its side, by the real clock: it is about a real socket. */
const closeTimeout = 1_000;

export class Stream implements Link {
  readonly id: number;
  readonly #world: World;
  readonly #router: Router;
  readonly #faults: Faults;
  #socket: Socket;
  #parser: StreamParser;
  #headerSent = false;
  #secure = false;
  #closing = false;
  readonly #login: Login;
  #account: Account | undefined;
  #session: Session | undefined;
  /** Of the session it had, for the events. */
  #jid: string | undefined;
  /** While stalled: what we would have written. */
  #held: (string | Buffer)[] | undefined;

  constructor(id: number, socket: Socket, world: World, router: Router, faults: Faults) {
    this.id = id;
    this.#world = world;
    this.#router = router;
    this.#faults = faults;
    this.#socket = socket;
    this.#login = new Login(world, faults, this, id);
    this.#parser = this.#newParser();
    this.#attach(socket);
  }

  get session(): Session | undefined {
    return this.#session;
  }

  #newParser(): StreamParser {
    return new StreamParser(this.#account ? limits.stanzaBytes : limits.stanzaBytesBeforeLogin, {
      open: (header) => this.#onHeader(header),
      element: (element) => this.#onElement(element),
      close: () => this.#onStreamEnd(),
    });
  }

  #attach(socket: Socket): void {
    socket.on('data', (bytes: Buffer) => this.#onData(bytes));
    socket.on('error', (error) => this.#world.log(`connection ${this.id}: ${error.message}`));
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      if (socket === this.#socket) this.#onSocketClosed();
    });
  }

  #onData(bytes: Buffer) {
    if (this.#closing) return;
    try {
      this.#parser.write(bytes);
    } catch (error) {
      if (error instanceof StreamFault) return this.fail(error.condition, error.message);
      this.#world.log(`connection ${this.id}: ${(error as Error).stack}`);
      this.fail('internal-server-error');
    }
  }

  #onHeader(header: Element): void {
    if (!header.is('stream', ns.stream) || header.attrs.xmlns !== ns.client) {
      throw new StreamFault('invalid-namespace', 'not a client stream');
    }
    this.#sendHeader();
    if (parseAddress(header.attrs.to ?? this.#world.domain)?.full !== this.#world.domain) {
      throw new StreamFault('host-unknown', `this server is ${this.#world.domain}, not ${header.attrs.to}`);
    }
    if (!header.attrs.version?.startsWith('1.')) throw new StreamFault('unsupported-version', 'XMPP 1.0 is needed');
    this.send(this.#features());
  }

  #sendHeader(): void {
    this.#headerSent = true;
    // The one thing that is no complete element: ltx writes it self-closed.
    const header = el('stream:stream', {
      xmlns: ns.client,
      'xmlns:stream': ns.stream,
      id: this.#world.newId(),
      from: this.#world.domain,
      version: '1.0',
      'xml:lang': 'en',
    });
    this.write(`<?xml version='1.0'?>${header.toString().replace(/\/>$/, '>')}`);
  }

  #offersTls(): boolean {
    return this.#world.options.tls !== undefined && !this.#secure && !this.#faults.starttlsStripped;
  }

  #needsTls(): boolean {
    return this.#world.options.tls?.required === true && !this.#secure && !this.#faults.starttlsStripped;
  }

  #features(): Element {
    const features = el('stream:features');
    if (this.#account) {
      features.append(
        el('bind', { xmlns: ns.bind }),
        el('session', { xmlns: ns.session }, el('optional')),
        el('sm', { xmlns: ns.sm }),
      );
      return features;
    }
    const required = this.#needsTls();
    if (this.#offersTls()) features.append(el('starttls', { xmlns: ns.tls }, ...(required ? [el('required')] : [])));
    if (!required) {
      features.append(el('mechanisms', { xmlns: ns.sasl }, ...mechanisms.map((name) => el('mechanism', {}, name))));
    }
    return features;
  }

  #onElement(element: Element) {
    if (this.#session) return this.#onSessionElement(this.#session, element);
    if (this.#account) return this.#onUnboundElement(this.#account, element);
    if (element.is('starttls', ns.tls)) return this.#startTls();
    if (element.getNS() === ns.sasl) return this.#onSasl(element);
    throw new StreamFault('not-authorized', `<${element.name}/> before login`);
  }

  // RFC 6120 §5.4
  #startTls() {
    const tls = this.#world.options.tls;
    if (!tls || !this.#offersTls()) {
      this.send(el('failure', { xmlns: ns.tls }));
      return this.close();
    }
    this.send(el('proceed', { xmlns: ns.tls }));
    const plain = this.#socket;
    // What came in the same packet after <starttls/> was not encrypted and is forgotten: RFC 6120 §5.4.3.3.
    this.#parser.stop();
    plain.removeAllListeners('data').removeAllListeners('end');
    const secured = new TLSSocket(plain, { isServer: true, secureContext: createSecureContext(tls) });
    this.#socket = secured;
    this.#secure = true;
    this.#parser = this.#newParser();
    this.#attach(secured);
  }

  #onSasl(element: Element): void {
    const done = this.#login.take(element, !this.#needsTls());
    if (!done) return;
    this.#account = done.account;
    this.#parser.limit = limits.stanzaBytes;
    this.#parser.restart();
    this.send(done.success);
  }

  #onUnboundElement(account: Account, element: Element) {
    if (element.is('resume', ns.sm)) return this.#resume(account, element);
    const request = element.name === 'iq' ? element.getChild('bind', ns.bind) : undefined;
    if (!request || element.attrs.type !== 'set') {
      throw new StreamFault('not-authorized', `<${element.name}/> before a resource is bound`);
    }
    const session = this.#router.bind(account, request.getChildText('resource')?.trim() || undefined);
    if (typeof session === 'string') return this.send(errorReply(element, 'modify', session));
    this.#session = session;
    this.#jid = session.jid;
    session.link = this;
    this.send(resultOf(element, el('bind', { xmlns: ns.bind }, el('jid', {}, session.jid))));
    this.#world.events.emit({ kind: 'session', jid: session.jid });
  }

  // XEP-0198 §5
  #resume(account: Account, element: Element) {
    const previous = [...account.sessions.values()].find((session) => session.sm?.id === element.attrs.previd);
    const sm = previous?.sm;
    if (!previous || !sm?.resumable) return this.#failSm('item-not-found');
    if (!sm.acknowledge(element.attrs.h))
      throw new StreamFault('undefined-condition', 'acknowledged more than was sent');
    const older = previous.link;
    previous.link = undefined;
    previous.waiting?.abort('resumed');
    previous.waiting = undefined;
    older?.fail('conflict', 'resumed by another connection');
    this.#session = previous;
    this.#jid = previous.jid;
    previous.link = this;
    sm.asked = false;
    this.#parser.limit = limits.stanzaBytes;
    this.send(el('resumed', { xmlns: ns.sm, previd: sm.id, h: String(sm.handled) }));
    for (const stanza of sm.unacked) this.send(stanza);
    this.#world.events.emit({ kind: 'resumed', jid: previous.jid });
  }

  #failSm(condition: string): void {
    this.send(el('failed', { xmlns: ns.sm }, el(condition, { xmlns: ns.stanzaErrors })));
  }

  #onSessionElement(session: Session, element: Element) {
    if (element.getNS() === ns.sm) return this.#onSm(session, element);
    if (!isStanza(element) || element.getNS() !== ns.client) {
      throw new StreamFault('unsupported-stanza-type', `<${element.name}/>`);
    }
    const from = element.attrs.from;
    if (from !== undefined) {
      // RFC 6120 §4.9.3.9
      const claimed = parseAddress(from)?.full;
      if (claimed !== session.jid && claimed !== session.account.bare) throw new StreamFault('invalid-from', `${from}`);
    }
    this.#router.receive(session, element);
  }

  #onSm(session: Session, element: Element) {
    const { sm } = session;
    switch (element.name) {
      case 'enable': {
        if (sm) return this.#failSm('unexpected-request');
        const resume = element.attrs.resume === 'true' || element.attrs.resume === '1';
        session.sm = new StreamManagement(this.#world.newId(), resume, limits.unackedStanzas);
        const max = String(Math.floor((this.#world.options.resumeTimeout ?? defaultResumeTimeout) / 1000));
        const resumption = resume ? { id: session.sm.id, resume: 'true', max } : {};
        this.send(el('enabled', { xmlns: ns.sm, ...resumption }));
        this.#world.events.emit({ kind: 'managed', jid: session.jid, resumable: resume });
        return;
      }
      case 'r':
        return this.send(el('a', { xmlns: ns.sm, h: String(sm?.handled ?? 0) }));
      case 'a':
        if (!sm) return;
        if (!sm.acknowledge(element.attrs.h))
          throw new StreamFault('undefined-condition', 'acknowledged more than was sent');
        sm.asked = false;
        return this.#askForAck(sm);
      default:
        return this.#failSm('unexpected-request');
    }
  }

  #askForAck(sm: StreamManagement): void {
    if (sm.asked || sm.unacked.length === 0) return;
    sm.asked = true;
    this.write(el('r', { xmlns: ns.sm }).toString());
  }

  send(element: Element): void {
    this.write(serialise(element));
    if (this.#session?.sm && isStanza(element)) this.#askForAck(this.#session.sm);
  }

  /** Raw, for the faults too. */
  write(bytes: string | Buffer): void {
    if (this.#closing) return;
    if (this.#held) {
      this.#held.push(bytes);
      return;
    }
    if (this.#socket.destroyed) return;
    this.#socket.write(bytes);
    if (this.#socket.writableLength > limits.outputBytes) {
      this.#world.log(`connection ${this.id} does not read; cut`);
      this.cut();
    }
  }

  fail(condition: string, text?: string): void {
    if (this.#closing) return;
    const jid = this.#jid;
    this.#world.log(`${jid ?? `connection ${this.id}`}: stream error ${condition}${text ? `: ${text}` : ''}`);
    if (!this.#headerSent) this.#sendHeader(); // RFC 6120 §4.9.1.2
    const error = el('stream:error', {}, el(condition, { xmlns: ns.streamErrors }));
    if (text) error.append(el('text', { xmlns: ns.streamErrors, 'xml:lang': 'en' }, text));
    this.write(error.toString());
    this.#world.events.emit({ kind: 'stream-error', connection: this.id, condition, jid });
    this.close();
  }

  /** RFC 6120 §4.4. Ends the session too: a stream that is closed properly is not resumed. */
  close(): void {
    if (this.#closing) return;
    if (this.#headerSent) this.write('</stream:stream>');
    this.#closing = true;
    const socket = this.#socket;
    socket.end();
    // A client that never closes its side keeps no connection of ours. RFC 6120 §4.4
    const impatient = setTimeout(() => socket.destroy(), closeTimeout);
    socket.once('close', () => clearTimeout(impatient));
    this.#release();
  }

  /** No goodbye; the session can be resumed. `reset` sends RST instead of FIN. */
  cut(how: 'fin' | 'reset' = 'fin'): void {
    if (how === 'reset' && !(this.#socket instanceof TLSSocket)) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  /** Neither reads nor writes until goOn(), like a frozen process. */
  stall(): void {
    this.#held ??= [];
    this.#socket.pause();
  }

  goOn(): void {
    const held = this.#held;
    this.#held = undefined;
    for (const bytes of held ?? []) this.write(bytes);
    this.#socket.resume();
  }

  #onStreamEnd(): void {
    this.close();
  }

  #release(): void {
    const session = this.#session;
    this.#session = undefined;
    if (session?.link === this) this.#router.end(session);
  }

  #onSocketClosed(): void {
    const session = this.#session;
    this.#session = undefined;
    this.#closing = true;
    this.#world.events.emit({ kind: 'disconnected', connection: this.id, jid: this.#jid });
    if (session?.link !== this) return;
    this.#router.detach(session, this.#world.options.resumeTimeout ?? defaultResumeTimeout);
  }
}
