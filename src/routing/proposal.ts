// The mode `propose`: instead of being made, a choice is shown to operators for a while. Pure, as the choice is: what was
// picked is part of the snapshot.
import { formatDuration, type Instant } from '../clock.ts';
import type { Choice, Considered, Snapshot } from './choose.ts';
import type { Candidate } from './plan.ts';
import type { PersonName } from './rules.ts';

/** An operator is asked who shall have it. */
export interface Proposal {
  readonly until: Instant;
  /** Nobody, when no operator can be asked: then it is not waited for. */
  readonly asked: readonly PersonName[];
  readonly picked?: { readonly person: PersonName; readonly by: PersonName };
}

interface Looked {
  readonly candidates: readonly Candidate[];
  readonly considered: readonly Considered[];
  readonly count: string;
}

/** An operator's word goes, whatever has become of the ranking since. */
export function pickedFrom({ candidates, considered, count }: Looked, { proposal }: Snapshot): Choice | null {
  const picked = proposal?.picked;
  const candidate = picked && candidates.find(({ person }) => person === picked.person);
  if (!candidate) return null;
  const { person, mailbox } = candidate;
  return {
    kind: 'member',
    person,
    mailbox,
    considered: considered.map((each) => ({
      ...each,
      verdict: each.person === person ? 'chosen' : each.verdict === 'chosen' ? 'eligible' : each.verdict,
    })),
    because: [count, `${person}: picked by ${picked.by}`],
  };
}

export function proposedTo(
  ranked: readonly { readonly candidate: Candidate }[],
  { considered, count }: Looked,
  { until, asked }: Proposal,
  now: Instant,
): Choice {
  return {
    kind: 'hold',
    until,
    proposed: ranked.map(({ candidate }) => candidate.person),
    considered,
    because: [count, `${asked.join(', ')} may pick for ${formatDuration(until - now)}`],
  };
}

/** Why the first of the ranking gets it. */
export const silence = ({ asked }: Proposal): string =>
  asked.length === 0 ? 'no operator could be asked to pick' : `${asked.join(', ')}: nobody picked`;
