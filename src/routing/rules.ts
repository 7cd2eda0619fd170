// The rules as data: what the YAML files under rules/ mean once they are parsed and linted. Immutable; `version` is on
// every decision made by them.
import type { Duration } from '../clock.ts';
import type { Mailbox } from '../mail/path.ts';
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

export interface Person {
  readonly name: PersonName;
  readonly mail: Mailbox;
  /** The mail address unless said otherwise; null when said that the person has none. */
  readonly jid: BareJid | null;
  /** May act on any message, not only on those they are a candidate for. */
  readonly operator: boolean;
  readonly place: Place;
}

export const strategies = ['in-order', 'round-robin', 'longest-idle'] as const;
export type Strategy = (typeof strategies)[number];

/** What to do when nobody is eligible (and a hold, if any, has run out). */
export type Fallback =
  | { readonly kind: 'mailbox'; readonly mailbox: Mailbox }
  | { readonly kind: 'person'; readonly person: PersonName }
  /** Deliver to the group address as it is. */
  | { readonly kind: 'unchanged' };

/** What Pointsman speaks. */
export const languages = ['en', 'de'] as const;
export type Language = (typeof languages)[number];

export interface Group {
  readonly name: GroupName;
  readonly addresses: readonly Mailbox[];
  readonly members: readonly PersonName[];
  readonly strategy: Strategy;
  readonly eligible: readonly State[];
  /** How long mail waits for somebody to become eligible; null: not at all. */
  readonly hold: Duration | null;
  readonly fallback: Fallback;
  readonly policy: Policy | null;
  /** In which its members are told; English when not said. */
  readonly language?: Language;
  readonly place: Place;
}

export type StepTarget =
  /** The next eligible member who has not had it, chosen at the step's instant. */
  | { readonly kind: 'next' }
  /** The owner once more: a reminder by IM. */
  | { readonly kind: 'owner' }
  | { readonly kind: 'room'; readonly room: BareJid }
  | { readonly kind: 'person'; readonly person: PersonName; readonly mailbox: Mailbox }
  | { readonly kind: 'mailbox'; readonly mailbox: Mailbox };

export interface Step {
  readonly name: string;
  /** Counted from the step before, or from the forwarding for the first. */
  readonly after: Duration;
  readonly to: StepTarget;
  /** How many times the step is taken before the next one, at least 1. */
  readonly times: number;
}

/** What stops the clock: grade 4 or more, 7 or more, 8 (DESIGN: the evidence ladder). */
export type Until = 'read' | 'taken' | 'answered';

export interface Policy {
  readonly name: string;
  readonly until: Until;
  readonly steps: readonly Step[];
  /** Reports that are asked for on behalf of the group: `dsn` of the next hop, `mdn` of the member's mail program. */
  readonly ask?: readonly ('dsn' | 'mdn')[];
  /** How often all steps are gone through again after the last one. */
  readonly repeat?: number;
  /** An acknowledgement is a promise too: after `lasts` without an answer its owner is reminded, after `grace` more it is off. */
  readonly ack?: { readonly lasts: Duration; readonly grace: Duration };
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
}

export type RouteAction =
  | {
      readonly kind: 'group';
      readonly group: GroupName;
      readonly policy?: Policy | null;
      readonly strategy?: Strategy;
      readonly eligible?: readonly State[];
    }
  | { readonly kind: 'pass' }
  | { readonly kind: 'reject'; readonly text: string };

export interface Route {
  readonly name: string;
  readonly match: Match;
  readonly action: RouteAction;
  readonly place: Place;
}

export interface Rules {
  /** First 12 hex digits of the SHA-256 over all files' names and bytes. */
  readonly version: string;
  readonly people: ReadonlyMap<PersonName, Person>;
  readonly groups: ReadonlyMap<GroupName, Group>;
  readonly policies: ReadonlyMap<string, Policy>;
  readonly routes: readonly Route[];
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
