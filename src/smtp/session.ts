// One SMTP session with us (RFC 5321): command lines in, replies out. Ours from the greeting on, because smtp-server's costs
// two thirds more processor time a connection than all it is needed for, waits 100 ms before it greets, merges recipients
// that differ by case, and takes quoted local parts, A-labels and DSN parameters apart (docs/adr/0008). Who is admitted is
// decided on the address the connection really comes from, and never looked at again: XFORWARD cannot change it.
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { Duration, Instant } from '../clock.ts';
import type { Client } from '../intake.ts';
import type { Fields } from '../log.ts';
import type { Envelope, ForwardPath } from '../mail/envelope.ts';
import { describeError, replyFor } from '../mail/error.ts';
import { formatReply, isPositive, type Reply, replies } from '../mail/reply.ts';
import { type Forwarded, parseMail, parseRcpt, parseXforward } from './command.ts';
import { Connection, type Speaker } from './connection.ts';
import type { Content, ContentLimits } from './content-parser.ts';
import { type Hall, Held, type Transaction } from './hall.ts';
import { helloReply, heloName, isSame, keywords, named, nameOf, printable, refusals } from './phrases.ts';

type Done = () => void;
const maxErrors = 10;

export class Session implements Speaker {
  readonly #hall: Hall;
  readonly #wire: Connection;
  readonly #carriesMembers: boolean;
  /** For STARTTLS; without one it is not offered. */
  readonly #secureContext: () => SecureContext | undefined;
  readonly #onEnd: () => void;
  #refusal: Reply | undefined;
  #helo = '';
  #plain = false; // said HELO, not EHLO
  #forwarded: Forwarded | undefined;
  #transaction: Transaction | undefined;
  #phase: 'commands' | 'content' | 'accepting' = 'commands';
  readonly #held: Held;
  #errors = 0;
  #lastCommandAt: Instant;
  #transactionStartedAt: Instant | undefined;

  constructor(
    socket: Socket,
    hall: Hall,
    options: {
      readonly carriesMembers: boolean;
      readonly idle: Duration;
      readonly secureContext: () => SecureContext | undefined;
      /** It is over, or about to be: it counts no more. */
      readonly onEnd: () => void;
    },
  ) {
    this.#hall = hall;
    this.#held = new Held(hall);
    this.#carriesMembers = options.carriesMembers;
    this.#secureContext = options.secureContext;
    this.#onEnd = options.onEnd;
    this.#lastCommandAt = hall.clock.now();
    this.#wire = new Connection(socket, this, options.idle);
  }

  /** The real peer's. */
  get address(): string {
    return this.#wire.address;
  }

