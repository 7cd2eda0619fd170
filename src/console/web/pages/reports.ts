// Reports: how fast mail for groups is read and taken, how much of it moves on, and who has how much at which hour.
// Every chart has its table, and every table its file.
import type { Duration } from '../../../clock.ts';
import { percents, type Report } from '../../../tracking/report.ts';
import { formatDate, wallTimeAt } from '../../../zone.ts';
import { table } from '../bits.ts';
import { hourGrid, shareBars, timeBars } from '../charts.ts';
import { dateAndTime, type Html, html, length, raw, safe, type View } from '../view.ts';

export const spans = ['1', '7', '30', '90', 'dates'] as const;

export interface ReportWish {
  readonly span: (typeof spans)[number];
  /** Day numbers, for `dates`; both count. */
  readonly first: number | null;
  readonly last: number | null;
  readonly group: string;
}

const mostRows = 24;

export function reportsPage(
  view: View,
  { report, wish, groups }: { readonly report: Report; readonly wish: ReportWish; readonly groups: readonly string[] },
): Html {
  const { t } = view;
  return html`<h1>${t.reports.title}</h1>${conditions(view, report, wish, groups)}
    <p class="sum">${t.reports.sum(report.mails, report.watched)} ${
      report.watched === 0
        ? ''
        : t.reports.moved(report.escalated, percent(report.escalated, report.watched), report.expired)
    }</p>
    <p class="note">${dateAndTime(view, report.since)} – ${dateAndTime(view, report.until)}</p>
    ${report.mails === 0 ? html`<p class="empty">${t.reports.none}</p>` : html`${times(view, report, wish)}${shares(view, report, wish)}${load(view, report, wish)}`}`;
}

export function queryOf({ span, first, last, group }: ReportWish): string {
  return new URLSearchParams({
    span,
    ...(first === null ? {} : { first: formatDate(first) }),
    ...(last === null ? {} : { last: formatDate(last) }),
    ...(group === '' ? {} : { group }),
  }).toString();
}

function conditions(view: View, report: Report, wish: ReportWish, groups: readonly string[]): Html {
  const { t } = view;
  const dateOf = (at: number) => formatDate(wallTimeAt(at, view.zone).dayNumber);
  return html`<form method="get" action="/reports" class="conditions" role="search">
    <label>${t.reports.span} <select name="span">${spans.map(
      (one) =>
        html`<option value="${one}" ${one === wish.span ? raw('selected') : ''}>${t.reports.spans[one] ?? one}</option>`,
    )}</select></label>
    <label>${t.reports.first} <input type="date" name="first" value="${dateOf(report.since)}"></label>
    <label>${t.reports.last} <input type="date" name="last" value="${dateOf(report.until - 1)}"></label>
    <label>${t.queue.group} <select name="group"><option value="">${t.queue.any}</option>${groups.map(
      (name) => html`<option value="${name}" ${name === wish.group ? raw('selected') : ''}>${safe(name)}</option>`,
    )}</select></label><button>${t.select.show}</button></form>`;
}

function figure(view: View, title: string, chart: Html, rows: Html, file: string, wish: ReportWish): Html {
  return html`<section class="figure"><h2>${title}</h2><div class="wide" role="region" aria-label="${title}" tabindex="0">${chart}</div>
    <details><summary>${view.t.people.asTable}</summary>${rows}</details>
    <p><a href="/reports/${file}.csv?${queryOf(wish)}" download>${view.t.reports.csv}</a></p></section>`;
}

/** Each region of a page has a name of its own. */
const tableOf = ({ t }: View, title: string): string => `${title} (${t.people.asTable})`;

const timeOrNone = (time: Duration | null | undefined): string => (time == null ? '–' : length(time));
const percent = (part: number, whole: number): string => `${whole === 0 ? 0 : Math.round((100 * part) / whole)} %`;

function times(view: View, { toRead, toTaken }: Report, wish: ReportWish): Html {
  const { t } = view;
  const series = [toRead, toTaken].map(({ values }, index) => ({
    name: index === 0 ? t.reports.read : t.reports.taken,
    bars: values.map(({ percent: one, time }) => ({ label: `${one} %`, time })),
  }));
  const at = (values: Report['toRead']['values'], one: number) => values.find((each) => each.percent === one)?.time;
  const chart = html`<p class="key"><span><svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect class="series-0" width="10" height="10"></rect></svg>${t.reports.read} (${toRead.count})</span>
    <span><svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect class="series-1" width="10" height="10"></rect></svg>${t.reports.taken} (${toTaken.count})</span></p>
    ${timeBars(series, t.reports.timesTitle)}`;
  const rows = table(
    tableOf(view, t.reports.timesTitle),
    [t.reports.within, t.reports.read, t.reports.taken],
    percents.map(
      (one) => html`<tr><th scope="row">${one} %</th><td class="number">${timeOrNone(at(toRead.values, one))}</td>
      <td class="number">${timeOrNone(at(toTaken.values, one))}</td></tr>`,
    ),
  );
  return html`${figure(view, t.reports.timesTitle, chart, rows, 'times', wish)}<p class="note">${t.reports.timesNote}</p>`;
}

function shares(view: View, { groups }: Report, wish: ReportWish): Html {
  const { t } = view;
  const bars = groups
    .filter(({ watched }) => watched > 0)
    .slice(0, mostRows)
    .map(({ group, escalated, watched }) => ({ label: group, part: escalated, whole: watched }));
  const rows = table(
    tableOf(view, t.reports.sharesTitle),
    [
      t.queue.group,
      t.reports.mails,
      t.reports.watched,
      t.reports.escalated,
      t.reports.share,
      t.reports.takenCount,
      t.reports.median,
    ],
    groups.map(
      (
        one,
      ) => html`<tr><th scope="row">${safe(one.group)}</th><td class="number">${one.mails}</td><td class="number">${one.watched}</td>
      <td class="number">${one.escalated}</td><td class="number">${percent(one.escalated, one.watched)}</td>
      <td class="number">${one.taken}</td><td class="number">${timeOrNone(one.medianToTaken)}</td></tr>`,
    ),
  );
  return figure(view, t.reports.sharesTitle, shareBars(bars, t.reports.sharesTitle), rows, 'groups', wish);
}

function load(view: View, { people }: Report, wish: ReportWish): Html {
  const { t } = view;
  const shown = people.slice(0, mostRows);
  const chart = hourGrid(
    shown.map(({ person, hours }) => ({ label: person, hours })),
    t.reports.loadTitle,
  );
  const hours = Array.from({ length: 24 }, (_, hour) => String(hour));
  const rows = table(
    tableOf(view, t.reports.loadTitle),
    [t.message.person, t.reports.given, t.reports.takenCount, t.reports.median, ...hours],
    people.slice(0, 500).map(
      (
        one,
      ) => html`<tr><th scope="row">${safe(one.person)}</th><td class="number">${one.given}</td><td class="number">${one.taken}</td>
      <td class="number">${timeOrNone(one.medianToTaken)}</td>${one.hours.map((count) => html`<td class="number">${count === 0 ? '·' : count}</td>`)}</tr>`,
    ),
    'hours-table',
  );
  return figure(view, t.reports.loadTitle, chart, rows, 'people', wish);
}
