// Choose: a plan meets a snapshot of presence, load and history. Pure: the same snapshot always gives the same choice.
//
// Strategies, each among the eligible members only; every tie goes to whom the group lists first:
//   in-order      the first in the group's list
//   round-robin   the next in the list after the one who had the group's last message, going round
//   longest-idle  whom Pointsman gave a message longest ago, in any group; never counts as longest
// Nobody eligible: hold until the hold runs out, if waiting can help anybody to become eligible; then the fallback.
import { formatDuration, type Instant } from '../clock.ts';
import type { Mailbox } from '../mail/path.ts';
import { neverSeen, type Presence, type UnknownReason } from '../presence/presence.ts';
import type { Candidate, GroupPlan } from './plan.ts';
import type { PersonName, Strategy } from './rules.ts';

export interface PersonSnapshot {
  readonly presence: Presence;
  /** Open tracked messages the person owns. */
  readonly open: number;
  /** When Pointsman last gave this person a message; null is "never", which counts as longest. */
  readonly lastAssignedAt: Instant | null;
}

/** Plain data, stored with the decision. */
export interface Snapshot {
  readonly now: Instant;
  readonly people: Readonly<Record<PersonName, PersonSnapshot>>;
  /** Whom the group's last message went to (round-robin goes on after them). */
  readonly lastInGroup: PersonName | null;
  /** Candidates out of the question for this message, with the reason: `has passed`, `had it until 10:42` … */
  readonly excluded: Readonly<Record<PersonName, string>>;
  /** When a hold on this delivery runs out; null when none is wanted (an escalation never holds). */
  readonly holdUntil: Instant | null;
}

export interface Considered {
  readonly person: PersonName;
  readonly presence: Presence;
  readonly open: number;
  readonly lastAssignedAt: Instant | null;
  readonly verdict: 'chosen' | 'eligible' | 'excluded';
  /** Why excluded, or why (not) preferred, for people. */
  readonly reason: string;
}

export type Choice = {
  readonly considered: readonly Considered[];
  readonly because: readonly string[];
} & (
  | { readonly kind: 'member'; readonly person: PersonName; readonly mailbox: Mailbox }
  | { readonly kind: 'hold'; readonly until: Instant }
  | { readonly kind: 'fallback'; readonly mailbox: Mailbox; readonly person?: PersonName; readonly unchanged: boolean }
);

/** One who may be chosen now. */
interface Ready {
  readonly candidate: Candidate;
  readonly known: PersonSnapshot;
}

export function choose(plan: GroupPlan, snapshot: Snapshot): Choice {
  const members = plan.candidates.map((candidate) => {
    const known = snapshotOf(snapshot, candidate.person);
    return { candidate, known, exclusion: exclusionOf(plan, candidate, known, snapshot) };
  });
  const ready = members.filter(({ exclusion }) => exclusion === null);
  const [best] = rank(plan, ready, snapshot);
  const considered = members.map(({ candidate, known, exclusion }): Considered => {
    const { presence, open, lastAssignedAt } = known;
    const common = { person: candidate.person, presence, open, lastAssignedAt };
    if (exclusion !== null) return { ...common, verdict: 'excluded', reason: exclusion };
    const chosen = candidate === best?.candidate;
    const standing = `${describeState(presence, snapshot.now)}; ${describeRank(plan, candidate, known, snapshot)}`;
    return { ...common, verdict: chosen ? 'chosen' : 'eligible', reason: standing };
  });
  const count = `${ready.length} of ${members.length} members of ${plan.group} eligible`;
  if (best) {
    const { person, mailbox } = best.candidate;
    const why = ready.length === 1 ? 'the only one' : describeWin(plan.strategy, best, snapshot);
    return { kind: 'member', person, mailbox, considered, because: [count, `${person}: ${why}`] };
  }
  const { holdUntil, now } = snapshot;
  if (holdUntil !== null && now < holdUntil) {
    // Presence can still change for those; whoever has passed will not come back to this message.
    if (members.some(({ candidate }) => exclusionByHistory(snapshot, candidate.person) === null)) {
      const because = [count, `held for up to ${formatDuration(holdUntil - now)} until somebody is`];
      return { kind: 'hold', until: holdUntil, considered, because };
    }
    return fallBack(plan, considered, [count, 'holding cannot help: nobody is left who has not had it']);
  }
  return fallBack(plan, considered, holdUntil === null ? [count] : [count, 'the hold has run out']);
}

/** For an escalation, whose snapshot has no hold: whether there is no next member, so the policy's next step is due. */
export function foundNobody(choice: Choice): boolean {
  return choice.kind !== 'member';
}

