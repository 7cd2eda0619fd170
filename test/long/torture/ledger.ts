// The book-keeping. Every recipient that got a 250 must meet exactly one of the four ends of promise 1: the next hop has
// it, its sender was told, it is a dead letter because nobody may be told; or, while the next hop is in trouble, it is
// queued, which after healing is none. What came twice must have been logged as a possible duplicate before.
import type { LogLine } from '../../support/pointsman-process.ts';
import { type Bulk, groupAddress, type Posted } from './load.ts';
import type { Arrival } from './next-hop.ts';

export interface Ledger {
  readonly posted: readonly Posted[];
  readonly arrivals: readonly Arrival[];
  readonly log: readonly LogLine[];
  /** Refused by the next hop with a reply of 5xx. */
  readonly refused: ReadonlySet<string>;
  /** Recipients of dead letters. */
  readonly dead: ReadonlySet<string>;
  /** Queue ids of dead letters: a report that is refused becomes one. */
  readonly deadIds: ReadonlySet<string>;
  /** Lives in which the clock stood days ahead: what waited then may have been given up. */
  readonly expired: boolean;
  /** Lives after which what was never synced was taken back. */
  readonly cutAfter: ReadonlySet<number>;
  readonly bulk: readonly Pick<Bulk, 'recipient' | 'queueIds'>[];
}

export interface Account {
  readonly problems: readonly string[];
  readonly recipients: number;
  readonly delivered: number;
  readonly reported: number;
  readonly dead: number;
  readonly bulk: number;
  readonly duplicates: number;
}

const members = new Set(['anna@torture.test', 'bert@torture.test', 'duty@torture.test']);

export function settleAccounts(ledger: Ledger): Account {
  const problems: string[] = [];
  const { arrivals, posted, refused, dead } = ledger;
  const of = Map.groupBy(arrivals, ({ queueId }) => queueId);
  // Reports by whom they are about: the numbers in the addresses make them unique.
  const reports = new Map<string, Set<string>>();
  for (const { queueId, reported } of arrivals) {
    for (const each of reported) reports.set(each, (reports.get(each) ?? new Set()).add(queueId));
  }
  const excuses = new Map<string, number>();
  for (const line of ledger.log) {
    const said = `${line.msg} ${'reply' in line ? line.reply : ''}`;
    if (line.queueId === undefined || !said.includes('possible duplicate')) continue;
    // Told of one recipient, or of all that the message still had.
    const key = typeof line.to === 'string' ? `${line.queueId} ${line.to}` : line.queueId;
    excuses.set(key, (excuses.get(key) ?? 0) + 1);
  }

  const deadReports = new Set<string>();
  for (const { event, queueId, report } of ledger.log) {
    if (event === 'reported' && queueId !== undefined && ledger.deadIds.has(`${report}`)) deadReports.add(queueId);
  }

  const sum = { recipients: 0, delivered: 0, reported: 0, dead: 0 };
  for (const mail of posted) {
    const came = of.get(mail.queueId) ?? [];
    for (const recipient of mail.recipients) {
      sum.recipients += 1;
      const isGroup = recipient === groupAddress;
      const delivered = came.some(({ recipients }) =>
        recipients.some((each) => (isGroup ? members.has(each) : each === recipient)),
      );
      const about = reports.get(recipient)?.size ?? 0;
      const ends = [delivered && 'delivered', about > 0 && 'reported', dead.has(recipient) && 'dead letter'].filter(
        (end) => end !== false,
      );
      const name = `${recipient} of ${mail.queueId} (life ${mail.life})`;
      const unsure = [mail.queueId, `${mail.queueId} ${recipient}`].some((key) => excuses.has(key));
      if (ends.length === 0 && refused.has(recipient) && deadReports.has(mail.queueId)) ends.push('dead letter');
      if (ends.length === 0) problems.push(`lost: ${name}`);
      // Taken by a next hop that did not say so, and refused when it came again: nobody can know better.
      if (ends.length > 1 && !(delivered && unsure)) problems.push(`several ends: ${name}: ${ends.join(' and ')}`);
      if (about > 1 && ledger.cutAfter.size === 0) problems.push(`${about} reports about ${name}`);
      if (about > 0 && !refused.has(recipient) && !ledger.expired)
        problems.push(`reported, but never refused: ${name}`);
      if (about > 0 && (mail.from === '' || mail.never)) problems.push(`reported although forbidden: ${name}`);
      if (dead.has(recipient) && mail.from !== '' && !mail.never) problems.push(`dead although reportable: ${name}`);
      if (delivered) sum.delivered += 1;
      else if (about > 0) sum.reported += 1;
      else if (ends.length > 0) sum.dead += 1;
    }
  }
  let bulk = 0;
  for (const { recipient, queueIds } of ledger.bulk) {
    const missing = [...queueIds].filter((queueId) => !of.has(queueId));
    // A message of smtp-source is told from the next only by its queue id, which a report does not name.
    const told = reports.get(recipient)?.size ?? 0;
    bulk += queueIds.size;
    const unread = missing.filter((queueId) => deadReports.has(queueId)).length;
    if (missing.length > told + unread)
      problems.push(
        `lost: ${missing.length - told - unread} of ${queueIds.size} to ${recipient}, of ${missing.join(', ')}`,
      );
  }
  return { problems: [...problems, ...unexcused(ledger, excuses)], ...sum, bulk, duplicates: duplicatesIn(arrivals) };
}

const copies = (arrivals: readonly Arrival[]): Map<string, Arrival[]> => {
  const same = new Map<string, Arrival[]>();
  for (const arrival of arrivals) {
    for (const recipient of arrival.recipients) {
      const key = `${arrival.queueId} ${recipient}`;
      const known = same.get(key);
      if (known) known.push(arrival);
      else same.set(key, [arrival]);
    }
  }
  return same;
};

const duplicatesIn = (arrivals: readonly Arrival[]): number =>
  [...copies(arrivals).values()].reduce((sum, { length }) => sum + length - 1, 0);

function unexcused({ arrivals, log, cutAfter }: Ledger, excuses: ReadonlyMap<string, number>): string[] {
  const problems: string[] = [];
  const forwardedIn = new Map<string, number>();
  for (const line of log) {
    if (line.event === 'forwarded') forwardedIn.set(`${line.queueId} ${line.to}`, Number(line.life));
  }
  for (const [key, same] of copies(arrivals)) {
    if (same.length < 2) continue;
    const [queueId = ''] = key.split(' ');
    const told = (excuses.get(queueId) ?? 0) + (excuses.get(key) ?? 0);
    // What a power cut took back may be the record of the final dot itself.
    const forgotten = same.filter(({ life }) => cutAfter.has(life)).length;
    if (told + forgotten < same.length - 1)
      problems.push(`${same.length} times, ${told} of them told as possible: ${key}`);
    const settledIn = forwardedIn.get(key);
    if (settledIn === undefined) continue;
    // What was settled stays settled, unless the disk lost it afterwards.
    const later = same.filter(({ life }) => life > settledIn && ![...cutAfter].some((cut) => cut < life));
    if (later.length > 0) problems.push(`again after it was settled in life ${settledIn}: ${key}`);
  }
  return problems;
}
