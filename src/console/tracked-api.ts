// The routes under /api/v1/tracked and /api/v1/look-back: messages somebody has to take care of, what is done about
// them by hand, and how long it took.
import { type Context, Hono } from 'hono';
import { day, parseDuration, second } from '../clock.ts';
import { isQueueId, type QueueId } from '../mail/queue-id.ts';
import type { Operations } from '../operations.ts';
import { doneBy, idOf, limitOf, refuse, spanOf, statesOf, trackStates } from './asked.ts';

export function trackedApi(operations: Operations): Hono {
  const api = new Hono();
  api.get('/', async (c) => {
    const states = statesOf(c, trackStates);
    const group = c.req.query('group');
    return c.json(
      await operations.listTracked({ ...(states ? { states } : {}), ...(group ? { group } : {}), limit: limitOf(c) }),
    );
  });
  api.get('/:id', async (c) => {
    const id = idOf(c);
    const story = (await operations.story(id)) ?? refuse(404, `no message ${id}`);
    if (story.tracked.length === 0)
      refuse(404, `${story.message.queueId} is not tracked: it was for no group with a policy`);
    return c.json(story);
  });
  api.get('/:id/candidates', async (c) => {
    const id = idOf(c);
    return c.json((await operations.candidates(id)) ?? refuse(404, `no tracked message ${id}`));
  });
  api.post('/:id/ack', async (c) => {
    const by = await doneBy(c);
    const id = idOf(c);
    const outcome = await operations.ack(id, by);
    if (outcome.kind === 'unknown') refuse(404, `no tracked message ${id}`);
    return c.json(outcome);
  });
  api.post('/:id/give', async (c) => {
    const by = await doneBy(c);
    const to = await wordOf(c, 'to', 'must be the name of a person of the rules');
    return c.json(await operations.reassign(idOf(c), to ?? refuse(400, '"to" must be the name of a person'), by));
  });
  api.post('/:id/snooze', async (c) => {
    const by = await doneBy(c);
    const text = (await wordOf(c, 'for', 'must be a time such as 30m')) ?? refuse(400, '"for" must say how long');
    const lasts = parseDuration(text);
    if (lasts === undefined || lasts < second || lasts > day)
      return refuse(400, `"for" is a time from 1s to 1d, such as 30m, not ${JSON.stringify(text.slice(0, 40))}`);
    return c.json(await operations.snooze(idOf(c), lasts, by));
  });
  api.post('/:id/step', async (c) => {
    const by = await doneBy(c);
    const step = await wordOf(c, 'step', 'must be the name of a step of its policy');
    return c.json(await operations.takeStep(idOf(c), step, by));
  });
  return api;
}

export function lookBackApi(operations: Operations): Hono {
  const api = new Hono();
  /** In the order in which it came; `after` is the last one of the page before, as `queueId.seq`. */
  api.get('/handled', async (c) => {
    const after = c.req.query('after');
    return c.json(await operations.handled({ ...spanOf(c), ...(after === undefined ? {} : { after: refOf(after) }) }));
  });
  api.get('/report', async (c) => {
    const { since, until } = spanOf(c);
    const group = c.req.query('group');
    const zone = c.req.query('zone') ?? 'UTC';
    return c.json(await operations.report({ since, until, zone, ...(group ? { group } : {}) }));
  });
  return api;
}

function refOf(text: string): { readonly queueId: QueueId; readonly seq: number } {
  const [queueId = '', seq = '', ...more] = text.split('.');
  if (!isQueueId(queueId) || !/^\d{1,9}$/.test(seq) || more.length > 0)
    return refuse(
      400,
      `"after" is a queue id and a number, such as 01JC5Z0K3F7QX.0, not ${JSON.stringify(text.slice(0, 40))}`,
    );
  return { queueId: queueId as QueueId, seq: Number(seq) };
}

/** Null when it is not there. */
async function wordOf(c: Context, key: string, rule: string): Promise<string | null> {
  const body = (await c.req.json()) as Record<string, unknown>;
  const value = body[key];
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string' || value === '' || value.length > 200) return refuse(400, `"${key}" ${rule}`);
  return value;
}
