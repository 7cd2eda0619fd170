// One SMTP connection to a next hop: nodemailer's client, promisified, with what it lacks.
// - We dial ourselves: the system's resolver (hosts file included), our deadline, an abort that works in every phase.
// - MAIL and RCPT lines are completed on their way out: SMTPUTF8 when the header needs it though no address does, ORCPT
//   in RFC 6533's encodings, `<` and `>` inside quoted local parts. nodemailer has no option for any of these.
// - What became of each recipient is read off the envelope it keeps, because its errors after DATA do not carry it.
// The members declared in Internals are not in its types; its version is pinned and test/unit/smtp/transport.test.ts
// fails where one of them changes.
import net from 'node:net';
import type { Readable } from 'node:stream';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Duration } from '../clock.ts';
import type { Notify } from '../mail/envelope.ts';
import { parseReply, type Reply } from '../mail/reply.ts';
import type { NextHop } from '../transport.ts';
import { encodeUtf8Address, encodeXtext } from './xtext.ts';

export interface Timeouts {
  /** To a TCP connection. */
  readonly connect: Duration;
  /** To greeting and through STARTTLS. */
  readonly greeting: Duration;
  /** Without an octet from the next hop; RFC 5321 §4.5.3.2.6: ten minutes for the reply to the final dot. */
  readonly idle: Duration;
  /** One message, from dialling (or taking a kept connection) to the last reply. */
  readonly transaction: Duration;
  /** A connection is kept this long for the next message. */
  readonly kept: Duration;
}

export interface Extensions {
  readonly dsn: boolean;
  readonly smtputf8: boolean;
  readonly eightBitMime: boolean;
  /** RFC 1870; 0 when not told. */
  readonly size: number;
}

export interface Parameters {
  readonly from: string;
  readonly to: readonly string[];
  readonly size: number;
  readonly smtputf8: boolean;
  readonly eightBitMime: boolean;
  readonly ret?: 'FULL' | 'HDRS';
  readonly envid?: string;
  readonly notify?: Notify;
  /** Decoded: `rfc822;someone@example.org`. */
  readonly orcpt?: string;
}

/** A session that could not be set up, or a transaction that broke. */
export interface Failure {
  readonly cause: string;
  readonly reply?: Reply;
  /** STARTTLS was offered and did not work. */
  readonly tls?: boolean;
}

export type Result =
  /** In the order of `to`; a recipient that was refused has a reply, one that was not has none. */
  | { readonly kind: 'done'; readonly reply: Reply; readonly refused: readonly (Reply | undefined)[] }
  | {
      readonly kind: 'failed';
      readonly failure: Failure;
      readonly refused: readonly (Reply | undefined)[];
      /** The next hop had said yes or no to something of this message. */
      readonly begun: boolean;
      /** The failure is the next hop's answer and the connection is fit for the next message. */
      readonly reusable: boolean;
    };

interface Internals {
  readonly _supportedExtensions: readonly string[];
  readonly _maxAllowedSize: number;
  readonly _envelope: { accepted?: string[]; rejectedErrors?: { recipient?: string; response?: string }[] } | false;
  _sendCommand(line: string, logged?: string): void;
}

// nodemailer refuses `<` and `>` in an address, RFC 5321 §4.1.2 allows them in quotes. Mailboxes contain no controls.
const hide = (address: string): string => address.replace(/</g, '\x01').replace(/>/g, '\x02');
const show = (line: string): string => line.replace(/\x01/g, '<').replace(/\x02/g, '>');

export class HopConnection extends SMTPConnection {
  #parameters: Parameters | undefined;
  uses = 0;

