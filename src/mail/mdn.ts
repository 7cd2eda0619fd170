// Message disposition notifications ("read receipts"): RFC 8098, and what its forerunners RFC 3798 and RFC 2298 wrote.
// Pure. A receipt can be forged and withheld: its absence proves nothing, and its presence counts only by a trusted path.
import { defined } from './dsn-parse.ts';
import type { MailFacts } from './facts.ts';
import { readFields } from './header.ts';
import { nullReversePath } from './path.ts';
import { addressOf, fieldGroups, fieldValue, messageIdOf, partOf, readReport } from './report-parts.ts';

/** RFC 8098 §3.2.6.2; `denied` and `failed` were types in RFC 2298. */
export type DispositionType = 'displayed' | 'deleted' | 'dispatched' | 'processed' | 'denied' | 'failed';

export interface ParsedMdn {
  readonly action: 'manual' | 'automatic';
  readonly sending: 'manually' | 'automatically';
  readonly type: DispositionType;
  /** RFC 8098 knows `error`; before it were `warning`, `superseded`, `expired`, `mailbox-terminated`. */
  readonly modifiers: readonly string[];
  readonly originalMessageId?: string;
  readonly finalRecipient?: string;
  readonly originalRecipient?: string;
  readonly reportingUa?: string;
}

const types: readonly DispositionType[] = ['displayed', 'deleted', 'dispatched', 'processed', 'denied', 'failed'];

/** RFC 8098 §3.2.6, in any case and with any white space, as programs write it. */
const disposition =
  /^(manual|automatic)-action\s*\/\s*mdn-sent-(manually|automatically)\s*;\s*([a-z]+)(?:\s*\/\s*([a-z0-9,\s_.-]*))?/i;

/** Undefined when it is no MDN, or one whose disposition cannot be read. */
export function parseMdn(content: Uint8Array): ParsedMdn | undefined {
  const report = readReport(content);
  const part = report && partOf(report, 'message/disposition-notification', 'message/global-disposition-notification');
  if (!report || !part) return undefined;
  const fields = fieldGroups(part.text).flat();
  // A comment may stand anywhere (RFC 5322 §3.2.2).
  const said = disposition.exec((fieldValue(fields, 'disposition') ?? '').replace(/\([^()]*\)/g, '').trim());
  const type = types.find((known) => known === said?.[3]?.toLowerCase());
  if (!said || type === undefined) return undefined;
  const returned = partOf(report, 'message/rfc822', 'text/rfc822-headers', 'message/global', 'message/global-headers');
  const header = returned ? readFields(Buffer.from(returned.text, 'latin1')) : [];
  return defined({
    action: said[1]?.toLowerCase() === 'manual' ? ('manual' as const) : ('automatic' as const),
    sending: said[2]?.toLowerCase() === 'manually' ? ('manually' as const) : ('automatically' as const),
    type,
    modifiers: (said[4] ?? '')
      .toLowerCase()
      .split(/[,\s]+/)
      .filter((modifier) => modifier !== ''),
    originalMessageId:
      messageIdOf(fieldValue(fields, 'original-message-id')) ?? messageIdOf(fieldValue(header, 'message-id')),
    finalRecipient: addressOf(fieldValue(fields, 'final-recipient')),
    originalRecipient: addressOf(fieldValue(fields, 'original-recipient')),
    reportingUa: fieldValue(fields, 'reporting-ua')
      ?.replace(/[\x00-\x1f\x7f-\x9f]+/g, ' ')
      .slice(0, 200),
  });
}

/**
 * Whether a person has had it before their eyes. RFC 8098 §3.2.6.1: only `manual-action` says that a person did it;
 * how the notification was sent says nothing about that. A modifier other than `warning` says that it went wrong.
 */
export function wasDisplayed({ action, type, modifiers }: Pick<ParsedMdn, 'action' | 'type' | 'modifiers'>): boolean {
  return action === 'manual' && type === 'displayed' && modifiers.every((modifier) => modifier === 'warning');
}

/** `MDN displayed (manual action)`, `MDN deleted (automatic action)`: the source of a piece of evidence. */
export const mdnSource = ({ action, type, modifiers }: ParsedMdn): string =>
  `MDN ${[type, ...modifiers].join('/')} (${action} action)`;

/**
 * RFC 8098 §2.1 lets a receipt be asked for by whoever sends; we ask on behalf of a group, and only where nobody has
 * asked (the sender's wish stays the sender's) and where an answer is possible at all.
 */
export function mayAskForMdn(facts: Pick<MailFacts, 'headers' | 'autoSubmitted' | 'reversePath'>): boolean {
  const asks = ['disposition-notification-to', 'return-receipt-to', 'x-confirm-reading-to'];
  return (
    facts.reversePath !== nullReversePath &&
    !facts.autoSubmitted &&
    !facts.headers.some(([name]) => asks.includes(name))
  );
}
