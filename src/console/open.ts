// The console on its own port, and where browsers find it.

import { openUsers } from '../config/users.ts';
import type { ConsoleConfig } from '../config.ts';
import { type Listening, serveConsole } from './server.ts';
import { type ConsoleOptions, createConsole } from './web/app.ts';
import { breathe, busyShare } from './web/spare-time.ts';

export interface OpenConsole extends Listening {
  readonly url: string;
  /** Something has happened that may show. */
  readonly touch: () => void;
}

export async function openConsole(
  config: ConsoleConfig,
  {
    state,
    ...options
  }: Omit<ConsoleOptions, 'hosts' | 'secure' | 'users'> & {
    /** The state folder, where those who may sign in are written. */
    readonly state: string;
  },
): Promise<OpenConsole> {
  let hosts: readonly string[] = [];
  const secure = config.urls.some((url) => url.startsWith('https:'));
  // Only the sandbox, on loopback and with nobody's mail, lets everybody in.
  const users = options.play ? null : openUsers(state, (text) => options.log.warn({}, text));
  const spareTime = { busy: busyShare(), breathe };
  const pages = createConsole({ ...options, users, hosts: () => hosts, secure, spareTime });
  const served = await serveConsole(config, pages);
  hosts = hostsOf(config, served.port);
  return {
    url: config.urls[0] ?? `http://${hosts[0]}`,
    touch: pages.touch,
    async close() {
      pages.end();
      await served.close();
    },
  };
}

/** What a Host header may say: the address we listen on, and the names of the URLs. */
export function hostsOf({ host, urls }: ConsoleConfig, port: number): readonly string[] {
  const bracketed = host.includes(':') ? `[${host}]` : host;
  const loopback = host === '::1' || host === 'localhost' || host.startsWith('127.');
  const named = urls.map((url) => new URL(url).host.toLowerCase());
  return [...new Set([`${bracketed}:${port}`, ...(loopback ? [`localhost:${port}`] : []), ...named])];
}