  /** @throws Failure */
  static async open(
    hop: NextHop,
    options: { hostname: string; timeouts: Timeouts; signal: AbortSignal; plain: boolean },
  ): Promise<HopConnection> {
    const socket = await dial(hop, options.timeouts.connect, options.signal);
    const connection = new HopConnection({
      connection: socket,
      host: hop.host,
      port: hop.port,
      name: options.hostname,
      secure: false,
      logger: false,
      ignoreTLS: hop.tls === 'none' || options.plain,
      requireTLS: hop.tls === 'encrypt' || hop.tls === 'verify',
      opportunisticTLS: hop.tls === 'may',
      // Only `verify` says whom we talk to; the others encrypt against those who listen.
      tls: { rejectUnauthorized: hop.tls === 'verify' },
      connectionTimeout: options.timeouts.connect + options.timeouts.greeting,
      greetingTimeout: options.timeouts.greeting,
      socketTimeout: options.timeouts.idle,
      socketCloseTimeout: 1_000,
      maxResponseSize: 65_536,
    });
    await connection.#handshake(options.signal);
    return connection;
  }

  #handshake(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (failure?: Failure): void => {
        signal.removeEventListener('abort', aborted);
        this.off('error', failed);
        this.off('end', ended);
        // From now on a lost connection shows as `destroyed`, or as the error of the message being sent.
        this.on('error', () => undefined);
        if (failure) {
          this.abandon();
          reject(failure);
        } else resolve();
      };
      const aborted = (): void => finish({ cause: 'no greeting in time' });
      const failed = (error: Error): void => finish({ ...describe(error), ...(this.upgrading ? { tls: true } : {}) });
      const ended = (): void => finish({ cause: 'connection closed before the greeting' });
      this.on('error', failed);
      this.on('end', ended);
      signal.addEventListener('abort', aborted, { once: true });
      if (signal.aborted) aborted();
      else this.connect(() => finish());
    });
  }

  get extensions(): Extensions {
    const { _supportedExtensions: names, _maxAllowedSize: size } = this.#internals;
    return {
      dsn: names.includes('DSN'),
      smtputf8: names.includes('SMTPUTF8'),
      eightBitMime: names.includes('8BITMIME'),
      size,
    };
  }

  /** One message. `content` is read only after the next hop has said 354. */
  transfer(parameters: Parameters, content: Readable, signal: AbortSignal): Promise<Result> {
    this.uses++;
    this.#parameters = parameters;
    return new Promise((resolve) => {
      const finish = (result: Result): void => {
        signal.removeEventListener('abort', aborted);
        this.#parameters = undefined;
        resolve(result);
      };
      const fail = (failure: Failure, reusable: boolean): void => {
        const refused = this.#refused(parameters.to);
        const begun = this.#accepted() > 0 || refused.some((reply) => reply !== undefined);
        finish({ kind: 'failed', failure, refused, begun, reusable });
      };
      const aborted = (): void => {
        this.abandon();
        fail({ cause: 'transaction took too long, or was stopped' }, false);
      };
      signal.addEventListener('abort', aborted, { once: true });
      if (signal.aborted) {
        aborted();
        return;
      }
      const dsn = this.extensions.dsn && {
        ...(parameters.ret ? { ret: parameters.ret } : {}),
        ...(parameters.envid ? { envid: parameters.envid } : {}),
        ...(parameters.notify ? { notify: [...parameters.notify] } : {}),
      };
      const envelope = {
        from: hide(parameters.from),
        to: parameters.to.map(hide),
        size: parameters.size,
        use8BitMime: parameters.eightBitMime,
        ...(dsn ? { dsn } : {}),
      };
      this.send(envelope, content, (error, info) => {
        if (!error) {
          finish({ kind: 'done', reply: expectReply(info.response), refused: this.#refused(parameters.to) });
          return;
        }
        const failure = describe(error);
        const answered = failure.reply !== undefined && failure.reply.code !== 421 && !this.destroyed;
        fail(failure, answered && (error.code === 'EENVELOPE' || error.code === 'EMESSAGE'));
      });
    });
  }

  /** RFC 5321 §4.1.1.5, after a transaction that ended before the content. False when the connection is lost by it. */
  clear(): Promise<boolean> {
    return new Promise((resolve) => {
      this.once('end', () => resolve(false));
      this.reset((error) => resolve(!error));
    });
  }

  /** Says QUIT and closes. */
  leave(): void {
    if (!this.destroyed) this.quit();
    setTimeout(() => this.close(), 2_000).unref();
  }

  /** Closes at once: what is in flight must not go on. */
  abandon(): void {
    const socket = this._socket;
    this.close();
    if (socket) socket.destroy();
  }

  // Declared in Internals only, hence no `override`. Every command passes here.
  _sendCommand(line: string, logged?: string): void {
    internalsOf(SMTPConnection.prototype)._sendCommand.call(this, this.#complete(line), logged);
  }

  #complete(line: string): string {
    const parameters = this.#parameters;
    if (!parameters) return line;
    if (line.startsWith('MAIL FROM:')) {
      const missing = parameters.smtputf8 && !line.includes(' SMTPUTF8');
      return show(missing ? `${line} SMTPUTF8` : line);
    }
    if (!line.startsWith('RCPT TO:')) return line;
    const { dsn, smtputf8 } = this.extensions;
    const orcpt =
      dsn && parameters.orcpt ? ` ORCPT=${encodeOrcpt(parameters.orcpt, smtputf8 && parameters.smtputf8)}` : '';
    return show(line) + orcpt;
  }

  #accepted(): number {
    const envelope = this.#internals._envelope;
    return envelope ? (envelope.accepted?.length ?? 0) : 0;
  }

  /** nodemailer keeps the refusals in the order of the recipients. */
  #refused(to: readonly string[]): (Reply | undefined)[] {
    const envelope = this.#internals._envelope;
    const errors = envelope ? [...(envelope.rejectedErrors ?? [])] : [];
    return to.map((address) => {
      if (errors[0]?.recipient !== hide(address)) return undefined;
      return expectReply(errors.shift()?.response ?? '');
    });
  }

  get #internals(): Internals {
    return internalsOf(this);
  }
}

