// Explain: a stored decision in words, and whether it can be replayed. All of it comes from what was stored with the
// decision, so it explains what was known then, not what is known now.
import { formatDuration, type Instant } from '../clock.ts';
import { ageOf } from '../presence/presence.ts';
import { type Choice, type Considered, choose, type Snapshot } from './choose.ts';
import { describeOrigin } from './origin.ts';
import { allCandidates, type Plan } from './plan.ts';
import { formatPlace } from './problem.ts';

/** What the store keeps of a decision, as far as it takes to explain it. */
export interface Explainable {
  readonly at: Instant;
  readonly why: 'dispatch' | 'retry' | 'escalation';
  readonly plan: Plan;
  readonly snapshot: Snapshot;
  readonly choice: Choice;
}

/** Whether the same plan and snapshot give the same choice now. Only plans for groups choose. */
export function replay({ plan, snapshot, choice }: Pick<Explainable, 'plan' | 'snapshot' | 'choice'>): boolean {
  return plan.kind === 'group' && sameData(choose(plan, snapshot), choice);
}

/** Lines for people; what programs read is the decision itself. */
export function explain(decision: Explainable): readonly string[] {
  const { at, why, plan, snapshot, choice } = decision;
  const rule = plan.rule === null ? 'no rule' : `rule ${formatPlace(plan.rule)}`;
  return [
    `${new Date(at).toISOString()}  ${why} of mail for ${plan.address}`,
    `  ${rule}, version ${plan.rulesVersion}`,
    ...plan.because.map((reason) => `  ${reason}`),
    ...(plan.kind === 'group' ? [`  ${plan.strategy} among those who are ${plan.eligible.join(' or ')}`] : []),
    ...explainMembers(choice.considered, snapshot.now),
    `  → ${describeChoice(choice)}`,
    ...choice.because.map((reason) => `    ${reason}`),
    ...explainOrigin(decision),
  ];
}

/** Which source gave which field of whoever was chosen, where the directory knows them. */
function explainOrigin({ plan, snapshot, choice }: Explainable): readonly string[] {
  if (plan.kind !== 'group' || choice.kind !== 'member') return [];
  const known = [...allCandidates(plan), ...Object.values(snapshot.standIns ?? {}).flat()];
  const origin = known.find(({ person }) => person === choice.person)?.origin;
  return origin ? [`    ${describeOrigin(choice.person, origin)}`] : [];
}

/** `alice <alice@example.org>`, `held until …`, `archive@example.org (fallback)`. */
export function describeChoice(choice: Choice): string {
  switch (choice.kind) {
    case 'member':
      return `${choice.person} <${choice.mailbox}>`;
    case 'hold':
      return `held until ${new Date(choice.until).toISOString()}`;
    case 'fallback':
      return `${choice.mailbox} (fallback${choice.unchanged ? ', unchanged' : ''})`;
    default:
      return choice satisfies never;
  }
}

function explainMembers(considered: readonly Considered[], now: Instant): readonly string[] {
  const width = Math.max(0, ...considered.map(({ person }) => person.length));
  return considered.map(({ person, verdict, reason, presence, open, lastAssignedAt }) => {
    const age = ageOf(presence, now);
    const facts = [
      `presence ${presence.state}${age === null ? '' : `, heard ${formatDuration(age)} ago`}`,
      `${open} open`,
      lastAssignedAt === null ? 'never assigned' : `last assigned ${formatDuration(now - lastAssignedAt)} ago`,
    ];
    return `  ${person.padEnd(width)}  ${verdict.padEnd(8)}  ${reason}  [${facts.join('; ')}]`;
  });
}

/** Equal once both are stored: what JSON cannot keep does not count. */
function sameData(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
