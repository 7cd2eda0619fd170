// The rules as data: what the YAML files under rules/ mean once they are parsed and linted. Immutable; `version` is on
// every decision made by them.
import { type Duration, minute } from '../clock.ts';
import type { Mailbox } from '../mail/path.ts';
import type { Reply } from '../mail/reply.ts';
import type { BareJid } from '../presence/jid.ts';
import type { State } from '../presence/presence.ts';

export type PersonName = string;
export type GroupName = string;

/** Where in the rule files something was said. Lines and columns count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What of somebody a directory says. */
export interface Origin {
  /** How it calls the entry: an LDAP DN. */
  readonly id: string;
  /** The keys of a person that are its word; what a rule file says is not among them. */
  readonly fields: readonly string[];
}

export interface Person {
  readonly name: PersonName;
  readonly mail: Mailbox;
  /** Other addresses that are theirs; mail goes to `mail` alone. */
  readonly also?: readonly Mailbox[];
  /** The mail address unless said otherwise; null when said that the person has none. */
  readonly jid: BareJid | null;
  /** May act on any message, not only on those they are a candidate for. */
  readonly operator: boolean;
  readonly skills?: readonly string[];
  /** Units of open mail they may have at once; absent: any number. */
  readonly capacity?: number;
  /** When they work; absent: whenever they are there. */
  readonly hours?: Schedule;
  readonly absent?: readonly Absence[];
  /** When they count as there although nothing is heard of them; absent: never. */
  readonly duty?: Schedule;
  /** Where their clock hangs, when the rules say so. */
  readonly zone?: string;
  /** When they are told nothing; their mail comes all the same. */
  readonly quiet?: Schedule;
  /** In which they are spoken to; absent: that of their group. */
  readonly language?: Language;
  readonly phone?: string;
  readonly directory?: Origin;
  readonly place: Place;
}

/** From one day to another, both counted, in the zone that goes with it: `2026-12-24`. */
export interface Period {
  readonly from: string;
  readonly to: string;
  readonly zone: string;
}

/** Days on which somebody gets no mail. */
export interface Absence extends Period {
  /** Who takes their place meanwhile. */
  readonly substitute?: PersonName;
}

/** Minutes since midnight; a window whose `to` is not after `from` ends on the next day. */
export interface Window {
  /** 1 is Monday, 7 is Sunday. */
  readonly days: readonly number[];
  readonly from: number;
  readonly to: number;
}

export interface Schedule {
  readonly name: string;
  /** IANA time zone: `Europe/Berlin`. */
  readonly zone: string;
  readonly windows: readonly Window[];
  /** Days on which nothing is open: `2026-05-01`, or `12-25` for each year. */
  readonly closed: readonly string[];
  readonly place: Place;
}

/** Those that choose one member by a rank among the eligible. */
export const rankings = ['in-order', 'round-robin', 'longest-idle', 'least-busy', 'most-spare'] as const;
export type Ranking = (typeof rankings)[number];
export const strategies = [...rankings, 'sticky', 'everyone', 'first-to-claim'] as const;
export type Strategy = (typeof strategies)[number];

/** What to make of a member whose presence is unknown, or older than it may be. */
export type Unknown =
  | 'exclude'
  | 'include'
  /** The state they were last known to be in counts for this long. */
  | { readonly lastKnown: Duration };

/** How one of the members is chosen; a route may say any of it anew. */
export interface Selection {
  readonly strategy: Strategy;
  readonly eligible: readonly State[];
  /** For sticky: who, when the thread's last handler is not eligible or there is none. */
  readonly otherwise?: Ranking;
  /** Presence heard of longer ago than this counts as unknown. */
  readonly maxAge?: Duration;
  /** Presence heard of longer ago is asked about before mail goes there. */
  readonly askAfter?: Duration;
  /** Whoever has not touched their devices for longer is not eligible (XEP-0319). */
  readonly maxIdle?: Duration;
  readonly unknown?: Unknown;
  /** All of these skills are needed. */
  readonly requires?: readonly string[];
  /** Whoever has more of these comes first. */
  readonly prefers?: readonly string[];
  /** Whoever wrote the mail does not get it. */
  readonly excludeSender?: boolean;
  /** Units of capacity that one message takes. */
  readonly cost?: number;
}

export interface Rank {
  /** 1 is asked first; a later tier only when nobody of the earlier ones is eligible. */
  readonly tier: number;
  readonly weight: number;
}

export interface Exclusion {
  readonly person: PersonName;
  readonly when: Match;
  readonly place: Place;
}

