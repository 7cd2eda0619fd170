// What a milter is asked: the one interface between the protocol and whoever decides.
import type { Client, EnvelopeAddress, Message } from './message.ts';
import type { EndVerdict, Verdict } from './reply.ts';

export type Maybe<T> = T | Promise<T>;

export interface Handlers {
  connect?(client: Client): Maybe<Verdict>;
  helo?(client: Client): Maybe<Verdict>;
  sender?(message: Message): Maybe<Verdict>;
  /** A refusal is for this recipient alone. Mail that did not come by SMTP must not be refused here. */
  recipient?(recipient: EnvelopeAddress, message: Message): Maybe<Verdict>;
  headers?(message: Message): Maybe<Verdict>;
  /** Whether the body of this message will be read; asked once, before its first piece. */
  wantsBody?(message: Message): boolean;
  /** The end of the message: the one place where it can be changed. */
  message(message: Message): Maybe<EndVerdict>;
}
