// What the rules may not say where an MTA keeps the queue: it is known when they are loaded, not when mail comes.
import type { Problem, Rules } from './rules.ts';

/** @param milter what the configuration says of it; undefined: no MTA asks us */
export function checkDoors(rules: Rules, milter: { readonly hold: string | null } | undefined): readonly Problem[] {
  if (milter === undefined || milter.hold !== null) return [];
  return [...rules.groups.values()]
    .filter(({ hold }) => hold !== null)
    .map(
      ({ name, place }): Problem => ({
        severity: 'error',
        place,
        message: `the group ${name} holds mail, but there is a milter, whose MTA keeps the queue: take "hold" out, or write "hold: tempfail" or "hold: quarantine" under "milter" in the configuration`,
      }),
    );
}
