// One message's page, and what operators do to it. Every action says who did it and comes back to the page with what
// came of it.
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { type Clock, formatDuration, parseDuration } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { isQueueId } from '../../mail/queue-id.ts';
import { type Operations, RefusedError, type Story } from '../../operations.ts';
import { isOpen } from '../../tracking/tracked.ts';
import type { Live } from './live.ts';
import { streamOf } from './now-routes.ts';
import { type MessageData, messagePage, messageSections, titleOf } from './pages/message.ts';
import type { Play } from './play.ts';
import { mayAct, type View } from './view.ts';
import { actor, type Env, field, frameOf, type PageContext } from './who.ts';

/** What the pages stand on. */
export interface Desk {
  readonly operations: Operations;
  readonly clock: Clock;
  readonly live: Live;
  readonly play: Play | null;
  readonly log: Log;
}

export function messageRoutes(desk: Desk): Hono<Env> {
  const { operations } = desk;
  const app = new Hono<Env>();

  app.get('/message/:id', async (c) => {
    const { view } = c.var;
    const id = idOf(c);
    const data = await messageData(desk, id);
    if (!data) throw new HTTPException(404, { message: view.t.message.unknownText });
    const body = messagePage(messageSections(view, data));
    const title = titleOf(view, data.story);
    return c.html(await frameOf(c, { page: null, title, stream: `/live/message/${data.story.message.queueId}`, body }));
  });

  app.get('/live/message/:id', async (c) => {
    const id = idOf(c);
    if ((await operations.story(id)) === null) throw new HTTPException(404);
    return streamOf(desk, c, `message ${id}`, async (view: View) => {
      const data = await messageData(desk, id);
      return data ? messageSections(view, data) : [];
    });
  });

  app.post('/message/:id/:action', async (c) => {
    const { view, session } = c.var;
    if (!mayAct(view.role)) throw new HTTPException(403, { message: view.t.error.forbidden });
    const id = idOf(c);
    const story = await operations.story(id);
    if (!story) throw new HTTPException(404, { message: view.t.message.unknownText });
    const act = actions[c.req.param('action') as keyof typeof actions];
    if (!Object.hasOwn(actions, c.req.param('action'))) throw new HTTPException(404);
    let said: { good: boolean; text: string };
    try {
      said = await act({ c, operations, view, id, story, by: actor(session) });
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      said = { good: false, text: `${view.t.said.refused}: ${error.message}` };
    }
    if (session) session.said = said;
    desk.live.touch();
    return c.redirect(`/message/${story.message.queueId}`, 303);
  });
  return app;
}

interface Act {
  readonly c: PageContext;
  readonly operations: Operations;
  readonly view: View;
  /** As it stands in the path: it may be the short id of one of several. */
  readonly id: string;
  readonly story: Story;
  readonly by: string;
}
type Said = { good: boolean; text: string };

const good = (text: string): Said => ({ good: true, text });

const actions = {
  async ack({ operations, view, id, by }: Act): Promise<Said> {
    const outcome = await operations.ack(id, by);
    if (outcome.kind === 'done') return good(view.t.said.ack);
    return { good: false, text: outcome.kind === 'late' ? view.t.said.late(outcome.text) : view.t.message.unknown };
  },
  async reassign({ c, operations, view, id, by }: Act): Promise<Said> {
    const person = field(c.var.form, 'person') ?? wrong();
    await operations.reassign(id, person, by);
    return good(view.t.said.reassign(person));
  },
  async snooze({ c, operations, view, id, by }: Act): Promise<Said> {
    const lasts = parseDuration(field(c.var.form, 'for', 20) ?? '') ?? wrong();
    await operations.snooze(id, lasts, by);
    return good(`${view.t.said.snooze} (${formatDuration(lasts)})`);
  },
  async step({ operations, view, id, by }: Act): Promise<Said> {
    await operations.takeStep(id, null, by);
    return good(view.t.said.step);
  },
  async hold({ operations, view, story, by }: Act): Promise<Said> {
    await operations.intervene(story.message.queueId, 'hold', by);
    return good(view.t.said.hold);
  },
  async release({ operations, view, story, by }: Act): Promise<Said> {
    await operations.intervene(story.message.queueId, 'release', by);
    return good(view.t.said.release);
  },
  async retry({ operations, view, story, by }: Act): Promise<Said> {
    return good(view.t.said.retry(await operations.retry(story.message.queueId, by)));
  },
  async drop({ c, operations, view, story, by }: Act): Promise<Said> {
    const why = field(c.var.form, 'why') ?? wrong();
    await operations.intervene(story.message.queueId, 'drop', `${by} (${why})`);
    return good(view.t.said.drop);
  },
  async requeue({ c, operations, view, story, by }: Act): Promise<Said> {
    await operations.requeue(story.message.queueId, field(c.var.form, 'to', 320) ?? wrong(), by);
    return good(view.t.said.requeue);
  },
};

function wrong(): never {
  throw new HTTPException(400);
}

export function idOf(c: PageContext): string {
  const id = c.req.param('id') ?? '';
  if (!isQueueId(id.toUpperCase()) && !/^[0-9a-z]{4,8}$/i.test(id))
    throw new HTTPException(404, { message: c.var.view.t.message.unknownText });
  return id;
}

async function messageData({ operations, play }: Desk, id: string): Promise<MessageData | null> {
  const story = await operations.story(id);
  if (!story) return null;
  const open = story.tracked.filter(({ state }) => isOpen(state));
  const [explained, candidates, people] = await Promise.all([
    operations.explain(story.message.queueId),
    Promise.all(open.map(async (one) => [one.seq, await operations.candidates(one.shortId)] as const)),
    operations.presence(),
  ]);
  return {
    play: play !== null,
    story,
    replayed: new Map((explained ?? []).map(({ decision, replayed }) => [decision.id, replayed])),
    candidates: new Map(candidates.flatMap(([seq, found]) => (found ? [[seq, found]] : []))),
    people: people.map(({ mail }) => mail),
  };
}