function internalsOf(connection: SMTPConnection): Internals {
  return connection as unknown as Internals;
}

function encodeOrcpt(orcpt: string, smtputf8: boolean): string {
  const at = orcpt.indexOf(';');
  const type = orcpt.slice(0, at);
  const address = orcpt.slice(at + 1);
  if (/[^\x00-\x7f]/.test(address) || type.toLowerCase() === 'utf-8') {
    return `utf-8;${encodeUtf8Address(address, smtputf8)}`;
  }
  return `${type};${encodeXtext(address)}`;
}

function dial(hop: NextHop, timeout: Duration, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: hop.host, port: hop.port, noDelay: true });
    const finish = (failure?: Failure): void => {
      signal.removeEventListener('abort', aborted);
      socket.off('error', failed);
      socket.off('timeout', timedOut);
      socket.setTimeout(0);
      if (failure) {
        socket.on('error', () => undefined);
        socket.destroy();
        reject(failure);
      } else resolve(socket);
    };
    const aborted = (): void => finish({ cause: 'no connection in time' });
    const timedOut = (): void => finish({ cause: 'no connection in time' });
    const failed = (error: Error): void => finish({ cause: error.message });
    socket.once('error', failed);
    socket.once('timeout', timedOut);
    socket.setTimeout(timeout);
    socket.once('connect', () => finish());
    signal.addEventListener('abort', aborted, { once: true });
    if (signal.aborted) aborted();
  });
}

export function isFailure(value: unknown): value is Failure {
  return typeof value === 'object' && value !== null && 'cause' in value && !(value instanceof Error);
}

function describe(error: Error & { response?: string | undefined; code?: string | undefined }): Failure {
  const reply = error.response === undefined ? undefined : parseReply(error.response);
  return {
    cause: error.message.replace(/[\x00-\x1f]+/g, ' '),
    ...(reply ? { reply } : {}),
    ...(error.code === 'ETLS' ? { tls: true } : {}),
  };
}

/** What is no reply at all counts as a temporary one: unknown means temporary. */
function expectReply(raw: string): Reply {
  return (
    parseReply(raw) ?? { code: 451, text: `not an SMTP reply: ${raw.replace(/[^\x20-\x7e]/g, '?').slice(0, 100)}` }
  );
}
