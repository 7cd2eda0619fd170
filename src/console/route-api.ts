// POST /route: envelope and header facts in, the decision with its reasons out. Nothing is remembered of it.
import { type Context, Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { type Mailbox, nullReversePath, parseMailbox } from '../mail/path.ts';
import type { Operations, RouteQuestion } from '../operations.ts';

const mostRecipients = 100;

export function routeApi(operations: Pick<Operations, 'route'>): Hono {
  const api = new Hono();
  api.post('/', async (c) => c.json({ recipients: operations.route(await routeQuestionOf(c)) }));
  return api;
}

/** `{"from":"ann@example.net","to":["support@example.org"],"headers":{"Subject":"Fire"}}` */
async function routeQuestionOf(c: Context): Promise<RouteQuestion> {
  const wanted = '{"from":"…","to":["…"],"headers":{"Subject":"…"}} is wanted';
  const body: unknown = await c.req.json().catch(() => refuse(`the body is not JSON; ${wanted}`));
  if (body === null || typeof body !== 'object' || Array.isArray(body)) refuse(`the body is no object; ${wanted}`);
  const { from = nullReversePath, to, headers = {} } = body as Readonly<Record<string, unknown>>;
  const mailboxOf = (what: string, value: unknown): Mailbox => {
    const mailbox = typeof value === 'string' ? parseMailbox(value) : undefined;
    const shown = JSON.stringify(value)?.slice(0, 60);
    return mailbox ?? refuse(`"${what}" holds ${shown}, which is no mail address such as ann@example.org`);
  };
  if (!Array.isArray(to) || to.length === 0 || to.length > mostRecipients)
    refuse(`"to" is a list of 1 to ${mostRecipients} addresses; ${wanted}`);
  if (headers === null || typeof headers !== 'object' || Array.isArray(headers)) refuse('"headers" is an object');
  const header = Object.entries(headers as Readonly<Record<string, unknown>>).map(([name, value]) => {
    // RFC 5322 §2.2: a line end in either would begin another field.
    if (!/^[\x21-\x39\x3b-\x7e]{1,200}$/.test(name) || typeof value !== 'string' || /[\r\n\0]/.test(value))
      refuse(`the header ${JSON.stringify(name.slice(0, 40))} is not a name with one line of text`);
    return `${name}: ${value}\r\n`;
  });
  return {
    from: from === nullReversePath || from === '' ? nullReversePath : mailboxOf('from', from),
    to: (to as readonly unknown[]).map((each) => mailboxOf('to', each)),
    header: header.join(''),
  };
}

function refuse(message: string): never {
  throw new HTTPException(400, { message });
}
