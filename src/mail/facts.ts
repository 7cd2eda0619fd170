// What rules, nudges and evidence may read of one message, taken once from the head of the content and recorded, so
// that a decision can be replayed without keeping the mail. Of the body at most its first words.
import type { Instant } from '../clock.ts';
import type { Attachment } from './attachments.ts';
import type { Mailbox, ReversePath } from './path.ts';
import type { QueueId } from './queue-id.ts';

export interface MailFacts {
  readonly queueId: QueueId;
  readonly receivedAt: Instant;
  readonly reversePath: ReversePath;
  readonly recipients: readonly Mailbox[];
  /** Octets. */
  readonly size: number;
  /** Address of the SMTP client. */
  readonly peer: string;
  /** True when the listener or peer is configured as carrying members' own mail; only then a reply is evidence. */
  readonly carriesMembers: boolean;
  /** With the angle brackets, as written; absent when the mail has none. */
  readonly messageId?: string;
  /** RFC 2047-decoded, unfolded, control characters kept out. */
  readonly subject?: string;
  /** The From header's text, decoded. */
  readonly from?: string;
  /** Message-IDs of In-Reply-To and References, without duplicates. */
  readonly references: readonly string[];
  /** RFC 3834 §5: present and not `no`. */
  readonly autoSubmitted: boolean;
  /** All headers, lower-case names, decoded values in order of appearance, each cut at 64 kB. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly receivedCount: number;
  /** Addresses in Delivered-To headers, as keys (mailboxKey). */
  readonly deliveredTo: readonly string[];
  /** Absent when no rule in force asked for them: then they are unknown. */
  readonly attachments?: readonly Attachment[];
  /** How it begins; only where a group wants that told. */
  readonly excerpt?: string;
}
