// What a milter answers: a verdict on a step, and at the end of a message the edits that go with it. All edits and the
// verdict make one buffer, written at once: a connection that dies in between must not leave half of them behind.

import { remembering } from '../mail/memo.ts';
import type { Reply } from '../mail/reply.ts';
import { actions, bareReplies, nulEnded, packet, replyCodes } from './wire.ts';

/**
 * `accept` ends the milter's interest: in the message, or at connect and HELO in the whole connection. `reject`,
 * `tempfail` and a `reply` of 4xx or 5xx are for one recipient at RCPT, for the message after it. `discard` takes the
 * mail and throws it away.
 */
export type Verdict =
  | { readonly kind: 'continue' | 'accept' | 'reject' | 'tempfail' | 'discard' }
  | { readonly kind: 'reply'; readonly reply: Reply };

export type Edit =
  /** `parameters` as after RCPT TO (`ORCPT=rfc822;team@example.org`); left out where the MTA cannot take them. */
  | { readonly kind: 'add recipient'; readonly address: string; readonly parameters?: string }
  /** The octets of the RCPT argument, verbatim: Postfix compares them octet by octet. */
  | { readonly kind: 'remove recipient'; readonly raw: Uint8Array }
  /** 0 is above everything, also above the MTA's own Received. Folded lines are joined by LF, never CRLF. */
  | { readonly kind: 'insert header'; readonly index: number; readonly name: string; readonly value: string }
  | { readonly kind: 'add header'; readonly name: string; readonly value: string }
  /** Counted from 1 among the headers of that name; an empty value removes it. */
  | { readonly kind: 'change header'; readonly index: number; readonly name: string; readonly value: string }
  | { readonly kind: 'change sender'; readonly address: string; readonly parameters?: string }
  /** Kept by the MTA until an operator releases it. */
  | { readonly kind: 'quarantine'; readonly reason: string }
  | { readonly kind: 'replace body'; readonly body: Uint8Array };

export interface EndVerdict {
  readonly verdict: Verdict;
  /** Only with `continue` and `accept`. */
  readonly edits?: readonly Edit[];
  /** Called once: true when the answer was handed to the MTA's socket, false when the connection was gone by then. */
  readonly onAnswered?: (handedOver: boolean) => void;
}

/** What was negotiated, as far as it matters to what may be answered. */
export interface Powers {
  readonly version: number;
  readonly actions: number;
  /** Header values carry the space after the colon. */
  readonly leadingSpace: boolean;
  /** Bodies are sent. */
  readonly body: boolean;
}

/** An answer that the MTA could not carry out whole; nothing of it has been sent. */
export class EditError extends Error {
  override readonly name = 'EditError';
}

export function verdictPacket(verdict: Verdict): Buffer {
  return verdict.kind === 'reply'
    ? packet(replyCodes.replyCode, nulEnded(replyText(verdict.reply)))
    : bareReplies[verdict.kind];
}

/**
 * `451 4.7.1 Text`. Every % is doubled: Sendmail replaces the whole text where one is not. One line, within the 980
 * octets that libmilter allows one.
 * @throws EditError when it is not a 4xx or 5xx reply
 */
export function replyText({ code, enhanced, text }: Reply): string {
  const digit = String(code).charAt(0);
  if (!/^[45]\d\d$/.test(String(code))) throw new EditError(`a milter cannot answer ${code}`);
  const own = enhanced?.startsWith(digit) ? enhanced : `${digit}.0.0`;
  const clean = text.replace(/[\x00-\x1f\x7f]+/g, ' ').trim();
  return `${code} ${own} ${Buffer.from(clean)
    .subarray(0, 900)
    .toString('utf8')
    .replace(/\ufffd$/, '')}`.replaceAll('%', '%%');
}

/** How many recipients there are before the edits must be known, so that none of them can leave the message without any. */
export function endPackets(
  end: EndVerdict,
  powers: Powers,
  recipients: readonly { readonly raw: Uint8Array }[],
): Buffer {
  const edits = end.edits ?? [];
  if (edits.length === 0) return verdictPacket(end.verdict);
  if (end.verdict.kind !== 'continue' && end.verdict.kind !== 'accept')
    throw new EditError(`edits go with accept or continue, not with ${end.verdict.kind}`);
  checkRecipients(edits, recipients);
  let octets = '';
  for (const edit of edits.toSorted((a, b) => order[a.kind] - order[b.kind])) octets += editPackets(edit, powers);
  octets += bareTexts[end.verdict.kind];
  return Buffer.from(octets, 'latin1');
}

const bareTexts = {
  continue: bareReplies.continue.toString('latin1'),
  accept: bareReplies.accept.toString('latin1'),
} as const;

/**
 * Who is added comes before who is removed: should the connection die in between, and the MTA be told to accept then,
 * somebody gets it twice and nobody goes without. Postfix wants the pieces of a body to follow one another.
 */
const order: Readonly<Record<Edit['kind'], number>> = {
  'add recipient': 0,
  'insert header': 1,
  'add header': 1,
  'change header': 1,
  'change sender': 2,
  quarantine: 3,
  'remove recipient': 4,
  'replace body': 5,
};

