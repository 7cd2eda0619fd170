// The evidence ladder: facts about whether a message was seen, by strength.
import type { Instant } from '../clock.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { PersonName, Until } from '../routing/rules.ts';

export const grades = {
  accepted: 0,
  delivered: 1,
  nudgeReceived: 2,
  nudgeDisplayed: 3,
  seen: 4,
  displayed: 5,
  promise: 6,
  taken: 7,
  answered: 8,
} as const;
export type Grade = (typeof grades)[keyof typeof grades];

export interface Evidence {
  readonly queueId: QueueId;
  readonly seq: number;
  readonly at: Instant;
  readonly person: PersonName | null;
  readonly grade: Grade;
  /** `next hop`, `im ack`, `im receipt`, `reply`, `cli` … */
  readonly source: string;
  /** Raw reference: a stanza id, a Message-ID, a user name. */
  readonly reference: string | null;
  /** Only evidence that came by a trusted path counts; the rest is recorded. */
  readonly trusted: boolean;
}

const needed: Record<Until, number> = { read: grades.seen, taken: grades.taken, answered: grades.answered };

/** What happens to a mail by being opened; from promise upwards somebody says something. */
export const isPassive = (grade: Grade): boolean => grade < grades.promise;

/** Whether this stops the clock under the policy's word. 1–3 never do, and a promise (6) only postpones. */
export function stops(evidence: Pick<Evidence, 'grade' | 'trusted'>, until: Until): boolean {
  return evidence.trusted && evidence.grade !== grades.promise && evidence.grade >= needed[until];
}
