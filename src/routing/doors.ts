// What the rules may not say where an MTA keeps the queue: it is known when they are loaded, not when mail comes.
// docs/reference/milter.md has the table; a test holds both together.
import type { Condition, Group, Link, Match, Place, Problem, Route, Rules } from './rules.ts';

/**
 * @param milter what the configuration says of it; undefined: no MTA asks us through one
 * @param lookup whether MTAs ask through a lookup
 */
export function checkDoors(
  rules: Rules,
  milter: { readonly hold: string | null } | undefined,
  lookup = false,
): readonly Problem[] {
  const groups = [...rules.groups.values()];
  return [
    ...(milter === undefined ? [] : groups.flatMap((group) => atMilter(group, milter.hold !== null))),
    ...(milter === undefined ? [] : rules.routes.flatMap(routeAtMilter)),
    // A lookup never sees more than the address, and passes the routes by.
    ...(lookup ? groups.flatMap(atLookup) : []),
  ];
}

/** One answer for the whole message, at once, and the MTA's queue: no waiting of ours. */
function atMilter(group: Group, mayHold: boolean): Problem[] {
  const { name, place, hold, chain = [], exclude = [] } = group;
  const holds = hold !== null || chain.some(({ kind }) => kind === 'hold');
  return [
    ...(holds && !mayHold ? [holdsMail(name, place)] : []),
    ...(group.mode === 'propose' ? [refused('a milter', `the group ${name}`, '"mode: propose"', place)] : []),
    ...exclude.flatMap(({ when, place: at }) =>
      asksWhatWaits(when) ? [refused('a milter', `the group ${name}`, waiting, at)] : [],
    ),
  ];
}

function routeAtMilter({ name, place, match, action }: Route): Problem[] {
  const proposes = action.kind === 'group' && action.mode === 'propose';
  return [
    ...(proposes ? [refused('a milter', `the route ${name}`, '"mode: propose"', place)] : []),
    ...(asksWhatWaits(match) ? [refused('a milter', `the route ${name}`, waiting, place)] : []),
  ];
}

/** An address is asked for, and nothing is known of the mail. */
function atLookup(group: Group): Problem[] {
  const { name, place, strategy, mode, chain = [], exclude = [], excludeSender } = group;
  const beyond = [
    ...(strategy === 'first-to-claim' || strategy === 'sticky' ? [`"strategy: ${strategy}"`] : []),
    ...(mode === 'observe' || mode === 'propose' ? [`"mode: ${mode}"`] : []),
    ...(chain.some(isFinalOnlyForMail) ? ['a chain of fallbacks that holds or refuses'] : []),
    ...(exclude.length > 0 ? ['"exclude"'] : []),
    ...(excludeSender ? ['"excludeSender"'] : []),
  ];
  return beyond.map((what) => refused('a lookup', `the group ${name}`, what, place));
}

const isFinalOnlyForMail = ({ kind }: Link): boolean => kind === 'hold' || kind === 'refuse';

/** The mail that waits is the MTA's: we cannot count it. */
const waiting = 'a condition on what is waiting';

function asksWhatWaits({ also = [] }: Match): boolean {
  return also.some((condition: Condition) => {
    switch (condition.kind) {
      case 'waiting':
        return true;
      case 'not':
        return asksWhatWaits(condition.of);
      case 'all':
      case 'any':
        return condition.of.some(asksWhatWaits);
      default:
        return false;
    }
  });
}

function holdsMail(name: string, place: Place): Problem {
  return {
    severity: 'error',
    place,
    message: `the group ${name} holds mail, but there is a milter, whose MTA keeps the queue: take "hold" out, or write "hold: tempfail" or "hold: quarantine" under "milter" in the configuration`,
  };
}

function refused(door: string, who: string, what: string, place: Place): Problem {
  return {
    severity: 'error',
    place,
    message: `${who} says ${what}, which ${door} cannot do, but there is ${door} in the configuration: take one of the two out`,
  };
}
