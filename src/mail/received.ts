// The trace field we put above every message: RFC 5321 §4.4, RFC 3848 and RFC 6531 §4.3 (the word after "with").
// It tells the real peer, never what XFORWARD said, and its words from outside (HELO name, recipient) cannot start a
// line or another clause.
import type { Instant } from '../clock.ts';
import type { Envelope } from './envelope.ts';
import type { QueueId } from './queue-id.ts';

export interface Trace {
  readonly queueId: QueueId;
  readonly at: Instant;
  readonly hostname: string;
  readonly client: { readonly address: string; readonly helo: string; readonly tls: boolean; readonly plain?: boolean };
  readonly envelope: Envelope;
}

/** Folded, ending in CRLF. */
export function receivedField({ queueId, at, hostname, client, envelope }: Trace): string {
  const [only, ...others] = envelope.forwardPaths;
  // With several recipients, naming one would tell it to the others.
  const recipient = only && others.length === 0 ? `\r\n\tfor <${only.mailbox}>` : '';
  const from = `from ${heloWord(client.helo)} (${addressLiteral(client.address)})`;
  return `Received: ${from}\r\n\tby ${hostname} with ${protocolOf(client, envelope)} id ${queueId}${recipient};\r\n\t${formatDate(at)}\r\n`;
}

/** TLS and SMTPUTF8 are extensions: who has them has said EHLO once. */
function protocolOf({ tls, plain }: Trace['client'], { smtputf8 }: Envelope): string {
  if (plain && !tls && !smtputf8) return 'SMTP';
  return `${smtputf8 ? 'UTF8SMTP' : 'ESMTP'}${tls ? 'S' : ''}`;
}

/** RFC 5322 §3.3, in UTC: `Mon, 05 Jan 2026 09:00:00 +0000`. */
export function formatDate(at: Instant): string {
  const second = Math.floor(at / 1_000);
  if (last.second !== second) last = { second, text: new Date(at).toUTCString().replace(/GMT$/, '+0000') };
  return last.text;
}

/** A busy relay asks for the same second many times. */
let last = { second: Number.NaN, text: '' };

/** RFC 5321 §4.1.3. */
export function addressLiteral(address: string): string {
  const clean = address.replace(/[^0-9A-Fa-f:.]/g, '');
  return clean.includes(':') ? `[IPv6:${clean}]` : `[${clean}]`;
}

/** A HELO name is whatever the peer said; here it may only be a domain or an address literal. */
function heloWord(helo: string): string {
  const word = helo.slice(0, 255).replace(/[^A-Za-z0-9._:[\]-]/g, '?');
  return word === '' ? 'unknown' : word;
}
