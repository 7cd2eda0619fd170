// One connection with an MTA: octets in, octets out, no socket and no clock. It keeps the protocol's rules and asks the
// handlers what to say; whatever they throw becomes one safe answer, and never half an edit.
//
// Modes and what may come in them (any: ABORT, QUIT, QUIT_NC, MACRO, UNKNOWN):
//   new ──O──▶ idle ──C──▶ connected ──M──▶ envelope ──L──▶ headers ──N──▶ body ──E──▶ connected
//   H in idle and later, M in idle and later: what was begun is forgotten, for Sendmail announces no abort after RSET
//   when it had no answer to wait for at MAIL. R, T in envelope; L, N in envelope and headers; B, E from envelope on.
// Anything else is no milter protocol: the connection ends, and the MTA does what it is told to do then.
import type { Handlers, Maybe } from './handlers.ts';
import {
  type Client,
  type EnvelopeAddress,
  Macros,
  Message,
  macrosPassedOver,
  readAddress,
  unknownClient,
} from './message.ts';
import { type Agreed, negotiate, powersOf, type Wants } from './negotiate.ts';
import { type EndVerdict, endPackets, type Powers, type Verdict, verdictPacket } from './reply.ts';
import {
  bareReplies,
  commands,
  largestPacket,
  offerPacket,
  type Packet,
  PacketReader,
  readConnect,
  readOffer,
  readStrings,
  steps,
  WireError,
} from './wire.ts';

export interface SessionOptions {
  readonly handlers: Handlers;
  /** Asked anew for each connection: rules may have been reloaded. */
  readonly wants: () => Wants;
  /** What is said when a handler fails. */
  readonly onFailure: 'tempfail' | 'accept';
  readonly write: (octets: Buffer) => void;
  /** The connection ends now. */
  readonly end: () => void;
  /** For the log: what went wrong, and whether the MTA or a handler did it. */
  readonly complain: (what: 'protocol' | 'handler', error: unknown) => void;
  /** Octets of one message that are held at most; the body of a larger one is dropped. */
  readonly largestMessage: number;
  /** May so many more (or, negative, fewer) octets be held? */
  readonly reserve: (octets: number) => boolean;
}

/** What a refusal at this step is about. */
type About = 'connection' | 'message' | 'recipient';

type Mode = 'new' | 'idle' | 'connected' | 'envelope' | 'headers' | 'body' | 'ended';
const inMessage: readonly Mode[] = ['envelope', 'headers', 'body'];

export class Session {
  readonly #options: SessionOptions;
  readonly #reader = new PacketReader();
  readonly #macros = new Macros();
  #mode: Mode = 'new';
  #agreed: Agreed = { version: 0, actions: 0, protocol: 0, symbols: [] };
  #powers: Powers = { version: 0, actions: 0, leadingSpace: false, body: false };
  #client: Client = unknownClient;
  #message: Message | null = null;
  #bodyAsked = false;
  #reserved = 0;
  #waitingFor: 'nothing' | 'step' | 'end of message' = 'nothing';
  #out: Buffer[] = [];

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** The MTA waits for the end of a message: PROGRESS keeps it patient. */
  get atEndOfMessage(): boolean {
    return this.#waitingFor === 'end of message';
  }

  /** Between messages: the connection can be ended without hurting any. */
  get idle(): boolean {
    return this.#message === null && this.#waitingFor === 'nothing';
  }

  /** Every few seconds while `atEndOfMessage`. Older MTAs know nothing of it. */
  progress(): void {
    if (this.atEndOfMessage && this.#agreed.version >= 6) this.#options.write(bareReplies.progress);
  }

  receive(chunk: Buffer): void {
    if (this.#mode === 'ended') return;
    this.#reader.push(chunk);
    // It has been asked and must wait for our answer.
    if (this.#waitingFor !== 'nothing' && this.#reader.pending > 2 * largestPacket) {
      this.#fail('protocol', new WireError('it goes on although an answer is due'));
      return;
    }
    this.#run();
  }

  /** The MTA is gone, or is to be. */
  close(): void {
    if (this.#mode === 'ended') return;
    this.#forget();
    this.#mode = 'ended';
  }

  #run(): void {
    try {
      while (this.#waitingFor === 'nothing' && this.#mode !== 'ended') {
        const packet = this.#reader.next(this.#mode === 'new' ? undefined : macrosPassedOver);
        if (!packet) break;
        this.#take(packet);
      }
      this.#flush();
    } catch (error) {
      this.#flush();
      this.#fail('protocol', error);
    }
  }

  #flush(): void {
    const [first] = this.#out;
    if (!first) return;
    const octets = this.#out.length === 1 ? first : Buffer.concat(this.#out);
    this.#out = [];
    this.#options.write(octets);
  }

  #fail(what: 'protocol' | 'handler', error: unknown): void {
    this.#options.complain(what, error);
    this.close();
    this.#options.end();
  }

