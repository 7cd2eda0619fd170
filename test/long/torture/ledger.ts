// The book-keeping. Every recipient that got a 250 must meet exactly one of the four ends of promise 1: the next hop has
// it, its sender was told, it is a dead letter because nobody may be told; or, while the next hop is in trouble, it is
// queued, which after healing is none. What came twice must have been announced as a possible duplicate before.
//
// Nothing is told by an address alone: a delivery belongs to a message by the queue id in our Received field and by its
// Message-ID, a report by the ENVID it returns, or the Message-ID, and by the original recipient.
import type { LogLine } from '../../support/pointsman-process.ts';
import { type Bulk, groupAddress, messageIdOf, type Posted } from './load.ts';
import type { Arrival } from './next-hop.ts';

/** Of one message, as Pointsman tells it. */
export interface Told {
  readonly queueId: string;
  readonly event?: string;
  readonly at?: unknown;
  readonly seq?: unknown;
  readonly to?: unknown;
  readonly reply?: unknown;
  readonly report?: unknown;
}

export interface Ledger {
  readonly posted: readonly Posted[];
  /** May have been accepted. */
  readonly unsure: readonly Omit<Posted, 'queueId'>[];
  readonly arrivals: readonly Arrival[];
  readonly log: readonly (LogLine & { readonly life: number })[];
  /** Events of the store: what a killed process could not put into its log any more. */
  readonly stored: readonly Told[];
  /** Refused by the next hop with a reply of 5xx: see TroubledHop. */
  readonly refused: ReadonlySet<string>;
  /** Dead letters: queue id and recipient. */
  readonly dead: ReadonlySet<string>;
  /** The clock stood days ahead at the end of this life: what had been accepted may have been given up. */
  readonly expiredIn: number;
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
  /** Messages that came, reports among them. */
  readonly arrivals: number;
  readonly reports: number;
  readonly duplicates: number;
  /** How often one was announced as possible. */
  readonly announced: number;
}

const chief = 'chief@torture.test';
const members = new Set(['anna@torture.test', 'bert@torture.test', 'duty@torture.test']);

export function settleAccounts(ledger: Ledger): Account {
  const books = new Books(ledger);
  const problems = [...books.strays()];
  const sum = { recipients: 0, delivered: 0, reported: 0, dead: 0 };
  for (const mail of ledger.posted) {
    problems.push(...books.mixedUp(mail));
    for (const recipient of mail.recipients) {
      sum.recipients += 1;
      const { end, wrong } = books.endOf(mail, recipient);
      problems.push(...wrong);
      if (end !== undefined) sum[end] += 1;
    }
  }
  for (const bulk of ledger.bulk) problems.push(...books.missingOf(bulk));
  return {
    problems: [...problems, ...books.unannounced()],
    ...sum,
    bulk: ledger.bulk.reduce((all, { queueIds }) => all + queueIds.size, 0),
    arrivals: ledger.arrivals.length,
    reports: ledger.arrivals.filter(({ report }) => report !== undefined).length,
    duplicates: books.duplicates,
    announced: books.announced,
  };
}

type End = 'delivered' | 'reported' | 'dead';

