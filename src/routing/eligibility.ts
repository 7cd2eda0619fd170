// Who may be chosen now, and why not. Judged in this order, the first reason is the one that is told: the message's
// history, the rules' own exclusions, absence and hours, presence, idleness, capacity, the pace of a hold. Pure.
import { type Duration, formatDuration, type Instant } from '../clock.ts';
import { neverSeen, type Presence, type State, type UnknownReason } from '../presence/presence.ts';
import { endOf, isOpenAt, isWithin, nextOpening } from './calendar.ts';
import type { PersonSnapshot, Snapshot } from './choose.ts';
import type { Candidate, Pool } from './plan.ts';
import type { PersonName } from './rules.ts';

export interface Exclusion {
  readonly why: string;
  /** Lasting: waiting does not help. */
  readonly lasting: boolean;
  /** When time alone ends it. */
  readonly until?: Instant;
}

export function snapshotOf(snapshot: Snapshot, { person, jid }: Candidate): PersonSnapshot {
  // What every object has by birth under such a name (`constructor`) are functions: one look instead of two.
  const known = snapshot.people[person];
  if (typeof known === 'object') return known;
  const presence: Presence = jid === null ? { ...neverSeen, reason: 'no-jid' } : neverSeen;
  return { presence, open: 0, lastAssignedAt: null };
}

export function exclusionByHistory(snapshot: Snapshot, person: PersonName): string | null {
  const why = snapshot.excluded[person];
  return typeof why === 'string' ? why : null;
}

/** Null when eligible. States are an allowlist: what is not named is not eligible. */
export function exclusionOf(
  pool: Pool,
  candidate: Candidate,
  known: PersonSnapshot,
  snapshot: Snapshot,
  history: string | null,
  pace: Duration | undefined,
): Exclusion | null {
  const { now } = snapshot;
  if (history !== null) return { why: history, lasting: true };
  if (candidate.excluded !== undefined) return { why: candidate.excluded, lasting: true };
  const away = candidate.absent === undefined ? undefined : candidate.absent.find((period) => isWithin(period, now));
  if (away) return { why: `is absent until ${away.to}`, lasting: false, until: endOf(away) };
  const { hours } = candidate;
  if (hours && !isOpenAt(hours, now)) {
    const opens = nextOpening(hours, now);
    return { why: `does not work now (${hours.name})`, lasting: false, ...(opens === null ? {} : { until: opens }) };
  }
  const absence = exclusionByPresence(pool, known.presence, now);
  if (absence !== null) return { why: absence, lasting: false };
  const full = exclusionByCapacity(pool, candidate, known);
  if (full !== null) return { why: full.why, lasting: full.lasting };
  const { lastAssignedAt } = known;
  if (snapshot.held && pace !== undefined && lastAssignedAt !== null && now < lastAssignedAt + pace) {
    const ago = formatDuration(now - lastAssignedAt);
    const why = `had mail ${ago} ago; held mail goes to one person every ${formatDuration(pace)}`;
    return { why, lasting: false, until: lastAssignedAt + pace };
  }
  return null;
}

function exclusionByPresence(pool: Pool, presence: Presence, now: Instant): string | null {
  const { maxAge, maxIdle, eligible } = pool;
  // What somebody said by hand, or a schedule, is as true at its end as at its beginning.
  const heard = presence.source !== 'manual' && presence.source !== 'absence' && presence.source !== 'schedule';
  const age = presence.asOf === null || !heard ? null : now - presence.asOf;
  const stale = presence.state !== 'unknown' && maxAge !== undefined && age !== null && age > maxAge;
  if (presence.state === 'unknown' || stale) {
    const known = stale ? { state: presence.state, asOf: presence.asOf ?? now } : presence.lastKnown;
    if (countsAsEligible(pool, known, now)) return null;
    return stale
      ? `was ${presence.state}, but that is ${formatDuration(age)} old (at most ${formatDuration(maxAge)} counts)`
      : describeState(presence, now);
  }
  if (!eligible.includes(presence.state)) return describeState(presence, now);
  const idle = presence.idleSince === undefined ? 0 : now - presence.idleSince;
  return maxIdle !== undefined && idle > maxIdle ? `is idle for ${formatDuration(idle)}` : null;
}

function countsAsEligible(
  { eligible, unknown = 'exclude' }: Pool,
  known: { readonly state: State; readonly asOf: Instant } | undefined,
  now: Instant,
): boolean {
  if (unknown === 'include' || eligible.includes('unknown')) return true;
  if (unknown === 'exclude' || known === undefined) return false;
  return eligible.includes(known.state) && now - known.asOf <= unknown.lastKnown;
}

function exclusionByCapacity(
  { cost = 1 }: Pool,
  { capacity }: Candidate,
  known: PersonSnapshot,
): { why: string; lasting: boolean } | null {
  if (capacity === undefined) return null;
  const units = unitsOf(known);
  if (units + cost <= capacity) return null;
  const takes = cost === 1 ? '' : `, and this takes ${cost}`;
  return { why: `has ${units} of ${capacity} units${takes}`, lasting: cost > capacity };
}

export const unitsOf = ({ units, open }: PersonSnapshot): number => units ?? open;

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
  const { state, since } = presence;
  return since === null ? `is ${state}` : `is ${state} for ${formatDuration(now - since)}`;
}
