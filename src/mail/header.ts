// The header of a message (RFC 5322 §2.2), read from the head of the content and nothing else: no MIME, no body.
// Slicing it off costs microseconds where a MIME parser costs a third of a millisecond. Whatever the octets are,
// nothing here throws: what cannot be read is left out.
import { isUtf8 } from 'node:buffer';
import libmime from 'libmime';
import type { Instant } from '../clock.ts';
import { apart } from './apart.ts';
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

/** One field as a milter is told of it: name and value apart, one character an octet. */
export type RawField = readonly [name: string, value: string];

/** The same as readFields, of fields that came apart. */
export function fieldsOf(raw: readonly RawField[]): Field[] {
  const fields: Field[] = [];
  let octets = 0;
  for (const [name, value] of raw) {
    octets += name.length + value.length + 4;
    const lower = lowerName(name);
    // As in a block of octets: what is no name ends the header, and so do the limits.
    if (octets > maxHeader || fields.length >= maxFields || lower === undefined) break;
    // What most are.
    if (value.length < 1_000 && isPlain.test(value)) {
      fields.push({ name: lower, value: value.trim() });
      continue;
    }
    const text = value.length + name.length + 2 > maxField ? value.slice(0, maxField - name.length - 2) : value;
    // Nobody sends a line end that goes on without white space; in a block of octets it would begin another field.
    const unfolded = text.includes('\n') ? text.replace(/\r?\n(?=[ \t])/g, '').replace(/\r?\n[\s\S]*$/, '') : text;
    fields.push({ name: lower, value: decodeOctets(unfolded).trim() });
  }
  return fields;
}

/** In lower case; undefined when it is no name. The same few come with every mail. */
function lowerName(name: string): string | undefined {
  const known = lowerNames.get(name);
  if (known !== undefined) return known;
  if (!isName.test(name)) return undefined;
  const lower = name.toLowerCase();
  if (lowerNames.size < 1_000 && name.length < 50) lowerNames.set(apart(name), lower);
  return lower;
}
const lowerNames = new Map<string, string>();

/** RFC 2047 decoded, one line, without control characters. */
export function decodeText(value: string): string {
  // What most values are: nothing to decode, nothing to take out.
  if (isPlain.test(value) && !value.includes('=?')) return value.trim().slice(0, maxField);
  return oneLine(value.includes('=?') ? decodeWords(value) : value);
}

const isPlain = /^[\x20-\x7e]*$/;
// RFC 5322 §3.6.8
const isName = /^[\x21-\x39\x3b-\x7e]{1,200}$/;

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

/** What facts are taken from; the others stand among them as they are. */
export const headersOfFacts: readonly string[] = [
  'subject',
  'from',
  'message-id',
  'references',
  'in-reply-to',
  'auto-submitted',
  'received',
  'delivered-to',
];

/** Taken once, at acceptance, and kept with the message. */
export function readFacts(head: Head): MailFacts {
  return factsOf({ ...head, fields: readFields(head.content), size: head.size ?? head.content.length });
}

/** The same of a header that was told field by field. */
export function factsOf({
  queueId,
  receivedAt,
  envelope,
  fields,
  size,
  client,
}: Omit<Head, 'content' | 'size'> & { readonly fields: readonly Field[]; readonly size: number }): MailFacts {
  let subject: string | undefined;
  let from: string | undefined;
  let autoSubmitted = false;
  let receivedCount = 0;
  const references: string[] = [];
  const answers: string[] = [];
  const deliveredTo: string[] = [];
  const headers: (readonly [string, string])[] = [];
  // One pass, and the first of each kind: this is done for every mail.
  let message: string | undefined;
  for (const { name, value } of fields) {
    const text = decodeText(value);
    headers.push([name, text]);
    switch (name) {
      case 'subject':
        subject ??= text;
        break;
      case 'from':
        from ??= text;
        break;
      case 'message-id':
        message ??= value;
        break;
      case 'references':
        references.push(value);
        break;
      case 'in-reply-to':
        answers.push(value);
        break;
      case 'auto-submitted':
        autoSubmitted ||= !/^no\s*(?:$|[;(])/i.test(value);
        break;
      case 'received':
        receivedCount += 1;
        break;
      case 'delivered-to': {
        const mailbox = parseMailbox(value.replace(/^<(.*)>$/, '$1'));
        if (mailbox !== undefined) deliveredTo.push(mailboxKey(mailbox));
        break;
      }
      default:
    }
  }
  const messageId = messageIds(message ?? '')[0];
  return {
    queueId,
    receivedAt,
    reversePath: envelope.reversePath,
    recipients: envelope.forwardPaths.map(({ mailbox }) => mailbox),
    size,
    peer: client.address,
    carriesMembers: client.carriesMembers,
    ...(messageId === undefined ? {} : { messageId }),
    ...(subject === undefined ? {} : { subject }),
    ...(from === undefined ? {} : { from }),
    references: referencesOf([...references, ...answers]),
    autoSubmitted,
    headers,
    receivedCount,
    deliveredTo,
  };
}

/** The Message-IDs of the thread, without reading the rest. */
export function readReferences(content: Uint8Array): readonly string[] {
  const fields = readFields(content).filter(({ name }) => name === 'references' || name === 'in-reply-to');
  const sorted = fields.toSorted((a, b) => (a.name === b.name ? 0 : a.name === 'references' ? -1 : 1));
  return referencesOf(sorted.map(({ value }) => value));
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
  if (!isName.test(name)) return undefined;
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
  return values.length === 0 ? [] : [...new Set(values.flatMap(messageIds))].slice(-maxReferences);
}
