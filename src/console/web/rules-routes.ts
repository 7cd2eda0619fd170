// The rules to look at, and trying them out. What is uploaded is tried and forgotten: nothing of it is kept or put in
// force.
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { day } from '../../clock.ts';
import { parseMailbox } from '../../mail/path.ts';
import { RefusedError } from '../../operations.ts';
import type { RuleFile } from '../../oversight.ts';
import { type State, states } from '../../presence/presence.ts';
import type { Desk } from './desk.ts';
import { rulesPage } from './pages/rules.ts';
import { replayPage, replaySpans, sampleMessage, type TryWish, tryPage } from './pages/trials.ts';
import { localMoment } from './people-routes.ts';
import { mayAct } from './view.ts';
import { type Env, field, frameOf, type PageContext } from './who.ts';

/** Of a whole form with its files. */
export const largestUpload = 4 * 1024 * 1024;
const mostFiles = 200;

export function rulesRoutes({ operations }: Desk): Hono<Env> {
  const app = new Hono<Env>();
  const show = async (c: PageContext, body: Parameters<typeof frameOf>[1]['body']) =>
    c.html(await frameOf(c, { page: 'rules', title: c.var.view.t.rules.title, body }));

  app.get('/rules', (c) => show(c, rulesPage(c.var.view, operations.ruleFiles())));

  // Rehearsing costs more than looking: it is for those who may act.
  app.use('/rules/*', async (c, next) => {
    if (!mayAct(c.var.view.role)) throw new HTTPException(403, { message: c.var.view.t.error.forbidden });
    return next();
  });

  app.get('/rules/try', async (c) => {
    const to = operations.groups()[0]?.addresses[0] ?? 'support@example.org';
    const message = sampleMessage.replace('support@example.org', to);
    const wish = { message, to: '', from: '', moment: '', people: {} };
    return show(c, tryPage(c.var.view, { wish, people: await operations.presence(), result: null, refused: null }));
  });

  app.post('/rules/try', async (c) => {
    const { view, form } = c.var;
    const people = await operations.presence();
    const wish = await tryWish(
      form,
      people.map(({ name }) => name),
    );
    const shown = await guarded(async () => {
      const at = wish.moment === '' ? view.now : localMoment(wish.moment, view.zone);
      if (at === undefined) throw new RefusedError(view.t.people.noMoment);
      const to = addresses(wish.to, view.t.rules.noAddress);
      const [from] = wish.from === '<>' ? (['<>'] as const) : addresses(wish.from, view.t.rules.noAddress);
      return operations.tryOut({
        files: await ruleFiles(form),
        message: wish.message,
        ...(to.length === 0 ? {} : { to }),
        ...(from === undefined ? {} : { from }),
        at,
        people: wish.people,
      });
    });
    return show(c, tryPage(view, { wish, people, ...shown }));
  });

  app.get('/rules/replay', (c) => show(c, replayPage(c.var.view, { span: '1', result: null, refused: null })));

  app.post('/rules/replay', async (c) => {
    const { view, form } = c.var;
    const span = replaySpans.find((one) => one === field(form, 'span')) ?? '1';
    const shown = await guarded(async () =>
      operations.replayDays({ files: await ruleFiles(form), since: view.now - Number(span) * day, until: view.now }),
    );
    return show(c, replayPage(view, { span, ...shown }));
  });
  return app;
}

async function guarded<Result>(
  run: () => Promise<Result>,
): Promise<{ readonly result: Result | null; readonly refused: string | null }> {
  try {
    return { result: await run(), refused: null };
  } catch (error) {
    if (error instanceof RefusedError) return { result: null, refused: error.message };
    throw error;
  }
}

function addresses(text: string, wrong: (text: string) => string) {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const mailbox = parseMailbox(part);
      if (mailbox === undefined) throw new RefusedError(wrong(part.slice(0, 80)));
      return mailbox;
    });
}

async function tryWish(form: FormData, names: readonly string[]): Promise<TryWish> {
  const mail = form.get('mail');
  const typed = form.get('message');
  const message = mail instanceof File && mail.size > 0 ? await mail.text() : typeof typed === 'string' ? typed : '';
  const said = names.flatMap((name): [string, State][] => {
    const state = states.find((one) => one === form.get(`is ${name}`));
    return state === undefined ? [] : [[name, state]];
  });
  return {
    message,
    to: field(form, 'to', 320) ?? '',
    from: field(form, 'from', 320) ?? '',
    moment: field(form, 'moment', 40) ?? '',
    people: Object.fromEntries(said),
  };
}

/** Null when none were sent: those in force are meant. Browsers send the last part of a path alone. */
async function ruleFiles(form: FormData): Promise<readonly RuleFile[] | null> {
  const files = form.getAll('files').filter((one) => one instanceof File && one.size > 0) as File[];
  if (files.length === 0) return null;
  if (files.length > mostFiles) throw new RefusedError(`more than ${mostFiles} files`);
  return Promise.all(
    files.map(async (file) => {
      const name = /^[\w][\w .-]{0,100}\.yaml$/.exec(file.name.replace(/^.*[/\\]/, ''))?.[0];
      if (name === undefined)
        throw new RefusedError(`${JSON.stringify(file.name.slice(0, 80))}: the name of a rule file ends in .yaml`);
      return { name: `rules/${name}`, text: await file.text() };
    }),
  );
}