function fallBack(plan: GroupPlan, considered: readonly Considered[], because: readonly string[]): Choice {
  const { mailbox, person, unchanged } = plan.fallback;
  const where = unchanged ? `on to ${mailbox}, unchanged` : person === undefined ? mailbox : `${person} (${mailbox})`;
  const common = {
    kind: 'fallback',
    mailbox,
    unchanged,
    considered,
    because: [...because, `fallback: ${where}`],
  } as const;
  return person === undefined ? common : { ...common, person };
}

function snapshotOf(snapshot: Snapshot, person: PersonName): PersonSnapshot {
  const known = Object.hasOwn(snapshot.people, person) ? snapshot.people[person] : undefined;
  return known ?? { presence: neverSeen, open: 0, lastAssignedAt: null };
}

function exclusionByHistory(snapshot: Snapshot, person: PersonName): string | null {
  return Object.hasOwn(snapshot.excluded, person) ? (snapshot.excluded[person] ?? null) : null;
}

/** Null when eligible; otherwise why not. States are an allowlist: what is not named is not eligible. */
function exclusionOf(plan: GroupPlan, candidate: Candidate, known: PersonSnapshot, snapshot: Snapshot): string | null {
  const history = exclusionByHistory(snapshot, candidate.person);
  if (history !== null) return history;
  return plan.eligible.includes(known.presence.state) ? null : describeState(known.presence, snapshot.now);
}

/** Best first. */
function rank(plan: GroupPlan, ready: readonly Ready[], snapshot: Snapshot): readonly Ready[] {
  switch (plan.strategy) {
    case 'in-order':
      return ready;
    case 'round-robin':
      // toSorted is stable (ECMA-262 §23.1.3.34), here and below: ties keep the configured order.
      return ready.toSorted((a, b) => turn(plan, a.candidate, snapshot) - turn(plan, b.candidate, snapshot));
    case 'longest-idle':
      return ready.toSorted((a, b) => compareInstants(a.known.lastAssignedAt, b.known.lastAssignedAt));
    default:
      return plan.strategy satisfies never;
  }
}

function compareInstants(a: Instant | null, b: Instant | null): number {
  if (a === null || b === null) return Number(a !== null) - Number(b !== null);
  return a - b;
}

/** How many turns until it is theirs: 1 for the next after the last one, who is the last to be asked again. */
function turn(plan: GroupPlan, candidate: Candidate, { lastInGroup }: Snapshot): number {
  const names = plan.candidates.map(({ person }) => person);
  const last = lastInGroup === null ? -1 : names.indexOf(lastInGroup);
  const steps = names.indexOf(candidate.person) - last;
  return steps > 0 ? steps : steps + names.length;
}

const unknownReasons: Readonly<Record<UnknownReason, string>> = {
  'never-seen': 'never seen',
  'not-subscribed': 'does not share it with us',
  'link-down': 'the XMPP link is down',
  resync: 'the XMPP link has just come back',
  error: 'their server answers with an error',
  'no-jid': 'has no JID',
};

/** `is dnd for 12m`, `presence unknown: never seen`. Ages, not times of day: those would need a time zone. */
export function describeState(presence: Presence, now: Instant): string {
  if (presence.state === 'unknown') {
    const why = unknownReasons[presence.reason ?? 'never-seen'];
    const before = presence.lastKnown;
    const last = before ? `; was ${before.state} ${formatDuration(now - before.asOf)} ago` : '';
    return `presence unknown: ${why}${last}`;
  }
  const since = presence.since === null ? '' : ` for ${formatDuration(now - presence.since)}`;
  return `is ${presence.state}${since}`;
}

function describeIdle(lastAssignedAt: Instant | null, now: Instant): string {
  return lastAssignedAt === null ? 'never had a message' : `last message ${formatDuration(now - lastAssignedAt)} ago`;
}

function describeRank(plan: GroupPlan, candidate: Candidate, known: PersonSnapshot, snapshot: Snapshot): string {
  switch (plan.strategy) {
    case 'in-order':
      return `number ${plan.candidates.indexOf(candidate) + 1} in order`;
    case 'round-robin':
      return `turn ${turn(plan, candidate, snapshot)}`;
    case 'longest-idle':
      return describeIdle(known.lastAssignedAt, snapshot.now);
    default:
      return plan.strategy satisfies never;
  }
}

function describeWin(strategy: Strategy, { known }: Ready, { lastInGroup, now }: Snapshot): string {
  switch (strategy) {
    case 'in-order':
      return 'first in order';
    case 'round-robin':
      return lastInGroup === null ? 'first in turn: the group has had no message' : `next in turn after ${lastInGroup}`;
    case 'longest-idle':
      return `longest idle: ${describeIdle(known.lastAssignedAt, now)}`;
    default:
      return strategy satisfies never;
  }
}
