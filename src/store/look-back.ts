// Port: what people look back on: who did what by hand (the audit), what has happened lately, and how long mail for
// groups took. All of it in pages, so that a long history stops nobody else.
import type { Instant } from '../clock.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { BareJid } from '../presence/jid.ts';
import type { State } from '../presence/presence.ts';
import type { GroupName, PersonName } from '../routing/rules.ts';
import type { EventKind, StoryEvent } from '../tracking/event.ts';
import type { TrackState } from '../tracking/tracked.ts';

/** Small facts about what was acted on: `{ state: 'held', owner: null }`. */
export type Standing = Readonly<Record<string, string | number | boolean | null>>;

export interface NewAudit {
  readonly at: Instant;
  /** `console:ann`, a user of the command line, `token:dashboard`. */
  readonly by: string;
  readonly action: string;
  /** What it was done to: a queue id, a person, a fault; empty when it is about the whole. */
  readonly subject: string;
  /** As it was asked for: `{ to: 'bob' }`. */
  readonly wish: Standing;
  readonly before: Standing;
}

export interface Audited extends NewAudit {
  readonly number: number;
  readonly after: Standing;
  /** `begun`: it had not ended when this was written; a crash in between leaves it so. */
  readonly outcome: 'begun' | 'done' | 'refused' | 'failed';
}

/** One mail for a group, by the moments that count. */
export interface Handled {
  readonly queueId: QueueId;
  readonly seq: number;
  readonly group: GroupName;
  readonly acceptedAt: Instant;
  /** Null where no policy watches it. */
  readonly state: TrackState | null;
  readonly closedAt: Instant | null;
  readonly owner: PersonName | null;
  /** Steps that moved it on; a reminder is none. */
  readonly escalations: number;
  /** Whom it was given to, and when. */
  readonly given: readonly { readonly person: PersonName; readonly at: Instant }[];
  /** The first trusted word of each grade. */
  readonly evidence: readonly { readonly grade: number; readonly at: Instant }[];
}

export type Numbered = StoryEvent & { readonly number: number };

export interface LookBack {
  /** Written before anything is done, so that nothing is done unseen. Answers its number. */
  audit(entry: NewAudit): Promise<number>;
  auditEnd(number: number, outcome: Audited['outcome'], after: Standing): Promise<void>;
  /** The newest first. */
  audited(filter: {
    readonly before?: number;
    /** Part of who did it, of the action, or of the subject. */
    readonly text?: string;
    readonly limit: number;
  }): Promise<readonly Audited[]>;
  /**
   * Events of these kinds, the newest first; mail that passed through has none here. `next` goes on where this ended;
   * null: there are no more. It may come with few events, or none: at most some thousands are looked through.
   */
  lately(filter: {
    readonly before?: number;
    readonly kinds: readonly EventKind[];
    readonly limit: number;
  }): Promise<{ readonly events: readonly Numbered[]; readonly next: number | null }>;
  /** Of each: what it was at `since` (null: nothing is known), and every change in [since, until), oldest first. */
  presenceSpans(filter: {
    readonly jids: readonly BareJid[];
    readonly since: Instant;
    readonly until: Instant;
  }): Promise<
    readonly {
      readonly jid: BareJid;
      readonly first: State | null;
      readonly changes: readonly { readonly at: Instant; readonly state: State }[];
    }[]
  >;
  /** Mail for groups accepted in [since, until), after the one named, in the order in which it came. */
  handled(filter: {
    readonly since: Instant;
    readonly until: Instant;
    readonly after?: { readonly queueId: QueueId; readonly seq: number };
    readonly limit: number;
  }): Promise<readonly Handled[]>;
}
