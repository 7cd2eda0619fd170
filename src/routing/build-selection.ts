// How one of the members is chosen, as far as a group or a route says it.
import type { State } from '../presence/presence.ts';
import type { Names } from './names.ts';
import type { GroupEntry, RouteEntry } from './rule-file.ts';
import type { Policy, Selection } from './rules.ts';
import type { Located } from './schema.ts';

export const defaultEligible: readonly State[] = Object.freeze(['chat', 'available'] as const);

/** Only what was said. */
export function selectionOf(entry: GroupEntry | RouteEntry): Partial<Selection> {
  const states = entry.eligible?.value.map(({ value }) => value);
  const all: { readonly [K in keyof Selection]: Selection[K] | undefined } = {
    strategy: entry.strategy?.value,
    eligible: states && Object.freeze([...new Set(states)]),
    otherwise: entry.otherwise?.value,
    maxAge: entry.maxAge,
    askAfter: entry.askAfter,
    maxIdle: entry.maxIdle,
    unknown: entry.unknown,
    requires: entry.requires?.value,
    prefers: entry.prefers?.value,
    excludeSender: entry.excludeSender,
    cost: entry.cost?.value,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Partial<Selection>;
}

export function policyOf(
  entry: Located<string> | null | undefined,
  names: Names,
  policies: ReadonlyMap<string, Policy>,
): Policy | null {
  if (!entry) return null;
  const name = names.known('policy', entry);
  return name === undefined ? null : (policies.get(name) ?? null);
}
