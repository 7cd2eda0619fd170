// What a replay found, for people: first how many mails would have gone elsewhere, from whom to whom and why; then how
// much each person would have had; then the mails themselves.
import type { Instant } from '../clock.ts';
import type { Difference, ReplayReport } from '../rehearsal/replay.ts';
import { table } from './terminal.ts';

export interface Compared {
  readonly report: ReplayReport;
  readonly since: Instant;
  readonly until: Instant;
  /** What the two sides are called. */
  readonly before: string;
  readonly after: string;
}

/** @param limit of mails that are listed. @param width of the terminal; null: nothing is cut */
export function describeReplay(compared: Compared, limit: number, width: number | null): string {
  const { report, before, after } = compared;
  const { differences, loads } = report;
  return [
    heading(compared),
    ...(differences.length > 0
      ? [
          table(
            [
              { title: before, cell: (one) => one.from, flexible: true },
              { title: after, cell: (one) => one.to, flexible: true },
              { title: 'mails', cell: (one) => String(one.mails), align: 'right' },
              { title: 'because, most often', cell: (one) => one.why, flexible: true },
            ],
            moves(differences),
            width,
          ),
        ]
      : []),
    ...(loads.length > 0
      ? [
          table(
            [
              { title: 'person', cell: (one) => one.person },
              { title: 'mails before', cell: (one) => String(one.before?.given ?? 0), align: 'right' },
              { title: 'after', cell: (one) => String(one.after?.given ?? 0), align: 'right' },
              {
                title: 'change',
                cell: (one) => signed((one.after?.given ?? 0) - (one.before?.given ?? 0)),
                align: 'right',
              },
              { title: 'most open at once', cell: (one) => String(one.after?.peak ?? 0), align: 'right' },
            ],
            loads,
            width,
          ),
        ]
      : []),
    ...(differences.length > 0 ? [listed(compared, limit, width)] : []),
    footnotes(report),
  ].join('\n');
}

function heading({ report, since, until, before, after }: Compared): string {
  const { mails, recipients, differences } = report;
  const share = recipients === 0 ? 0 : (100 * differences.length) / recipients;
  const percent = share > 0 && share < 1 ? 'less than 1 %' : `${Math.round(share)} %`;
  const span = Number.isFinite(since) ? `, ${minuteOf(since)} to ${minuteOf(until)} UTC` : '';
  return (
    `${mails} ${mails === 1 ? 'mail' : 'mails'} to ${recipients} ${recipients === 1 ? 'recipient' : 'recipients'}${span}\n` +
    (differences.length === 0
      ? `All would have gone where they went: ${after} instead of ${before} makes no difference.\n`
      : `${differences.length} (${percent}) would have gone elsewhere: ${after} instead of ${before}.\n`)
  );
}

function listed({ report: { differences }, before, after }: Compared, limit: number, width: number | null): string {
  const list = table(
    [
      { title: 'when', cell: (one) => minuteOf(one.receivedAt) },
      { title: 'for', cell: (one) => one.recipient, flexible: true },
      { title: 'subject', cell: (one) => one.subject ?? '', flexible: true },
      { title: before, cell: (one) => one.before.where, flexible: true },
      { title: after, cell: (one) => one.after.where, flexible: true },
      { title: 'why', cell: (one) => telling(one), flexible: true },
    ],
    differences.slice(0, limit),
    width,
  );
  const more = differences.length - limit;
  return more > 0 ? `${list}… and ${more} more (--limit ${differences.length} lists them all)\n` : list;
}

function footnotes({ withoutAttachments }: ReplayReport): string {
  return [
    ...(withoutAttachments > 0
      ? [
          `${withoutAttachments} mails were recorded without their attachments, since no rule asked for them then: tests on attachments are unknown for them.`,
        ]
      : []),
    'Assumed: whoever has a mail does with it what the one who really had it did, and takes as long.',
    'Mail that was refused when it came was never accepted, and is not among these.',
  ]
    .map((line) => `${line}\n`)
    .join('');
}

const minuteOf = (at: Instant): string => new Date(at).toISOString().slice(0, 16).replace('T', ' ');
const signed = (value: number): string => (value > 0 ? `+${value}` : String(value));

interface Move {
  readonly from: string;
  readonly to: string;
  readonly mails: number;
  readonly why: string;
}

/** Most kinds of difference that are shown. */
const mostMoves = 20;

function moves(differences: readonly Difference[]): readonly Move[] {
  const byMove = Map.groupBy(differences, ({ before, after }) => `${before.where}\n${after.where}`);
  const all = [...byMove.values()].flatMap((some): Move[] => {
    const [first] = some;
    if (!first) return [];
    return [{ from: first.before.where, to: first.after.where, mails: some.length, why: mostFrequentWhy(some) }];
  });
  const sorted = all.toSorted((a, b) => b.mails - a.mails || (`${a.from} ${a.to}` < `${b.from} ${b.to}` ? -1 : 1));
  const rest = sorted.slice(mostMoves);
  if (rest.length === 0) return sorted;
  const mails = rest.reduce((sum, one) => sum + one.mails, 0);
  return [...sorted.slice(0, mostMoves), { from: '…', to: `${rest.length} others`, mails, why: '' }];
}

/** Numbers apart: `least busy: 2 open` and `least busy: 3 open` are one reason. */
function mostFrequentWhy(differences: readonly Difference[]): string {
  const byReason = Map.groupBy(differences, (one) => telling(one).replaceAll(/\d+/g, '#'));
  const most = [...byReason.values()].reduce((a, b) => (b.length > a.length ? b : a));
  return most[0] ? telling(most[0]) : '';
}

/** The last of the reasons is what decided. */
function telling({ after }: Difference): string {
  return after.why.split('; ').at(-1) ?? '';
}
