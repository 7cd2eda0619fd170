// The console for browsers: the pages, what can be done from them, and what keeps others out. Pages are made on the
// server and can be read without any script; the script makes them live.
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import type { Clock } from '../../clock.ts';
import type { Users } from '../../config/users.ts';
import type { Log } from '../../log.ts';
import { type Operations, RefusedError } from '../../operations.ts';
import { assetAt } from './assets.ts';
import { type Desk, messageRoutes } from './desk.ts';
import { eventsRoutes } from './events-routes.ts';
import { hider } from './hidden.ts';
import { Live, type LiveOptions } from './live.ts';
import { nowRoutes } from './now-routes.ts';
import { errorPage } from './pages/error.ts';
import { peopleRoutes } from './people-routes.ts';
import type { Play } from './play.ts';
import { playRoutes } from './play-routes.ts';
import { queueRoutes } from './queue-routes.ts';
import { reportsRoutes } from './reports-routes.ts';
import { largestUpload, rulesRoutes } from './rules-routes.ts';
import { isFromElsewhere, isOurHost, securityHeaders } from './security.ts';
import { isToken, Sessions } from './sessions.ts';
import { Door } from './sign-in.ts';
import { signInRoutes } from './sign-in-routes.ts';
import { type Env, frameOf, viewOf } from './who.ts';
import { languages } from './words.ts';

export interface ConsoleOptions {
  readonly operations: Operations;
  /** Of the program: in the sandbox it may run fast. */
  readonly clock: Clock;
  /** Of the wall, for sessions and for how often a page is drawn. */
  readonly wall: Clock;
  readonly log: Log;
  /** What a Host header may say: `127.0.0.1:8026`. */
  readonly hosts: () => readonly string[];
  /** It is reached by HTTPS. */
  readonly secure: boolean;
  /** Who may sign in; null only where nobody has to. */
  readonly users: Users | null;
  /** Only in the sandbox; then nobody signs in. */
  readonly play: Play | null;
  /** Pages change more seldom while the process is busy. */
  readonly spareTime?: Pick<LiveOptions, 'busy' | 'breathe'>;
}

export interface Console {
  readonly fetch: Hono<Env>['fetch'];
  /** Something has happened that may show. */
  readonly touch: () => void;
  readonly viewers: () => number;
  end(): void;
}

/** Forms are small; what is uploaded to be tried has a limit of its own. */
const largestForm = 64 * 1024;