class Books {
  readonly #ledger: Ledger;
  /** By Message-ID: for whom it was. */
  readonly #mails = new Map<string, Omit<Posted, 'queueId'>>();
  readonly #arrivals: ReadonlyMap<string, readonly Arrival[]>;
  /** Message-ID and recipient: the reports that name them, by their queue ids, and the lives in which they came. */
  readonly #reports = new Map<string, Map<string, number>>();
  readonly #strays: string[] = [];
  /** Queue id and recipient: the lives in which it was said that it may come twice; null: the store alone knows of it. */
  readonly #excuses = new Map<string, (number | null)[]>();
  /** Queue ids of messages whose report is itself a dead letter. */
  readonly #deadReports = new Set<string>();
  readonly #copies = new Map<string, Arrival[]>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
    for (const mail of [...ledger.unsure, ...ledger.posted]) this.#mails.set(messageIdOf(mail.number), mail);
    this.#arrivals = Map.groupBy(ledger.arrivals, ({ queueId }) => queueId);
    const bulk = new Map(
      ledger.bulk.flatMap(({ queueIds, recipient }) => [...queueIds].map(([, id]) => [id, recipient])),
    );
    const byEnvid = new Map([...this.#mails].flatMap(([id, { envid }]) => (envid === undefined ? [] : [[envid, id]])));
    for (const arrival of ledger.arrivals) {
      const { queueId, life, report, messageId } = arrival;
      for (const recipient of arrival.recipients) {
        const key = `${queueId} ${this.#asSent(messageId, recipient)}`;
        this.#copies.set(key, [...(this.#copies.get(key) ?? []), arrival]);
      }
      if (!report) continue;
      const about = report.envid === undefined ? report.about : byEnvid.get(report.envid);
      // smtp-source gives no ENVID, and its mail may have been accepted without our hearing it.
      const known = about !== undefined && (this.#mails.has(about) || bulk.has(about) || !about.includes('torture-'));
      if (!known || about !== report.about)
        this.#strays.push(`a report on nothing that was sent: ${queueId}, ${report.envid ?? report.about}`);
      for (const each of report.failed) {
        const key = `${about} ${this.#asSent(about ?? '', each)}`;
        const same = this.#reports.get(key) ?? new Map<string, number>();
        this.#reports.set(key, same.set(queueId, Math.max(life, same.get(queueId) ?? 0)));
      }
    }
    this.#readWhatWasTold();
  }

  #readWhatWasTold(): void {
    const { log, stored, dead } = this.#ledger;
    const deadIds = new Set([...dead].map((key) => key.split(' ')[0]));
    const messageIds = new Map(this.#ledger.posted.map(({ queueId, number }) => [queueId, messageIdOf(number)]));
    const events = new Set<string>();
    const told: readonly Told[] = [
      ...log.flatMap((line) => (line.queueId === undefined ? [] : [line as Told])),
      ...stored,
    ];
    for (const line of told) {
      const { queueId, event, at, seq, to } = line;
      if (event === 'reported' && deadIds.has(`${line.report}`)) this.#deadReports.add(queueId);
      const said = `${'msg' in line ? line.msg : ''} ${line.reply ?? ''}`;
      if (!said.includes('possible duplicate')) continue;
      // An event stands in the log and in the store; a warning is said each time.
      const once = `${event} ${queueId} ${seq} ${at}`;
      if (event !== undefined && events.has(once)) continue;
      events.add(once);
      const key = `${queueId} ${this.#asSent(messageIds.get(queueId) ?? '', `${to}`)}`;
      const life = 'life' in line ? Number(line.life) : null;
      this.#excuses.set(key, [...(this.#excuses.get(key) ?? []), life]);
    }
  }

  /** Whom the sender meant: what a member gets was for the group, if the group had it. */
  #asSent(messageId: string, recipient: string): string {
    const mail = this.#mails.get(messageId);
    return mail?.recipients.includes(groupAddress) && members.has(recipient) ? groupAddress : recipient;
  }

  strays(): readonly string[] {
    return this.#strays;
  }

  /** What came is the message, to the octet. */
  mixedUp({ queueId, number, digest }: Posted): readonly string[] {
    return (this.#arrivals.get(queueId) ?? [])
      .filter((arrival) => arrival.messageId !== messageIdOf(number) || arrival.digest !== digest)
      .map((arrival) => `came as another: ${queueId} as ${arrival.messageId}`);
  }

  endOf(mail: Posted, recipient: string): { end?: End; wrong: readonly string[] } {
    const { refused, dead, expiredIn, cutAfter } = this.#ledger;
    const { queueId } = mail;
    const wrong: string[] = [];
    const reports = this.#reports.get(`${messageIdOf(mail.number)} ${recipient}`);
    const isDead = dead.has(`${queueId} ${recipient}`);
    const ends: End[] = [];
    if (this.#copies.has(`${queueId} ${recipient}`)) ends.push('delivered');
    if (reports !== undefined) ends.push('reported');
    if (isDead) ends.push('dead');
    const isGroup = recipient === groupAddress;
    const wasRefused = [recipient, ...(isGroup ? members : [])].some(
      (each) => refused.has(each) || refused.has(`${queueId} ${each}`),
    );
    if (ends.length === 0 && (wasRefused || mail.life <= expiredIn) && this.#deadReports.has(queueId))
      ends.push('dead');
    const name = `${recipient} of ${queueId} (life ${mail.life})`;
    // Nobody takes it, so it goes on, whatever dies meanwhile; unless it could not.
    const wentOn = this.#copies.has(`${queueId} ${chief}`) || refused.has(`${queueId} ${chief}`);
    if (isGroup && ends.includes('delivered') && !wentOn) wrong.push(`did not go on to ${chief}: ${name}`);
    if (ends.length === 0) wrong.push(`lost: ${name}`);
    // Taken by a next hop that did not say so, and refused when it came again: nobody can know better.
    const unsure = this.#excuses.has(`${queueId} ${recipient}`);
    if (ends.length > 1 && !(ends.includes('delivered') && unsure))
      wrong.push(`several ends: ${name}: ${ends.join(' and ')}`);
    // What a power cut has taken back is told again.
    const firstCut = Math.min(...cutAfter);
    const counted = [...(reports?.values() ?? [])].filter((life) => life <= firstCut).length;
    if (counted > 1) wrong.push(`${counted} reports about ${name}`);
    if (reports !== undefined && !wasRefused && mail.life > expiredIn)
      wrong.push(`reported, but never refused: ${name}`);
    if (reports !== undefined && (mail.from === '' || mail.never)) wrong.push(`reported although forbidden: ${name}`);
    if (isDead && mail.from !== '' && !mail.never) wrong.push(`dead although reportable: ${name}`);
    return { ...(ends[0] === undefined ? {} : { end: ends[0] }), wrong };
  }

  missingOf({ recipient, queueIds }: Pick<Bulk, 'recipient' | 'queueIds'>): readonly string[] {
    return [...queueIds].flatMap(([queueId, messageId]) => {
      const met =
        this.#copies.has(`${queueId} ${recipient}`) ||
        this.#reports.has(`${messageId} ${recipient}`) ||
        this.#deadReports.has(queueId);
      return met ? [] : [`lost: ${recipient} of ${queueId} (smtp-source)`];
    });
  }

  get duplicates(): number {
    return [...this.#copies.values()].reduce((sum, { length }) => sum + length - 1, 0);
  }

  get announced(): number {
    return [...this.#excuses.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** How many copies were announced: after the one before came, and each by an announcement of its own. */
  #announced(key: string, same: readonly Arrival[]): number {
    const never = Number.POSITIVE_INFINITY;
    const left = (this.#excuses.get(key) ?? []).toSorted((one, other) => (one ?? never) - (other ?? never));
    return same.filter(({ life }, at) => {
      const before = same[at - 1];
      if (!before) return false;
      const found = left.findIndex((said) => said === null || (said >= before.life && said <= life));
      if (found >= 0) left.splice(found, 1);
      return found >= 0;
    }).length;
  }

  unannounced(): readonly string[] {
    const { log, cutAfter } = this.#ledger;
    const problems: string[] = [];
    const forwardedIn = new Map<string, number>();
    for (const { event, queueId, to, life } of log) {
      if (event === 'forwarded') forwardedIn.set(`${queueId} ${to}`, life);
    }
    for (const [key, same] of this.#copies) {
      const settledIn = forwardedIn.get(key);
      // What was settled stays settled, unless the disk lost it afterwards.
      const later = same.filter(
        ({ life }) =>
          settledIn !== undefined && life > settledIn && ![...cutAfter].some((cut) => cut >= settledIn && cut < life),
      );
      if (later.length > 0) problems.push(`again after it was settled in life ${settledIn}: ${key}`);
      if (same.length < 2) continue;
      const told = this.#announced(key, same);
      // What a power cut took back may be the record of the final dot itself.
      const forgotten = same.filter(({ life }) => cutAfter.has(life)).length;
      if (told + forgotten < same.length - 1) problems.push(`${same.length} times, ${told} of them announced: ${key}`);
    }
    return problems;
  }
}
