// The console's pages without a socket: asked as a browser asks, over operations that answer what a test wants.
import { afterEach } from 'vitest';
import { type Console, type ConsoleOptions, createConsole } from '../../src/console/web/app.ts';
import type { Play } from '../../src/console/web/play.ts';
import { silentLog } from '../../src/log.ts';
import type { Operations } from '../../src/operations.ts';
import { TestClock } from './clock.ts';
import { fakeOperations } from './fake-operations.ts';

export const host = '127.0.0.1:8026';
/** What strangers may write wherever they may write. */
export const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>'\`\u202e\u0000{{x}}`;

export const nobodyPlays: Play = {
  people: () => [{ name: `${hostile}`.replaceAll(/[\u202e\u0000]/g, ''), mood: 'available', human: false }],
  scene: () => hostile,
  become: async () => undefined,
  send: async () => undefined,
  answer: async () => undefined,
  reactions: ['ack', 'ignore'],
  speed: () => 1,
  speeds: [1, 5],
  setSpeed: () => undefined,
  resume: () => undefined,
  onChange: () => undefined,
};

let pages: Console | undefined;
afterEach(() => pages?.end());

export function openPages(over: Partial<Operations> = {}, more: Partial<ConsoleOptions> = {}) {
  const operations = fakeOperations(over);
  const clock = new TestClock();
  const made = createConsole({
    operations,
    clock,
    wall: clock,
    log: silentLog,
    hosts: () => [host],
    secure: false,
    play: nobodyPlays,
    users: null,
    ...more,
  });
  pages = made;
  const get = async (path: string, headers: Record<string, string> = {}) =>
    made.fetch(new Request(`http://${host}${path}`, { headers: { host, ...headers } }));
  const post = async (path: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
    made.fetch(
      new Request(`http://${host}${path}`, {
        method: 'POST',
        headers: { host, ...headers },
        body: new URLSearchParams(form),
      }),
    );
  /** Looks at the first page as a browser does. */
  const visit = async () => {
    const response = await get('/');
    const cookie = (response.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    const token = /name="token" value="([^"]+)"/.exec(await response.text())?.[1] ?? '';
    return { cookie, token };
  };
  return { operations, clock, pages: made, get, post, visit };
}
