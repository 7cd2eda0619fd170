// Choose: a plan meets a snapshot of presence, load and history. Pure: the same snapshot always gives the same choice.
//
// Strategies, each among the eligible members only:
//   in-order        the first in the group's list
//   round-robin     the next in the list after the one who had the group's last message, going round; a member of
//                   weight n has n in a row
//   longest-idle    whom Pointsman gave a message longest ago, in any group; never counts as longest; of weight n: n
//                   times as long
//   least-busy      who has the fewest units of open mail, divided by weight
//   most-spare      who has the most units of capacity left; no capacity counts as endless
//   sticky          the thread's last handler; when not eligible, or there is none: `otherwise` (longest-idle)
//   everyone, first-to-claim   all of them
// Order among the eligible: the tier, then who has more of the preferred skills, then the strategy; ties of least-busy
// and most-spare go to the longest idle; every other tie goes to whom the group lists first.
// Nobody eligible: the links of the plan's chain in order, holding only while waiting can help.
import { formatDuration, type Instant } from '../clock.ts';
import type { Mailbox } from '../mail/path.ts';
import type { Reply } from '../mail/reply.ts';
import type { Presence } from '../presence/presence.ts';
import { describeState, type Exclusion, exclusionByHistory, exclusionOf, snapshotOf } from './eligibility.ts';
import type { Candidate, FallbackTarget, GroupPlan, PlanLink, Pool } from './plan.ts';
import { type Proposal, pickedFrom, proposedTo, silence } from './proposal.ts';
import { compareMembers, describeMember, measureOf, rankingOf, type Standing, turnsUntil, wordsOf } from './ranking.ts';
import type { GroupName, PersonName } from './rules.ts';
import { withStandIns } from './stand-ins.ts';
import { describeWin } from './win.ts';

export { describeState } from './eligibility.ts';

export interface PersonSnapshot {
  readonly presence: Presence;
  /** Open tracked messages the person owns. */
  readonly open: number;
  /** Units of capacity taken: open messages by their cost, and what is on its way. Absent: as many as open ones. */
  readonly units?: number;
  /** When Pointsman last gave this person a message; null is "never", which counts as longest. */
  readonly lastAssignedAt: Instant | null;
}

