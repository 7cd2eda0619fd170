// The header of a message (RFC 5322 §2.2), read from the head of the content and nothing else: no MIME, no body.
// Slicing it off costs microseconds where a MIME parser costs a third of a millisecond. Whatever the octets are,
// nothing here throws: what cannot be read is left out.
import { isUtf8 } from 'node:buffer';
import libmime from 'libmime';
import type { Instant } from '../clock.ts';
import type { Envelope } from './envelope.ts';
import type { MailFacts } from './facts.ts';
import { mailboxKey, parseMailbox } from './path.ts';
import type { QueueId } from './queue-id.ts';

// Octets of one field, fields, and octets of the whole block that are looked at. The last one is ours: facts are stored
// with every message.
export const maxField = 65_536;
export const maxFields = 1_000;
export const maxHeader = 1_048_576;
// A thread longer than this keeps its newest Message-IDs.
const maxReferences = 200;

export interface Field {
  /** Lower case. */
  readonly name: string;
  /** Unfolded (RFC 5322 §2.2.3), trimmed, not decoded; octets that are no UTF-8 are read as Latin-1. */
  readonly value: string;
}

/** The octets up to and without the empty line; all of them when there is none. */
export function headerBlock(content: Uint8Array): Uint8Array {
  const buffer = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  if (buffer.length >= 2 && buffer[0] === 0x0d && buffer[1] === 0x0a) return buffer.subarray(0, 0);
  const end = buffer.indexOf('\r\n\r\n');
  return end < 0 ? buffer : buffer.subarray(0, end + 2);
}

/** In order. A line that is neither a field nor the continuation of one ends the header, as it does for MTAs. */
export function readFields(content: Uint8Array): Field[] {
  const head = content.subarray(0, maxHeader);
  // One character an octet: cutting and searching need no decoding.
  const text = Buffer.from(headerBlock(head)).toString('latin1');
  const fields: Field[] = [];
  for (let at = 0; at < text.length && fields.length < maxFields; ) {
    const end = endOfField(text, at);
    const field = parseField(text.slice(at, Math.min(end, at + maxField)));
    if (field) fields.push(field);
    // "From sender date" above the first field: a mailbox file's separator, not ours to judge.
    else if (at > 0 || !text.startsWith('From ')) break;
    at = end;
  }
  return fields;
}

/** RFC 2047 decoded, one line, without control characters. */
export function decodeText(value: string): string {
  return oneLine(value.includes('=?') ? decodeWords(value) : value);
}

export interface Head {
  readonly queueId: QueueId;
  readonly receivedAt: Instant;
  readonly envelope: Envelope;
  /** Of it, at least the header. */
  readonly content: Uint8Array;
  /** Octets of all of it, when that is more. */
  readonly size?: number;
  readonly client: { readonly address: string; readonly carriesMembers: boolean };
}

/** Taken once, at acceptance, and kept with the message. */
export function readFacts({ queueId, receivedAt, envelope, content, size, client }: Head): MailFacts {
  const fields = readFields(content);
  const all = (name: string): string[] => fields.flatMap((field) => (field.name === name ? [field.value] : []));
  const subject = all('subject')[0];
  const from = all('from')[0];
  const messageId = messageIds(all('message-id')[0] ?? '')[0];
  return {
    queueId,
    receivedAt,
    reversePath: envelope.reversePath,
    recipients: envelope.forwardPaths.map(({ mailbox }) => mailbox),
    size: size ?? content.length,
    peer: client.address,
    carriesMembers: client.carriesMembers,
    ...(messageId === undefined ? {} : { messageId }),
    ...(subject === undefined ? {} : { subject: decodeText(subject) }),
    ...(from === undefined ? {} : { from: decodeText(from) }),
    references: referencesOf([...all('references'), ...all('in-reply-to')]),
    autoSubmitted: all('auto-submitted').some((value) => !/^no\s*(?:$|[;(])/i.test(value)),
    headers: fields.map(({ name, value }) => [name, decodeText(value)] as const),
    receivedCount: all('received').length,
    deliveredTo: all('delivered-to').flatMap((value) => {
      const mailbox = parseMailbox(value.replace(/^<(.*)>$/, '$1'));
      return mailbox === undefined ? [] : [mailboxKey(mailbox)];
    }),
  };
}

function endOfField(text: string, start: number): number {
  for (let at = start; ; ) {
    const newline = text.indexOf('\n', at);
    if (newline < 0) return text.length;
    const next = text[newline + 1];
    if (next !== ' ' && next !== '\t') return newline + 1;
    at = newline + 1;
  }
}

function parseField(raw: string): Field | undefined {
  // RFC 5322 §3.6.8; §4.5 lets white space stand before the colon.
  const colon = raw.indexOf(':');
  const name = raw.slice(0, Math.max(colon, 0)).trimEnd();
  if (!/^[\x21-\x39\x3b-\x7e]{1,200}$/.test(name)) return undefined;
  const octets = raw.slice(colon + 1).replace(/\r?\n(?=[ \t])/g, '');
  return { name: name.toLowerCase(), value: decodeOctets(octets).trim() };
}

function decodeOctets(octets: string): string {
  if (!/[\x80-\xff]/.test(octets)) return octets;
  const bytes = Buffer.from(octets, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : octets;
}

function decodeWords(value: string): string {
  try {
    return libmime.decodeWords(value);
  } catch {
    // A charset or an encoding that the decoder trips over: the text as it stands is the best there is.
    return value;
  }
}

function oneLine(text: string): string {
  return text
    .replace(/[\t\n\v\f\r\x85\u2028\u2029]+/g, ' ')
    .replace(/[\x00-\x1f\x7f-\x9f]+/g, '')
    .toWellFormed()
    .trim()
    .slice(0, maxField);
}

function messageIds(value: string): string[] {
  return value.match(/<[^<>\s\x00-\x1f\x7f]{1,900}>/g) ?? [];
}

function referencesOf(values: readonly string[]): string[] {
  return [...new Set(values.flatMap(messageIds))].slice(-maxReferences);
}
