// What strangers send to the console's port and to the API's: paths and parameters of any kind to every route there is,
// forms that are none, many tries to sign in, requests that come slowly or not at all, uploads without end. Nothing
// fails in us, nothing of it becomes a part of a page, nobody else waits.
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { endpoints } from '../../../src/console/api/openapi.ts';
import { createApi } from '../../../src/console/api.ts';
import { serveConsole } from '../../../src/console/server.ts';
import { createConsole } from '../../../src/console/web/app.ts';
import { type Log, silentLog } from '../../../src/log.ts';
import { TestClock } from '../../support/clock.ts';
import { host, hostile, nobodyPlays, openPages } from '../../support/console-pages.ts';
import { fakeOperations, sampleId } from '../../support/fake-operations.ts';
import { runs } from '../../support/runs.ts';

/** Of the pages, with places to fill. */
const pages = [
  ...['/', '/message/:x', '/live/message/:x', '/queue', '/live/queue', '/people', '/live/people', '/people/:x'],
  ...['/live/people/:x', '/events', '/live/events', '/audit', '/reports', '/reports/:x', '/rules', '/rules/try'],
  ...['/rules/replay', '/live/now', '/language/:x', '/assets/:x/:x', '/sign-in', '/sign-out', '/:x'],
];
const actions = [
  ...['/message/:x/:x', '/queue', '/faults/:x', '/people/:x/presence', '/rules/try', '/rules/replay', '/sign-out'],
  ...['/play/become', '/play/send', '/play/answer', '/play/speed', '/play/resume', '/:x'],
];
const names = [
  'id',
  'state',
  'to',
  'from',
  'hop',
  'group',
  'kind',
  'before',
  'text',
  'day',
  'name',
  'span',
  'first',
].concat([
  'last',
  'action',
  'why',
  'person',
  'for',
  'until',
  'moment',
  'note',
  'message',
  'files',
  'factor',
  'mood',
  'reaction',
]);
const word = fc.oneof(
  fc.constantFrom(
    ...[hostile, '..', '%00', '__proto__', 'constructor', 'k7mf', sampleId, '0', '-1', '9'.repeat(30), '1e9', 'NaN'],
    ...['2026-02-30', '2026-03-29T02:30', 'x'.repeat(9_000), "' OR 1=1 --", '\r\nset-cookie: x=1', '\ud800', 'claim'],
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
);
const encoded = word.map((text) => encodeURIComponent(text.toWellFormed()));
const filled = (paths: readonly string[]) =>
  fc.tuple(fc.constantFrom(...paths), fc.array(encoded, { minLength: 2, maxLength: 2 })).map(([path, words]) => {
    const left = [...words];
    return path.replaceAll(':x', () => left.shift() ?? 'x');
  });
const parameters = fc.dictionary(fc.constantFrom(...names), word, { maxKeys: 4 });
const queryOf = (given: Readonly<Record<string, string>>): string => {
  const text = new URLSearchParams(given).toString();
  return text === '' ? '' : `?${text}`;
};

/** A log that must stay silent: whatever is written there at this level was a fault of ours. */
function strictLog(faults: unknown[]): Log {
  return { ...silentLog, error: (fields: unknown) => void faults.push(fields) } as Log;
}

describe('whatever is asked for', () => {
  test('pages answer, and hold nothing of it but as text', async () => {
    const faults: unknown[] = [];
    const { get, visit } = openPages({}, { log: strictLog(faults) });
    const { cookie } = await visit();
    await fc.assert(
      fc.asyncProperty(filled(pages), parameters, async (path, query) => {
        const response = await get(path + queryOf(query), { cookie });
        if (response.headers.get('content-type')?.startsWith('text/event-stream')) {
          await response.body?.cancel();
          return;
        }
        const text = await response.text();
        expect([200, 303, 400, 403, 404, 405, 409]).toContain(response.status);
        expect(text).not.toContain('<script>alert');
        expect(text).not.toContain('<img src=x');
        expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
        expect(response.headers.get('set-cookie') ?? '').not.toContain('x=1');
        expect(response.headers.get('location') ?? '/').toMatch(/^\/(?!\/)/);
      }),
      { numRuns: runs(250) },
    );
    expect(faults).toEqual([]);
  });

  test('forms are done or refused, and nothing else', async () => {
    const faults: unknown[] = [];
    const { post, visit } = openPages({}, { log: strictLog(faults) });
    const { cookie, token } = await visit();
    await fc.assert(
      fc.asyncProperty(filled(actions), parameters, async (path, form) => {
        const response = await post(path, { ...form, token }, { cookie });
        expect([200, 204, 303, 400, 403, 404, 409, 413]).toContain(response.status);
        expect(await response.text()).not.toContain('<script>alert');
        expect(response.headers.get('location') ?? '/').toMatch(/^\/(?!\/)/);
      }),
      { numRuns: runs(200) },
    );
    expect(faults).toEqual([]);
  });

  test('without the token of the session no form does anything, on any route', async () => {
    const { post, visit, operations } = openPages();
    const { cookie } = await visit();
    const before = operations.calls.length;
    for (const path of actions.map((one) => one.replaceAll(':x', 'k7mf'))) {
      for (const form of [{}, { token: '' }, { token: 'x'.repeat(43) }])
        expect([path, (await post(path, form as Record<string, string>, { cookie })).status]).toEqual([path, 403]);
    }
    expect(operations.calls.slice(before)).toEqual([]);
  });

  test('the API answers in its own words', async () => {
    const faults: unknown[] = [];
    const api = createApi(fakeOperations(), strictLog(faults), { followers: new TestClock() });
    const body = fc.oneof(
      fc.json({ maxDepth: 3 }),
      fc
        .dictionary(fc.constantFrom('by', ...names, 'wish', 'since', 'until', 'at', 'step'), fc.jsonValue())
        .map((one) => JSON.stringify({ by: 'x', ...one })),
      fc.constant('{"by":'),
      fc.constant(`${'['.repeat(7_000)}${']'.repeat(7_000)}`),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...endpoints),
        fc.array(encoded, { minLength: 2, maxLength: 2 }),
        parameters,
        body,
        async ({ method, path }, words, query, content) => {
          const left = [...words];
          const url = `/api/v1${path.replaceAll(/:\w+/g, () => left.shift() ?? 'x')}${queryOf(query)}`;
          const response = await api.request(url, {
            method: method.toUpperCase(),
            ...(method === 'post' ? { body: content } : {}),
          });
          expect([200, 400, 404, 409, 413, 422]).toContain(response.status);
          if (response.status >= 400)
            expect(((await response.json()) as { error: { message: string } }).error.message).toMatch(/\S/);
          else await response.body?.cancel();
        },
      ),
      { numRuns: runs(300) },
    );
    expect(faults).toEqual([]);
  });
});

