// One SMTP connection to us: smtp-server's connection with the transaction commands (MAIL, RCPT, DATA), XFORWARD and the
// greeting replaced. What stays theirs: the socket, the command loop, EHLO, RSET, NOOP, VRFY, QUIT, HELP, STARTTLS,
// idle time-outs. Every override says why.
import type { Socket } from 'node:net';
import type { SMTPServer } from 'smtp-server';
import { SMTPConnection, type SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js';
import type { Clock, Instant } from '../clock.ts';
import type { Client, Intake } from '../intake.ts';
import type { Log } from '../log.ts';
import type { Envelope, ForwardPath } from '../mail/envelope.ts';
import { describeError, replyFor } from '../mail/error.ts';
import { formatReply, isPositive, type Reply, replies } from '../mail/reply.ts';
import { type Forwarded, type MailCommand, parseMail, parseRcpt, parseXforward } from './command.ts';
import { type Content, ContentParser } from './content-parser.ts';

/** What all sessions of one front door share. */
export interface Hall {
  readonly hostname: string;
  readonly size: number;
  readonly maxRecipients: number;
  readonly intake: Intake;
  readonly clock: Clock;
  readonly log: Log;
  draining(): boolean;
  /** Decides at connect, on the real peer address. A Reply with 421 ends the connection, another one only the mail. */
  admit(address: string): Reply | undefined;
  carriesMembers(address: string): boolean;
  /** Room for content that is being received; false when there is none. */
  reserve(octets: number): boolean;
  release(octets: number): void;
  onMessage(reply: Reply): void;
}

interface Transaction {
  readonly mail: MailCommand;
  readonly forwardPaths: ForwardPath[];
}

type Done = () => void;

const maxErrors = 10;

export class Session extends SMTPConnection {
  readonly #hall: Hall;
  readonly #listenerCarriesMembers: boolean;
  #refusal: Reply | undefined;
  #helo = '';
  #forwarded: Forwarded | undefined;
  #transaction: Transaction | undefined;
  #phase: 'commands' | 'content' | 'accepting' = 'commands';
  #reserved = 0;
  #corked = false;
  #lastCommandAt: Instant;
  #transactionStartedAt: Instant | undefined;

  constructor(
    server: SMTPServer,
    socket: Socket,
    options: SMTPConnectionOptions | null | undefined,
    hall: Hall,
    listenerCarriesMembers: boolean,
  ) {
    super(server, socket, options);
    this.#hall = hall;
    this.#listenerCarriesMembers = listenerCarriesMembers;
    this.#lastCommandAt = hall.clock.now();
  }

  // The original waits 100 ms before it greets, to catch clients that talk first; that costs every connection of a
  // peer that opens one per message those 100 ms. Who is admitted is decided here, on the address the connection
  // really comes from, and never looked at again: XFORWARD cannot change it.
  override init(): void {
    this._setListeners(() => {
      this.#refusal = this.#hall.admit(this._originalRemoteAddress);
      if (this.#refusal?.code === 421) {
        // RFC 5321 §3.1, §4.2.2: 421 in place of the greeting. RFC 2034 §4: greetings carry no enhanced code.
        this.send(421, `${this.name} ${this.#refusal.text}`, false);
        return;
      }
      this.connectionReady();
    });
  }

  override _createParser(): ContentParser {
    const parser = new ContentParser({});
    parser.oncommand = (command, callback) => this._onCommand(command, callback);
    parser.on('error', (error: Error) => this.#reply({ ...replies.badSyntax, code: 421, text: error.message }));
    return parser;
  }

  override _onCommand(command: Buffer, callback?: Done): void {
    this.#lastCommandAt = this.#hall.clock.now();
    super._onCommand(command, callback);
  }

  // Replies to pipelined commands leave in one segment: they are written in the same turn and corked together.
  // 220 is the answer to STARTTLS too and must be on the wire before the TLS layer takes the socket.
  override send(code: number, data?: string | string[] | null, context?: string | false): void {
    const socket = this._socket;
    if (code !== 220 && !this.#corked && !socket.destroyed) {
      this.#corked = true;
      socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        socket.uncork();
      });
    }
    super.send(code, data, context);
  }

  override _getEnhancedStatusCode(code: number, context?: string | false): string {
    if (code === 421 && context !== false && this.#hall.draining()) return replies.shuttingDown.enhanced;
    return super._getEnhancedStatusCode(code, context);
  }

  // XFORWARD is for every admitted peer, and only for those: the original knows a list of addresses, not networks.
  override _proxyCommandAllowed(command: string, _option: 'useXClient' | 'useXForward'): boolean {
    return command === 'XFORWARD' && this.#refusal === undefined;
  }

  override handler_EHLO(command: Buffer, callback: Done): void {
    super.handler_EHLO(command, callback);
    this.#rememberHelo(command);
  }

  override handler_HELO(command: Buffer, callback: Done): void {
    super.handler_HELO(command, callback);
    this.#rememberHelo(command);
  }

  // The original lets XFORWARD overwrite the peer's address and HELO name and keeps the values for later transactions.
  override handler_XFORWARD(command: Buffer, callback: Done): void {
    if (this.#refusal) this.#refuse(this.#refusal);
    else if (this.#transaction) this.#refuse(replies.badSequence);
    else {
      const parsed = parseXforward(command);
      if (parsed.ok) {
        // Postfix sends long lists in several commands.
        this.#forwarded = new Map([...(this.#forwarded ?? []), ...parsed.value]);
        this.#reply({ code: 250, enhanced: '2.0.0', text: 'Ok' });
      } else this.#refuse(parsed.reply);
    }
    callback();
  }

  override handler_MAIL(command: Buffer, callback: Done): void {
    const reply = this.#mail(command);
    if (isPositive(reply)) this.#reply(reply);
    else this.#refuse(reply);
    callback();
  }

  #mail(command: Buffer): Reply {
    if (this.#refusal) return this.#refusal;
    if (this.#transaction) return { ...replies.badSequence, text: 'Nested MAIL command' };
    const parsed = parseMail(command);
    if (!parsed.ok) return parsed.reply;
    if ((parsed.value.size ?? 0) > this.#hall.size) return replies.tooBig;
    this.#transaction = { mail: parsed.value, forwardPaths: [] };
    this.#transactionStartedAt = this.#hall.clock.now();
    // Read by the original: to tell a lost connection inside a transaction from one outside.
    this.session.envelope.mailFrom = { address: parsed.value.reversePath, args: false };
    return { code: 250, enhanced: '2.1.0', text: 'Sender ok' };
  }

  override handler_RCPT(command: Buffer, callback: Done): void {
    const reply = this.#rcpt(command);
    if (isPositive(reply)) this.#reply(reply);
    else this.#refuse(reply);
    callback();
  }

  // The original keeps one recipient of those that differ by case only, and loses the DSN parameters of the others.
  #rcpt(command: Buffer): Reply {
    const transaction = this.#transaction;
    if (!transaction) return this.#refusal ?? { ...replies.badSequence, text: 'MAIL first' };
    const parsed = parseRcpt(command, transaction.mail.smtputf8, this.#hall.hostname);
    if (!parsed.ok) return parsed.reply;
    const ok: Reply = { code: 250, enhanced: '2.1.5', text: 'Recipient ok' };
    // The same octets with the same parameters are the same wish, said twice.
    if (transaction.forwardPaths.some((path) => isSame(path, parsed.value))) return ok;
    if (transaction.forwardPaths.length >= this.#hall.maxRecipients) return replies.tooManyRecipients;
    const refusal = this.#askAbout(parsed.value);
    if (refusal) return refusal;
    transaction.forwardPaths.push(parsed.value);
    return ok;
  }

  #askAbout(path: ForwardPath): Reply | undefined {
    try {
      return this.#hall.intake.admitRecipient(this.#client(), path);
    } catch (error) {
      this.#hall.log.error({ session: this.id, cause: describeError(error) }, 'could not decide about a recipient');
      return named(replyFor(error), this.id);
    }
  }

  override handler_DATA(command: Buffer, callback: Done): void {
    const transaction = this.#transaction;
    const parser = this._parser;
    if (!transaction || transaction.forwardPaths.length === 0 || !(parser instanceof ContentParser)) {
      this.#refuse(transaction ? replies.noRecipients : (this.#refusal ?? replies.badSequence));
      callback();
      return;
    }
    if (/\S\s+\S/.test(command.toString('latin1'))) {
      this.#refuse({ ...replies.badSyntax, text: 'DATA takes no argument' });
      callback();
      return;
    }
    this.#phase = 'content';
    const { size } = this.#hall;
    parser.startContent(
      {
        limit: size,
        // A client that did not ask for SIZE gets its 552 at the end; one that does not stop is cut off.
        cutOff: 2 * size + 1_048_576,
        reserve: (octets) => this.#reserve(octets),
      },
      { onEnd: (content, resume) => void this.#accept(transaction, content, resume), onCutOff: () => this.#cutOff() },
    );
    this.#reply({ code: 354, text: 'End data with <CR><LF>.<CR><LF>' });
    callback();
  }

  /** The client handed over everything: whatever happens now, it gets a reply, and a 250 only after the Intake's. */
  async #accept(transaction: Transaction, content: Content, resume: Done): Promise<void> {
    this.#phase = 'accepting';
    // Keeps the idle time-out from telling a client to retry what we may still accept.
    this._handlerPending = true;
    const reply = await this.#hand(transaction, content);
    this.#hall.onMessage(reply);
    this._handlerPending = false;
    this.#phase = 'commands';
    this.#lastCommandAt = this.#hall.clock.now();
    this._unrecognizedCommands = 0;
    this._transactionCounter++;
    this.#reply(reply);
    this._resetSession();
    if (this.#hall.draining()) this.#reply(replies.shuttingDown);
    resume();
  }

  async #hand(transaction: Transaction, content: Content): Promise<Reply> {
    const hall = this.#hall;
    const client = this.#client();
    const about = { session: this.id, peer: client.address, helo: client.helo, forwardedFor: client.forwardedFor };
    if (content.kind === 'refused') {
      const reply = refusals[content.reason];
      hall.log.warn({ ...about, reason: content.reason }, 'message refused');
      return named(reply, this.id);
    }
    const { size: _, ...mail } = transaction.mail;
    const envelope: Envelope = { ...mail, forwardPaths: transaction.forwardPaths };
    try {
      const queueId = await hall.intake.accept(client, envelope, content.bytes);
      const facts = { ...about, queueId, size: content.bytes.length, recipients: envelope.forwardPaths.length };
      hall.log.info(facts, 'message accepted');
      return { code: 250, enhanced: '2.0.0', text: `Ok: queued as ${queueId}` };
    } catch (error) {
      const reply = replyFor(error);
      hall.log[reply.code < 500 ? 'error' : 'warn'](
        { ...about, reply: formatReply(reply), cause: describeError(error) },
        'message not accepted',
      );
      return named(reply, this.id);
    }
  }

  // Ends a transaction: after DATA, RSET, HELO, EHLO, STARTTLS. The original keeps XFORWARD's values.
  override _resetSession(): void {
    super._resetSession();
    this.#transaction = undefined;
    this.#transactionStartedAt = undefined;
    this.#forwarded = undefined;
    this.#giveBack();
  }

  override _onClose(): void {
    super._onClose();
    // While accepting, the content is still in memory; #accept gives it back.
    if (this.#phase !== 'accepting') this.#giveBack();
  }

  /** Sessions that take too long are ended, however busy they look: octets that trickle reset every idle time-out. */
  endIfSlow(now: Instant, limits: { transaction: number; idle: number }): void {
    if (this.#phase === 'accepting') return;
    const startedAt = this.#transactionStartedAt;
    const late =
      startedAt === undefined ? now - this.#lastCommandAt > limits.idle : now - startedAt > limits.transaction;
    if (late) this.#end(replies.tooSlow);
  }

  /** Idle connections end now; one that is handing over a message ends after its reply. */
  drain(): void {
    if (this.#phase === 'commands') this.#end(replies.shuttingDown);
  }

  #end(reply: Reply): void {
    this.#hall.log.info(
      { session: this.id, peer: this._originalRemoteAddress, reply: formatReply(reply) },
      'connection ended by us',
    );
    this.#reply(reply);
  }

  #cutOff(): void {
    this.#hall.log.warn({ session: this.id, peer: this._originalRemoteAddress }, 'peer keeps sending: cut off');
    this.#hall.onMessage(replies.tooBig);
    this.#reply(named(replies.tooBig, this.id));
    this.close();
  }

  #client(): Client {
    const forwarded = this.#forwarded;
    const address = this._originalRemoteAddress;
    const forwardedFor = forwarded && [forwarded.get('NAME'), `[${forwarded.get('ADDR') ?? 'unknown'}]`];
    return {
      address,
      port: this.remotePort,
      helo: this.#helo,
      tls: this.secure,
      carriesMembers: this.#listenerCarriesMembers || this.#hall.carriesMembers(address),
      ...(forwardedFor ? { forwardedFor: forwardedFor.filter((word) => word !== undefined).join(' ') } : {}),
    };
  }

  // The original lower-cases the name.
  #rememberHelo(command: Buffer): void {
    if (this.hostNameAppearsAs) this.#helo = command.toString('utf8').trim().split(/\s+/)[1] ?? '';
  }

  // Our replies bring their own enhanced code; the original would choose one by the basic code alone (550 → 5.1.1).
  #reply(reply: Reply): void {
    this.send(reply.code, reply.enhanced === undefined ? reply.text : `${reply.enhanced} ${reply.text}`, false);
  }

  /** A negative reply to a command. Who only gets those is sent away, or one connection could be tried for ever. */
  #refuse(reply: Reply): void {
    if (reply.code >= 500 && ++this._unrecognizedCommands >= maxErrors && this.#transaction === undefined) {
      this.#reply(replies.tooManyErrors);
      return;
    }
    this.#reply(reply);
  }

  #reserve(octets: number): boolean {
    if (!this.#hall.reserve(octets)) return false;
    this.#reserved += octets;
    return true;
  }

  #giveBack(): void {
    this.#hall.release(this.#reserved);
    this.#reserved = 0;
  }
}

const refusals = {
  'bare line end': replies.bareLineEnd,
  'too big': replies.tooBig,
  'no memory': replies.storeFull,
} as const;

/** With the name under which the log has it: there is no queue id. */
function named(reply: Reply, session: string): Reply {
  return { ...reply, text: `${reply.text} (session ${session})` };
}

function isSame(one: ForwardPath, other: ForwardPath): boolean {
  return (
    one.mailbox === other.mailbox &&
    one.orcpt === other.orcpt &&
    (one.notify ?? []).join() === (other.notify ?? []).join()
  );
}
