// What is said to a next hop, and what is known of it: parameters, extensions, the lines of a transaction, results.
import type { Duration } from '../clock.ts';
import type { Notify } from '../mail/envelope.ts';
import type { Reply } from '../mail/reply.ts';
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
  readonly pipelining: boolean;
  readonly starttls: boolean;
  readonly authPlain: boolean;
  readonly dsn: boolean;
  readonly smtputf8: boolean;
  readonly eightBitMime: boolean;
  /** RFC 1870: told, and the limit; 0 when there is none. */
  readonly sizes: boolean;
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

/** What follows 354: pieces with dots stuffed, ending in CRLF, the final dot not among them. */
export interface Letter {
  /** When it is small enough to be written at once. */
  readonly whole?: readonly Buffer[];
  pieces(): AsyncIterable<Buffer>;
  /** Called before the final dot is written, which waits for what it answers. */
  readonly onFinalDot: () => Promise<void> | undefined;
}

/** A session that could not be set up, or a transaction that broke. */
export interface Failure {
  readonly cause: string;
  readonly reply?: Reply;
  /** STARTTLS was offered and did not work. */
  readonly tls?: boolean;
}

export type Result =
  /**
   * In the order of `to`: the reply that a recipient has for itself, which holds whatever comes of the rest. Who was refused
   * has one, and over LMTP also who has been given the message.
   */
  | { readonly kind: 'done'; readonly reply: Reply; readonly own: readonly (Reply | undefined)[] }
  | {
      readonly kind: 'failed';
      readonly failure: Failure;
      readonly own: readonly (Reply | undefined)[];
      /** The next hop had said yes or no to something of this message. */
      readonly begun: boolean;
      /** The failure is the next hop's answer and the connection is fit for the next message. */
      readonly reusable: boolean;
    };

export const noExtensions: Extensions = {
  pipelining: false,
  starttls: false,
  authPlain: false,
  dsn: false,
  smtputf8: false,
  eightBitMime: false,
  sizes: false,
  size: 0,
};

/** RFC 5321 §4.1.1.1: a keyword a line after the first, in any case. */
export function extensionsOf(raw: string): Extensions {
  const told = new Map<string, string>();
  for (const line of raw.split('\n').slice(1)) {
    const [keyword = '', ...values] = line.slice(4).trim().split(/[ =]+/);
    told.set(keyword.toUpperCase(), values.join(' '));
  }
  const size = Number(told.get('SIZE') ?? 0);
  return {
    pipelining: told.has('PIPELINING'),
    starttls: told.has('STARTTLS'),
    authPlain: / PLAIN\b/i.test(` ${told.get('AUTH') ?? ''}`),
    dsn: told.has('DSN'),
    smtputf8: told.has('SMTPUTF8'),
    eightBitMime: told.has('8BITMIME'),
    sizes: told.has('SIZE'),
    size: Number.isSafeInteger(size) ? size : 0,
  };
}

export function mailLine(parameters: Parameters, { dsn, sizes }: Extensions): string {
  let line = `MAIL FROM:<${parameters.from}>`;
  if (sizes && parameters.size > 0) line += ` SIZE=${parameters.size}`;
  if (parameters.eightBitMime) line += ' BODY=8BITMIME';
  if (parameters.smtputf8) line += ' SMTPUTF8';
  if (dsn && parameters.ret) line += ` RET=${parameters.ret}`;
  if (dsn && parameters.envid) line += ` ENVID=${encodeXtext(parameters.envid)}`;
  return `${line}\r\n`;
}

export function rcptLines({ to, notify, orcpt, smtputf8 }: Parameters, extensions: Extensions): string[] {
  let dsn = '';
  if (extensions.dsn && notify) dsn += ` NOTIFY=${notify.join(',').toUpperCase()}`;
  if (extensions.dsn && orcpt) dsn += ` ORCPT=${encodeOrcpt(orcpt, smtputf8 && extensions.smtputf8)}`;
  return to.map((mailbox) => `RCPT TO:<${mailbox}>${dsn}\r\n`);
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

export function isFailure(value: unknown): value is Failure {
  return typeof value === 'object' && value !== null && 'cause' in value && !(value instanceof Error);
}

export const isAccepted = ({ code }: Reply): boolean => code >= 200 && code < 300;

export const refusal = (cause: string, reply: Reply): Failure => ({ cause, reply });
