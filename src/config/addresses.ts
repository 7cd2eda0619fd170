// Hosts, ports and domains as the configuration writes them.
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { isDomain } from '../mail/path.ts';
import { type Schema, scalar } from '../routing/schema.ts';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** `host:port` or `[IPv6]:port`; undefined when it is neither. Port 0, "any free one", is for listening only. */
export function parseEndpoint(value: string, lowestPort: 0 | 1): Endpoint | undefined {
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(value);
  const host = parts?.[1] ?? parts?.[2];
  const port = Number(parts?.[3]);
  if (host === undefined || port < lowestPort || port > 65_535) return undefined;
  if (parts?.[1] !== undefined) return isIP(host) === 6 ? { host, port } : undefined;
  return isHost(host) ? { host, port } : undefined;
}

export function isHost(host: string): boolean {
  // Digits and dots alone are an address, or a slip; never a name.
  return isIP(host) === 4 || (isDomain(host) && !/^[\d.]+$/.test(host));
}

export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === 'localhost') return true;
  return isIP(host) !== 0 && ipaddr.process(host).range() === 'loopback';
}

export const nextHopAddress: Schema<Endpoint> = scalar(
  'a host and port such as mail.example.org:25 or [::1]:25',
  (value) => parseEndpoint(value, 1),
);

export const domain: Schema<string> = scalar('a domain such as example.org', (value) => {
  if (value.startsWith('*.')) return { wrong: 'is a pattern; name each domain by itself' };
  return isDomain(value) ? value.toLowerCase() : undefined;
});

export const loopbackOnly: Schema<Endpoint> = scalar('a loopback address and port such as 127.0.0.1:8025', (value) => {
  const endpoint = parseEndpoint(value, 0);
  if (endpoint && !isLoopback(endpoint.host))
    return { wrong: 'is not a loopback address, and these pages ask for no password' };
  return endpoint;
});
