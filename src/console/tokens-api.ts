// /tokens: made, listed and revoked by whoever holds the control socket. Each change is in the log with who did it.
import { type Context, Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { Clock, Instant } from '../clock.ts';
import type { Log } from '../log.ts';
import { doneBy } from './asked.ts';
import { isTokenName, type Scope, scopes, type Tokens } from './tokens.ts';

export function tokensApi(tokens: Tokens, clock: Clock, log: Log): Hono {
  const api = new Hono();
  api.get('/', (c) => c.json(tokens.list()));
  api.post('/', async (c) => {
    const by = await doneBy(c);
    const { name, scopes: may, until } = await wishOf(c, clock.now());
    const token = tokens.add(name, may, until, clock.now());
    log.info({ token: name, scopes: may, until, by }, 'a token was made');
    c.header('cache-control', 'no-store');
    return c.json({ token });
  });
  api.post('/:name/revoke', async (c) => {
    const by = await doneBy(c);
    const name = c.req.param('name');
    if (!tokens.revoke(name))
      throw new HTTPException(404, { message: `no token ${JSON.stringify(name.slice(0, 80))}` });
    log.info({ token: name, by }, 'a token was revoked');
    return c.json({ revoked: name });
  });
  return api;
}

async function wishOf(
  c: Context,
  now: Instant,
): Promise<{ readonly name: string; readonly scopes: readonly Scope[]; readonly until: Instant | null }> {
  const { name, scopes: may, until = null } = (await c.req.json()) as Readonly<Record<string, unknown>>;
  if (typeof name !== 'string' || !isTokenName(name))
    refuse('"name" is 1 to 64 letters, digits, dots, dashes or underlines, and begins with a letter or digit');
  const words: readonly unknown[] = Array.isArray(may) ? may : [];
  const known = scopes.filter((scope) => words.includes(scope));
  if (known.length === 0 || words.some((word) => !scopes.some((scope) => scope === word)))
    refuse(`"scopes" is a list of one or more of ${scopes.join(', ')}`);
  // The last year that a date is written in with four digits.
  if (
    until !== null &&
    !(Number.isInteger(until) && (until as number) > now && (until as number) < 253_402_300_800_000)
  )
    refuse('"until" is a moment to come, in milliseconds since 1970, or null for no end');
  return { name: name as string, scopes: known, until: until as Instant | null };
}

function refuse(message: string): never {
  throw new HTTPException(400, { message });
}
