// Plan: what the rules say of one recipient of one message. Depends on the mail, the rules and nothing else.
// Judged in this order, first that applies wins: the routes in file order, the group with that address, pass-through.
import type { Duration } from '../clock.ts';
import type { Mailbox } from '../mail/path.ts';
import type { Reply } from '../mail/reply.ts';
import type { BareJid } from '../presence/jid.ts';
import type { State } from '../presence/presence.ts';
import type { GroupName, PersonName, Place, Policy, Strategy } from './rules.ts';

export interface Candidate {
  readonly person: PersonName;
  readonly mailbox: Mailbox;
  readonly jid: BareJid | null;
}

/** Where mail goes when nobody is eligible, resolved to a mailbox. */
export interface FallbackTarget {
  readonly mailbox: Mailbox;
  readonly person?: PersonName;
  readonly unchanged: boolean;
}

export interface GroupPlan {
  readonly kind: 'group';
  readonly group: GroupName;
  /** The address that was written to. */
  readonly address: Mailbox;
  readonly candidates: readonly Candidate[];
  readonly strategy: Strategy;
  readonly eligible: readonly State[];
  readonly hold: Duration | null;
  readonly fallback: FallbackTarget;
  readonly policy: Policy | null;
  readonly rule: Place;
  readonly rulesVersion: string;
  readonly because: readonly string[];
}

export interface PassPlan {
  readonly kind: 'pass';
  readonly address: Mailbox;
  readonly rule: Place | null;
  readonly rulesVersion: string;
  readonly because: readonly string[];
}

export interface RejectPlan {
  readonly kind: 'reject';
  readonly address: Mailbox;
  readonly reply: Reply;
  readonly rule: Place;
  readonly rulesVersion: string;
  readonly because: readonly string[];
}

export type Plan = GroupPlan | PassPlan | RejectPlan;
