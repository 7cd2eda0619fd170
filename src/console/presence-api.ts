// Presence served back: who is there, one person, a group, or everybody; who was there then; following it by server-sent
// events; and saying by hand what holds.
import { type Context, Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { streamSSE } from 'hono/streaming';
import { type Clock, type Duration, second } from '../clock.ts';
import type { Operations, PersonView, PresenceFilter, PresenceWish } from '../operations.ts';
import { overrideStates } from '../presence/override.ts';
import { onBehalf } from './asked.ts';
import type { Permitted } from './guard.ts';

/** Who reads slower than this many changes behind is cut off, and may come back for the whole. */
const mostBehind = 1_000;
/** At once, over TCP. */
const mostFollowers = 100;
/** Proxies cut what is silent; and a token that was revoked ends what it has opened within this time. */
const beatEvery: Duration = 15 * second;

export type PresenceReading = Pick<Operations, 'presence' | 'presenceAt' | 'followPresence'>;

/** Also to set it by hand. */
export function presenceApi(
  operations: PresenceReading & Pick<Operations, 'setPresence'>,
  clock: Clock | null = null,
): Hono {
  const api = presenceReader(operations, clock);

  api.post('/:name', async (c) => {
    const body: unknown = await c.req.json().catch(() => refuse('the body is not JSON'));
    const { by, wish } = (body ?? {}) as { by?: unknown; wish?: unknown };
    if (!isLine(by, 100)) refuse('"by" must say who does this, in 1 to 100 characters');
    return c.json(await operations.setPresence(c.req.param('name'), readWish(wish), onBehalf(c, by as string)));
  });

  return api;
}

/** @param clock where readers come over TCP: what they follow lives only as long as their token */
export function presenceReader(operations: PresenceReading, clock: Clock | null = null): Hono {
  const api = new Hono<{ Variables: Partial<Permitted> }>();
  let followers = 0;

  api.get('/', async (c) => {
    const at = c.req.query('at');
    if (at === undefined) return c.json(await operations.presence(filterOf(c)));
    const then = /^\d{1,15}$/.test(at) ? Number(at) : Date.parse(at);
    if (!Number.isFinite(then))
      refuse(`"at" is a time such as 2026-01-31T10:42:00Z, not ${JSON.stringify(at.slice(0, 40))}`);
    return c.json(await operations.presenceAt(then));
  });

  api.get('/events', async (c) => {
    const filter = filterOf(c);
    // Asked before anything is sent: an unknown name is an error, not an empty stream.
    await operations.presence(filter);
    if (clock !== null && followers >= mostFollowers)
      throw new HTTPException(503, { message: `${mostFollowers} follow already; try again later` });
    const may = c.get('stillMay') ?? (() => true);
    return streamSSE(c, async (stream) => {
      followers += 1;
      const waiting: PersonView[] = [];
      let wake: () => void = () => undefined;
      let over = false;
      const beating = new AbortController();
      const end = operations.followPresence((view) => {
        if (!fits(view, filter)) return;
        if (waiting.length >= mostBehind) over = true;
        else waiting.push(view);
        wake();
      });
      stream.onAbort(() => {
        over = true;
        wake();
      });
      try {
        // Followed first and looked at then: nothing is lost between the two.
        await stream.writeSSE({ event: 'all', data: JSON.stringify(await operations.presence(filter)) });
        if (clock !== null)
          beat(clock).catch(() => {
            // It cannot be written to: the reader has gone.
            over = true;
            wake();
          });
        while (!over && may()) {
          const views = waiting.splice(0);
          if (views.length > 0) await stream.writeSSE({ event: 'changed', data: JSON.stringify(views) });
          else
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
        }
      } finally {
        followers -= 1;
        over = true;
        beating.abort();
        end();
      }

      async function beat(clock: Clock): Promise<void> {
        for (;;) {
          await clock.sleepUntil(clock.now() + beatEvery, beating.signal);
          if (beating.signal.aborted) return;
          // A line that means nothing; whoever waits looks whether they still may.
          await stream.write(': \n\n');
          wake();
        }
      }
    });
  });

  api.get('/:name', async (c) => {
    const [view] = await operations.presence({ person: c.req.param('name') });
    return c.json(view ?? null);
  });

  return api as unknown as Hono;
}

function filterOf(c: Context): PresenceFilter {
  const [person, group] = [c.req.query('person'), c.req.query('group')];
  return { ...(person ? { person } : {}), ...(group ? { group } : {}) };
}

function fits({ name, groups }: PersonView, { person, group }: PresenceFilter): boolean {
  return (person === undefined || person === name) && (group === undefined || groups.includes(group));
}

function readWish(value: unknown): PresenceWish | null {
  if (value === null) return null;
  if (typeof value !== 'object') refuse('"wish" is null, or says {"state", "until"}');
  const { state, until, from, note, substitute } = value as Record<string, unknown>;
  const known = overrideStates.find((one) => one === state);
  if (known === undefined) refuse(`"state" is one of ${overrideStates.join(', ')}`);
  if (until !== null && !isInstant(until)) refuse('"until" is milliseconds since 1970, or null for no end');
  if (from !== undefined && !isInstant(from)) refuse('"from" is milliseconds since 1970');
  if (note !== undefined && !isLine(note, 500)) refuse('"note" is 1 to 500 characters on one line');
  if (substitute !== undefined && !isLine(substitute, 100)) refuse('"substitute" is the name of a person');
  return {
    state: known,
    until,
    ...(from === undefined ? {} : { from }),
    ...(note === undefined ? {} : { note }),
    ...(substitute === undefined ? {} : { substitute }),
  };
}

function isLine(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value !== '' && value.length <= longest && !/\p{Cc}/u.test(value);
}

/** Within the years that a date can show. */
function isInstant(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 253_402_300_800_000;
}

function refuse(message: string): never {
  throw new HTTPException(400, { message });
}
