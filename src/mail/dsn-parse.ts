// Reads a delivery status notification (RFC 3464, RFC 6533) that came back to us. Pure. Whom it is about is decided by
// whoever asked for it (a token, our ENVID, the Message-ID of what it returns): what it says of itself can be forged.
import type { Action } from './dsn.ts';
import { readFields } from './header.ts';
import {
  fieldGroups,
  fieldValue as fieldOf,
  messageIdOf,
  partOf,
  addressOf as plainAddress,
  readReport,
} from './report-parts.ts';

export interface ParsedDsn {
  /** RFC 3464 §2.2.1: the ENVID of the message, as it was given in MAIL FROM. */
  readonly envid?: string;
  readonly reportingMta?: string;
  /** Of the message or the header that is returned with it. */
  readonly messageId?: string;
  readonly recipients: readonly DsnRecipient[];
}

export interface DsnRecipient {
  readonly action: Action;
  /** RFC 3463: `5.1.1`; absent when none or nonsense was given. */
  readonly status?: string;
  readonly finalRecipient?: string;
  /** From ORCPT. */
  readonly originalRecipient?: string;
  /** Without its type: `550 5.1.1 User unknown`. */
  readonly diagnostic?: string;
  readonly remoteMta?: string;
}

const actions: readonly Action[] = ['failed', 'delayed', 'delivered', 'relayed', 'expanded'];

/** Undefined when it is no DSN, or one that says nothing of any recipient. */
export function parseDsn(content: Uint8Array): ParsedDsn | undefined {
  const report = readReport(content);
  if (!report) return undefined;
  const status = partOf(report, 'message/delivery-status', 'message/global-delivery-status');
  if (!status) return undefined;
  const groups = fieldGroups(status.text);
  const recipients = groups.flatMap((fields): DsnRecipient[] => {
    // Some put all in one group, against RFC 3464 §2.1: whatever has an Action is about a recipient.
    const action = actions.find((known) => known === word(fieldOf(fields, 'action'))?.toLowerCase());
    if (action === undefined) return [];
    return [
      defined({
        action,
        status: /\b[245]\.\d{1,3}\.\d{1,3}\b/.exec(fieldOf(fields, 'status') ?? '')?.[0],
        finalRecipient: plainAddress(fieldOf(fields, 'final-recipient')),
        originalRecipient: plainAddress(fieldOf(fields, 'original-recipient')),
        diagnostic: withoutType(fieldOf(fields, 'diagnostic-code')),
        remoteMta: withoutType(fieldOf(fields, 'remote-mta')),
      }),
    ];
  });
  if (recipients.length === 0) return undefined;
  const returned = partOf(
    report,
    'message/rfc822',
    'text/rfc822-headers',
    'message/global',
    'message/global-headers',
    'message/rfc822-headers',
  );
  const header = returned ? readFields(Buffer.from(returned.text, 'latin1')) : [];
  const all = groups.flat();
  return defined({
    envid: fieldOf(all, 'original-envelope-id'),
    reportingMta: withoutType(fieldOf(all, 'reporting-mta')),
    messageId: messageIdOf(fieldOf(header, 'message-id')),
    recipients,
  });
}

const word = (value: string | undefined): string | undefined => /^[A-Za-z-]+/.exec(value ?? '')?.[0];

/** `smtp; 550 no` → `550 no` (RFC 3464 §2.1.2: atom, semicolon, text). */
function withoutType(value: string | undefined): string | undefined {
  const text = value
    ?.replace(/^[A-Za-z0-9_-]+\s*;\s*/, '')
    .replace(/[\x00-\x20\x7f-\x9f\u2028\u2029]+/g, ' ')
    .trim();
  return text === undefined || text === '' ? undefined : text.slice(0, 1_000);
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** Without the keys that hold nothing. */
export function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}
