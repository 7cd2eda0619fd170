// People, and one of them.
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { parseDuration } from '../../clock.ts';
import { type PresenceWish, RefusedError } from '../../operations.ts';
import { overrideStates } from '../../presence/override.ts';
import { parseDate, parseTimeOfDay, wallInstant } from '../../zone.ts';
import type { Desk } from './desk.ts';
import { streamOf } from './now-routes.ts';
import {
  dayWanted,
  ends,
  type PeopleWish,
  peopleData,
  peoplePage,
  peopleSections,
  personData,
  personPage,
  personSections,
} from './pages/people.ts';
import { mayAct, type View } from './view.ts';
import { actor, type Env, field, frameOf, type PageContext } from './who.ts';

export function peopleRoutes(desk: Desk): Hono<Env> {
  const { operations } = desk;
  const app = new Hono<Env>();

  app.get('/people', async (c) => {
    const { view } = c.var;
    const wish = wishOf(c);
    const data = await peopleData(operations, view, wish);
    const body = peoplePage(view, data, peopleSections(view, data));
    // A day that is over does not change.
    const stream = wish.dayNumber === null ? { stream: `/live/people?${queryOf(wish)}` } : {};
    return c.html(await frameOf(c, { page: 'people', title: view.t.people.title, ...stream, body }));
  });
  app.get('/live/people', (c) => {
    const wish = { ...wishOf(c), dayNumber: null };
    const key = `people ${queryOf(wish)}`;
    return streamOf(desk, c, key, async (view) =>
      peopleSections(view, await desk.live.shared(`${key} ${view.zone}`, () => peopleData(operations, view, wish))),
    );
  });

  app.get('/people/:name', async (c) => {
    const { view } = c.var;
    const name = c.req.param('name');
    const data = await personData(operations, view, name);
    if (!data) throw new HTTPException(404, { message: view.t.people.unknown });
    const body = personPage(view, data, personSections(view, data));
    const stream = `/live/people/${encodeURIComponent(name)}`;
    return c.html(await frameOf(c, { page: null, title: data.person.name, stream, body }));
  });
  app.get('/live/people/:name', async (c) => {
    const name = c.req.param('name');
    if (!(await personData(operations, c.var.view, name))) throw new HTTPException(404);
    return streamOf(desk, c, `person ${name}`, async (view) => {
      const data = await personData(operations, view, name);
      return data ? personSections(view, data) : [];
    });
  });

  app.post('/people/:name/presence', async (c) => {
    const { view, session, form } = c.var;
    if (!mayAct(view.role)) throw new HTTPException(403, { message: view.t.error.forbidden });
    const name = c.req.param('name');
    let said: { good: boolean; text: string };
    try {
      const back = field(form, 'back') !== undefined;
      await operations.setPresence(name, back ? null : presenceWish(view, form), actor(session));
      said = { good: true, text: back ? view.t.said.cleared(name) : view.t.said.presence(name) };
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      said = { good: false, text: `${view.t.said.refused}: ${error.message}` };
    }
    if (session) session.said = said;
    desk.live.touch();
    return c.redirect(`/people/${encodeURIComponent(name)}`, 303);
  });
  return app;
}

function presenceWish(view: View, form: FormData): PresenceWish {
  const state = overrideStates.find((one) => one === field(form, 'state'));
  const end = ends.find((one) => one === field(form, 'until'));
  if (!state || !end) throw new HTTPException(400, { message: '' });
  const [note, substitute] = [field(form, 'note'), field(form, 'substitute')];
  return {
    state,
    until: endOf(view, end, field(form, 'moment', 40)),
    ...(note === undefined ? {} : { note }),
    ...(substitute === undefined ? {} : { substitute }),
  };
}

function endOf(view: View, end: (typeof ends)[number], moment: string | undefined): number | null {
  if (end === 'never') return null;
  if (end === 'day') return dayWanted(view, null).to;
  if (end !== 'at') return view.now + (parseDuration(end) ?? 0);
  const at = localMoment(moment ?? '', view.zone);
  if (at === undefined) throw new RefusedError(view.t.people.noMoment);
  return at;
}

/** `2026-12-24T18:30`, as a browser's field gives it, where the viewer is. */
export function localMoment(text: string, zone: string): number | undefined {
  const [, date = '', time = ''] = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2})(?::\d{2})?$/.exec(text) ?? [];
  const [dayNumber, ofDay] = [parseDate(date), parseTimeOfDay(time)];
  return dayNumber === undefined || ofDay === undefined ? undefined : wallInstant({ dayNumber, time: ofDay }, zone);
}

function wishOf(c: PageContext): PeopleWish {
  const word = (name: string): string => (c.req.query(name) ?? '').replaceAll(/\p{Cc}/gu, '').slice(0, 100);
  const dayNumber = parseDate(c.req.query('day') ?? '') ?? null;
  const today = dayNumber !== null && dayWanted(c.var.view, null).from === dayWanted(c.var.view, dayNumber).from;
  return { group: word('group'), name: word('name'), dayNumber: today ? null : dayNumber };
}

const queryOf = ({ group, name }: PeopleWish): string => new URLSearchParams({ group, name }).toString();
