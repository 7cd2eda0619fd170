// Which header fields the rules look at: a door that is told of a header field by field reads these, and no others.
import { type NameSet, nameSet } from '../mail/told-header.ts';
import { headersRead } from './match.ts';
import type { Rules } from './rules.ts';

const made = new WeakMap<Rules, NameSet>();

/** @param always besides those that a rule asks for; the same at every call */
export function headersReadBy(rules: Rules, always: readonly string[]): NameSet {
  const known = made.get(rules);
  if (known) return known;
  const excluding = [...rules.groups.values()].flatMap(({ exclude = [] }) => exclude.map(({ when }) => when));
  const matches = [...rules.routes.map(({ match }) => match), ...excluding];
  const names = nameSet([...always, ...matches.flatMap(headersRead)]);
  made.set(rules, names);
  return names;
}
