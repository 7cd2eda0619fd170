// The first page and its stream.
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { Desk } from './desk.ts';
import type { Section } from './layout.ts';
import { nowData, nowPage, nowSections } from './pages/now.ts';
import type { View } from './view.ts';
import { type Env, frameOf, type PageContext, viewKey, withToken } from './who.ts';

export function nowRoutes(desk: Desk): Hono<Env> {
  const app = new Hono<Env>();
  const data = () => nowData(desk.operations);
  const sections = async (view: View) => nowSections(view, await desk.live.shared('now', data), desk.play);
  app.get('/', async (c) => {
    const { view } = c.var;
    const body = nowPage(view, nowSections(view, await data(), desk.play));
    return c.html(await frameOf(c, { page: 'now', title: view.t.now.title, stream: '/live/now', body }));
  });
  app.get('/live/now', (c) => streamOf(desk, c, 'now', sections));
  return app;
}

/** The parts of a page, sent whenever they change. */
export function streamOf(
  desk: Desk,
  c: PageContext,
  page: string,
  sections: (view: View) => Promise<readonly Section[]>,
): Response {
  const { view, session } = c.var;
  if (desk.live.isFull) throw new HTTPException(503, { message: view.t.error.busy });
  const fresh = () => ({ ...view, now: desk.clock.now(), pace: desk.play?.speed() ?? 1 });
  const stream = desk.live.stream(`${page} ${viewKey(view)}`, () => sections(fresh()), withToken(session));
  return c.body(stream, 200, { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' });
}