/** What to do when nobody is eligible (and a hold, if any, has run out). */
export type Fallback =
  | { readonly kind: 'mailbox'; readonly mailbox: Mailbox }
  | { readonly kind: 'person'; readonly person: PersonName }
  /** Deliver to the group address as it is. */
  | { readonly kind: 'unchanged' };

/** One link of what happens while nobody is eligible, taken in order. */
export type Link =
  /** Wait this long for somebody of the groups asked so far. */
  | { readonly kind: 'hold'; readonly for: Duration }
  /** Choose in this group, by its own rules; when nobody is eligible there either, the next link. */
  | { readonly kind: 'group'; readonly group: GroupName }
  /** All members, whether they are there or not. */
  | { readonly kind: 'everyone' }
  /** The sender's server is told so at once; only while no hold has come before. */
  | { readonly kind: 'refuse'; readonly reply: Reply }
  | { readonly kind: 'to'; readonly fallback: Fallback };

export const modes = ['auto', 'observe', 'propose'] as const;
export type Mode = (typeof modes)[number];

export const defaultWithin: Duration = 2 * minute;

/** For the mode `propose`. */
export interface Propose {
  /** Who is asked; absent: every operator. */
  readonly to?: readonly PersonName[];
  /** How long; then the first of the ranking gets it. */
  readonly within: Duration;
}

/** What Pointsman speaks. */
export const languages = ['en', 'de'] as const;
export type Language = (typeof languages)[number];

export interface Group extends Selection {
  readonly name: GroupName;
  readonly addresses: readonly Mailbox[];
  readonly members: readonly PersonName[];
  /** For those for whom something was said; others are tier 1, weight 1. */
  readonly ranks?: Readonly<Record<PersonName, Rank>>;
  readonly exclude?: readonly Exclusion[];
  /** Only when more is said than a hold and a fallback; the last link is final. */
  readonly chain?: readonly Link[];
  /** Held mail goes to one person at most this often. */
  readonly pace?: Duration;
  /** `observe`: mail passes unchanged, what would have been chosen is recorded. `propose`: an operator picks. */
  readonly mode?: Mode;
  readonly propose?: Propose;
  /** How long mail waits for somebody to become eligible; null: not at all. */
  readonly hold: Duration | null;
  readonly fallback: Fallback;
  readonly policy: Policy | null;
  /** In which its members are told; English when not said. */
  readonly language?: Language;
  readonly privacy?: Privacy;
  readonly place: Place;
}

/** What people are told of the mail of a group, and what is kept of it. */
export interface Privacy {
  /** `kept`: on the record for operators, and said in no instant message; `none`: not kept either. */
  readonly subject: 'shown' | 'kept' | 'none';
  /** The address to which reports go is kept in any case. */
  readonly sender: 'shown' | 'kept';
  /** How the mail begins. */
  readonly excerpt: 'shown' | 'none';
}

export type StepTarget =
  /** The next eligible member who has not had it, chosen at the step's instant. */
  | { readonly kind: 'next' }
  /** The owner once more: a reminder by IM. */
  | { readonly kind: 'owner' }
  /** Every eligible member who has not had it gets it and is asked; whoever takes it has it. */
  | { readonly kind: 'everyone' }
  /** One of another group, chosen by its strategy at the step's instant. */
  | { readonly kind: 'group'; readonly group: GroupName }
  | { readonly kind: 'room'; readonly room: BareJid }
  | { readonly kind: 'person'; readonly person: PersonName; readonly mailbox: Mailbox }
  | { readonly kind: 'mailbox'; readonly mailbox: Mailbox };

export interface Step {
  readonly name: string;
  /** Counted from the step before, or from the forwarding for the first. */
  readonly after: Duration;
  /** Only these hours count for `after`, and the step is never taken outside of them. */
  readonly hours?: Schedule;
  readonly to: StepTarget;
  /** How many times the step is taken before the next one, at least 1. */
  readonly times: number;
  /** Of several that are due together one mail is made that tells of all of them. */
  readonly digest?: true;
}

/** What stops the clock: grade 4 or more, 7 or more, 8 (DESIGN: the evidence ladder). */
export type Until = 'read' | 'taken' | 'answered';

export interface Policy {
  readonly name: string;
  readonly until: Until;
  readonly steps: readonly Step[];
  /** Reports that are asked for on behalf of the group: `dsn` of the next hop, `mdn` of the member's mail program. */
  readonly ask?: readonly ('dsn' | 'mdn')[];
  /** How often the steps are gone through again after the last one. */
  readonly repeat?: number;
  /** Where they begin then, counted from 0; the first unless said. */
  readonly repeatFrom?: number;
  /** An acknowledgement is a promise too: after `lasts` without an answer its owner is reminded, after `grace` more it is off. */
  readonly ack?: { readonly lasts: Duration; readonly grace: Duration };
  /** So many different people must take it; one unless said. */
  readonly takers?: number;
  /** Most forwards of one message that escalation may add; 10 unless said. */
  readonly maxForwards?: number;
  readonly place: Place;
}