  greet(): void {
    this.#refusal = this.#hall.admit(this.address);
    // RFC 5321 §3.1, §4.2.2: 421 in place of the greeting. RFC 2034 §4: greetings carry no enhanced code.
    if (this.#refusal?.code === 421) this.#goodbye(`421 ${this.#hall.hostname} ${this.#refusal.text}`);
    else this.#wire.say(`220 ${this.#hall.hostname} ESMTP Pointsman`);
  }

  onLine(line: Buffer, next: Done, bare: boolean): void {
    this.#lastCommandAt = this.#hall.clock.now();
    const resume = (): void => this.#wire.whenRead(next);
    try {
      // RFC 5321 §2.3.8: as in content, a line end that others may read otherwise is none.
      this.#command(line, resume, bare && !this.#hall.normalizes(this.address));
    } catch (error) {
      this.#hall.log.error({ session: this.#wire.id, cause: describeError(error) }, 'a command could not be handled');
      this.#reply(named(replies.localError, this.#wire.id));
      resume();
    }
  }

  onNonsense(reason: string): void {
    this.#reply({ ...replies.badSyntax, code: 421, enhanced: '4.5.2', text: reason });
  }

  onIdle(): void {
    // What we may still accept must not be tried again.
    if (this.#phase === 'accepting') this.#wire.wait();
    else this.#reply(replies.idle);
  }

  onFailure(cause: string): void {
    this.#hall.log.info({ session: this.#wire.id, peer: this.address, cause }, 'connection failed');
  }

  onClose(): void {
    this.#onEnd();
    // While accepting, the content is still in memory; #accept gives it back.
    if (this.#phase !== 'accepting') this.#held.release();
  }

  #command(line: Buffer, next: Done, bare: boolean): void {
    if (this.#hall.draining()) {
      this.#reply(replies.shuttingDown);
      return;
    }
    const text = line.toString('latin1');
    const space = text.indexOf(' ');
    const verb = bare ? '' : (space < 0 ? text : text.slice(0, space)).toUpperCase();
    switch (verb) {
      case 'MAIL':
      case 'RCPT':
      case 'DATA':
        if (this.#helo === '') this.#reply({ ...replies.badSequence, text: 'EHLO first' });
        else if (verb === 'DATA') {
          this.#data(text, next);
          return;
        } else this.#answer(verb === 'MAIL' ? this.#mail(line) : this.#rcpt(line));
        break;
      case 'EHLO':
      case 'HELO':
        this.#hello(verb, line);
        break;
      case 'XFORWARD':
        this.#answer(this.#xforward(line));
        break;
      case 'RSET':
        this.#reset();
        this.#reply({ code: 250, enhanced: '2.0.0', text: 'Flushed' });
        break;
      case 'NOOP':
        this.#reply({ code: 250, enhanced: '2.0.0', text: 'OK' });
        break;
      case 'VRFY':
        // RFC 5321 §3.5.3: we do not say who is here.
        if (/\S\s+\S/.test(text)) this.#reply({ code: 252, enhanced: '2.1.5', text: 'Send some mail and see' });
        else this.#refuse({ ...replies.badSyntax, text: 'VRFY what?' });
        break;
      case 'HELP':
        this.#reply({ code: 214, enhanced: '2.0.0', text: 'RFC 5321' });
        break;
      case 'STARTTLS':
        this.#starttls(text, next);
        return;
      case 'QUIT':
        this.#goodbye('221 2.0.0 Bye', true);
        break;
      default:
        // A web page made to speak SMTP to us.
        if (/^[A-Z]{3,7} \S+ HTTP\/\d/i.test(text))
          this.#reply({ ...replies.tooManyErrors, text: 'This is no web server' });
        else this.#refuse(bare ? replies.bareCommand : replies.unknownCommand);
        break;
    }
    next();
  }

  #hello(verb: 'EHLO' | 'HELO', line: Buffer): void {
    const name = heloName(line);
    if (name === undefined) {
      this.#reply({ code: 501, text: `${verb} wants one host name` });
      return;
    }
    this.#reset();
    this.#helo = name;
    this.#plain = verb === 'HELO';
    const offers = { size: this.#hall.size, starttls: this.#offersTls(), xforward: this.#refusal === undefined };
    this.#wire.say(helloReply(this.#hall.hostname, verb === 'EHLO' ? keywords(offers) : []));
  }

  #offersTls(): boolean {
    return !this.#wire.secure && this.#secureContext() !== undefined;
  }

  #starttls(text: string, next: Done): void {
    const context = this.#secureContext();
    if (!context) this.#refuse(replies.unknownCommand);
    else if (this.#wire.secure) this.#refuse({ ...replies.badSequence, text: 'TLS stands already' });
    else if (/\S\s+\S/.test(text)) this.#refuse({ ...replies.badSyntax, text: 'STARTTLS takes no argument' });
    else {
      this.#reply({ code: 220, enhanced: '2.0.0', text: 'Ready to start TLS' });
      // RFC 3207 §4.2: what was said before is forgotten.
      this.#reset();
      this.#helo = '';
      this.#wire.startTls(context, () => undefined);
      return;
    }
    next();
  }

  #answer(reply: Reply): void {
    if (isPositive(reply)) this.#reply(reply);
    else this.#refuse(reply);
  }

  /** https://www.postfix.org/XFORWARD_README.html */
  #xforward(command: Buffer): Reply {
    if (this.#refusal) return this.#refusal;
    if (this.#transaction) return replies.badSequence;
    const parsed = parseXforward(command);
    if (!parsed.ok) return parsed.reply;
    // Postfix sends long lists in several commands.
    this.#forwarded = new Map([...(this.#forwarded ?? []), ...parsed.value]);
    return { code: 250, enhanced: '2.0.0', text: 'Ok' };
  }

  #mail(command: Buffer): Reply {
    if (this.#refusal) return this.#refusal;
    if (this.#transaction) return { ...replies.badSequence, text: 'Nested MAIL command' };
    const parsed = parseMail(command);
    if (!parsed.ok) return parsed.reply;
    if ((parsed.value.size ?? 0) > this.#hall.size) return replies.tooBig;
    this.#transaction = { mail: parsed.value, forwardPaths: [] };
    this.#transactionStartedAt = this.#hall.clock.now();
    return { code: 250, enhanced: '2.1.0', text: 'Sender ok' };
  }

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
      this.#hall.log.error(
        { session: this.#wire.id, cause: describeError(error) },
        'could not decide about a recipient',
      );
      return named(replyFor(error), this.#wire.id);
    }
  }

  #data(text: string, next: Done): void {
    const transaction = this.#transaction;
    if (!transaction || transaction.forwardPaths.length === 0 || /\S\s+\S/.test(text)) {
      if (!transaction) this.#refuse(this.#refusal ?? replies.badSequence);
      else if (transaction.forwardPaths.length === 0) this.#refuse(replies.noRecipients);
      else this.#refuse({ ...replies.badSyntax, text: 'DATA takes no argument' });
      next();
      return;
    }
    this.#phase = 'content';
    this.#wire.parser.startContent(
      {
        limit: this.#hall.size,
        normalize: this.#hall.normalizes(this.address),
        // A client that did not ask for SIZE gets its 552 at the end; one that does not stop is cut off.
        cutOff: 2 * this.#hall.size + 1_048_576,
        reserve: (octets) => this.#held.reserve(octets),
        ...this.#spill(),
      },
      { onEnd: (content, resume) => void this.#accept(transaction, content, resume), onCutOff: () => this.#cutOff() },
    );
    this.#reply({ code: 354, text: 'End data with <CR><LF>.<CR><LF>' });
    next();
  }

  /** The client handed over everything: whatever happens now, it gets a reply, and a 250 only after the Intake's. */
  async #accept(transaction: Transaction, content: Content, resume: Done): Promise<void> {
    this.#phase = 'accepting';
    const ended = this.#hall.clock.now();
    const { reply, told } = await this.#hand(transaction, content);
    this.#phase = 'commands';
    this.#lastCommandAt = this.#hall.clock.now();
    this.#errors = 0;
    this.#reply(reply);
    this.#reset();
    if (this.#hall.draining()) this.#reply(replies.shuttingDown);
    resume();
    this.#wire.flush();
    // The peer has its reply: time for those who count and write.
    this.#hall.onMessage(reply, this.#lastCommandAt - ended);
    if (told) this.#hall.log.info(told, 'message accepted');
  }

  async #hand(transaction: Transaction, content: Content): Promise<{ reply: Reply; told?: Fields }> {
    const hall = this.#hall;
    const client = this.#client();
    const about = {
      session: this.#wire.id,
      peer: client.address,
      helo: client.helo,
      forwardedFor: client.forwardedFor,
    };
    if (content.kind === 'refused') {
      hall.log.warn({ ...about, reason: content.reason }, 'message refused');
      return { reply: named(refusals[content.reason], this.#wire.id) };
    }
    if (content.normalized) hall.log.info(about, 'bare line ends were made whole: signatures may not fit any more');
    const { size: _, ...mail } = transaction.mail;
    const envelope: Envelope = { ...mail, forwardPaths: transaction.forwardPaths };
    try {
      const queueId = await hall.intake.accept(client, envelope, content.bytes);
      const told = { ...about, queueId, size: content.bytes.length, recipients: envelope.forwardPaths.length };
      return { reply: { code: 250, enhanced: '2.0.0', text: `Ok: queued as ${queueId}` }, told };
    } catch (error) {
      const reply = replyFor(error);
      hall.log[reply.code < 500 ? 'error' : 'warn'](
        { ...about, reply: formatReply(reply), cause: describeError(error) },
        'message not accepted',
      );
      return { reply: named(reply, this.#wire.id) };
    }
  }

  /** Ends a transaction: after DATA, RSET, HELO, EHLO, STARTTLS. */
  #reset(): void {
    this.#transaction = undefined;
    this.#transactionStartedAt = undefined;
    this.#forwarded = undefined;
    this.#held.release();
  }

  /** Sessions that take too long are ended, however busy they look: octets that trickle reset every idle time-out. */
  endIfSlow(now: Instant, limits: { transaction: number; idle: number }): void {
    if (this.#phase === 'accepting') return;
    const startedAt = this.#transactionStartedAt;
    const [since, limit] =
      startedAt === undefined ? [this.#lastCommandAt, limits.idle] : [startedAt, limits.transaction];
    if (now - since > limit) this.#end(replies.tooSlow);
  }

  /** Idle connections end now; one that is handing over a message ends after its reply, or when `all` must go. */
  drain(all = false): void {
    if (all || this.#phase === 'commands') this.#end(replies.shuttingDown);
  }

  #end(reply: Reply): void {
    this.#hall.log.info(
      { session: this.#wire.id, peer: this.address, reply: formatReply(reply) },
      'connection ended by us',
    );
    this.#reply(reply);
  }

  #cutOff(): void {
    this.#hall.log.warn({ session: this.#wire.id, peer: this.address }, 'peer keeps sending: cut off');
    this.#hall.onRefusal(replies.tooBig);
    this.#goodbye(formatReply(named(replies.tooBig, this.#wire.id)));
  }

  #client(): Client {
    const { address } = this;
    return {
      address,
      port: this.#wire.port,
      helo: this.#helo,
      tls: this.#wire.secure,
      ...(this.#plain ? { plain: true } : {}),
      carriesMembers: this.#carriesMembers || this.#hall.carriesMembers(address),
      ...(this.#forwarded ? { forwardedFor: nameOf(this.#forwarded) } : {}),
    };
  }

  /** RFC 5321 §3.8: 421 is the last word. */
  #reply(reply: Reply): void {
    if (reply.code >= 400) this.#hall.onRefusal(reply);
    if (reply.code === 421) this.#goodbye(formatReply(reply));
    else this.#wire.say(printable(formatReply(reply)));
  }

  #goodbye(line: string, quit = false): void {
    this.#wire.say(printable(line));
    this.#wire.end(quit);
    this.#onEnd();
  }

  /** A negative reply to a command. Who only gets those is sent away, or one connection could be tried for ever. */
  #refuse(reply: Reply): void {
    if (reply.code >= 500 && ++this.#errors >= maxErrors && this.#transaction === undefined) {
      this.#reply(replies.tooManyErrors);
      return;
    }
    this.#reply(reply);
  }

  #spill(): Pick<ContentLimits, 'spill'> {
    const open = this.#hall.openContent;
    const session = this.#wire.id;
    const failed = (error: unknown): void =>
      this.#hall.log.error({ session, cause: describeError(error) }, 'content could not be written');
    return open ? { spill: { open, release: (octets) => this.#held.release(octets), failed } } : {};
  }
}