/** Plain data, stored with the decision. */
export interface Snapshot {
  readonly now: Instant;
  readonly people: Readonly<Record<PersonName, PersonSnapshot>>;
  /** Whom the group's last message went to (round-robin goes on after them). */
  readonly lastInGroup: PersonName | null;
  /** How many of the group's messages in a row they had. */
  readonly runInGroup?: number;
  /** The same for the groups that the chain names. */
  readonly others?: Readonly<Record<GroupName, { readonly last: PersonName; readonly run: number }>>;
  /** Candidates out of the question for this message, with the reason: `has passed`, `had it until 10:42` … */
  readonly excluded: Readonly<Record<PersonName, string>>;
  /** When a hold on this delivery runs out; null when none is wanted (an escalation never holds). */
  readonly holdUntil: Instant | null;
  /** When the times of the plan's chain began; absent for an escalation, which goes by no chain. */
  readonly acceptedAt?: Instant;
  /** It comes out of a hold: the pace counts. */
  readonly held?: boolean;
  /** How many older ones, as hard to please, the group still holds: this one must not overtake them. */
  readonly behind?: number;
  /** For the mode `propose`, while this delivery has not gone to anybody. */
  readonly proposal?: Proposal;
  /** Who stands in for whom now. */
  readonly standIns?: Readonly<Record<PersonName, readonly Candidate[]>>;
  /** Who had the last message of its thread. */
  readonly lastHandler?: PersonName | null;
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

export interface Recipient {
  readonly person: PersonName;
  readonly mailbox: Mailbox;
}

export type Choice = {
  readonly considered: readonly Considered[];
  readonly because: readonly string[];
} & (
  | {
      readonly kind: 'member';
      readonly person: PersonName;
      readonly mailbox: Mailbox;
      /** The group whose member it is, when that is not the plan's own. */
      readonly group?: GroupName;
      /** Who gets it besides; then nobody owns it until somebody takes it. */
      readonly also?: readonly Recipient[];
    }
  | {
      readonly kind: 'hold';
      readonly until: Instant;
      /** When time alone may have made somebody eligible. */
      readonly wakeAt?: Instant;
      /** An operator picks one of these; the first is taken when none does. */
      readonly proposed?: readonly PersonName[];
    }
  | {
      readonly kind: 'fallback';
      readonly mailbox: Mailbox;
      readonly person?: PersonName;
      readonly unchanged: boolean;
      readonly also?: readonly Recipient[];
      /** Not delivered at all: the sender's server is told this. */
      readonly refusal?: Reply;
    }
);

/** One who is eligible, on the way to a verdict. */
export interface Member extends Standing {
  readonly sticks: boolean;
  /** By the strategy, less is better. */
  measure: number;
  /** Between those whom the strategy finds equal. */
  readonly tie: number;
}

/** One pool looked at. */
interface Look {
  readonly pool: Pool;
  readonly candidates: readonly Candidate[];
  /** Of those who are not eligible. */
  readonly exclusions: readonly Exclusion[];
  readonly ready: readonly Member[];
  readonly best: Member | undefined;
  readonly considered: readonly Considered[];
  /** `2 of 3 members of support eligible` */
  readonly count: string;
}

/** @param explained false: `considered` stays empty, for somebody in a hurry; asked again, it says the same and why */
export function choose(plan: GroupPlan, snapshot: Snapshot, explained = true): Choice {
  const own = look(plan, plan, snapshot, explained);
  const picked = pickedFrom(own, snapshot);
  if (picked) return picked;
  if (own.best) {
    const turn = waitsItsTurn(plan, snapshot);
    if (turn !== null)
      return {
        kind: 'hold',
        until: turn,
        // Whoever waits before it wakes it.
        considered: own.considered,
        because: [own.count, `${snapshot.behind} older wait in this group: it does not overtake them`],
      };
    const { proposal } = snapshot;
    if (!proposal || isShared(plan)) return chosenFrom(own, snapshot, [own.count], undefined);
    if (snapshot.now < proposal.until && proposal.asked.length > 0) {
      const ranked = own.ready.toSorted((a, b) => compareMembers(a, b));
      return proposedTo(ranked, own, proposal, snapshot.now);
    }
    return chosenFrom(own, snapshot, [own.count, silence(proposal)], undefined);
  }
  if (plan.chain && snapshot.acceptedAt !== undefined)
    return followChain(plan, plan.chain, snapshot.acceptedAt, own, snapshot, explained);
  const { holdUntil, now } = snapshot;
  const { considered, count } = own;
  if (holdUntil === null) return fallBack(plan.fallback, considered, [count]);
  if (now >= holdUntil) return fallBack(plan.fallback, considered, [count, 'the hold has run out']);
  if (!worthWaiting([own]))
    return fallBack(plan.fallback, considered, [count, 'holding cannot help: nobody is left to wait for']);
  return held(holdUntil, [own], snapshot, [count]);
}

/** Null: its turn has come, or it may not be held. */
function waitsItsTurn(plan: GroupPlan, { behind = 0, holdUntil, acceptedAt, now }: Snapshot): Instant | null {
  if (behind === 0) return null;
  const [first] = plan.chain ?? [];
  const until = first?.kind === 'hold' && acceptedAt !== undefined ? acceptedAt + first.for : holdUntil;
  return until !== null && now < until ? until : null;
}

function followChain(
  plan: GroupPlan,
  chain: readonly PlanLink[],
  since: Instant,
  own: Look,
  snapshot: Snapshot,
  explained: boolean,
): Choice {
  const { now, holdUntil } = snapshot;
  const looks = [own];
  const because = [own.count];
  let waited = 0;
  const considered = () => looks.flatMap((each) => each.considered);
  for (const link of chain) {
    // While we are still learning who is there, nothing final is done.
    const final = link.kind !== 'hold' && link.kind !== 'group';
    if (final && holdUntil !== null && now < holdUntil && worthWaiting(looks))
      return held(holdUntil, looks, snapshot, because);
    switch (link.kind) {
      case 'hold': {
        waited += link.for;
        const until = since + waited;
        if (now >= until) break;
        if (worthWaiting(looks)) return held(until, looks, snapshot, because);
        because.push('holding cannot help: nobody is left to wait for');
        // Nor does it take the time of the holds that come after.
        waited -= link.for;
        break;
      }
      case 'group': {
        const other = look(link.pool, plan, snapshot, explained);
        looks.push(other);
        because.push(other.count);
        if (other.best) return chosenFrom(other, snapshot, because, considered());
        break;
      }
      case 'everyone': {
        const all = plan.candidates.filter(
          ({ person, excluded }) => excluded === undefined && exclusionByHistory(snapshot, person) === null,
        );
        const [first, ...rest] = all.map(({ person, mailbox }) => ({ person, mailbox }));
        if (!first) break;
        return {
          kind: 'fallback',
          ...first,
          unchanged: false,
          ...(rest.length > 0 ? { also: rest } : {}),
          considered: considered(),
          because: [...because, `fallback: all ${all.length} members`],
        };
      }
      case 'refuse':
        return {
          kind: 'fallback',
          mailbox: plan.address,
          unchanged: true,
          refusal: link.reply,
          considered: considered(),
          because: [...because, `refused: ${link.reply.code} ${link.reply.text}`],
        };
      case 'to':
        return fallBack(link.target, considered(), because);
      default:
        link satisfies never;
    }
  }
  return fallBack(plan.fallback, considered(), because);
}

function look(pool: Pool, plan: GroupPlan, snapshot: Snapshot, explained: boolean): Look {
  const { now, lastHandler } = snapshot;
  const candidates = snapshot.standIns
    ? withStandIns(pool, snapshot.standIns, (candidate) => snapshotOf(snapshot, candidate).presence, now)
    : pool.candidates;
  const ranking = rankingOf(pool);
  const turn = ranking === 'round-robin' ? turnOf(pool, plan, snapshot, candidates) : null;
  const byLoad = ranking === 'least-busy' || ranking === 'most-spare';
  const anyTried = Object.keys(snapshot.excluded).length > 0;
  // A thousand members are judged in one go: of whom is out of the question nothing is kept but the reason.
  const exclusions: Exclusion[] = [];
  const ready: Member[] = [];
  const considered = new Array<Considered>(explained ? candidates.length : 0);
  let best: Member | undefined;
  let position = -1;
  for (const candidate of candidates) {
    position += 1;
    const { person } = candidate;
    const known = snapshotOf(snapshot, candidate);
    const { presence, open, lastAssignedAt } = known;
    const history = anyTried ? exclusionByHistory(snapshot, person) : null;
    const exclusion = exclusionOf(pool, candidate, known, snapshot, history, plan.pace);
    if (exclusion !== null) {
      exclusions.push(exclusion);
      if (explained)
        considered[position] = { person, presence, open, lastAssignedAt, verdict: 'excluded', reason: exclusion.why };
      continue;
    }
    const weight = candidate.weight ?? 1;
    const turns = turn === null ? 0 : turnsUntil(position, turn.at, candidates.length, turn.run < weight);
    const sticks = pool.strategy === 'sticky' && lastHandler === person;
    const tie = byLoad ? (lastAssignedAt ?? -Infinity) : 0;
    const member: Member = { candidate, known, position, turns, weight, sticks, measure: 0, tie };
    member.measure = measureOf(ranking, member, now);
    ready.push(member);
    if (best === undefined || compareMembers(member, best) < 0) best = member;
  }
  const toAll = isShared(pool);
  for (const member of explained ? ready : []) {
    const { candidate, known, position } = member;
    const { person } = candidate;
    const { presence, open, lastAssignedAt } = known;
    const verdict = toAll || member === best ? 'chosen' : 'eligible';
    const standing = describeMember(candidate, member.sticks, wordsOf(ranking, member, now));
    const reason = `${describeState(presence, now)}; ${standing}`;
    considered[position] = { person, presence, open, lastAssignedAt, verdict, reason };
  }
  const count = `${ready.length} of ${candidates.length} members of ${pool.group} eligible`;
  return { pool, candidates, exclusions, ready, best, considered, count };
}

const isShared = ({ strategy }: Pool): boolean => strategy === 'everyone' || strategy === 'first-to-claim';

function chosenFrom(
  { pool, ready, best, considered }: Look,
  snapshot: Snapshot,
  because: readonly string[],
  all: readonly Considered[] | undefined,
): Choice {
  if (!best) throw new RangeError(`nobody of ${pool.group} is eligible`);
  const elsewhere = all === undefined ? {} : { group: pool.group };
  if (isShared(pool) && ready.length > 1) {
    const [first, ...rest] = ready.map(({ candidate: { person, mailbox } }) => ({ person, mailbox }));
    const words = pool.strategy === 'everyone' ? 'to all of them' : 'offered to all of them';
    return {
      kind: 'member',
      ...(first ?? best.candidate),
      also: rest,
      ...elsewhere,
      considered: all ?? considered,
      because: [...because, words],
    };
  }
  const { person, mailbox } = best.candidate;
  const why = ready.length === 1 ? 'the only one' : describeWin(pool, best, ready, snapshot);
  return {
    kind: 'member',
    person,
    mailbox,
    ...elsewhere,
    considered: all ?? considered,
    because: [...because, `${person}: ${why}`],
  };
}

/** Presence can still change; but whoever has had this message, or passed it on, does not get it again. */
function worthWaiting(looks: readonly Look[]): boolean {
  return looks.some(({ ready, exclusions }) => ready.length > 0 || exclusions.some(({ lasting }) => !lasting));
}

function held(until: Instant, looks: readonly Look[], { now }: Snapshot, because: readonly string[]): Choice {
  const moments = looks
    .flatMap(({ exclusions }) => exclusions.map(({ until: ends }) => ends))
    .filter((at) => at !== undefined && at > now && at < until);
  return {
    kind: 'hold',
    until,
    ...(moments.length > 0 ? { wakeAt: Math.min(...moments.map(Number)) } : {}),
    considered: looks.flatMap(({ considered }) => considered),
    because: [...because, `held for up to ${formatDuration(until - now)} until somebody is`],
  };
}

/** For an escalation, whose snapshot has no hold: whether there is no next member, so the policy's next step is due. */
export function foundNobody(choice: Choice): boolean {
  return choice.kind !== 'member';
}

function fallBack(target: FallbackTarget, considered: readonly Considered[], because: readonly string[]): Choice {
  const { mailbox, person, unchanged } = target;
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

/** Where the last one stands whose turn it was, and how many in a row they have had. */
function turnOf(
  pool: Pool,
  plan: GroupPlan,
  snapshot: Snapshot,
  candidates: readonly Candidate[],
): { at: number; run: number } {
  const own = { last: snapshot.lastInGroup, run: snapshot.runInGroup ?? Infinity };
  const { last, run } =
    pool.group === plan.group ? own : (snapshot.others?.[pool.group] ?? { last: null, run: Infinity });
  return { at: candidates.findIndex(({ person }) => person === last), run };
}
