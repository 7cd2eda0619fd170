// Which routes can match a recipient at all. Most routes of a large set name their recipients outright; those are found
// by a look-up instead of a thousand comparisons. The order of the files stays the order of judging.
import type { Route, Rules } from './rules.ts';

interface RouteIndex {
  /** Routes that do not name their recipients outright, with their positions. */
  readonly open: readonly number[];
  readonly byRecipient: ReadonlyMap<string, readonly number[]>;
  /** Lists that were merged before; bounded, since recipients come from outside. */
  readonly merged: Map<string, readonly Route[]>;
}

const made = new WeakMap<Rules, RouteIndex>();
const mostMerged = 2000;

/** @param recipient in lower case, as exact tests are kept */
export function routesFor(rules: Rules, recipient: string): readonly Route[] {
  const index = indexOf(rules);
  const named = index.byRecipient.get(recipient);
  const key = named === undefined ? '' : recipient;
  const known = index.merged.get(key);
  if (known) return known;
  const positions = named === undefined ? index.open : [...index.open, ...named].sort((a, b) => a - b);
  const routes = positions.flatMap((position) => rules.routes[position] ?? []);
  if (index.merged.size < mostMerged) index.merged.set(key, routes);
  return routes;
}

function indexOf(rules: Rules): RouteIndex {
  const known = made.get(rules);
  if (known) return known;
  const open: number[] = [];
  const byRecipient = new Map<string, number[]>();
  for (const [position, { match }] of rules.routes.entries()) {
    const tests = match.recipient;
    const texts = tests?.flatMap((test) => (test.kind === 'exact' ? [test.text] : []));
    if (texts !== undefined && texts.length === tests?.length) {
      for (const text of new Set(texts)) {
        const positions = byRecipient.get(text);
        if (positions) positions.push(position);
        else byRecipient.set(text, [position]);
      }
    } else open.push(position);
  }
  const index = { open, byRecipient, merged: new Map() };
  made.set(rules, index);
  return index;
}
