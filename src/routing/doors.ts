// What the rules may not say where an MTA keeps the queue: it is known when they are loaded, not when mail comes.
import type { Group, Problem, Route, Rules } from './rules.ts';

/**
 * @param milter what the configuration says of it; undefined: no MTA asks us through one
 * @param lookup whether MTAs ask through a lookup
 */
export function checkDoors(
  rules: Rules,
  milter: { readonly hold: string | null } | undefined,
  lookup = false,
): readonly Problem[] {
  if (milter === undefined && !lookup) return [];
  const door = milter === undefined ? 'a lookup' : 'a milter';
  const groups = [...rules.groups.values()];
  return [
    ...groups.flatMap((group) => (milter?.hold === null && group.hold !== null ? [holds(group)] : [])),
    ...groups.flatMap((group) => beyond(group).map((what) => refused(door, `the group ${group.name}`, what, group))),
    // It answers at once, from what is known.
    ...(lookup
      ? groups.flatMap((group) =>
          group.askAfter === undefined ? [] : [refused('a lookup', `the group ${group.name}`, '"askAfter"', group)],
        )
      : []),
    // A lookup never sees more than the address, and passes the routes by.
    ...(milter === undefined
      ? []
      : rules.routes.flatMap((route) =>
          beyondOf(route).map((what) => refused(door, `the route ${route.name}`, what, route)),
        )),
  ];
}

function holds({ name, place }: Group): Problem {
  return {
    severity: 'error',
    place,
    message: `the group ${name} holds mail, but there is a milter, whose MTA keeps the queue: take "hold" out, or write "hold: tempfail" or "hold: quarantine" under "milter" in the configuration`,
  };
}

function refused(door: string, who: string, what: string, { place }: { readonly place: Group['place'] }): Problem {
  return {
    severity: 'error',
    place,
    message: `${who} says ${what}, which only the SMTP relay can do, but there is ${door} in the configuration: take one of the two out`,
  };
}

/** One recipient becomes one other while the MTA waits: what needs more than that is not for these doors. */
function beyond({ strategy, chain, mode, exclude = [] }: Group): string[] {
  return [
    ...strategyBeyond(strategy),
    ...(chain === undefined ? [] : ['a chain of fallbacks']),
    ...modeBeyond(mode),
    ...(exclude.length > 0 ? ['"exclude"'] : []),
  ];
}

function beyondOf({ match, action, copy, tags, headers }: Route): string[] {
  const chosen = action.kind === 'group' ? [...strategyBeyond(action.strategy), ...modeBeyond(action.mode)] : [];
  const adds = [copy, tags, headers].some((one) => one !== undefined && one.length > 0);
  return [
    ...((match.also ?? []).length > 0 ? ['a condition other than recipient, sender, subject or header'] : []),
    ...chosen,
    ...(adds ? ['"copy", "tag" or "addHeader"'] : []),
  ];
}

const modeBeyond = (mode: Group['mode']): string[] =>
  mode === 'observe' || mode === 'propose' ? [`"mode: ${mode}"`] : [];

const strategyBeyond = (strategy: Group['strategy'] | undefined): string[] =>
  strategy === 'everyone' || strategy === 'first-to-claim' || strategy === 'sticky' ? [`"strategy: ${strategy}"`] : [];
