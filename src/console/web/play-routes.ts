// What viewers of the sandbox do to its people.
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { Desk } from './desk.ts';
import { answers, type Mood, type Play } from './play.ts';
import { type Env, field, type PageContext } from './who.ts';

const moods: readonly Mood[] = ['chat', 'available', 'away', 'xa', 'dnd', 'offline'];

export function playRoutes({ live }: Desk, play: Play): Hono<Env> {
  const app = new Hono<Env>();
  const after = async (c: PageContext, said: string | null, back = '/'): Promise<Response> => {
    live.touch();
    // Who has the script sees it happen; who has not comes back to the page.
    if (c.req.header('hx-request') !== undefined) return c.body(null, 204);
    if (c.var.session && said !== null) c.var.session.said = { good: true, text: said };
    return c.redirect(back, 303);
  };
  app.post('/play/become', async (c) => {
    const mood = moods.find((one) => one === field(c.var.form, 'mood'));
    const name = field(c.var.form, 'name');
    if (!mood || !name) throw new HTTPException(400);
    await play.become(name, mood);
    return after(c, null);
  });
  app.post('/play/send', async (c) => {
    const [to, subject] = [field(c.var.form, 'to', 320), field(c.var.form, 'subject')];
    const reaction = play.reactions.find((one) => one === field(c.var.form, 'reaction'));
    if (!to || !subject || !reaction) throw new HTTPException(400);
    await play.send({ to, subject: reaction === play.reactions[0] ? subject : `${subject} [${reaction}]` });
    return after(c, c.var.view.t.said.sent);
  });
  app.post('/play/answer', async (c) => {
    const [name, id] = [field(c.var.form, 'name'), field(c.var.form, 'id', 20)];
    const answer = answers.find((one) => one === field(c.var.form, 'answer'));
    if (!name || !id || !answer) throw new HTTPException(400);
    await play.answer(name, id, answer);
    return after(c, c.var.view.t.said.answered, `/message/${encodeURIComponent(id)}`);
  });
  app.post('/play/speed', async (c) => {
    const factor = play.speeds.find((one) => String(one) === field(c.var.form, 'factor'));
    if (factor === undefined) throw new HTTPException(400);
    play.setSpeed(factor);
    return after(c, null);
  });
  app.post('/play/resume', async (c) => {
    play.resume();
    return after(c, null);
  });
  return app;
}
