// What was recorded of a message, without its content.
import type { Instant } from '../clock.ts';
import type { MailFacts } from '../mail/facts.ts';
import type { Mailbox } from '../mail/path.ts';
import type { Choice } from '../routing/choose.ts';
import type { Plan } from '../routing/plan.ts';
import type { GroupName, PersonName } from '../routing/rules.ts';
import type { TrackState } from '../tracking/tracked.ts';

/** One message as it was recorded, for going over a span of time again under other rules. */
export interface Recorded {
  readonly facts: MailFacts;
  /** Of the sender's own recipients. */
  readonly deliveries: readonly {
    readonly seq: number;
    readonly address: Mailbox;
    readonly plan: Pick<Plan, 'kind'> & { readonly group?: GroupName };
    /** Where it first went; null when nothing was decided (passed through, refused). */
    readonly person: PersonName | null;
    readonly mailbox: Mailbox | null;
    readonly choice: Choice['kind'] | null;
    readonly because: readonly string[];
    /** When and by whom it was taken care of; null when it never was, or is not tracked. */
    readonly closed: { readonly at: Instant; readonly state: TrackState; readonly ownedSince: Instant | null } | null;
  }[];
}
