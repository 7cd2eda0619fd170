// Port: what the console's further pages and their API stand on: faults and who has them, who did what, what happened
// lately, how long things took, and trying rules out. A part of Operations.
import type { Duration, Instant } from './clock.ts';
import type { Mailbox } from './mail/path.ts';
import type { State } from './presence/presence.ts';
import type { Problem } from './routing/rules.ts';
import type { Fault } from './store/fault.ts';
import type { Audited, LookBack, NewAudit } from './store/look-back.ts';
import type { Report } from './tracking/report.ts';

export interface FaultView extends Fault {
  /** Null for a kind that this version does not know. */
  readonly meaning: string | null;
  /** What an operator does about it. */
  readonly todo: string | null;
  readonly clears: string | null;
  /** Whether a person may say that it is over. */
  readonly byHand: boolean;
}

export const faultActions = ['claim', 'release', 'clear'] as const;
export type FaultAction = (typeof faultActions)[number];

/** Of one person, in order and without gaps. `state` is null while nothing was known yet. */
export interface PresenceDay {
  readonly name: string;
  readonly spans: readonly { readonly from: Instant; readonly to: Instant; readonly state: State | null }[];
}

export interface ReportQuestion {
  readonly since: Instant;
  readonly until: Instant;
  readonly group?: string;
  /** Hours are those of this zone. */
  readonly zone: string;
}

export interface RuleFiles {
  /** Of what is in force. */
  readonly version: string;
  /** Whether the newest files are not in force, for the errors among the problems. */
  readonly rejected: boolean;
  readonly problems: readonly Problem[];
  /** The newest as they were read; what they include is among them. */
  readonly files: readonly RuleFile[];
}

export interface RuleFile {
  /** As places name it: `rules/20-groups.yaml`. */
  readonly name: string;
  readonly text: string;
}

export interface TryQuestion {
  /** Null: those in force. */
  readonly files: readonly RuleFile[] | null;
  /** As it would come: header, empty line, body. */
  readonly message: string;
  /** Absent: whom its header names. */
  readonly to?: readonly Mailbox[];
  readonly from?: Mailbox | '<>';
  readonly at: Instant;
  /** How people are then; those not named are as they are now. */
  readonly people: Readonly<Record<string, State>>;
}

export interface Tried {
  /** Null with errors among the problems: then nothing was tried. */
  readonly version: string | null;
  readonly problems: readonly Problem[];
  readonly story: readonly {
    readonly at: Instant;
    readonly recipient: string;
    readonly text: string;
    readonly reasons: readonly string[];
  }[];
}

export interface ReplayQuestion {
  /** Null: those in force. */
  readonly files: readonly RuleFile[] | null;
  readonly since: Instant;
  readonly until: Instant;
}

export interface Replayed {
  readonly version: string | null;
  readonly problems: readonly Problem[];
  readonly since: Instant;
  /** Where the recording was too long it ends here, before what was asked for. */
  readonly until: Instant;
  readonly mails: number;
  readonly recipients: number;
  readonly moved: number;
  /** The first of those that would go elsewhere. */
  readonly differences: readonly {
    readonly queueId: string;
    readonly receivedAt: Instant;
    readonly recipient: string;
    readonly subject: string | null;
    readonly before: { readonly where: string; readonly at: Instant; readonly why: string };
    readonly after: { readonly where: string; readonly at: Instant; readonly why: string };
  }[];
  readonly loads: readonly {
    readonly person: string;
    readonly before: { readonly given: number; readonly peak: number } | null;
    readonly after: { readonly given: number; readonly peak: number } | null;
  }[];
  readonly withoutAttachments: number;
  readonly took: Duration;
}

export interface Oversight {
  faults(which: 'open' | 'all'): Promise<readonly FaultView[]>;
  /** @throws RefusedError when somebody else has it, it is over, or no person may say so */
  actOnFault(number: number, action: FaultAction, by: string): Promise<FaultView>;
  audited(filter: Parameters<LookBack['audited']>[0]): Promise<readonly Audited[]>;
  /** What was done elsewhere: signing in, a token. */
  note(entry: Omit<NewAudit, 'at' | 'before'>): Promise<void>;
  lately(filter: Parameters<LookBack['lately']>[0]): ReturnType<LookBack['lately']>;
  report(question: ReportQuestion): Promise<Report>;
  /** Mail for groups by the moments that count, in pages. */
  handled(filter: Parameters<LookBack['handled']>[0]): ReturnType<LookBack['handled']>;
  presenceDays(names: readonly string[], since: Instant, until: Instant): Promise<readonly PresenceDay[]>;
  ruleFiles(): RuleFiles;
  /** Nothing is sent. @throws RefusedError */
  tryOut(question: TryQuestion): Promise<Tried>;
  /** @throws RefusedError */
  replayDays(question: ReplayQuestion): Promise<Replayed>;
}
