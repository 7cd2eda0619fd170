// Choose: a plan meets a snapshot of presence, load and history. Pure: the same snapshot always gives the same choice.
import type { Instant } from '../clock.ts';
import type { Mailbox } from '../mail/path.ts';
import type { Presence } from '../presence/presence.ts';
import type { PersonName } from './rules.ts';

export interface PersonSnapshot {
  readonly presence: Presence;
  /** Open tracked messages the person owns. */
  readonly open: number;
  /** When Pointsman last gave this person a message; null is "never", which counts as longest. */
  readonly lastAssignedAt: Instant | null;
}

/** Plain data, stored with the decision. */
export interface Snapshot {
  readonly now: Instant;
  readonly people: Readonly<Record<PersonName, PersonSnapshot>>;
  /** Whom the group's last message went to (round-robin goes on after them). */
  readonly lastInGroup: PersonName | null;
  /** Candidates out of the question for this message, with the reason: `has passed`, `had it until 10:42` … */
  readonly excluded: Readonly<Record<PersonName, string>>;
  /** When a hold on this delivery runs out; null when none is wanted (an escalation never holds). */
  readonly holdUntil: Instant | null;
}

export interface Considered {
  readonly person: PersonName;
  readonly presence: Presence;
  readonly open: number;
  readonly lastAssignedAt: Instant | null;
  readonly verdict: 'chosen' | 'eligible' | 'excluded';
  /** Why excluded, or why (not) preferred, for people. */
  readonly reason: string;
}

export type Choice = {
  readonly considered: readonly Considered[];
  readonly because: readonly string[];
} & (
  | { readonly kind: 'member'; readonly person: PersonName; readonly mailbox: Mailbox }
  | { readonly kind: 'hold'; readonly until: Instant }
  | { readonly kind: 'fallback'; readonly mailbox: Mailbox; readonly person?: PersonName; readonly unchanged: boolean }
);
