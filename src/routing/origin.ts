// Which source gave which field of somebody: kept with each candidate of a decision, so that an explanation says what was
// so then, whatever directory and rules say by now. Pure.
import { directoryFile } from './directory-text.ts';
import { formatPlace } from './problem.ts';
import type { Origin, Person, PersonName, Place } from './rules.ts';

export interface CandidateOrigin extends Origin {
  /** Where a rule file says something of them, too; absent: the directory alone knows them. */
  readonly rule?: Place;
}

/** As a part of a candidate; nothing for people whom the directory does not know. */
export function originOf({ directory, place }: Person): { readonly origin?: CandidateOrigin } {
  if (!directory) return {};
  return { origin: place.file === directoryFile ? directory : { ...directory, rule: place } };
}

/** `alice: mail, skills by the directory (uid=alice,…); the rest by rules/people.yaml:12` */
export function describeOrigin(person: PersonName, { id, fields, rule }: CandidateOrigin): string {
  const rest = rule === undefined ? '' : formatPlace(rule);
  if (fields.length === 0) return `${person}: all of it by ${rest}; the directory knows them (${id})`;
  return `${person}: ${fields.join(', ')} by the directory (${id})${rest === '' ? '' : `; the rest by ${rest}`}`;
}