  #take(packet: Packet): void {
    const { code } = packet;
    if (this.#mode === 'new') {
      if (code === commands.quit) this.#quit();
      else if (code === commands.negotiate) this.#negotiate(packet.payload);
      else throw unexpected(code, this.#mode);
      return;
    }
    switch (code) {
      case commands.macro:
        this.#macros.add(packet);
        break;
      case commands.header:
        this.#expect(code, 'envelope', 'headers');
        this.#mode = 'headers';
        if (this.#mayHold(packet.length)) this.#message?.addField(packet);
        this.#continue(steps.nrHeader);
        break;
      case commands.body:
        this.#expect(code, ...inMessage);
        this.#mode = 'body';
        this.#takeBody(packet);
        break;
      case commands.connect:
        this.#forget();
        this.#mode = 'connected';
        this.#client = { ...readConnect(packet.payload), helo: '' };
        this.#ask(steps.nrConnect, 'connection', (handlers) => handlers.connect?.(this.#client));
        break;
      case commands.helo:
        this.#forget();
        this.#mode = 'connected';
        this.#client = { ...this.#client, helo: readStrings(packet.payload)[0]?.toString('utf8') ?? '' };
        this.#ask(steps.nrHelo, 'connection', (handlers) => handlers.helo?.(this.#client));
        break;
      case commands.mail:
        this.#takeSender(packet);
        break;
      case commands.recipient:
        this.#expect(code, 'envelope');
        this.#takeRecipient(packet);
        break;
      case commands.data:
        this.#expect(code, 'envelope');
        this.#continue(steps.nrData);
        break;
      case commands.endOfHeaders:
        this.#expect(code, 'envelope', 'headers');
        this.#mode = 'body';
        this.#ask(steps.nrEndOfHeaders, 'message', (handlers) => this.#message && handlers.headers?.(this.#message));
        break;
      case commands.endOfBody:
        this.#expect(code, ...inMessage);
        this.#endMessage(packet);
        break;
      case commands.abort:
        this.#forget();
        if (this.#mode !== 'idle') this.#mode = 'connected';
        break;
      case commands.quit:
        this.#quit();
        break;
      case commands.quitNewConnection:
        this.#forget();
        this.#macros.clear();
        this.#client = unknownClient;
        this.#mode = 'idle';
        break;
      case commands.unknown:
        this.#continue(steps.nrUnknown);
        break;
      default:
        throw unexpected(code, this.#mode);
    }
  }

  #expect(code: number, ...modes: readonly Mode[]): void {
    if (!modes.includes(this.#mode)) throw unexpected(code, this.#mode);
  }

  #negotiate(payload: Buffer): void {
    const offer = readOffer(payload);
    const agreed = negotiate(offer, this.#options.wants());
    if (!agreed) throw new WireError(`version ${offer.version} of the protocol is too old`);
    this.#agreed = agreed;
    this.#powers = powersOf(agreed);
    this.#mode = 'idle';
    this.#out.push(offerPacket(agreed, agreed.symbols));
  }

  #quit(): void {
    this.#flush();
    this.close();
    this.#options.end();
  }

  /** The message that was begun is no more. */
  #forget(): void {
    this.#macros.endMessage();
    this.#letGo();
    if (inMessage.includes(this.#mode)) this.#mode = 'connected';
  }

  #letGo(): void {
    this.#message = null;
    this.#bodyAsked = false;
    if (this.#reserved > 0) this.#options.reserve(-this.#reserved);
    this.#reserved = 0;
  }

  #takeSender(packet: Packet): void {
    // The macros of this MAIL are here already; what is left is of the message before.
    this.#letGo();
    this.#mode = 'envelope';
    const message = new Message(this.#client, readAddress(packet), this.#macros, this.#powers);
    this.#message = message;
    this.#ask(steps.nrMail, 'message', (handlers) => handlers.sender?.(message));
  }

  #takeRecipient(packet: Packet): void {
    const message = this.#message;
    if (!message) throw unexpected(commands.recipient, this.#mode);
    const recipient = readAddress(packet);
    message.recipients.push(recipient);
    this.#ask(steps.nrRecipient, 'recipient', (handlers) => handlers.recipient?.(recipient, message));
  }

  #takeBody(packet: Packet): void {
    const message = this.#message;
    this.#addBody(packet);
    const mayAnswer = (this.#agreed.protocol & steps.nrBody) === 0;
    const mayStop = message === null || message.bodyDropped;
    if (mayAnswer && mayStop && (this.#agreed.protocol & steps.skip) !== 0) this.#out.push(bareReplies.skip);
    else this.#continue(steps.nrBody);
  }

  #addBody(packet: Packet): void {
    const message = this.#message;
    if (!message) return;
    if (!this.#bodyAsked) {
      this.#bodyAsked = true;
      if (!(this.#options.handlers.wantsBody?.(message) ?? true)) message.dropBody();
    }
    if (!message.bodyDropped && this.#mayHold(packet.length)) message.addBody(packet.payload);
  }

  /** Within the limits; beyond them the body goes, and what is decided must do without. */
  #mayHold(octets: number): boolean {
    const message = this.#message;
    if (!message || message.incomplete || message.bodyDropped) return false;
    message.tooLarge = message.size + octets > this.#options.largestMessage;
    if (!message.tooLarge && this.#options.reserve(octets)) {
      this.#reserved += octets;
      return true;
    }
    message.dropBody();
    if (this.#mode === 'headers') message.incomplete = true;
    return false;
  }

  #continue(withoutReply: number): void {
    if ((this.#agreed.protocol & withoutReply) === 0) this.#out.push(bareReplies.continue);
  }

  /** Says what the handler says, now or when it knows. No handler: go on. */
  #ask(withoutReply: number, about: About, question: (handlers: Handlers) => Maybe<Verdict> | null | undefined): void {
    // Agreed when the connection began: the MTA waits for nothing here.
    if ((this.#agreed.protocol & withoutReply) !== 0) return;
    let answer: Maybe<Verdict> | null | undefined;
    try {
      answer = question(this.#options.handlers);
    } catch (error) {
      answer = this.#failure(error).verdict;
    }
    if (answer === undefined || answer === null) this.#continue(withoutReply);
    else if (answer instanceof Promise) {
      const safe = answer.catch((error: unknown) => this.#failure(error).verdict);
      this.#await('step', safe, (verdict) => this.#say(withoutReply, verdict, about));
    } else this.#say(withoutReply, answer, about);
  }

  #say(withoutReply: number, verdict: Verdict, about: About): void {
    if ((this.#agreed.protocol & withoutReply) === 0) this.#out.push(verdictPacket(verdict));
    if (verdict.kind === 'continue') return;
    // One recipient is refused; anything else is about the whole message, which is over for us.
    if (about === 'recipient' && verdict.kind !== 'accept' && verdict.kind !== 'discard')
      this.#message?.recipients.pop();
    else this.#forget();
  }

  #endMessage(packet: Packet): void {
    // libmilter takes a last piece of the body with it; neither Postfix nor Sendmail sends one.
    if (packet.length > 0) {
      this.#mode = 'body';
      this.#addBody(packet);
    }
    const message = this.#message;
    if (!message) throw unexpected(commands.endOfBody, this.#mode);
    const answer = (end: EndVerdict): void => {
      const { octets, whole } = this.#endOctets(end, message.recipients);
      this.#forget();
      this.#out.push(octets);
      this.#flush();
      end.onAnswered?.(whole);
    };
    if (message.incomplete) {
      answer(this.#failure(new Error('the header is larger than what is held')));
      return;
    }
    let end: Maybe<EndVerdict>;
    try {
      end = this.#options.handlers.message(message);
    } catch (error) {
      end = this.#failure(error);
    }
    if (end instanceof Promise) {
      const safe = end.catch((error: unknown) => this.#failure(error));
      this.#await('end of message', safe, answer, (late) => late.onAnswered?.(false));
    } else answer(end);
  }

  /** All of it or none: what cannot be written whole becomes the answer to a failure. */
  #endOctets(end: EndVerdict, recipients: readonly EnvelopeAddress[]): { octets: Buffer; whole: boolean } {
    try {
      return { octets: endPackets(end, this.#powers, recipients), whole: true };
    } catch (error) {
      return { octets: verdictPacket(this.#failure(error).verdict), whole: false };
    }
  }

  #failure(error: unknown): EndVerdict {
    this.#options.complain('handler', error);
    return { verdict: { kind: this.#options.onFailure } };
  }

  /** @param answer never rejects  @param late what to do when the MTA is gone by then */
  #await<T>(
    what: 'step' | 'end of message',
    answer: Promise<T>,
    then: (value: T) => void,
    late?: (value: T) => void,
  ): void {
    this.#waitingFor = what;
    void answer.then((value) => {
      this.#waitingFor = 'nothing';
      if (this.#mode === 'ended') {
        late?.(value);
        return;
      }
      try {
        then(value);
      } catch (error) {
        this.#fail('protocol', error);
        return;
      }
      this.#run();
    });
  }
}

function unexpected(code: number, mode: Mode): WireError {
  const shown = code > 0x20 && code < 0x7f ? `'${String.fromCharCode(code)}'` : `0x${code.toString(16)}`;
  return new WireError(`the command ${shown} does not belong here (${mode})`);
}