describe('over a socket', () => {
  let close: () => Promise<void> = async () => undefined;
  afterEach(() => close());

  async function serve(more: Partial<Parameters<typeof createConsole>[0]> = {}) {
    const clock = new TestClock();
    let hosts: readonly string[] = [host];
    const pages = createConsole({
      ...{ operations: fakeOperations(), clock, wall: clock, log: silentLog, hosts: () => hosts },
      ...{ secure: false, play: nobodyPlays, users: null },
      ...more,
    });
    const listening = await serveConsole({ host: '127.0.0.1', port: 0 }, pages);
    hosts = [`127.0.0.1:${listening.port}`];
    close = async () => {
      pages.end();
      await listening.close();
    };
    return { port: listening.port, pages };
  }

  const statusOf = (port: number, path: string) =>
    new Promise<number>((resolve, reject) => {
      const asked = request({ port, host: '127.0.0.1', path }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      asked.on('error', reject);
      asked.end();
    });

  /** Sends on until it is cut off, or that many octets have gone; answers how many went, and the status. */
  async function upload(port: number, path: string, most: number) {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    let answer = '';
    socket.on('data', (data) => {
      answer += data;
    });
    const heard = (event: 'drain' | 'data') =>
      new Promise<void>((resolve) => {
        if (socket.destroyed || answer !== '') resolve();
        socket.once(event, () => resolve()).once('close', () => resolve());
      });
    await once(socket, 'connect');
    const head = ['POST', path, `HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nTransfer-Encoding: chunked\r\n`].join(' ');
    socket.write(`${head}Content-Type: application/x-www-form-urlencoded\r\n\r\n`);
    const part = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    let sent = 0;
    while (sent < most && !socket.destroyed && answer === '') {
      sent += 65_536;
      if (!socket.write(part)) await heard('drain');
    }
    await heard('data');
    socket.destroy();
    // Whoever goes on sending may see the connection go before they see why.
    return { sent, status: answer === '' ? 413 : Number(answer.slice(9, 12)) };
  }

  test('hundreds who begin a request and say no more keep nobody waiting', async () => {
    const { port } = await serve();
    const slow = Array.from({ length: 300 }, (_, index) => {
      const socket = connect({ port, host: '127.0.0.1' });
      socket.on('error', () => undefined);
      socket.write(
        index % 2 === 0 ? 'GET / HTTP/1.1\r\nHost: ' : 'POST /queue HTTP/1.1\r\nContent-Length: 1000\r\n\r\nx',
      );
      return socket;
    });
    await Promise.all(slow.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    const from = performance.now();
    expect(await statusOf(port, '/')).toBe(200);
    expect(performance.now() - from).toBeLessThan(5_000);
    for (const socket of slow) socket.destroy();
  });

  test.each([
    ['/queue', 64 * 1024],
    ['/message/k7mf/drop', 64 * 1024],
    ['/sign-out', 64 * 1024],
    ['/rules/try', 4 * 1024 * 1024],
  ])('an upload without end to %s is cut off after some %i octets', async (path, most) => {
    const { port } = await serve();
    // Nobody tells beforehand how long it is.
    const { sent, status } = await upload(port, path, 100e6);
    expect(status).toBe(413);
    // What is in the buffers of both sides has gone, too.
    expect(sent).toBeLessThan(most + 20e6);
    expect(await statusOf(port, '/')).toBe(200);
  });

  test('streams that nobody reads do not pile up, and there is an end to how many there are', async () => {
    const { port, pages } = await serve();
    const cookie = await new Promise<string>((resolve) => {
      request({ port, host: '127.0.0.1', path: '/' }, (response) => {
        response.resume();
        resolve(response.headers['set-cookie']?.[0]?.split(';')[0] ?? '');
      }).end();
    });
    const sockets = await Promise.all(
      Array.from({ length: 510 }, async () => {
        const socket = connect({ port, host: '127.0.0.1' });
        socket.on('error', () => undefined);
        socket.write(`GET /live/now HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nCookie: ${cookie}\r\n\r\n`);
        const head = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data))));
        socket.pause();
        return { socket, status: head.slice(9, 12) };
      }),
    );
    expect(sockets.filter(({ status }) => status === '503')).toHaveLength(10);
    expect(pages.viewers()).toBe(500);
    expect(await statusOf(port, '/')).toBe(200);
    for (const { socket } of sockets) socket.destroy();
  });
});
