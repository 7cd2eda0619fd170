// Plan: what the rules say of one recipient of one message. Depends on the mail, the rules and nothing else.
// Judged in this order, first that applies wins: the routes in file order, the group with that address, pass-through.
import type { Duration } from '../clock.ts';
import type { MailFacts } from '../mail/facts.ts';
import { type Mailbox, mailboxKey } from '../mail/path.ts';
import { type Reply, replies } from '../mail/reply.ts';
import type { BareJid } from '../presence/jid.ts';
import type { State } from '../presence/presence.ts';
import { indexOf } from './admission.ts';
import { formatPlace } from './problem.ts';
import type {
  Group,
  GroupName,
  Match,
  PersonName,
  Place,
  Policy,
  Route,
  RouteAction,
  Rules,
  Strategy,
  TextTest,
} from './rules.ts';
import { describeTest, matchesText } from './text-test.ts';

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
  /** Null when no rule said so, but a loop. */
  readonly rule: Place | null;
  readonly rulesVersion: string;
  readonly because: readonly string[];
}

export type Plan = GroupPlan | PassPlan | RejectPlan;

/**
 * Above this the mail goes in circles. RFC 5321 §6.3 advises at least 100; we stop where Postfix does
 * (hopcount_limit = 50), because we stand beside an MTA that would.
 */
export const maxReceived = 50;

export function plan(facts: MailFacts, recipient: Mailbox, rules: Rules): Plan {
  if (facts.receivedCount > maxReceived)
    return rejectLoop(
      recipient,
      rules,
      null,
      `it has ${facts.receivedCount} Received headers, more than ${maxReceived}`,
    );
  for (const route of rules.routes) {
    const reasons = matchReasons(route.match, facts, recipient);
    if (reasons) return planByRoute(route, reasons, facts, recipient, rules);
  }
  const group = indexOf(rules).groupByAddress.get(mailboxKey(recipient));
  if (group) {
    const because = `${recipient} is the address of the group ${group.name} (${formatPlace(group.place)})`;
    return planForGroup(group, {}, group.place, [because], facts, recipient, rules);
  }
  const because = [`no route matches and ${recipient} is no group's address: passed through`];
  return { kind: 'pass', address: recipient, rule: null, rulesVersion: rules.version, because };
}

function planByRoute(
  { name, action, place }: Route,
  reasons: readonly string[],
  facts: MailFacts,
  address: Mailbox,
  rules: Rules,
): Plan {
  const because = [`the route ${name} (${formatPlace(place)}) matches: ${reasons.join(', ')}`];
  const common = { address, rule: place, rulesVersion: rules.version };
  switch (action.kind) {
    case 'pass':
      return { ...common, kind: 'pass', because: [...because, 'passed through'] };
    case 'reject':
      // RFC 3463 §3.8 X.7.1: a refusal by policy.
      return { ...common, kind: 'reject', reply: { code: 550, enhanced: '5.7.1', text: action.text }, because };
    case 'group': {
      const group = rules.groups.get(action.group);
      if (!group) throw new RangeError(`the rules name a group they do not have: ${action.group}`);
      return planForGroup(group, action, place, [...because, `group ${group.name}`], facts, address, rules);
    }
    default:
      return action satisfies never;
  }
}

function planForGroup(
  group: Group,
  overrides: Partial<Pick<Extract<RouteAction, { kind: 'group' }>, 'policy' | 'strategy' | 'eligible'>>,
  rule: Place,
  because: readonly string[],
  facts: MailFacts,
  address: Mailbox,
  rules: Rules,
): Plan {
  // Who gets the mail may forward it back to the group; that it has been here is in Delivered-To.
  const seen = [...group.addresses, address].find((own) => facts.deliveredTo.includes(mailboxKey(own)));
  if (seen !== undefined)
    return rejectLoop(address, rules, rule, `it has been delivered to ${seen} before (Delivered-To)`);
  const candidates = group.members.flatMap((name) => {
    const person = rules.people.get(name);
    return person ? [{ person: name, mailbox: person.mail, jid: person.jid }] : [];
  });
  return {
    kind: 'group',
    group: group.name,
    address,
    candidates,
    strategy: overrides.strategy ?? group.strategy,
    eligible: overrides.eligible ?? group.eligible,
    hold: group.hold,
    fallback: fallbackOf(group, address, rules),
    policy: overrides.policy === undefined ? group.policy : overrides.policy,
    rule,
    rulesVersion: rules.version,
    because,
  };
}

function fallbackOf({ fallback }: Group, address: Mailbox, rules: Rules): FallbackTarget {
  switch (fallback.kind) {
    case 'mailbox':
      return { mailbox: fallback.mailbox, unchanged: false };
    case 'person': {
      const person = rules.people.get(fallback.person);
      if (!person) throw new RangeError(`the rules name a person they do not have: ${fallback.person}`);
      return { mailbox: person.mail, person: person.name, unchanged: false };
    }
    case 'unchanged':
      return { mailbox: address, unchanged: true };
    default:
      return fallback satisfies never;
  }
}

function rejectLoop(address: Mailbox, rules: Rules, rule: Place | null, why: string): RejectPlan {
  const because = [`a loop: ${why}`];
  return { kind: 'reject', address, reply: replies.loop, rule, rulesVersion: rules.version, because };
}

/** Undefined when it does not match. The reasons name the tests, never what a header holds: they are logged. */
function matchReasons(match: Match, facts: MailFacts, recipient: Mailbox): readonly string[] | undefined {
  const reasons: string[] = [];
  const holds = (what: string, tests: readonly TextTest[] | undefined, values: readonly string[]): boolean => {
    if (tests === undefined) return true;
    const test = tests.find((candidate) => values.some((value) => matchesText(candidate, value)));
    if (test) reasons.push(`${what} ${describeTest(test)}`);
    return test !== undefined;
  };
  const all =
    holds('recipient', match.recipient, [recipient]) &&
    holds('sender', match.sender, [facts.reversePath]) &&
    holds('subject', match.subject, facts.subject === undefined ? [] : [facts.subject]) &&
    match.headers.every(({ name, tests }) => holds(`header ${name}`, tests, valuesOf(facts, name)));
  return all ? reasons : undefined;
}

function valuesOf(facts: MailFacts, name: string): readonly string[] {
  return facts.headers.filter(([candidate]) => candidate === name).map(([, value]) => value);
}
