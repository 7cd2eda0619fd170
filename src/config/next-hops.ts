// Where mail goes next: the entries of `nextHops` with all that stands in them by default.
import { resolve } from 'node:path';
import { domainKey } from '../mail/path.ts';
import { quote, type Report } from '../routing/problem.ts';
import type { Place } from '../routing/rules.ts';
import type { Named } from '../routing/schema.ts';
import type { NextHop } from '../transport.ts';
import { defaults, isLoopback, type NextHopEntry } from './config-file.ts';
import { type ConfigSurroundings, certificatesIn, secretOf } from './secrets.ts';

export function nextHopsOf(
  nextHops: readonly Named<NextHopEntry>[] | undefined,
  place: Place,
  surroundings: ConfigSurroundings,
  report: Report,
): { readonly default: NextHop; readonly byDomain: ReadonlyMap<string, NextHop> } {
  const byDomain = new Map<string, NextHop>();
  let standard: NextHop | undefined;
  for (const entry of nextHops ?? []) {
    const hop = nextHopOf(entry, entry.place ?? place, surroundings, report);
    if (entry.name === 'default') standard = hop ?? placeholder;
    else if (hop) byDomain.set(domainKey(entry.name), hop);
  }
  if (nextHops !== undefined && standard === undefined)
    report.error(
      nextHops[0]?.place ?? place,
      'nextHops needs the key "default": where mail goes that no domain here names',
    );
  return { default: standard ?? placeholder, byDomain };
}

// Stands in where the real one was reported, so that the rest can be checked too; never part of a result.
const placeholder: NextHop = { name: '', host: '', port: 0, tls: 'verify', maxConnections: 1 };

function nextHopOf(
  { name, value }: Named<NextHopEntry>,
  at: Place,
  surroundings: ConfigSurroundings,
  report: Report,
): NextHop | undefined {
  if (value === undefined) return undefined;
  const { host, socket, port = 25, maxConnections = defaults.maxConnections, user, pins } = value;
  if ((host === undefined) === (socket === undefined)) {
    report.error(at, `the next hop ${quote(name)} has exactly one of host and socket`);
    return undefined;
  }
  const local = socket !== undefined || isLoopback(host ?? '');
  // On loopback nobody else can listen in; everywhere else the name in the certificate must be right unless said.
  const tls = value.tls ?? (local ? 'none' : 'verify');
  if (user !== undefined && !local && tls !== 'verify') {
    report.error(at, `the next hop ${quote(name)}: a password goes only where tls is verify`);
  }
  const ca = value.caFile && certificatesIn(value.caFile, surroundings, report);
  const password = user === undefined ? undefined : secretOf({ ...value, place: at }, surroundings, report);
  const shared = {
    name,
    tls,
    maxConnections,
    ...(value.protocol === 'lmtp' ? { protocol: 'lmtp' as const } : {}),
    ...(ca ? { ca } : {}),
    ...(pins ? { pins } : {}),
    ...(user !== undefined && password !== undefined ? { auth: { user, password } } : {}),
  };
  const fallbacks = value.fallbacks?.map((each): NextHop => ({ ...shared, host: each.host, port: each.port }));
  return {
    ...shared,
    host: host ?? 'localhost',
    port: socket === undefined ? port : 0,
    ...(socket === undefined ? {} : { socket: resolve(surroundings.folder, socket) }),
    ...(fallbacks ? { fallbacks } : {}),
  };
}
