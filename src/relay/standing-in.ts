// Who may have a mail now: the members its plan names, and whoever stands in for one of them.
import { allCandidates, type GroupPlan } from '../routing/plan.ts';
import type { GroupName, PersonName } from '../routing/rules.ts';
import type { Stage } from './parts.ts';
import { presenceOf } from './presence-of.ts';

type Around = Pick<Stage, 'ledger' | 'watcher' | 'clock'>;

export function namesFor(stage: Around, plan: GroupPlan): readonly PersonName[] {
  const standIns = stage.ledger.standIns(plan, stage.watcher, stage.clock.now());
  const all = [...allCandidates(plan), ...Object.values(standIns).flat()];
  return [...new Set(all.map(({ person }) => person))];
}

export function mayHave(stage: Around, plan: GroupPlan, person: PersonName): boolean {
  return allCandidates(plan).some((each) => each.person === person) || namesFor(stage, plan).includes(person);
}

/** The groups whose held mail may go to one of these because they stand in for somebody it waits for. */
export function awaitingInPlaceOf(
  stage: Pick<Stage, 'ledger' | 'watcher' | 'rules'>,
  people: ReadonlySet<PersonName>,
): readonly GroupName[] {
  const { people: known } = stage.rules.current();
  return stage.ledger.holding().filter((group) =>
    stage.ledger.awaited(group).some((name) => {
      const { substitute } = presenceOf(stage.watcher, name, known.get(name)?.jid ?? null);
      return substitute !== undefined && people.has(substitute);
    }),
  );
}
