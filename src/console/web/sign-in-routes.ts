// The way in: a form, and what comes of it. There is no session yet that could hold a token, so the request must say by
// Fetch Metadata or Origin that it comes from our own page: another site must not sign somebody in as somebody else.
import { getConnInfo } from '@hono/node-server/conninfo';
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { Log } from '../../log.ts';
import { signInPage } from './pages/sign-in.ts';
import { isFromElsewhere } from './security.ts';
import type { Sessions } from './sessions.ts';
import type { Door } from './sign-in.ts';
import { type Env, frameOf, type PageContext } from './who.ts';

export function signInRoutes({
  door,
  sessions,
  hosts,
  log,
}: {
  readonly door: Door;
  readonly sessions: Sessions;
  readonly hosts: () => readonly string[];
  readonly log: Log;
}): Hono<Env> {
  const app = new Hono<Env>();
  const page = (c: PageContext, wrong: string | null) =>
    frameOf(c, { page: null, title: c.var.view.t.signIn, bare: true, body: signInPage(c.var.view, wrong) });

  app.get('/sign-in', async (c) => {
    if (sessions.find(c.req.header('cookie'))) return c.redirect('/', 303);
    return c.html(await page(c, null));
  });

  app.post('/sign-in', async (c) => {
    const { t } = c.var.view;
    if (isFromElsewhere(c, hosts())) throw new HTTPException(403, { message: t.error.csrf });
    const form = await c.req.formData().catch(() => {
      throw new HTTPException(400, { message: '' });
    });
    const [name, password] = [form.get('name'), form.get('password')];
    if (typeof name !== 'string' || typeof password !== 'string') throw new HTTPException(400, { message: '' });
    const address = addressOf(c);
    const result = await door.signIn(name, password, address);
    if (result.kind !== 'in') {
      // Not the name: people type their password there.
      log.warn({ address, result: result.kind }, 'a sign-in to the console failed');
      return result.kind === 'wait'
        ? c.html(await page(c, t.sign.wait), 429, { 'retry-after': '60' })
        : c.html(await page(c, t.sign.wrong), 403);
    }
    const { user } = result;
    // A new one, whatever the browser had: nobody can have planted it.
    const before = sessions.find(c.req.header('cookie'));
    if (before) sessions.end(before);
    log.info({ user: user.name, role: user.role, address }, 'signed in to the console');
    c.header('set-cookie', sessions.cookie(sessions.begin(user.name, user.role)), { append: true });
    return c.redirect('/', 303);
  });
  return app;
}

function addressOf(c: PageContext): string {
  // Without a socket (a test) there is no address: all of those count as one.
  const env: object = c.env ?? {};
  return 'incoming' in env ? (getConnInfo(c).remote.address ?? 'unknown') : 'unknown';
}
