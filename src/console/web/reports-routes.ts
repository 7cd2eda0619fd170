// Reports, as a page and as files.
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { day } from '../../clock.ts';
import { RefusedError } from '../../operations.ts';
import type { Report } from '../../tracking/report.ts';
import { parseDate, wallInstant } from '../../zone.ts';
import { reportFiles } from '../report-files.ts';
import type { Desk } from './desk.ts';
import { type ReportWish, reportsPage, spans } from './pages/reports.ts';
import { type Env, frameOf, type PageContext } from './who.ts';

export function reportsRoutes({ operations }: Desk): Hono<Env> {
  const app = new Hono<Env>();

  async function reportFor(c: PageContext, wish: ReportWish): Promise<Report> {
    const { view } = c.var;
    const { span, first, last, group } = wish;
    const at = (dayNumber: number) => wallInstant({ dayNumber, time: 0 }, view.zone);
    const dates = span === 'dates' && first !== null && last !== null;
    if (dates && last < first) throw new HTTPException(400, { message: view.t.reports.wrongDates });
    const since = dates ? at(first) : view.now - Number(span === 'dates' ? 7 : span) * day;
    const until = dates ? Math.min(at(last + 1), Math.max(view.now, at(first) + 1)) : view.now;
    try {
      return await operations.report({ since, until, zone: view.zone, ...(group === '' ? {} : { group }) });
    } catch (error) {
      if (error instanceof RefusedError) throw new HTTPException(400, { message: error.message });
      throw error;
    }
  }

  app.get('/reports', async (c) => {
    const { view } = c.var;
    const wish = wishOf(c);
    const groups = operations.groups().map(({ name }) => name);
    const body = reportsPage(view, { report: await reportFor(c, wish), wish, groups });
    return c.html(await frameOf(c, { page: 'reports', title: view.t.reports.title, body }));
  });

  app.get('/reports/:file', async (c) => {
    const name = c.req.param('file').replace(/\.csv$/, '');
    if (!Object.hasOwn(reportFiles, name) || !c.req.param('file').endsWith('.csv')) return c.notFound();
    const file = reportFiles[name as keyof typeof reportFiles];
    return c.body(file(await reportFor(c, wishOf(c))), 200, {
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': `attachment; filename="pointsman-${name}.csv"`,
    });
  });
  return app;
}

function wishOf(c: PageContext): ReportWish {
  return {
    span: spans.find((one) => one === c.req.query('span')) ?? '7',
    first: parseDate(c.req.query('first') ?? '') ?? null,
    last: parseDate(c.req.query('last') ?? '') ?? null,
    group: (c.req.query('group') ?? '').slice(0, 200),
  };
}
