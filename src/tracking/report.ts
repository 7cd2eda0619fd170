// How long mail for groups took, and who had how much: what a report says, folded from one mail after the other. Pure.
// Evidence counts from "read" on, since what is weaker never stops a clock; "taken" is an acknowledgement or an answer.
import type { Duration, Instant } from '../clock.ts';
import { grades } from './evidence.ts';

export interface ReportMail {
  readonly group: string;
  readonly acceptedAt: Instant;
  readonly state: string | null;
  readonly closedAt: Instant | null;
  readonly owner: string | null;
  readonly escalations: number;
  readonly given: readonly { readonly person: string; readonly at: Instant }[];
  readonly evidence: readonly { readonly grade: number; readonly at: Instant }[];
}

export const percents = [50, 75, 90, 95, 99] as const;

/** The least time within which so many percent were done; `count` is of how many. */
export interface Percentiles {
  readonly count: number;
  readonly values: readonly { readonly percent: number; readonly time: Duration }[];
}

export interface GroupReport {
  readonly group: string;
  readonly mails: number;
  readonly watched: number;
  readonly escalated: number;
  readonly taken: number;
  readonly medianToTaken: Duration | null;
}

export interface PersonReport {
  readonly person: string;
  readonly given: number;
  readonly taken: number;
  /** From when they had it. */
  readonly medianToTaken: Duration | null;
  /** Mails given to them in each hour of the day. */
  readonly hours: readonly number[];
}

export interface Report {
  readonly since: Instant;
  /** Earlier than what was asked for where there was too much. */
  readonly until: Instant;
  readonly mails: number;
  /** Those that a policy watches; the shares below are of these. */
  readonly watched: number;
  readonly escalated: number;
  readonly expired: number;
  readonly toRead: Percentiles;
  readonly toTaken: Percentiles;
  readonly groups: readonly GroupReport[];
  readonly people: readonly PersonReport[];
}

interface GroupSum {
  mails: number;
  watched: number;
  escalated: number;
  readonly toTaken: Duration[];
}
interface PersonSum {
  given: number;
  readonly toTaken: Duration[];
  readonly hours: number[];
}

export class ReportFold {
  readonly #hourOf: (at: Instant) => number;
  readonly #toRead: Duration[] = [];
  readonly #toTaken: Duration[] = [];
  readonly #groups = new Map<string, GroupSum>();
  readonly #people = new Map<string, PersonSum>();
  #mails = 0;
  #watched = 0;
  #escalated = 0;
  #expired = 0;

  /** @param hourOf 0 to 23, where those are who read it */
  constructor(hourOf: (at: Instant) => number) {
    this.#hourOf = hourOf;
  }

  get mails(): number {
    return this.#mails;
  }

  add(mail: ReportMail): void {
    const group = of(this.#groups, mail.group, () => ({ mails: 0, watched: 0, escalated: 0, toTaken: [] }));
    this.#mails += 1;
    group.mails += 1;
    for (const { person, at } of mail.given) {
      const one = this.#person(person);
      const hour = this.#hourOf(at);
      one.given += 1;
      one.hours[hour] = (one.hours[hour] ?? 0) + 1;
    }
    if (mail.state === null) return;
    this.#watched += 1;
    group.watched += 1;
    if (mail.state === 'expired') this.#expired += 1;
    if (mail.escalations > 0) {
      this.#escalated += 1;
      group.escalated += 1;
    }
    const read = firstOf(mail, grades.seen);
    if (read !== null) this.#toRead.push(Math.max(0, read - mail.acceptedAt));
    const taken = takenAt(mail);
    if (taken === null) return;
    this.#toTaken.push(Math.max(0, taken - mail.acceptedAt));
    group.toTaken.push(Math.max(0, taken - mail.acceptedAt));
    if (mail.owner === null) return;
    const had = mail.given.findLast(({ person, at }) => person === mail.owner && at <= taken)?.at ?? mail.acceptedAt;
    this.#person(mail.owner).toTaken.push(Math.max(0, taken - had));
  }

  result(since: Instant, until: Instant): Report {
    return {
      since,
      until,
      mails: this.#mails,
      watched: this.#watched,
      escalated: this.#escalated,
      expired: this.#expired,
      toRead: percentiles(this.#toRead),
      toTaken: percentiles(this.#toTaken),
      groups: [...this.#groups]
        .map(([group, { toTaken, ...sums }]) => ({
          group,
          ...sums,
          taken: toTaken.length,
          medianToTaken: atPercent(sorted(toTaken), 50),
        }))
        .sort((a, b) => b.mails - a.mails || order(a.group, b.group)),
      people: [...this.#people]
        .map(([person, { given, toTaken, hours }]) => ({
          person,
          given,
          taken: toTaken.length,
          medianToTaken: atPercent(sorted(toTaken), 50),
          hours,
        }))
        .sort((a, b) => b.given - a.given || order(a.person, b.person)),
    };
  }

  #person(name: string): PersonSum {
    return of(this.#people, name, () => ({ given: 0, toTaken: [], hours: new Array<number>(24).fill(0) }));
  }
}

/** Evidence of the grade, else the end where somebody's word ended it: that may have come by a way without a grade. */
function takenAt(mail: ReportMail): Instant | null {
  const byEvidence = firstOf(mail, grades.taken);
  if (byEvidence !== null) return byEvidence;
  return mail.state === 'acknowledged' || mail.state === 'answered' ? mail.closedAt : null;
}

function firstOf({ evidence }: ReportMail, least: number): Instant | null {
  let first: Instant | null = null;
  // A promise says that somebody has seen it, and is not yet taking it.
  for (const { grade, at } of evidence) if (grade >= least && (first === null || at < first)) first = at;
  return first;
}

function of<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

const sorted = (times: readonly Duration[]): readonly Duration[] => [...times].sort((a, b) => a - b);
const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function percentiles(times: readonly Duration[]): Percentiles {
  const all = sorted(times);
  return {
    count: all.length,
    values: percents.flatMap((percent) => {
      const time = atPercent(all, percent);
      return time === null ? [] : [{ percent, time }];
    }),
  };
}

/** Nearest rank: a value that really occurred. */
function atPercent(all: readonly Duration[], percent: number): Duration | null {
  return all[Math.max(0, Math.ceil((percent / 100) * all.length) - 1)] ?? null;
}
