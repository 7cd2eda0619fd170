// Who stands in for whom: somebody absent may have named a substitute, in the rules or by hand. While the absent one is
// not eligible by presence, the substitute is asked in their place, by the substitute's own presence and limits. Pure.
import type { Instant } from '../clock.ts';
import type { Presence } from '../presence/presence.ts';
import { isWithin } from './calendar.ts';
import { originOf } from './origin.ts';
import type { Candidate, Pool } from './plan.ts';
import type { Person, PersonName } from './rules.ts';

/** A substitute may be absent, too, and have one. Longer chains are somebody's mistake. */
const longestChain = 5;

/**
 * By the candidate whose place it is. Only for those who name a substitute now.
 * @param presenceOf what is known of somebody, also of who is no candidate
 */
export function standInsFor(
  candidates: readonly Candidate[],
  people: ReadonlyMap<PersonName, Person>,
  presenceOf: (candidate: Pick<Candidate, 'person' | 'jid'>) => Presence,
  now: Instant,
): Readonly<Record<PersonName, readonly Candidate[]>> {
  const found: Record<PersonName, readonly Candidate[]> = {};
  for (const candidate of candidates) {
    const chain: Candidate[] = [];
    for (let of = candidate; chain.length < longestChain; ) {
      const name = presenceOf(of).substitute ?? of.absent?.find((period) => isWithin(period, now))?.substitute;
      const person = name === undefined ? undefined : people.get(name);
      if (!person || person.name === candidate.person || chain.some((each) => each.person === person.name)) break;
      of = inThePlaceOf(candidate, person);
      chain.push(of);
    }
    if (chain.length > 0) found[candidate.person] = chain;
  }
  return found;
}

function inThePlaceOf({ person: standsInFor, tier, weight, preferred }: Candidate, person: Person): Candidate {
  const { name, mail, jid, capacity, hours, absent } = person;
  return {
    person: name,
    mailbox: mail,
    jid,
    standsInFor,
    ...(tier === undefined ? {} : { tier }),
    ...(weight === undefined ? {} : { weight }),
    ...(preferred === undefined ? {} : { preferred }),
    ...(capacity === undefined ? {} : { capacity }),
    ...(hours === undefined ? {} : { hours }),
    ...(absent === undefined ? {} : { absent }),
    ...originOf(person),
  };
}

/**
 * The candidates of a pool with those who stand in, each right behind the one whose place it is. A stand-in who is a
 * candidate anyway is asked as such.
 */
export function withStandIns(
  { candidates, eligible }: Pool,
  standIns: Readonly<Record<PersonName, readonly Candidate[]>>,
  presenceOf: (candidate: Candidate) => Presence,
  now: Instant,
): readonly Candidate[] {
  const isThere = (candidate: Candidate): boolean =>
    eligible.includes(presenceOf(candidate).state) && !candidate.absent?.some((period) => isWithin(period, now));
  const names = new Set(candidates.map(({ person }) => person));
  return candidates.flatMap((candidate) => {
    const theirs = Object.hasOwn(standIns, candidate.person) ? (standIns[candidate.person] ?? []) : [];
    // Whom the rules leave out of this mail has no place in it that somebody could take.
    if (theirs.length === 0 || candidate.excluded !== undefined || isThere(candidate)) return [candidate];
    const added = theirs.filter(({ person }) => !names.has(person));
    for (const { person } of added) names.add(person);
    return [candidate, ...added];
  });
}
