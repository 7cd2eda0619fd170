// What the console's further pages look at: faults with what to do about them, reports, how people were over a day, the
// rule files. Everything long is read in pages.
import { type Clock, type Duration, hour, type Instant, minute, second } from '../clock.ts';
import { isFaultId, kindOf } from '../notify/faults.ts';
import { RefusedError } from '../operations.ts';
import type { FaultAction, FaultView, Oversight, PresenceDay, ReportQuestion } from '../oversight.ts';
import type { Problem, RuleSource } from '../routing/rules.ts';
import type { Fault, Store } from '../store/store.ts';
import { type Report, ReportFold } from '../tracking/report.ts';
import { isZone, wallTimeAt } from '../zone.ts';
import { createTrials, type Rehearse } from './trials.ts';

export interface OverseeOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly rules: RuleSource & {
    problems(): readonly Problem[];
    rejected(): boolean;
    files(): readonly { readonly name: string; readonly text: string }[];
    filesInForce(): readonly { readonly name: string; readonly text: string }[];
  };
  readonly relay: {
    actOnFault(number: number, action: FaultAction, by: string): Promise<Fault>;
    load(person: string): { readonly open: number; readonly lastAssignedAt: Instant | null };
  };
  readonly watcher: Parameters<typeof createTrials>[0]['watcher'];
  readonly rehearse: Rehearse;
}

/** A report of more mails than this says where it ends. */
const mostMails = 100_000;
/** So many are read in some milliseconds: mail that is to be made safe waits no longer than that. */
const pageSize = 200;
/** Whoever asks again within this gets the same: many may look at one page. */
const reportsLast: Duration = 20 * second;
/** What took long to make is kept for so many times as long: reports must not keep the store from its mail. */
const worthItsTime = 50;
const mostReports = 20;

export function createOversight(options: OverseeOptions): Oversight {
  const { store, clock, rules, relay } = options;
  const reports = new Map<string, { readonly at: Instant; lasts: Duration; readonly report: Promise<Report> }>();

  async function makeReport({ since, until, group, zone }: ReportQuestion): Promise<Report> {
    const fold = new ReportFold((at) => Math.floor(wallTimeAt(at, zone).time / hour));
    let after: Parameters<Store['handled']>[0]['after'];
    for (;;) {
      const page: Awaited<ReturnType<Store['handled']>> = await store.handled({
        since,
        until,
        limit: pageSize,
        ...(after ? { after } : {}),
      });
      for (const mail of page) if (group === undefined || mail.group === group) fold.add(mail);
      const last = page.at(-1);
      if (!last || page.length < pageSize) return fold.result(since, until);
      after = { queueId: last.queueId, seq: last.seq };
      if (fold.mails >= mostMails) return fold.result(since, last.acceptedAt);
    }
  }

  return {
    faults: async (which) => (await store.faults(which)).map(viewOf),
    actOnFault: async (number, action, by) => viewOf(await relay.actOnFault(number, action, by)),
    audited: (filter) => store.audited(filter),
    async note(entry) {
      const number = await store.audit({ ...entry, at: clock.now(), before: {} });
      await store.auditEnd(number, 'done', {});
    },
    lately: (filter) => store.lately(filter),
    handled: (filter) => store.handled(filter),
    async report(question) {
      const { since, until, group, zone } = question;
      if (!isZone(zone)) throw new RefusedError(`there is no time zone ${JSON.stringify(zone.slice(0, 60))}`);
      if (until <= since) throw new RefusedError('the end is not after the beginning');
      const now = clock.now();
      // A minute more or less at the ends makes no other report; one until now stays one until now.
      const end = Math.abs(until - now) < minute ? 'now' : Math.floor(until / minute);
      const key = JSON.stringify([end, Math.floor((until - since) / minute), group, zone]);
      const known = reports.get(key);
      if (known && now - known.at < known.lasts) return known.report;
      const report = makeReport(question);
      const made = { at: now, lasts: reportsLast, report };
      reports.delete(key);
      reports.set(key, made);
      report.then(
        () => {
          made.lasts = Math.max(reportsLast, worthItsTime * (clock.now() - now));
        },
        () => reports.delete(key),
      );
      for (const [oldest] of reports) {
        if (reports.size <= mostReports) break;
        reports.delete(oldest);
      }
      return report;
    },
    presenceDays: (names, since, until) => presenceDays(options, names, since, until),
    ruleFiles: () => ({
      version: rules.current().version,
      rejected: rules.rejected(),
      problems: rules.problems(),
      files: rules.files(),
    }),
    ...createTrials(options),
  };
}

function viewOf(fault: Fault): FaultView {
  const kind = isFaultId(fault.kind) ? kindOf(fault.kind) : null;
  return {
    ...fault,
    meaning: kind?.meaning ?? null,
    todo: kind?.action ?? null,
    clears: kind?.clears ?? null,
    byHand: kind?.byHand ?? false,
  };
}

async function presenceDays(
  { store, rules, clock }: OverseeOptions,
  names: readonly string[],
  since: Instant,
  until: Instant,
): Promise<readonly PresenceDay[]> {
  const { people } = rules.current();
  const end = Math.min(until, clock.now());
  const jids = names.flatMap((name) => people.get(name)?.jid ?? []);
  const known = new Map((await store.presenceSpans({ jids, since, until: end })).map((one) => [one.jid, one]));
  return names.map((name) => {
    const jid = people.get(name)?.jid;
    const one = jid ? known.get(jid) : undefined;
    const spans: { from: Instant; to: Instant; state: PresenceDay['spans'][number]['state'] }[] = [];
    let from = since;
    let state = one?.first ?? null;
    for (const change of one?.changes ?? []) {
      if (change.state === state) continue;
      if (change.at > from) spans.push({ from, to: change.at, state });
      from = change.at;
      state = change.state;
    }
    if (end > from) spans.push({ from, to: end, state });
    return { name, spans };
  });
}
