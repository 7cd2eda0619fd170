// What may happen in a rehearsal, and what came of it, as data.
import type { Duration, Instant } from '../clock.ts';
import type { MailFacts } from '../mail/facts.ts';
import type { Mailbox } from '../mail/path.ts';
import type { Presence } from '../presence/presence.ts';
import type { Choice, Snapshot } from '../routing/choose.ts';
import type { Plan } from '../routing/plan.ts';
import type { GroupName, PersonName, Rules } from '../routing/rules.ts';
import type { Advance } from '../tracking/advance.ts';
import type { Trigger } from '../tracking/event.ts';
import type { Tracked } from '../tracking/tracked.ts';

export type Answer = 'read' | 'ack' | 'reply' | 'pass';

export type Happening = { readonly at: Instant } & (
  | { readonly kind: 'mail'; readonly name: string; readonly facts: MailFacts }
  | { readonly kind: 'presence'; readonly person: PersonName; readonly presence: Presence }
  /** Without `mail`: the oldest they have. */
  | { readonly kind: 'answer'; readonly person: PersonName; readonly answer: Answer; readonly mail?: string }
);

/** What came of one recipient of one mail. */
export interface Outcome {
  readonly at: Instant;
  readonly mail: string;
  readonly facts: MailFacts;
  readonly seq: number;
  readonly recipient: Mailbox;
  readonly plan: Plan;
  readonly told:
    | { readonly kind: 'passed' }
    | { readonly kind: 'copied'; readonly to: readonly Mailbox[] }
    | { readonly kind: 'rejected'; readonly code: number; readonly text: string }
    | { readonly kind: 'chosen' | 'held' | 'observed'; readonly choice: Choice; readonly snapshot: Snapshot }
    | { readonly kind: 'step'; readonly trigger: Trigger; readonly from: PersonName | null; readonly next: Advance }
    | { readonly kind: 'closed'; readonly state: Tracked['state']; readonly by: string };
}

export interface Load {
  /** Mails that went to them first; what escalation moved to them is not among these. */
  given: number;
  open: number;
  /** The most units at once. */
  peak: number;
}

export interface WorldOptions {
  readonly rules: Rules;
  readonly tell: (outcome: Outcome) => void;
  /** Units that people have before anything happens. */
  readonly units?: Readonly<Record<PersonName, number>>;
  readonly lastAssignedAt?: Readonly<Record<PersonName, Instant>>;
  readonly lastInGroup?: Readonly<Record<GroupName, PersonName>>;
  /** Who handled a thread before, by Message-ID. */
  readonly handlers?: ReadonlyMap<string, PersonName>;
  /** What the first who has it does, the second, and so on (`turn` counts from 0), and how long after; null: nothing. */
  readonly behaviour?: (facts: MailFacts, seq: number, turn: number) => Behaviour | null;
}

export interface Behaviour {
  readonly after: Duration;
  readonly does: 'pass' | 'done';
}
