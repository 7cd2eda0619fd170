// Names across all rule files: who defines what, and whether a name that is used is defined somewhere.

import type { PolicyEntry } from './policy-schema.ts';
import { didYouMean, formatPlace, quote, type Report } from './problem.ts';
import type { GroupEntry, PersonEntry, RuleFile, ScheduleEntry } from './rule-file.ts';
import type { Located, Named } from './schema.ts';

interface Entries {
  readonly person: PersonEntry;
  readonly group: GroupEntry;
  readonly policy: PolicyEntry;
  readonly schedule: ScheduleEntry;
}
export type NameKind = keyof Entries;

export class Names {
  readonly report: Report;
  /** False when a file could not be read: then a name that is unknown may only be unread. */
  readonly #complete: boolean;
  readonly #tables: { readonly [K in NameKind]: ReadonlyMap<string, Named<Entries[K]>> };

  constructor(files: readonly RuleFile[], complete: boolean, report: Report) {
    this.report = report;
    this.#complete = complete;
    this.#tables = {
      person: this.#table(
        'person',
        files.flatMap((file) => file.people ?? []),
      ),
      group: this.#table(
        'group',
        files.flatMap((file) => file.groups ?? []),
      ),
      policy: this.#table(
        'policy',
        files.flatMap((file) => file.policies ?? []),
      ),
      schedule: this.#table(
        'schedule',
        files.flatMap((file) => file.schedules ?? []),
      ),
    };
  }

  of<K extends NameKind>(kind: K): ReadonlyMap<string, Named<Entries[K]>> {
    return this.#tables[kind];
  }

  /** The name itself when it is known; otherwise reports. */
  known(kind: NameKind, { value, place }: Located<string>): string | undefined {
    const names = this.#tables[kind];
    if (names.has(value)) return value;
    if (this.#complete) {
      const hint = names.size === 0 ? ` (no ${kind} is defined)` : didYouMean(value, names.keys());
      this.report.error(place, `there is no ${kind} ${quote(value)}${hint}`);
    }
    return undefined;
  }

  #table<T>(kind: NameKind, entries: readonly Named<T>[]): ReadonlyMap<string, Named<T>> {
    const all = new Map<string, Named<T>>();
    for (const entry of entries) {
      const first = all.get(entry.name);
      if (first) {
        const where = formatPlace(first.place);
        this.report.error(
          entry.place,
          `the ${kind} ${quote(entry.name)} is defined a second time; the first is at ${where}`,
        );
      } else all.set(entry.name, entry);
    }
    return all;
  }
}
