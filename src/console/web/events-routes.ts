// Events and faults, and the audit.
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { RefusedError } from '../../operations.ts';
import { faultActions } from '../../oversight.ts';
import type { Desk } from './desk.ts';
import { streamOf } from './now-routes.ts';
import { auditPage, auditPageSize } from './pages/audit.ts';
import { type EventsWish, eventsData, eventsPage, everyKind, openFaults, pastSections } from './pages/events.ts';
import { mayAct } from './view.ts';
import { actor, type Env, field, frameOf, type PageContext, viewKey } from './who.ts';

export function eventsRoutes(desk: Desk): Hono<Env> {
  const { operations } = desk;
  const app = new Hono<Env>();

  app.get('/events', async (c) => {
    const { view, session } = c.var;
    const wish = wishOf(c);
    const data = await eventsData(operations, wish);
    const body = eventsPage(view, wish, [openFaults(view, data, actor(session)), ...pastSections(view, data)]);
    // What is past does not change: only the newest page is live.
    const stream =
      wish.before === null ? { stream: `/live/events${wish.kind === '' ? '' : `?kind=${wish.kind}`}` } : {};
    return c.html(await frameOf(c, { page: 'events', title: view.t.faults.title, ...stream, body }));
  });

  app.get('/live/events', (c) => {
    const wish = { ...wishOf(c), before: null };
    const { live } = desk;
    const key = `events ${wish.kind}`;
    const me = actor(c.var.session);
    // Who may act has what is theirs to press; all else is the same for all.
    return streamOf(desk, c, mayAct(c.var.view.role) ? `${key} ${me}` : key, async (view) => {
      const data = await live.shared(key, () => eventsData(operations, wish));
      const past = await live.shared(`${key} ${viewKey(view)}`, async () => pastSections(view, data));
      return [openFaults(view, data, me), ...past];
    });
  });

  app.post('/faults/:number', async (c) => {
    const { view, session, form } = c.var;
    if (!mayAct(view.role)) throw new HTTPException(403, { message: view.t.error.forbidden });
    const action = faultActions.find((one) => one === field(form, 'action', 20));
    if (!action || !/^[1-9]\d{0,8}$/.test(c.req.param('number'))) throw new HTTPException(400, { message: '' });
    let said: { good: boolean; text: string };
    try {
      await operations.actOnFault(Number(c.req.param('number')), action, actor(session));
      said = { good: true, text: view.t.faults.did[action] ?? action };
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      said = { good: false, text: `${view.t.said.refused}: ${error.message}` };
    }
    if (session) session.said = said;
    desk.live.touch();
    return c.redirect('/events', 303);
  });

  app.get('/audit', async (c) => {
    const { view } = c.var;
    const text = (c.req.query('text') ?? '').slice(0, 100);
    const before = numberOf(c.req.query('before'));
    const rows = await operations.audited({
      limit: auditPageSize,
      ...(text === '' ? {} : { text }),
      ...(before === null ? {} : { before }),
    });
    const body = auditPage(view, rows, text);
    return c.html(await frameOf(c, { page: null, title: view.t.audit.title, body }));
  });
  return app;
}

const numberOf = (text: string | undefined): number | null =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;

function wishOf(c: PageContext): EventsWish {
  const word = c.req.query('kind') ?? '';
  const kind = word === 'all' || everyKind.some((one) => one === word) ? word : '';
  return { kind, before: numberOf(c.req.query('before')) };
}
