// What a delivery status notification says: RFC 3461 §6 (when and what), RFC 3464 (the fields), RFC 6533 (addresses
// beyond ASCII). Pure: composing the MIME message from it is src/smtp/report.ts.
import type { Instant } from '../clock.ts';
import type { Envelope } from './envelope.ts';
import { headerBlock } from './header.ts';
import { isInternationalised, type Mailbox } from './path.ts';
import type { QueueId } from './queue-id.ts';
import { formatDate } from './received.ts';
import { formatReply, type Reply } from './reply.ts';
import type { Language } from './report-text.ts';

/** RFC 3464 §2.3.3. */
export type Action = 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded';

export interface ReportedRecipient {
  readonly mailbox: Mailbox;
  /** Decoded, as in the envelope: `rfc822;someone@example.org`. */
  readonly orcpt?: string;
  readonly action: Action;
  /** The next hop's reply, or ours when there was none. */
  readonly reply: Reply;
  /** Name of the host whose reply it is; absent when it is ours. */
  readonly remote?: string;
  readonly lastAttemptAt?: Instant;
  /** With `delayed`. */
  readonly willRetryUntil?: Instant;
}

export interface ReportData {
  /** Of the report: in its Message-ID and boundary. */
  readonly queueId: QueueId;
  readonly hostname: string;
  readonly now: Instant;
  /** The reverse-path of the original message. */
  readonly to: Mailbox;
  readonly original: {
    readonly queueId: QueueId;
    readonly arrivedAt: Instant;
    readonly envelope: Pick<Envelope, 'ret' | 'envid' | 'smtputf8'>;
    readonly messageId?: string;
    readonly content: Uint8Array;
  };
  /** Of the text for people, in this order; English when there are none. */
  readonly languages?: readonly Language[];
  /** At least one. */
  readonly recipients: readonly ReportedRecipient[];
}

// A message up to this many octets is returned whole; of a longer one, the header, up to as many.
export const maxReturned = 50_000;

/** RFC 6533 §3: whether the report itself needs SMTPUTF8. */
export function needsSmtputf8(data: ReportData): boolean {
  return (
    isInternationalised(data.to) ||
    data.recipients.some(({ mailbox, orcpt }) => isInternationalised(mailbox) || /[^\x00-\x7f]/.test(orcpt ?? ''))
  );
}

/** RFC 3464 §2: message/delivery-status, one group for the message and one for each recipient. */
export function deliveryStatus(data: ReportData): string {
  const { original } = data;
  const utf8 = needsSmtputf8(data);
  const perMessage = [
    original.envelope.envid === undefined ? undefined : field('Original-Envelope-Id', original.envelope.envid, utf8),
    field('Reporting-MTA', `dns; ${data.hostname}`, utf8),
    field('Arrival-Date', formatDate(original.arrivedAt), utf8),
    field('X-Pointsman-Queue-Id', original.queueId, utf8),
  ];
  const groups = [perMessage, ...data.recipients.map((recipient) => recipientFields(recipient, utf8))];
  return groups.map((group) => group.filter((line) => line !== undefined).join('')).join('\r\n');
}

function recipientFields(recipient: ReportedRecipient, utf8: boolean): (string | undefined)[] {
  const { mailbox, orcpt, action, reply, remote, lastAttemptAt, willRetryUntil } = recipient;
  const type = isInternationalised(mailbox) ? 'utf-8' : 'rfc822';
  // RFC 3464 §2.3.6: the diagnostic is the remote MTA's reply, verbatim; ours has a type of our own.
  const diagnostic = `${remote === undefined ? 'X-Pointsman' : 'smtp'}; ${formatReply(reply)}`;
  return [
    orcpt === undefined ? undefined : field('Original-Recipient', orcpt.replace(/;\s*/, '; '), utf8),
    field('Final-Recipient', `${type}; ${mailbox}`, utf8),
    field('Action', action, utf8),
    field('Status', statusOf(recipient), utf8),
    remote === undefined ? undefined : field('Remote-MTA', `dns; ${remote}`, utf8),
    field('Diagnostic-Code', diagnostic, utf8),
    lastAttemptAt === undefined ? undefined : field('Last-Attempt-Date', formatDate(lastAttemptAt), utf8),
    willRetryUntil === undefined ? undefined : field('Will-Retry-Until', formatDate(willRetryUntil), utf8),
  ];
}

/** RFC 3463 §2. The reply's own code where it has one; a delay is never permanent, a success never a failure. */
export function statusOf({ action, reply }: Pick<ReportedRecipient, 'action' | 'reply'>): string {
  const wanted = action === 'delayed' ? '4' : action === 'failed' ? undefined : '2';
  const { enhanced } = reply;
  if (enhanced !== undefined && (wanted === undefined ? !enhanced.startsWith('2') : enhanced.startsWith(wanted))) {
    return enhanced;
  }
  return `${wanted ?? (reply.code >= 400 && reply.code < 500 ? '4' : '5')}.0.0`;
}

export interface Returned {
  readonly type: 'message/rfc822' | 'text/rfc822-headers' | 'message/global' | 'message/global-headers';
  readonly content: Uint8Array;
}

/**
 * RFC 3461 §4.3: RET counts for reports of failure; any other returns the header only. RFC 6533 §4 for a message with
 * headers in UTF-8.
 */
export function returnedMessage({ original, recipients }: Pick<ReportData, 'original' | 'recipients'>): Returned {
  const { content, envelope } = original;
  const header = headerBlock(content);
  const global = envelope.smtputf8 && header.some((octet) => octet > 0x7f);
  const failed = recipients.some(({ action }) => action === 'failed');
  if (failed && envelope.ret !== 'HDRS' && content.length <= maxReturned) {
    return { type: global ? 'message/global' : 'message/rfc822', content };
  }
  const type = global ? 'message/global-headers' : 'text/rfc822-headers';
  if (header.length <= maxReturned) return { type, content: header };
  // Whole lines only.
  const end = Buffer.from(header.buffer, header.byteOffset, maxReturned).lastIndexOf('\r\n');
  return { type, content: header.subarray(0, end < 0 ? 0 : end + 2) };
}

/** One field, folded at spaces (RFC 5322 §2.2.3); nothing in the value can start another. */
function field(name: string, value: string, utf8: boolean): string {
  const words = clean(value, utf8).split(' ');
  const lines: string[] = [];
  let line = `${name}:`;
  for (const word of words) {
    if (line.length + 1 + word.length > 78 && line !== `${name}:`) {
      lines.push(line);
      line = '';
    }
    line += ` ${word}`;
  }
  return `${[...lines, line].join('\r\n')}\r\n`;
}

/** One line; without UTF-8, what is not ASCII is shown as `?`. No white space that would make an empty folded line. */
export function clean(text: string, utf8: boolean): string {
  const line = text.replace(/[\x00-\x20\x7f-\x9f\u2028\u2029]+/g, ' ').trim();
  return utf8 ? line.toWellFormed() : line.replace(/[^\x20-\x7e]/gu, '?');
}
