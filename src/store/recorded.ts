// What the store noted of one message, for going over a span of time again under other rules.
import type { Instant } from '../clock.ts';
import type { MailFacts } from '../mail/facts.ts';
import type { Mailbox } from '../mail/path.ts';
import type { Choice } from '../routing/choose.ts';
import type { GroupPlan, Plan } from '../routing/plan.ts';
import type { GroupName, PersonName } from '../routing/rules.ts';
import type { Trigger } from '../tracking/event.ts';
import type { TrackState } from '../tracking/tracked.ts';

export interface Recorded {
  readonly facts: MailFacts;
  /** Of the sender's own recipients. */
  readonly deliveries: readonly {
    readonly seq: number;
    readonly address: Mailbox;
    readonly plan: Pick<Plan, 'kind'> & Pick<GroupPlan, 'mode'> & { readonly group?: GroupName };
    /** Where it first went; null when nothing was decided (passed through, or held still). */
    readonly person: PersonName | null;
    readonly mailbox: Mailbox | null;
    readonly choice: Choice['kind'] | null;
    /** Who had it besides. */
    readonly also?: readonly PersonName[];
    /** The group whose member it is, when that is not the plan's own. */
    readonly of?: GroupName;
    readonly refusal?: { readonly code: number; readonly text: string };
    readonly because: readonly string[];
    /** When the next hop first took it for somebody; absent when none has. */
    readonly givenAt?: Instant;
    /** What escalation did with it; `from` is absent when nobody had it. */
    readonly moves?: readonly {
      readonly at: Instant;
      readonly trigger: Trigger;
      readonly from?: string;
      readonly to: string;
    }[];
    /** When and by whom it was taken care of; null when it never was, or is not tracked. */
    readonly closed: { readonly at: Instant; readonly state: TrackState; readonly ownedSince: Instant | null } | null;
  }[];
}
