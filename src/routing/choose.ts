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

/** A member on the way to a verdict. */
interface Member {
  readonly candidate: Candidate;
  /** From 0, as the group lists them. */
  readonly position: number;
  readonly known: PersonSnapshot;
  /** Null when eligible; otherwise why not. */
  readonly exclusion: string | null;
  /** What the strategy goes by, less is better; ties go by position. */
  readonly rank: number;
}

export function choose(plan: GroupPlan, snapshot: Snapshot): Choice {
  const members = membersOf(plan, snapshot);
  const ready = members.filter(({ exclusion }) => exclusion === null);
  // Strictly less: of two with the same rank the one listed first stays.
  const best = ready.reduce<Member | undefined>((a, b) => (a === undefined || b.rank < a.rank ? b : a), undefined);
  const considered = members.map((member) => consider(plan, member, member === best, snapshot));
  const count = `${ready.length} of ${members.length} members of ${plan.group} eligible`;
  if (best) {
    const { person, mailbox } = best.candidate;
    const why = ready.length === 1 ? 'the only one' : describeWin(plan.strategy, best, snapshot);
    return { kind: 'member', person, mailbox, considered, because: [count, `${person}: ${why}`] };
  }
  const { holdUntil, now } = snapshot;
  if (holdUntil === null) return fallBack(plan, considered, [count]);
  if (now >= holdUntil) return fallBack(plan, considered, [count, 'the hold has run out']);
  // Presence can still change; but whoever has had this message, or passed it on, does not get it again.
  if (members.every(({ candidate }) => exclusionByHistory(snapshot, candidate.person) !== null))
    return fallBack(plan, considered, [count, 'holding cannot help: nobody is left to wait for']);
  const because = [count, `held for up to ${formatDuration(holdUntil - now)} until somebody is`];
  return { kind: 'hold', until: holdUntil, considered, because };
}

function membersOf(plan: GroupPlan, snapshot: Snapshot): readonly Member[] {
  const { candidates, strategy } = plan;
  const last = candidates.findIndex(({ person }) => person === snapshot.lastInGroup);
  return candidates.map((candidate, position) => {
    const known = snapshotOf(snapshot, candidate);
    return {
      candidate,
      position,
      known,
      exclusion: exclusionOf(plan, candidate, known, snapshot),
      rank: rankOf(strategy, position, last, candidates.length, known),
    };
  });
}

function rankOf(strategy: Strategy, position: number, last: number, size: number, known: PersonSnapshot): number {
  switch (strategy) {
    case 'in-order':
      return position + 1;
    case 'round-robin':
      // How many turns until it is theirs: 1 for the next after the last one, who is the last to be asked again.
      return position > last ? position - last : position - last + size;
    case 'longest-idle':
      return known.lastAssignedAt ?? -Infinity;
    default:
      return strategy satisfies never;
  }
}

function consider(plan: GroupPlan, member: Member, chosen: boolean, { now }: Snapshot): Considered {
  const { candidate, known, exclusion } = member;
  const { presence, open, lastAssignedAt } = known;
  const facts = { person: candidate.person, presence, open, lastAssignedAt };
  if (exclusion !== null) return { ...facts, verdict: 'excluded', reason: exclusion };
  const reason = `${describeState(presence, now)}; ${describeStanding(plan.strategy, member, now)}`;
  return { ...facts, verdict: chosen ? 'chosen' : 'eligible', reason };
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

function snapshotOf(snapshot: Snapshot, { person, jid }: Candidate): PersonSnapshot {
  const known = Object.hasOwn(snapshot.people, person) ? snapshot.people[person] : undefined;
  if (known) return known;
  const presence: Presence = jid === null ? { ...neverSeen, reason: 'no-jid' } : neverSeen;
  return { presence, open: 0, lastAssignedAt: null };
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

const unknownReasons: Readonly<Record<UnknownReason, string>> = {
  'never-seen': 'never seen',
  'not-subscribed': 'does not share it with us',
  'link-down': 'the XMPP link is down',
  resync: 'the XMPP link has just come back',
  error: 'their server answers with an error',
  'remote-silent': 'their server cannot be reached',
  'no-answer': 'none of their clients answers',
  untrusted: 'their domain is not a trusted one',
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

function describeStanding(strategy: Strategy, { rank, known }: Member, now: Instant): string {
  switch (strategy) {
    case 'in-order':
      return `number ${rank} in order`;
    case 'round-robin':
      return rank === 1 ? 'next in turn' : `in ${rank - 1} ${rank === 2 ? 'turn' : 'turns'}`;
    case 'longest-idle':
      return describeIdle(known.lastAssignedAt, now);
    default:
      return strategy satisfies never;
  }
}

function describeWin(strategy: Strategy, { known }: Member, { lastInGroup, now }: Snapshot): string {
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
