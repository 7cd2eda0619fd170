// Charts, drawn here: bars over a day, bars by length of time, shares, a grid of hours. Colours come by class from the
// style sheet, since nothing may be inline; what a chart shows stands beside it as a table as well.
import type { Duration, Instant } from '../../clock.ts';
import { day, hour, minute, second } from '../../clock.ts';
import type { PresenceDay } from '../../oversight.ts';
import type { State } from '../../presence/presence.ts';
import { type Html, html, length, safe, timeOfDay, type View } from './view.ts';

/** One person's day from left to right. @param label says the same in words */
export function dayBar(
  { spans }: PresenceDay,
  { from, to, label }: { readonly from: Instant; readonly to: Instant; readonly label: string },
): Html {
  const width = 1440;
  const x = (at: Instant): number => Math.round((width * (Math.min(Math.max(at, from), to) - from)) / (to - from));
  return html`<svg class="day" viewBox="0 0 ${width} 20" preserveAspectRatio="none" role="img" aria-label="${label}">
    <rect class="span-none" x="0" y="0" width="${width}" height="20"></rect>
    ${spans
      .filter(({ state }) => state !== null)
      .map(
        (span) =>
          html`<rect class="span-${span.state ?? 'none'}" x="${x(span.from)}" y="0" width="${Math.max(1, x(span.to) - x(span.from))}" height="20"></rect>`,
      )}
    ${[6, 12, 18].map((one) => html`<rect class="tick" x="${one * 60}" y="0" width="2" height="20"></rect>`)}</svg>`;
}

/** `available 6h 10m, away 1h`: how long in which state, the longest first. */
export function dayInWords(view: View, { spans }: PresenceDay): string {
  const sums = new Map<State, Duration>();
  for (const { from, to, state } of spans) if (state !== null) sums.set(state, (sums.get(state) ?? 0) + to - from);
  const parts = [...sums].sort((a, b) => b[1] - a[1]).map(([state, sum]) => `${view.t.states[state]} ${length(sum)}`);
  return parts.length === 0 ? view.t.people.nothingKnown : parts.join(', ');
}

const marks: readonly Duration[] = [second, 10 * second, minute, 10 * minute, hour, 4 * hour, day, 7 * day];

export interface TimeSeries {
  readonly name: string;
  readonly bars: readonly { readonly label: string; readonly time: Duration }[];
}

/** Bars on a scale where each mark is some times the one before: seconds and days fit on one sheet. */
export function timeBars(series: readonly TimeSeries[], title: string): Html {
  const times = series.flatMap(({ bars }) => bars.map(({ time }) => time));
  const most = Math.max(minute, ...times);
  const end = marks.find((mark) => mark >= most) ?? most;
  const [left, width, high] = [88, 440, 20];
  const x = (time: Duration): number => (width * Math.log(Math.max(time, second) / second)) / Math.log(end / second);
  const labels = [...new Set(series.flatMap(({ bars }) => bars.map(({ label }) => label)))];
  const groupHeight = series.length * high + 14;
  const height = labels.length * groupHeight;
  return html`<svg class="chart" viewBox="0 0 600 ${height + 30}" role="img" aria-label="${title}">
    ${marks
      .filter((mark) => mark <= end)
      .map(
        (
          mark,
        ) => html`<line class="grid" x1="${round(left + x(mark))}" x2="${round(left + x(mark))}" y1="0" y2="${height}"></line>
        <text class="axis" x="${round(left + x(mark))}" y="${height + 18}" text-anchor="middle">${length(mark)}</text>`,
      )}
    ${labels.map(
      (
        label,
        row,
      ) => html`<text class="axis" x="${left - 10}" y="${row * groupHeight + groupHeight / 2}" text-anchor="end" dominant-baseline="middle">${safe(label)}</text>
      ${series.map(({ bars }, index) => {
        const bar = bars.find((one) => one.label === label);
        if (!bar) return '';
        const y = row * groupHeight + 7 + index * high;
        const inside = x(bar.time) > width - 60;
        return html`<rect class="series-${index}" x="${left}" y="${y}" width="${round(Math.max(2, x(bar.time)))}" height="${high - 4}"></rect>
        <text class="${inside ? 'value inside' : 'value'}" x="${round(left + x(bar.time) + (inside ? -6 : 6))}" y="${y + (high - 4) / 2}" text-anchor="${inside ? 'end' : 'start'}" dominant-baseline="middle">${length(bar.time)}</text>`;
      })}`,
    )}</svg>`;
}

/** Shares of 100 %. */
export function shareBars(
  rows: readonly { readonly label: string; readonly part: number; readonly whole: number }[],
  title: string,
): Html {
  const [left, width, high] = [148, 380, 26];
  return html`<svg class="chart" viewBox="0 0 600 ${rows.length * high + 6}" role="img" aria-label="${title}">
    ${rows.map(({ label, part, whole }, row) => {
      const share = whole === 0 ? 0 : part / whole;
      const y = row * high + 4;
      return html`<text class="axis" x="${left - 10}" y="${y + 9}" text-anchor="end" dominant-baseline="middle">${cut(safe(label), 20)}</text>
      <rect class="track" x="${left}" y="${y}" width="${width}" height="18"></rect>
      <rect class="series-1" x="${left}" y="${y}" width="${round(width * share)}" height="18"></rect>
      <text class="value" x="${left + width + 8}" y="${y + 9}" dominant-baseline="middle">${Math.round(share * 100)} %</text>`;
    })}</svg>`;
}

/** Hours from left to right, people from top to bottom; the darker the more. */
export function hourGrid(
  rows: readonly { readonly label: string; readonly hours: readonly number[] }[],
  title: string,
): Html {
  const most = Math.max(1, ...rows.flatMap(({ hours }) => hours));
  const [left, cell] = [112, 20];
  return html`<svg class="chart" viewBox="0 0 600 ${rows.length * cell + 24}" role="img" aria-label="${title}">
    ${rows.map(
      (
        { label, hours },
        row,
      ) => html`<text class="axis" x="${left - 8}" y="${row * cell + cell / 2}" text-anchor="end" dominant-baseline="middle">${cut(safe(label), 14)}</text>
      ${hours.map(
        (count, at) =>
          html`<rect class="heat heat-${count === 0 ? 0 : Math.ceil((5 * count) / most)}" x="${left + at * cell}" y="${row * cell}" width="${cell - 2}" height="${cell - 2}"><title>${safe(label)} ${at}:00: ${count}</title></rect>`,
      )}`,
    )}
    ${[0, 3, 6, 9, 12, 15, 18, 21].map(
      (at) =>
        html`<text class="axis" x="${left + at * cell + cell / 2}" y="${rows.length * cell + 16}" text-anchor="middle">${at}</text>`,
    )}</svg>`;
}

export const spanWords = (view: View, from: Instant, to: Instant): string =>
  `${timeOfDay(view, from)}–${timeOfDay(view, to)}`;

const round = (value: number): number => Math.round(value * 10) / 10;
const cut = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
