// Plan: what the rules say of one recipient of one message. Depends on the mail, the rules, the moment and what is
// known around it (presence, held mail, the thread) as far as a rule asks for that.
// Judged in this order, first that applies wins: the routes in file order, the group with that address, pass-through.
// A route that only adds something (a copy, a tag, a header) adds it, and judging goes on.
import type { Duration } from '../clock.ts';
import type { MailFacts } from '../mail/facts.ts';
import { type Mailbox, mailboxKey } from '../mail/path.ts';
import { type Reply, replies } from '../mail/reply.ts';
import type { BareJid } from '../presence/jid.ts';
import { indexOf } from './admission.ts';
import { MailView, matches, nothingKnown, reasonsOf, type Surroundings, wroteIt } from './match.ts';
import { type CandidateOrigin, originOf } from './origin.ts';
import { formatPlace } from './problem.ts';
import { routesFor } from './route-index.ts';
import {
  type Absence,
  defaultWithin,
  type Fallback,
  type Group,
  type GroupName,
  type Link,
  type Mode,
  type PersonName,
  type Place,
  type Policy,
  type Route,
  type RouteAction,
  type Rules,
  type Schedule,
  type Selection,
} from './rules.ts';

export interface Candidate {
  readonly person: PersonName;
  readonly mailbox: Mailbox;
  readonly jid: BareJid | null;
  /** 1 when absent. */
  readonly tier?: number;
  /** 1 when absent. */
  readonly weight?: number;
  readonly capacity?: number;
  readonly hours?: Schedule;
  readonly absent?: readonly Absence[];
  /** How many of the preferred skills they have. */
  readonly preferred?: number;
  /** Why the rules leave them out for this mail. */
  readonly excluded?: string;
  /** They are no member, but stand in for this one. */
  readonly standsInFor?: PersonName;
  /** For people whom the directory knows: what of them is its word. */
  readonly origin?: CandidateOrigin;
}

/** The group's own, and those of the groups that its chain and its policy's steps name: whoever may be chosen for this mail. */
export function allCandidates(plan: GroupPlan): readonly Candidate[] {
  if (!plan.chain && !plan.pools) return plan.candidates;
  const all = new Map(plan.candidates.map((candidate) => [candidate.person, candidate]));
  for (const { candidates } of otherPools(plan))
    for (const candidate of candidates) if (!all.has(candidate.person)) all.set(candidate.person, candidate);
  return [...all.values()];
}

/** Of the other groups that the chain and the steps name. */
export function otherPools({ chain = [], pools = [] }: GroupPlan): readonly Pool[] {
  return [...chain.flatMap((link) => (link.kind === 'group' ? [link.pool] : [])), ...pools];
}

/** Whether one choice may send it to several at once. */
export function mayBeShared(plan: GroupPlan): boolean {
  const shared = ({ strategy }: Pool) => strategy === 'everyone' || strategy === 'first-to-claim';
  return (
    shared(plan) ||
    (plan.chain ?? []).some((link) => link.kind === 'everyone' || (link.kind === 'group' && shared(link.pool)))
  );
}

/** Where mail goes when nobody is eligible, resolved to a mailbox. */
export interface FallbackTarget {
  readonly mailbox: Mailbox;
  readonly person?: PersonName;
  readonly unchanged: boolean;
}

/** Those one can be chosen of, and how. */
export interface Pool extends Selection {
  readonly group: GroupName;
  readonly candidates: readonly Candidate[];
}

export type PlanLink =
  | { readonly kind: 'hold'; readonly for: Duration }
  | { readonly kind: 'group'; readonly pool: Pool }
  | { readonly kind: 'everyone' }
  | { readonly kind: 'refuse'; readonly reply: Reply }
  | { readonly kind: 'to'; readonly target: FallbackTarget };

/** What is added to the mail, whatever becomes of it. */
export interface Added {
  readonly copies?: readonly Mailbox[];
  readonly tags?: readonly string[];
  readonly headers?: readonly (readonly [name: string, value: string])[];
}

/** Stored with every delivery: fields that came later are optional, so that older plans can be read. */
export interface GroupPlan extends Pool, Added {
  readonly kind: 'group';
  /** The address that was written to. */
  readonly address: Mailbox;
  readonly hold: Duration | null;
  readonly fallback: FallbackTarget;
  /** What happens while nobody is eligible; absent: the hold, then the fallback. */
  readonly chain?: readonly PlanLink[];
  readonly pace?: Duration;
  readonly mode?: Mode;
  /** For the mode `propose`. */
  readonly propose?: { readonly to: readonly PersonName[]; readonly within: Duration };
  readonly policy: Policy | null;
  /** Of the other groups that the policy's steps name. */
  readonly pools?: readonly Pool[];
  readonly rule: Place;
  readonly rulesVersion: string;
  readonly because: readonly string[];
}

