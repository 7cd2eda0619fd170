// `pointsman track report | export`: how long mail for groups took, and all that is known of it for other programs.
import { type Duration, formatDuration } from '../clock.ts';
import type { Handled } from '../store/look-back.ts';
import type { Percentiles } from '../tracking/report.ts';
import type { Client } from './client.ts';
import { type Context, clientFor, type Target, writeJson } from './context.ts';
import { exitCodes } from './exit.ts';
import { zoneHere } from './moment.ts';
import { type Column, dateAndTime, table } from './terminal.ts';

export interface TrackReportOptions extends Target {
  readonly json?: boolean;
  /** How far back. */
  readonly since: Duration;
  readonly group?: string;
  readonly zone?: string;
}

export async function trackReport(context: Context, options: TrackReportOptions): Promise<number> {
  const { terminal, clock } = context;
  const until = clock.now();
  const report = await (await clientFor(context, options)).report({
    since: until - options.since,
    until,
    limit: 1,
    zone: options.zone ?? zoneHere(),
    ...(options.group === undefined ? {} : { group: options.group }),
  });
  if (options.json) {
    writeJson(context, report);
    return exitCodes.fine;
  }
  const { mails, watched, escalated, expired, toRead, toTaken, groups, people } = report;
  terminal.write(`${dateAndTime(report.since)} to ${dateAndTime(report.until)}: ${mails} mails for groups\n`);
  terminal.write(
    `watched ${watched}, escalated ${shareOf(escalated, watched)}, expired ${shareOf(expired, watched)}\n\n`,
  );
  const spans: readonly Column<readonly [string, Percentiles]>[] = [
    { title: 'UNTIL', cell: ([name]) => name },
    { title: 'OF', cell: ([, { count }]) => String(count), align: 'right' },
    ...toRead.values.map(({ percent }, index) => ({
      title: `${percent} %`,
      cell: ([, { values }]: readonly [string, Percentiles]) => spanOf(values[index]?.time ?? null),
      align: 'right' as const,
    })),
  ];
  const rows = [['it was read', toRead] as const, ['somebody took it', toTaken] as const];
  terminal.write(table(spans, rows, terminal.columns));
  if (groups.length > 0) {
    const columns: readonly Column<(typeof groups)[number]>[] = [
      { title: 'GROUP', cell: (one) => one.group, flexible: true },
      { title: 'MAILS', cell: (one) => String(one.mails), align: 'right' },
      { title: 'WATCHED', cell: (one) => String(one.watched), align: 'right' },
      { title: 'ESCALATED', cell: (one) => shareOf(one.escalated, one.watched), align: 'right' },
      { title: 'TAKEN', cell: (one) => String(one.taken), align: 'right' },
      { title: 'HALF WITHIN', cell: (one) => spanOf(one.medianToTaken), align: 'right' },
    ];
    terminal.write(`\n${table(columns, groups, terminal.columns)}`);
  }
  if (people.length > 0) {
    const columns: readonly Column<(typeof people)[number]>[] = [
      { title: 'PERSON', cell: (one) => one.person, flexible: true },
      { title: 'GIVEN', cell: (one) => String(one.given), align: 'right' },
      { title: 'TAKEN', cell: (one) => String(one.taken), align: 'right' },
      { title: 'HALF WITHIN', cell: (one) => spanOf(one.medianToTaken), align: 'right' },
    ];
    terminal.write(`\n${table(columns, people, terminal.columns)}`);
  }
  return exitCodes.fine;
}

const spanOf = (time: Duration | null): string => (time === null ? '-' : formatDuration(time));
const shareOf = (some: number, all: number): string =>
  all === 0 ? String(some) : `${some} (${Math.round((100 * some) / all)} %)`;

export interface TrackExportOptions extends Target {
  readonly since: Duration;
  readonly group?: string;
  readonly csv?: boolean;
}

const pageSize = 500;

/** Everything of each mail as one JSON object a line, or its moments as CSV; page by page, so that a year is no burden. */
export async function trackExport(context: Context, options: TrackExportOptions): Promise<number> {
  const { terminal, clock } = context;
  const client = await clientFor(context, options);
  const until = clock.now();
  if (options.csv) terminal.write(csvLine(Object.keys(csvFields)));
  for await (const one of handled(client, until - options.since, until)) {
    if (options.group !== undefined && one.group !== options.group) continue;
    if (options.csv) terminal.write(csvLine(Object.values(csvFields).map((field) => field(one))));
    else terminal.write(`${JSON.stringify({ ...one, story: await client.queued(one.queueId) })}\n`);
  }
  return exitCodes.fine;
}

async function* handled(client: Client, since: number, until: number): AsyncGenerator<Handled> {
  let after: string | undefined;
  for (;;) {
    const page = await client.handled({ since, until, limit: pageSize, ...(after === undefined ? {} : { after }) });
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < pageSize) return;
    after = `${last.queueId}.${last.seq}`;
  }
}

const moment = (at: number | null | undefined): string => (at == null ? '' : new Date(at).toISOString());
const firstOf = ({ evidence }: Handled, least: number): number | undefined =>
  evidence
    .filter(({ grade }) => grade >= least)
    .reduce<number | undefined>((min, { at }) => Math.min(min ?? at, at), undefined);

const csvFields: Readonly<Record<string, (one: Handled) => string>> = {
  queue_id: (one) => one.queueId,
  delivery: (one) => String(one.seq),
  group: (one) => one.group,
  accepted: (one) => moment(one.acceptedAt),
  state: (one) => one.state ?? '',
  owner: (one) => one.owner ?? '',
  given_to: (one) => one.given.map(({ person }) => person).join(' '),
  escalations: (one) => String(one.escalations),
  first_read: (one) => moment(firstOf(one, 4)),
  first_taken: (one) => moment(firstOf(one, 7)),
  closed: (one) => moment(one.closedAt),
};

/** RFC 4180; what a spreadsheet would take for a formula is made text. */
function csvLine(cells: readonly string[]): string {
  const safe = cells.map((cell) => (/^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell));
  return `${safe.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')}\r\n`;
}
