// Who may ask over TCP. A browser on the same machine can be made to send requests by any page it shows: so the Host
// must be one of ours (a page may point a name of its own at 127.0.0.1: DNS rebinding), a request that a page of another
// origin makes is refused, and a token is wanted, which no browser sends by itself.
import type { MiddlewareHandler } from 'hono';
import type { Clock } from '../clock.ts';
import type { Scope, Tokens } from './tokens.ts';

const error = (message: string) => ({ error: { message } });

export function isLoopbackHost(header: string): boolean {
  const host = hostOf(header);
  return host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** The name in a Host header, lower-case, without the port. */
const hostOf = (header: string): string => header.replace(/:\d{1,5}$/, '').toLowerCase();

/**
 * RFC 9110 §15.5.20: 421 for a request that is not for us.
 * @param hosts names other than those of the loopback, lower-case, without ports
 */
export function onlyHosts(hosts: readonly string[] = []): MiddlewareHandler {
  return async (c, next) => {
    const header = c.req.header('host') ?? '';
    if (isLoopbackHost(header) || hosts.includes(hostOf(header))) return next();
    const ours = ['127.0.0.1', '[::1]', 'localhost', ...hosts];
    return c.json(error(`the Host header must name one of ${ours.join(', ')}`), 421);
  };
}

/** Fetch Metadata, where a browser sends it; else the Origin. Programs send neither. */
export const sameOriginOnly: MiddlewareHandler = async (c, next) => {
  const site = c.req.header('sec-fetch-site');
  const origin = c.req.header('origin');
  const foreign =
    site === undefined ? origin !== undefined && !isOwn(origin, c.req.header('host') ?? '') : !ownSites.has(site);
  if (foreign) return c.json(error('requests from pages of another origin are refused'), 403);
  return next();
};

/** `none`: typed by a person, or from a bookmark. */
const ownSites: ReadonlySet<string> = new Set(['same-origin', 'none']);

function isOwn(origin: string, host: string): boolean {
  return URL.canParse(origin) && host !== '' && new URL(origin).host === host.toLowerCase();
}

/** What a handler behind `needsScope` can ask when it goes on for long. */
export interface Permitted {
  /** False once the token is revoked or has run out. */
  readonly stillMay: () => boolean;
  /** Its name: who does it, for the record. */
  readonly token: string;
}

/** RFC 6750: no token or a wrong one is 401, one that may do other things is 403. */
export function needsScope(
  scope: Scope,
  tokens: Pick<Tokens, 'verify'>,
  clock: Clock,
): MiddlewareHandler<{ Variables: Permitted }> {
  return async (c, next) => {
    const header = c.req.header('authorization');
    const text = /^Bearer +([^\s]{1,200})$/i.exec(header ?? '')?.[1];
    const verify = () => (text === undefined ? undefined : tokens.verify(text, clock.now()));
    const token = verify();
    if (token?.scopes.includes(scope)) {
      c.set('stillMay', () => verify()?.scopes.includes(scope) ?? false);
      c.set('token', token.name);
      return next();
    }
    c.header('cache-control', 'no-store');
    if (token) {
      c.header('www-authenticate', `Bearer realm="pointsman", error="insufficient_scope", scope="${scope}"`);
      return c.json(error(`the token ${token.name} has not the scope ${scope}`), 403);
    }
    const wrong = header === undefined ? '' : ', error="invalid_token"';
    c.header('www-authenticate', `Bearer realm="pointsman"${wrong}`);
    const what = header === undefined ? 'a token is wanted' : 'this token is not known, or has run out';
    return c.json(error(`${what}: Authorization: Bearer …; "pointsman token add" makes one`), 401);
  };
}