export function createConsole(options: ConsoleOptions): Console {
  const { operations, clock, wall, log, hosts, secure, play, users } = options;
  const door = users ? new Door(users, wall) : null;
  const sessions = new Sessions(wall, secure);
  const hiding = hider(operations, wall);
  const live = new Live({ clock: wall, log, ...options.spareTime });
  const app = new Hono<Env>();
  const desk: Desk = { operations, clock, live, play, log };
  const stopFollowing = operations.followPresence(live.touch);
  play?.onChange(live.touch);

  app.use(securityHeaders(secure));
  app.use(async (c, next) => {
    c.set(
      'view',
      viewOf(c.req, {
        ...{ role: 'viewer', hides: hiding('viewer'), now: clock.now() },
        ...{ sandbox: play !== null, pace: play?.speed() ?? 1 },
      }),
    );
    c.set('session', null);
    // RFC 9110 §15.5.20: a request that is not for us.
    if (!isOurHost(c.req.header('host'), hosts())) throw new HTTPException(421, { message: c.var.view.t.error.host });
    return next();
  });

  app.get('/assets/:hash/:name', (c) => {
    const asset = assetAt(c.req.param('hash'), c.req.param('name'));
    if (!asset) return c.notFound();
    c.header('cache-control', 'public, max-age=31536000, immutable');
    return c.body(new Uint8Array(asset.content), 200, { 'content-type': asset.type });
  });

  const limited = (maxSize: number) => bodyLimit({ maxSize, onError: () => refuse(413) });
  const [forms, uploads] = [limited(largestForm), limited(largestUpload)];
  app.use((c, next) => (c.req.path.startsWith('/rules/') ? uploads : forms)(c, next));
  if (door) app.route('/', signInRoutes({ door, sessions, hosts, log }));
  app.use(async (c, next) => {
    let session = sessions.find(c.req.header('cookie'));
    if (!session && play) {
      session = sessions.begin(null, 'admin');
      c.header('set-cookie', sessions.cookie(session), { append: true });
    }
    if (session?.user && users) {
      // Removed, or given another role: what they may now counts from now.
      const user = users.find(session.user);
      if (user?.role !== session.role) {
        sessions.end(session);
        session = undefined;
      }
    }
    if (!session) {
      const looks = c.req.method === 'GET' && (c.req.header('accept') ?? '').includes('text/html');
      if (users && looks && c.req.header('hx-request') === undefined) return c.redirect('/sign-in', 303);
      throw new HTTPException(401, { message: c.var.view.t.sign.needed });
    }
    c.set('session', session);
    c.set('view', { ...c.var.view, role: session.role, hides: hiding(session.role) });
    return next();
  });

  app.use(async (c, next) => {
    if (c.req.method === 'GET' || c.req.method === 'HEAD') return next();
    if (c.req.method !== 'POST') return refuse(405);
    const form = await c.req.formData().catch(() => refuse(400));
    const { session, view } = c.var;
    if (!session || isFromElsewhere(c, hosts()) || !isToken(session, form.get('token')))
      throw new HTTPException(403, { message: view.t.error.csrf });
    c.set('form', form);
    return next();
  });

  app.get('/language/:language', (c) => {
    const language = languages.find((one) => one === c.req.param('language'));
    if (!language) return c.notFound();
    c.header('set-cookie', `language=${language}; Path=/; SameSite=Strict; Max-Age=31536000; HttpOnly`, {
      append: true,
    });
    return c.redirect(backTo(c.req.header('referer'), hosts()), 303);
  });

  app.post('/sign-out', (c) => {
    const { session } = c.var;
    if (session) {
      sessions.end(session);
      log.info({ user: session.user }, 'signed out of the console');
    }
    c.header('set-cookie', sessions.cookie(null), { append: true });
    return c.redirect(users ? '/sign-in' : '/', 303);
  });

  app.route('/', nowRoutes(desk));
  app.route('/', messageRoutes(desk));
  app.route('/', queueRoutes(desk));
  app.route('/', eventsRoutes(desk));
  app.route('/', peopleRoutes(desk));
  app.route('/', reportsRoutes(desk));
  app.route('/', rulesRoutes(desk));
  if (play) app.route('/', playRoutes(desk, play));

  app.notFound((c) => {
    const { view } = c.var;
    return c.html(
      frameOf(c, { page: null, title: view.t.error.title, body: errorPage(view, view.t.error.notFound) }),
      404,
    );
  });
  app.onError((error, c) => {
    const { view } = c.var;
    const { t } = view;
    const status = error instanceof HTTPException ? error.status : error instanceof RefusedError ? 409 : 500;
    if (status === 500) log.error({ err: error, path: c.req.path }, 'a page of the console failed');
    const texts: Partial<Record<number, string>> = {
      403: t.error.forbidden,
      404: t.error.notFound,
      413: t.error.tooLarge,
    };
    const text = status === 500 ? t.error.internal : error.message !== '' ? error.message : (texts[status] ?? '');
    return c.html(
      frameOf(c, { page: null, title: t.error.title, bare: c.var.session === null, body: errorPage(view, text) }),
      status,
    );
  });

  return {
    fetch: app.fetch,
    touch: live.touch,
    viewers: () => live.viewers,
    end() {
      stopFollowing();
      live.end();
    },
  };
}

function refuse(status: 400 | 405 | 413): never {
  throw new HTTPException(status, { message: '' });
}

/** To the page one came from, if it is one of ours. */
function backTo(referer: string | undefined, hosts: readonly string[]): string {
  const parts = /^https?:\/\/([^/]+)(\/[^\s\\]*)$/.exec(referer ?? '');
  const path = parts?.[2] ?? '/';
  return parts && isOurHost(parts[1], hosts) && !path.startsWith('//') && !path.startsWith('/language/') ? path : '/';
}
