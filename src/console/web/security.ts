// What stands before every page: which names we answer to, what browsers may do with what we send, and that a request
// which changes something comes from our own pages.
import type { Context, MiddlewareHandler } from 'hono';

/** Nothing inline, nothing from elsewhere, no frames, no plugins: what mail may hold has nowhere to run. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function securityHeaders(secure: boolean): MiddlewareHandler {
  return async (c, next) => {
    await next();
    const set = (name: string, value: string) => c.res.headers.set(name, value);
    set('content-security-policy', policy);
    set('x-content-type-options', 'nosniff');
    set('x-frame-options', 'DENY');
    // Not "no-referrer": our own forms would then come with the origin "null".
    set('referrer-policy', 'same-origin');
    set('cross-origin-opener-policy', 'same-origin');
    set('cross-origin-resource-policy', 'same-origin');
    set('permissions-policy', 'camera=(), geolocation=(), microphone=(), payment=(), usb=()');
    if (secure) set('strict-transport-security', 'max-age=31536000');
    if (!c.res.headers.has('cache-control')) set('cache-control', 'no-store');
  };
}

/**
 * A web page may point a name of its own at our address and read us through a visitor's browser (DNS rebinding); it
 * cannot choose the Host header. @param hosts with port where it is not the scheme's own
 */
export function isOurHost(header: string | undefined, hosts: readonly string[]): boolean {
  return header !== undefined && hosts.includes(header.toLowerCase());
}

/** Browsers say where a request comes from; programs that are no browsers say nothing, and have the token to show. */
export function isFromElsewhere(c: Context, hosts: readonly string[]): boolean {
  const site = c.req.header('sec-fetch-site');
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  const origin = c.req.header('origin');
  if (origin === undefined) return false;
  const host = /^https?:\/\/([^/]+)$/.exec(origin)?.[1];
  return !isOurHost(host, hosts);
}
