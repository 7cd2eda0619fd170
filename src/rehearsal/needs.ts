// What it takes to please held mail: only mail that needs the same waits in one line.
import type { GroupPlan } from '../routing/plan.ts';

const needs = new WeakMap<GroupPlan, string>();
export function needsOf(rule: GroupPlan): string {
  let known = needs.get(rule);
  if (known === undefined) {
    const left = rule.candidates.map(({ excluded }) => excluded !== undefined);
    known = JSON.stringify([rule.eligible, rule.requires, rule.cost, left]);
    needs.set(rule, known);
  }
  return known;
}
