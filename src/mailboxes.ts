// Port: what can be seen in members' mailboxes of the mails we have forwarded to them.
import type { Instant } from './clock.ts';
import type { Mailbox } from './mail/path.ts';
import type { PersonName } from './routing/rules.ts';

export interface WatchedMail {
  readonly person: PersonName;
  readonly mailbox: Mailbox;
  /** With angle brackets. */
  readonly messageId: string;
  /** When it is to be known: those that are due first are looked at first. */
  readonly deadline: Instant;
}

export interface MailboxSight {
  readonly person: PersonName;
  readonly messageId: string;
  /** `unread-gone`: deleted or moved away without having been opened. */
  readonly what: 'seen' | 'answered' | 'unread-gone';
  /** `INBOX uid 17` */
  readonly reference: string;
}

export interface Mailboxes {
  /** Replaces what was watched before. */
  watch(mails: readonly WatchedMail[]): void;
  /** Each sight of each mail is told once. */
  onSight(listener: (sight: MailboxSight) => void): void;
}