export interface PassPlan extends Added {
  readonly kind: 'pass';
  readonly address: Mailbox;
  /** A member's copy of mail for a group: its address, for Delivered-To. */
  readonly copyOf?: Mailbox;
  /** And its name. */
  readonly group?: GroupName;
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

interface Planning {
  readonly facts: MailFacts;
  readonly address: Mailbox;
  readonly rules: Rules;
  readonly view: MailView;
  /** What routes passed on the way have added, and said. */
  readonly added: Added;
  readonly because: readonly string[];
}

export function plan(
  facts: MailFacts,
  recipient: Mailbox,
  rules: Rules,
  around: Surroundings = nothingKnown(facts.receivedAt),
): Plan {
  if (facts.receivedCount > maxReceived)
    return rejectLoop(
      recipient,
      rules,
      null,
      `it has ${facts.receivedCount} Received headers, more than ${maxReceived}`,
    );
  const view = new MailView(facts, recipient, rules, around);
  let planning: Planning = { facts, address: recipient, rules, view, added: {}, because: [] };
  for (const route of routesFor(rules, view.recipient[0]?.lower ?? '')) {
    if (!matches(route.match, view)) continue;
    const reasons = reasonsOf(route.match, view);
    const because = `the route ${route.name} (${formatPlace(route.place)}) matches: ${reasons.join(', ')}`;
    planning = { ...planning, added: add(planning.added, route), because: [...planning.because, because] };
    if (route.action.kind !== 'continue') return planByRoute(route, planning);
  }
  const group = indexOf(rules).groupByAddress.get(mailboxKey(recipient));
  if (group) {
    const constant = planning.because.length === 0 && facts.deliveredTo.length === 0 && isConstant(group, rules);
    const known = constant ? remembered(rules).get(recipient) : undefined;
    if (known) return known;
    const because = `${recipient} is the address of the group ${group.name} (${formatPlace(group.place)})`;
    const made = planForGroup(group, {}, group.place, { ...planning, because: [...planning.because, because] });
    if (constant) remember(rules, recipient, made);
    return made;
  }
  const because = [...planning.because, `no route matches and ${recipient} is no group's address: passed through`];
  return { ...planning.added, kind: 'pass', address: recipient, rule: null, rulesVersion: rules.version, because };
}

/** Plans that depend on nothing but the rules and the address: most of them, made anew for each mail otherwise. */
const plansOf = new WeakMap<Rules, Map<Mailbox, Plan>>();
const mostRemembered = 2_000;

function remembered(rules: Rules): Map<Mailbox, Plan> {
  const known = plansOf.get(rules) ?? new Map<Mailbox, Plan>();
  plansOf.set(rules, known);
  return known;
}

function remember(rules: Rules, recipient: Mailbox, made: Plan): void {
  const known = remembered(rules);
  // Recipients come from outside, and one address is written in many ways.
  if (known.size < mostRemembered) known.set(recipient, made);
}

/** Nobody is left out for what the mail says. */
function isConstant({ exclude, excludeSender, chain }: Group, rules: Rules): boolean {
  if ((exclude?.length ?? 0) > 0 || excludeSender) return false;
  return (chain ?? []).every((link) => {
    const other = link.kind === 'group' ? rules.groups.get(link.group) : undefined;
    return other === undefined || ((other.exclude?.length ?? 0) === 0 && !other.excludeSender);
  });
}

function add(before: Added, { copy = [], tags = [], headers = [] }: Route): Added {
  const copies = [...(before.copies ?? []), ...copy];
  const allTags = [...new Set([...(before.tags ?? []), ...tags])];
  const allHeaders = [...(before.headers ?? []), ...headers];
  return {
    ...(copies.length > 0 ? { copies } : {}),
    ...(allTags.length > 0 ? { tags: allTags } : {}),
    ...(allHeaders.length > 0 ? { headers: allHeaders } : {}),
  };
}

function planByRoute({ action, place }: Route, planning: Planning): Plan {
  const { rules, address, because, added } = planning;
  const common = { address, rule: place, rulesVersion: rules.version };
  switch (action.kind) {
    case 'pass':
      return { ...added, ...common, kind: 'pass', because: [...because, 'passed through'] };
    case 'reject':
      // RFC 3463 §3.8 X.7.1: a refusal by policy.
      return { ...common, kind: 'reject', reply: { code: 550, enhanced: '5.7.1', text: action.text }, because };
    case 'group':
      return planForGroup(groupOf(rules, action.group), action, place, {
        ...planning,
        because: [...because, `group ${action.group}`],
      });
    case 'continue':
      throw new RangeError('a route that goes on decides nothing');
    default:
      return action satisfies never;
  }
}

function groupOf(rules: Rules, name: GroupName): Group {
  const group = rules.groups.get(name);
  if (!group) throw new RangeError(`the rules name a group they do not have: ${name}`);
  return group;
}

function planForGroup(
  group: Group,
  overrides: Partial<Omit<Extract<RouteAction, { kind: 'group' }>, 'kind' | 'group'>>,
  rule: Place,
  { facts, address, rules, view, added, because }: Planning,
): Plan {
  // Who gets the mail may forward it back to the group; that it has been here is in Delivered-To.
  const seen = [...group.addresses, address].find((own) => facts.deliveredTo.includes(mailboxKey(own)));
  if (seen !== undefined)
    return rejectLoop(address, rules, rule, `it has been delivered to ${seen} before (Delivered-To)`);
  const mode = overrides.mode ?? group.mode ?? 'auto';
  const policy = overrides.policy === undefined ? group.policy : overrides.policy;
  const pool = poolOf(group, overrides, rules, view);
  // What is only observed is nobody's task.
  const tasked = mode === 'observe' ? null : claimed(policy, pool.strategy);
  const named = new Set((tasked?.steps ?? []).flatMap(({ to }) => (to.kind === 'group' ? [to.group] : [])));
  const pools = [...named].map((name) => poolOf(groupOf(rules, name), {}, rules, view));
  return {
    ...added,
    ...pool,
    kind: 'group',
    address,
    hold: group.hold,
    fallback: fallbackOf(group.fallback, address, rules),
    ...(group.chain ? { chain: group.chain.map((link) => linkOf(link, address, rules, view)) } : {}),
    ...(group.pace === undefined ? {} : { pace: group.pace }),
    ...(mode === 'auto' ? {} : { mode }),
    ...(mode === 'propose' ? { propose: proposeOf(group, rules) } : {}),
    policy: tasked,
    ...(pools.length > 0 ? { pools } : {}),
    rule,
    rulesVersion: rules.version,
    because,
  };
}

function proposeOf({ propose }: Group, rules: Rules): NonNullable<GroupPlan['propose']> {
  const operators = () => [...rules.people.values()].filter(({ operator }) => operator).map(({ name }) => name);
  return { to: propose?.to ?? operators(), within: propose?.within ?? defaultWithin };
}

/** An offer to all is over when one of them takes it: that somebody has read it is not enough. */
function claimed(policy: Policy | null, strategy: Selection['strategy']): Policy | null {
  return policy !== null && strategy === 'first-to-claim' && policy.until === 'read'
    ? { ...policy, until: 'taken' }
    : policy;
}

function poolOf(group: Group, overrides: Partial<Selection>, rules: Rules, view: MailView): Pool {
  const said = <K extends keyof Selection>(key: K): Pick<Selection, K> | object => {
    const value = overrides[key] ?? group[key];
    return value === undefined ? {} : { [key]: value };
  };
  const requires = overrides.requires ?? group.requires ?? [];
  const prefers = overrides.prefers ?? group.prefers ?? [];
  const notSender = overrides.excludeSender ?? group.excludeSender ?? false;
  return {
    group: group.name,
    candidates: group.members.flatMap((name): Candidate[] => {
      const person = rules.people.get(name);
      if (!person) return [];
      const rank = group.ranks?.[name];
      const skills = new Set(person.skills);
      const lacking = requires.filter((skill) => !skills.has(skill));
      const exclusion = group.exclude?.find((each) => each.person === name && matches(each.when, view));
      const preferred = prefers.filter((skill) => skills.has(skill)).length;
      const why =
        lacking.length > 0
          ? `lacks the skill ${lacking.join(' and ')}`
          : notSender && [person.mail, ...(person.also ?? [])].some((mail) => wroteIt(view.facts, mail))
            ? 'wrote it'
            : exclusion
              ? `left out by ${formatPlace(exclusion.place)}: ${reasonsOf(exclusion.when, view).join(', ')}`
              : undefined;
      return [
        {
          person: name,
          mailbox: person.mail,
          jid: person.jid,
          ...(rank && rank.tier !== 1 ? { tier: rank.tier } : {}),
          ...(rank && rank.weight !== 1 ? { weight: rank.weight } : {}),
          ...(person.capacity === undefined ? {} : { capacity: person.capacity }),
          ...(person.hours === undefined ? {} : { hours: person.hours }),
          ...(person.absent === undefined ? {} : { absent: person.absent }),
          ...(preferred > 0 ? { preferred } : {}),
          ...(why === undefined ? {} : { excluded: why }),
          ...originOf(person),
        },
      ];
    }),
    strategy: overrides.strategy ?? group.strategy,
    eligible: overrides.eligible ?? group.eligible,
    ...said('otherwise'),
    ...said('maxAge'),
    ...said('askAfter'),
    ...said('maxIdle'),
    ...said('unknown'),
    ...said('requires'),
    ...said('prefers'),
    ...said('cost'),
  };
}

function linkOf(link: Link, address: Mailbox, rules: Rules, view: MailView): PlanLink {
  switch (link.kind) {
    case 'group':
      return { kind: 'group', pool: poolOf(groupOf(rules, link.group), {}, rules, view) };
    case 'to':
      return { kind: 'to', target: fallbackOf(link.fallback, address, rules) };
    default:
      return link;
  }
}

function fallbackOf(fallback: Fallback, address: Mailbox, rules: Rules): FallbackTarget {
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