/** Postfix answers 250 to a message whose last recipient was removed, and then throws it away. */
function checkRecipients(edits: readonly Edit[], recipients: readonly { readonly raw: Uint8Array }[]): void {
  if (edits.some(({ kind }) => kind === 'add recipient')) return;
  const removed = new Set(edits.flatMap((edit) => (edit.kind === 'remove recipient' ? [octets(edit.raw)] : [])));
  if (removed.size === 0) return;
  if (recipients.every(({ raw }) => removed.has(octets(raw))))
    throw new EditError('the edits would leave the message without recipients');
}

/** One character an octet: all of an answer is put together as such a text, which is cheaper than many small buffers. */
const octets = (raw: Uint8Array): string => Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('latin1');

function textOf(text: string): string {
  if (text.includes('\0')) throw new RangeError('NUL inside a string for the MTA');
  return `${isAscii.test(text) ? text : Buffer.from(text).toString('latin1')}\0`;
}

function rawText(raw: Uint8Array): string {
  if (raw.includes(0)) throw new RangeError('NUL inside a string for the MTA');
  return `${octets(raw)}\0`;
}

const isAscii = /^[\x00-\x7f]*$/;

const number = (value: number): string =>
  String.fromCharCode((value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);

const packetText = (code: number, payload: string): string =>
  number(payload.length + 1) + String.fromCharCode(code) + payload;

function editPackets(edit: Edit, powers: Powers): string {
  const need = (action: keyof typeof actions): void => checkPower(edit, action, powers);
  switch (edit.kind) {
    case 'add recipient': {
      const address = textOf(path(edit.address));
      const withParameters = edit.parameters !== undefined && (powers.actions & actions.addRecipientPar) !== 0;
      if (withParameters)
        return packetText(replyCodes.addRecipientPar, address + textOf(oneLine(edit.parameters ?? '')));
      need('addRecipient');
      return packetText(replyCodes.addRecipient, address);
    }
    case 'remove recipient':
      need('deleteRecipient');
      return packetText(replyCodes.deleteRecipient, rawText(edit.raw));
    case 'insert header':
      need('addHeaders');
      return packetText(replyCodes.insertHeader, number(edit.index) + field(edit, powers));
    case 'add header':
      need('addHeaders');
      return packetText(replyCodes.addHeader, field(edit, powers));
    case 'change header':
      need('changeHeaders');
      return packetText(replyCodes.changeHeader, number(edit.index) + field(edit, powers));
    case 'change sender': {
      need('changeFrom');
      // Sendmail ignores an empty one: the null reverse-path is written as brackets.
      const parameters = edit.parameters === undefined ? '' : textOf(oneLine(edit.parameters));
      return packetText(replyCodes.changeFrom, textOf(path(edit.address)) + parameters);
    }
    case 'quarantine':
      need('quarantine');
      return packetText(replyCodes.quarantine, textOf(oneLine(edit.reason) || 'held'));
    case 'replace body':
      need('changeBody');
      return bodyPackets(edit.body);
    default:
      return edit satisfies never;
  }
}

function checkPower({ kind }: Edit, action: keyof typeof actions, powers: Powers): void {
  if ((powers.actions & actions[action]) === 0) throw new EditError(`the MTA did not offer what "${kind}" needs`);
}

/** In brackets: Sendmail reads a bare address with a comma or a bracket in it as a list. */
const path = remembering(bracketed);

function bracketed(address: string): string {
  const inner = address.replace(/^<([\s\S]*)>$/, '$1');
  if (/[\x00-\x1f\x7f<>]/.test(inner)) throw new EditError('an address with control characters or brackets in it');
  return `<${inner}>`;
}

const oneLine = remembering((text: string): string => text.replace(/[\x00-\x1f\x7f]+/g, ' ').trim());

function field({ name, value }: { name: string; value: string }, powers: Powers): string {
  // RFC 5322 §2.2: neither MTA looks at the name, so a colon or a line end in it would end up in the mail.
  const named = nameText(name);
  // Postfix turns a CR LF of ours into CR CR LF. A line that does not go on the one above would be a header of its own.
  const lines = !/[\r\n\0]/.test(value)
    ? value
    : value
        .replace(/\r\n?/g, '\n')
        .replace(/\n(?![ \t])/g, '\n ')
        .replace(/[\x00]/g, '');
  const text = powers.leadingSpace && lines !== '' && !/^[ \t]/.test(lines) ? ` ${lines}` : lines;
  return named + textOf(text);
}

const nameText = remembering((name: string): string => {
  if (!/^[\x21-\x39\x3b-\x7e]{1,200}$/.test(name)) throw new EditError(`not a header name: ${JSON.stringify(name)}`);
  return textOf(name);
});

/** libmilter's limit for one packet of a body. */
const largestBodyPiece = 65_535;

function bodyPackets(body: Uint8Array): string {
  // One empty piece makes an empty body; none would leave the old one.
  if (body.length === 0) return packetText(replyCodes.replaceBody, '');
  let pieces = '';
  for (let at = 0; at < body.length; at += largestBodyPiece)
    pieces += packetText(replyCodes.replaceBody, octets(body.subarray(at, at + largestBodyPiece)));
  return pieces;
}
