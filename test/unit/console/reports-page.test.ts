// Reports as pages, charts and files.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { day, hour, minute, second } from '../../../src/clock.ts';
import { csv } from '../../../src/console/csv.ts';
import { hourGrid, shareBars, timeBars } from '../../../src/console/web/charts.ts';
import { RefusedError } from '../../../src/operations.ts';
import { hostile, openPages } from '../../support/console-pages.ts';

test('the page says it in a sentence, as charts, and each as a table', async () => {
  const text = await (await openPages().get('/reports')).text();
  expect(text).toContain('4 mails for groups, 2 of them watched.');
  expect(text).toContain('1 moved on (50 %)');
  expect(text.match(/<svg class="chart"[^>]* role="img" aria-label="[^"]+"/g)).toHaveLength(3);
  expect(text.match(/<table/g)).toHaveLength(3);
});

test.each([
  ['', 7 * day, undefined],
  ['?span=30&group=support', 30 * day, 'support'],
  ['?span=1', day, undefined],
  ['?span=dates&first=2020-03-01&last=2020-03-02', 2 * day, undefined],
  ['?span=nonsense&first=x', 7 * day, undefined],
])('%s asks for that time', async (query, span, group) => {
  const { get, operations } = openPages();
  expect((await get(`/reports${query}`)).status).toBe(200);
  const [, question] = operations.calls.find(([verb]) => verb === 'report') ?? [];
  const { since, until, ...rest } = question as { since: number; until: number; group?: string; zone: string };
  expect(until - since).toBe(span);
  expect(rest).toEqual({ zone: 'UTC', ...(group === undefined ? {} : { group }) });
});

test('days the wrong way round, and what is refused, are told', async () => {
  const { get } = openPages();
  expect((await get('/reports?span=dates&first=2026-03-02&last=2026-03-01')).status).toBe(400);
  const refusing = openPages({ report: () => Promise.reject(new RefusedError('no zone')) });
  expect((await refusing.get('/reports')).status).toBe(400);
});

describe('as a file', () => {
  test('each table, for spreadsheets', async () => {
    const { get } = openPages();
    const response = await get('/reports/groups.csv?span=30');
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="pointsman-groups.csv"');
    expect(await response.text()).toBe(
      'group,mails,watched,escalated,taken,median_seconds_to_taken\r\nsupport,4,2,1,2,60\r\n',
    );
    expect(await (await get('/reports/times.csv')).text()).toContain('50,,60\r\n');
    expect((await (await get('/reports/people.csv')).text()).split('\r\n')[1]?.split(',')).toHaveLength(28);
    for (const path of ['/reports/x.csv', '/reports/__proto__.csv', '/reports/groups', '/reports/groups.csv.exe'])
      expect((await get(path)).status).toBe(404);
  });

  test('nothing in it is a formula, a new cell or a new line', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('"', ',', '\r', '\n', '=', '+', '@', '-', 'a', "'") }), (text) => {
        const line = csv(['head'], [[text, 1]]).slice('head\r\n'.length);
        const cell = /^("(?:[^"]|"")*"|[^",\r\n]*),1\r\n$/.exec(line)?.[1];
        expect(cell).toBeDefined();
        const value = cell?.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell;
        expect(value).not.toMatch(/^[=+@\-\t\r]/);
        expect(value?.endsWith(text)).toBe(true);
      }),
    );
    expect(csv(['a'], [[-5, null]])).toBe('a\r\n-5,\r\n');
  });
});

describe('charts', () => {
  const numbers = (text: string, name: string) =>
    [...text.matchAll(new RegExp(`<rect[^>]* ${name}="([^"]+)"`, 'g'))].map((match) => Number(match[1]));

  test('bars of time: ten times as long is one step, the shortest can be seen, none leaves the sheet', async () => {
    const bars = [0, second, 10 * second, 100 * second, 40 * day].map((time, index) => ({ label: `${index}`, time }));
    const text = String(await timeBars([{ name: 'x', bars }], 'x'));
    const widths = numbers(text, 'width');
    expect(widths.slice(0, 2)).toEqual([2, 2]);
    expect((widths[3] ?? 0) / (widths[2] ?? 1)).toBeCloseTo(2, 1);
    expect(Math.max(...widths)).toBeLessThanOrEqual(440);
    expect(text).not.toMatch(/NaN|Infinity|undefined/);
  });

  test('of nothing they are empty, not broken', async () => {
    for (const chart of [timeBars([{ name: 'x', bars: [] }], 'x'), shareBars([], 'x'), hourGrid([], 'x')])
      expect(String(await chart)).not.toMatch(/NaN|Infinity|undefined|height="-/);
    expect(String(await shareBars([{ label: 'a', part: 0, whole: 0 }], 'x'))).toContain('>0 %<');
  });

  test('the grid is the darker the more', async () => {
    const hours = Array.from({ length: 24 }, (_, at) => (at === 9 ? 10 : at === 10 ? 1 : 0));
    const text = String(await hourGrid([{ label: 'ann', hours }], 'x'));
    expect(text.match(/heat-5/g)).toHaveLength(1);
    expect(text.match(/heat-1"/g)).toHaveLength(1);
    expect(text.match(/heat-0/g)).toHaveLength(22);
    expect(text).toContain('<title>ann 9:00: 10</title>');
  });

  test('names of strangers are text', async () => {
    const hours = new Array<number>(24).fill(1);
    const { get } = openPages({
      report: async ({ since, until }) => ({
        ...{ since, until, mails: 1, watched: 1, escalated: 0, expired: 0 },
        toRead: { count: 1, values: [{ percent: 50, time: minute }] },
        toTaken: { count: 0, values: [] },
        groups: [{ group: hostile, mails: 1, watched: 1, escalated: 0, taken: 0, medianToTaken: hour }],
        people: [{ person: hostile, given: 1, taken: 0, medianToTaken: null, hours }],
      }),
    });
    const text = await (await get('/reports')).text();
    expect(text).toContain('&lt;script&gt;');
    expect(text).not.toMatch(/<script>|<img/);
  });
});
