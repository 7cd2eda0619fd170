// Scripted trouble, for tests that must see a client live through it. Every method acts at once; await its effect with
// server.until(…). `jid` is the full JID of a session, or a bare one for all its sessions.
import type { Duration } from '../../clock.ts';
import { parseAddress } from './address.ts';
import type { Interception, Match } from './intercept.ts';
import type { Stream } from './stream.ts';
import type { World } from './world.ts';
import { type Element, parseXml } from './xml.ts';

export class Faults {
  readonly #world: World;
  readonly #streams: ReadonlySet<Stream>;
  #stalled: Set<Stream> | undefined;
  /** New connections are accepted and never answered, like a server whose process hangs. */
  silent = false;
  /** Every login fails with this SASL condition (RFC 6120 §6.5), such as `not-authorized` or `temporary-auth-failure`. */
  refusedAuth: string | undefined;
  /** STARTTLS is not offered although there is a certificate, as by somebody in the middle. */
  starttlsStripped = false;

  constructor(world: World, streams: ReadonlySet<Stream>) {
    this.#world = world;
    this.#streams = streams;
  }

  /**
   * Stops reading from and writing to these sessions; the returned function goes on. Without `jid` it is every
   * connection, those to come too, as if the server's process were stopped: the kernel still accepts.
   */
  stall(jid?: string): () => void {
    const stalled = new Set(this.#of(jid));
    for (const stream of stalled) stream.stall();
    if (jid === undefined) this.#stalled = stalled;
    return () => {
      if (this.#stalled === stalled) this.#stalled = undefined;
      for (const stream of stalled) stream.goOn();
    };
  }

  /** For the server: a connection that comes while everything is stalled is stalled too. */
  adopt(stream: Stream): void {
    if (!this.#stalled) return;
    this.#stalled.add(stream);
    stream.stall();
  }

  /** Ends the TCP connection without a goodbye. Sessions with stream management wait to be resumed. */
  cut(jid?: string, how: 'fin' | 'reset' = 'fin'): void {
    for (const stream of this.#of(jid)) stream.cut(how);
  }

  /** Forgets the resumable sessions that wait, and those yet connected: their next resumption fails. */
  forgetResumptions(): void {
    for (const session of this.#world.sessions()) {
      if (session.sm) session.sm.resumable = false;
      session.waiting?.abort('given-up');
    }
  }

  /** Ends these sessions with a stream error. RFC 6120 §4.9.3. */
  streamError(condition: string, jid?: string): void {
    for (const stream of this.#of(jid)) stream.fail(condition);
  }

  /** What another client with the same resource does to this one. */
  conflict(jid: string): void {
    this.streamError('conflict', jid);
  }

  /** Each chunk is one write; a Buffer may end amid a character. Bypasses stream management. */
  sendRaw(jid: string, ...chunks: readonly (string | Buffer)[]): void {
    for (const stream of this.#of(jid)) for (const chunk of chunks) stream.write(chunk);
  }

  /** Any stanza, from whomever it says, to these sessions; nothing is checked or changed. */
  inject(jid: string, stanza: Element | string): void {
    const element = typeof stanza === 'string' ? parseXml(stanza) : stanza;
    // Of one account: a crowd is spoken for stanza by stanza.
    const account = this.#world.accounts.get(jid.slice(0, jid.indexOf('@')));
    const sessions = account ? [...account.sessions.values()] : this.#world.sessions();
    const meant = sessions.filter((session) => fits(session.jid, jid));
    if (meant.length === 0) throw new RangeError(`no session of ${jid}`);
    for (const session of meant) this.#world.send(session, element);
  }

  drop(match: Match): Interception {
    return this.#world.interceptors.drop(match);
  }

  delay(match: Match, by: Duration): Interception {
    return this.#world.interceptors.delay(match, by);
  }

  hold(match: Match): Interception {
    return this.#world.interceptors.hold(match);
  }

  /** A test that names nobody would pass for the wrong reason. */
  #of(jid: string | undefined): Stream[] {
    const streams = [...this.#streams].filter(
      (stream) => jid === undefined || (stream.session !== undefined && fits(stream.session.jid, jid)),
    );
    if (jid !== undefined && streams.length === 0) throw new RangeError(`no connected session of ${jid}`);
    return streams;
  }
}

function fits(sessionJid: string, wanted: string): boolean {
  const address = parseAddress(wanted);
  return sessionJid === address?.full || parseAddress(sessionJid)?.bare === address?.full;
}
