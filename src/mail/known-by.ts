// A name for one mail that lasts from one try of its sender to the next, where nobody gives it one: its Message-ID (or,
// without one, author, date and subject) and its sender, for one group.
import { createHash } from 'node:crypto';
import type { MailFacts } from './facts.ts';

/** The header that is looked at. */
export const knownByHeader = 'date';

export type Known = Pick<MailFacts, 'messageId' | 'reversePath' | 'from' | 'subject' | 'headers'>;

export function knownBy({ messageId, reversePath, from, subject, headers }: Known, group: string): string {
  const name = messageId ?? [from, subject, headers.find(([each]) => each === knownByHeader)?.[1]];
  return createHash('sha256')
    .update(JSON.stringify([name, reversePath, group]))
    .digest('base64url');
}