/** A test on one text. Exactly one of the kinds; all but regex compare without case. */
export type TextTest =
  | { readonly kind: 'exact' | 'prefix' | 'contains' | 'glob'; readonly text: string }
  /** Runs on a linear-time engine, on the first 64 kB. */
  | { readonly kind: 'regex'; readonly source: string; readonly test: (input: string) => boolean };

/** All that are present must hold; within one, any of the tests. An absent header makes its test false. */
export interface Match {
  readonly recipient?: readonly TextTest[];
  readonly sender?: readonly TextTest[];
  readonly subject?: readonly TextTest[];
  readonly headers: readonly { readonly name: string; readonly tests: readonly TextTest[] }[];
  /** Everything that is not a test on one text. */
  readonly also?: readonly Condition[];
}

/** Octets, messages or time: at least one of them. `over` and `under` do not count the bound itself. */
export interface Bounds {
  readonly over?: number;
  readonly under?: number;
}

export const importances = ['high', 'normal', 'low'] as const;
export type Importance = (typeof importances)[number];

/**
 * A test that is more than one text. What it asks may be unknown (presence while the link is down, a group's state in a
 * simulation, attachments of mail recorded without them): then neither it nor its `not` holds.
 */
export type Condition =
  | { readonly kind: 'all' | 'any'; readonly of: readonly Match[] }
  | { readonly kind: 'not'; readonly of: Match }
  | { readonly kind: 'from'; readonly tests: readonly TextTest[] }
  | { readonly kind: 'size'; readonly octets: Bounds }
  | {
      readonly kind: 'attachment';
      /** False: there is none such. */
      readonly present: boolean;
      readonly name?: readonly TextTest[];
      readonly type?: readonly TextTest[];
    }
  | { readonly kind: 'list' | 'autoSubmitted' | 'spam'; readonly is: boolean }
  | { readonly kind: 'importance'; readonly is: readonly Importance[] }
  | { readonly kind: 'time'; readonly schedules: readonly Schedule[]; readonly inside: boolean }
  | { readonly kind: 'date'; readonly period: Period }
  | { readonly kind: 'thread'; readonly seen: boolean }
  | { readonly kind: 'presence'; readonly person: PersonName; readonly is: readonly State[] }
  /** Of the group's members, how many are in one of the states. */
  | { readonly kind: 'present'; readonly group: GroupName; readonly is: readonly State[]; readonly count: Bounds }
  | { readonly kind: 'waiting'; readonly group: GroupName; readonly count?: Bounds; readonly oldest?: Bounds };

export type RouteAction =
  | ({
      readonly kind: 'group';
      readonly group: GroupName;
      readonly policy?: Policy | null;
      readonly mode?: Mode;
    } & Partial<Selection>)
  | { readonly kind: 'pass' }
  | { readonly kind: 'reject'; readonly text: string }
  /** Only adds something; judging goes on with the next route. */
  | { readonly kind: 'continue' };

/** What a route adds to the mail, whatever becomes of it. */
export interface Additions {
  readonly copy?: readonly Mailbox[];
  readonly tags?: readonly string[];
  /** Header fields that are put on top. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
}

export interface Route extends Additions {
  readonly name: string;
  readonly match: Match;
  readonly action: RouteAction;
  readonly place: Place;
}

/** What has to be found out before planning, because some rule asks for it. */
export interface Reads {
  readonly attachments: boolean;
  readonly thread: boolean;
  readonly size: boolean;
}

export interface Rules {
  /** First 12 hex digits of the SHA-256 over all files' names and bytes. */
  readonly version: string;
  readonly people: ReadonlyMap<PersonName, Person>;
  readonly groups: ReadonlyMap<GroupName, Group>;
  readonly policies: ReadonlyMap<string, Policy>;
  readonly schedules?: ReadonlyMap<string, Schedule>;
  readonly routes: readonly Route[];
  readonly reads?: Reads;
}

export interface Problem {
  readonly severity: 'error' | 'warning';
  readonly place: Place;
  /** Quotes what was read and says what would be right. */
  readonly message: string;
}

/** The port to what is in force: relay.ts asks it anew for each message. */
export interface RuleSource {
  current(): Rules;
}
