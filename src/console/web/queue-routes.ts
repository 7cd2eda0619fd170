// The queue's page, and what is done to those that were ticked on it.
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { isQueueId } from '../../mail/queue-id.ts';
import { RefusedError } from '../../operations.ts';
import type { Desk } from './desk.ts';
import { streamOf } from './now-routes.ts';
import { mostRows, type QueueWish, queryOf, queueData, queuePage, queueSections, queueStates } from './pages/queue.ts';
import { mayAct } from './view.ts';
import { actor, type Env, field, frameOf, type PageContext } from './who.ts';

const actions = ['retry', 'hold', 'release', 'drop'] as const;

export function queueRoutes(desk: Desk): Hono<Env> {
  const { operations } = desk;
  const app = new Hono<Env>();

  app.get('/queue', async (c) => {
    const { view } = c.var;
    const wish = wishOf(c);
    const data = await queueData(operations, wish);
    const body = queuePage(view, data, queueSections(view, data));
    const stream = `/live/queue?${queryOf(wish)}`;
    return c.html(await frameOf(c, { page: 'queue', title: view.t.queue.title, stream, body }));
  });

  app.get('/live/queue', (c) => {
    const wish = wishOf(c);
    const key = `queue ${queryOf(wish)}`;
    return streamOf(desk, c, key, async (view) =>
      queueSections(view, await desk.live.shared(key, () => queueData(operations, wish))),
    );
  });

  app.post('/queue', async (c) => {
    const { view, session, form } = c.var;
    if (!mayAct(view.role)) throw new HTTPException(403, { message: view.t.error.forbidden });
    const action = actions.find((one) => one === field(form, 'action', 20));
    const ids = [...new Set(form.getAll('id'))].flatMap((id) => (typeof id === 'string' && isQueueId(id) ? [id] : []));
    if (!action || ids.length > mostRows) throw new HTTPException(400, { message: '' });
    const why = field(form, 'why');
    const back = `/queue?${queryOf(wishOf(c))}`;
    const say = (good: boolean, text: string) => {
      if (session) session.said = { good, text };
      return c.redirect(back, 303);
    };
    if (ids.length === 0) return say(false, view.t.queue.nothingChosen);
    if (action === 'drop' && (why === undefined || why.trim().length < 3)) return say(false, view.t.queue.whyNeeded);
    let done = 0;
    const refused: string[] = [];
    for (const id of ids) {
      try {
        const by = actor(session);
        if (action === 'retry') done += await operations.retry(id, by);
        else done += (await operations.intervene(id, action, action === 'drop' ? `${by} (${why})` : by)).done.length;
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error;
        refused.push(error.message);
      }
    }
    desk.live.touch();
    const [first] = refused;
    const told = view.t.queue.did[action](done);
    return first === undefined
      ? say(true, told)
      : say(done > 0, `${done > 0 ? `${told} ` : ''}${view.t.queue.refusedSome(refused.length, first)}`);
  });
  return app;
}

function wishOf(c: PageContext): QueueWish {
  const word = (name: string): string => {
    const text = c.req.query(name) ?? '';
    return text.length > 320 || /\p{Cc}/u.test(text) ? '' : text;
  };
  const state = queueStates.find((one) => one === c.req.query('state')) ?? 'waiting';
  return { state, to: word('to'), from: word('from'), hop: word('hop'), group: word('group') };
}
