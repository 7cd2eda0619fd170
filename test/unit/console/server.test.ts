// The control socket: closed to others, replaced when stale, never taken from a live one. And the health port.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Hono } from 'hono';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createHealth } from '../../../src/console/health.ts';
import { createMetrics } from '../../../src/console/metrics.ts';
import { AlreadyRunningError, controlSocketIn, serveControl, serveHealth } from '../../../src/console/server.ts';
import { silentLog } from '../../../src/log.ts';
import type { Status } from '../../../src/operations.ts';
import { TestClock } from '../../support/clock.ts';
import { fakeOperations, sampleNow, sampleStatus } from '../../support/fake-operations.ts';

let folder: string;
let socket: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pointsman-'));
  socket = controlSocketIn(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const saying = (word: string) => new Hono().get('/', (c) => c.text(word));

function get(
  where: { socketPath: string } | { port: number },
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string; type: string | undefined }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', ...where, path, headers, agent: false }, (answer) => {
      let body = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => {
        body += part;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body, type: answer.headers['content-type'] }));
    });
    asked.on('error', reject);
    asked.end();
  });
}

describe('control socket', () => {
  test('is for its owner alone, and gone after close', async () => {
    const server = await serveControl(socket, saying('first'));
    expect((await lstat(socket)).mode & 0o777).toBe(0o600);
    expect((await get({ socketPath: socket }, '/')).body).toBe('first');
    expect(await readdir(folder)).toEqual(['control.sock']);
    await server.close();
    expect(await readdir(folder)).toEqual([]);
  });

  test('a live one is not taken over', async () => {
    const server = await serveControl(socket, saying('first'));
    await expect(serveControl(socket, saying('second'))).rejects.toThrow(AlreadyRunningError);
    expect((await get({ socketPath: socket }, '/')).body).toBe('first');
    expect(await readdir(folder)).toEqual(['control.sock']);
    await server.close();
  });

  test('one that accepts and never answers is alive too', async () => {
    const mute = createServer(() => undefined).listen(socket);
    await once(mute, 'listening');
    await expect(serveControl(socket, saying('second'))).rejects.toThrow(/another Pointsman answers/);
    mute.close();
  });

  test('a socket left behind by kill -9 is replaced', async () => {
    const dying = spawn(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(socket)}, () => console.log('up'))`,
    ]);
    await once(dying.stdout, 'data');
    dying.kill('SIGKILL');
    await once(dying, 'exit');
    expect((await lstat(socket)).isSocket()).toBe(true);
    const server = await serveControl(socket, saying('next'));
    expect((await get({ socketPath: socket }, '/')).body).toBe('next');
    await server.close();
  });

  test('of many that start at once on a stale socket, one wins', async () => {
    const dying = spawn(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(socket)}, () => console.log('up'))`,
    ]);
    await once(dying.stdout, 'data');
    dying.kill('SIGKILL');
    await once(dying, 'exit');
    const script = join(import.meta.dirname, '../../support/take-socket.ts');
    const starters = Array.from({ length: 4 }, () => fork(script, [socket], { silent: true }));
    const answers = await Promise.all(starters.map(async (one) => (await once(one, 'message'))[0]));
    expect(answers.filter((answer) => answer === 'serving')).toHaveLength(1);
    expect(answers.filter((answer) => answer === 'AlreadyRunningError')).toHaveLength(3);
    expect((await get({ socketPath: socket }, '/')).status).toBe(200);
    for (const one of starters) one.kill('SIGKILL');
  });

  test('a file in its place is not deleted', async () => {
    await writeFile(socket, 'precious');
    await expect(serveControl(socket, saying('x'))).rejects.toThrow(/not a socket/);
    expect(await readdir(folder)).toEqual(['control.sock']);
  });

  test('a path too long for a socket is told as such', async () => {
    await expect(serveControl(join(folder, 'x'.repeat(120), 'control.sock'), saying('x'))).rejects.toThrow(
      /longer than 103/,
    );
  });
});

describe('health port', () => {
  const serving = async (status: () => Status, run: (port: number) => Promise<void>) => {
    const metrics = createMetrics();
    metrics.observe({ event: 'forwarded', at: 1, queueId: 'Q' as never, to: 'a@b', nextHop: 'inside', reply: '250' });
    const health = createHealth({
      operations: { ...fakeOperations(), status: async () => status(), route: () => [] },
      metrics,
      tokens: { verify: () => undefined },
      hosts: [],
      clock: new TestClock(sampleNow),
      log: silentLog,
    });
    const server = await serveHealth({ host: '127.0.0.1', port: 0 }, health);
    try {
      await run(server.port);
    } finally {
      await server.close();
    }
  };

  test('alive, ready, degraded and not ready are told apart', async () => {
    let status = sampleStatus;
    await serving(
      () => status,
      async (port) => {
        expect((await get({ port }, '/healthz')).status).toBe(200);
        expect(JSON.parse((await get({ port }, '/readyz')).body)).toEqual({
          ready: true,
          state: 'ready',
          problems: [],
        });
        status = { ...sampleStatus, problems: ['XMPP is down'] };
        const degraded = await get({ port }, '/readyz');
        expect(degraded.status).toBe(200);
        expect(JSON.parse(degraded.body)).toEqual({ ready: true, state: 'degraded', problems: ['XMPP is down'] });
        status = { ...sampleStatus, ready: false, problems: ['the store does not answer'], counts: null };
        const broken = await get({ port }, '/readyz');
        expect(broken.status).toBe(503);
        expect(JSON.parse(broken.body)).toMatchObject({ state: 'not ready', problems: ['the store does not answer'] });
        expect((await get({ port }, '/healthz')).status).toBe(200);
      },
    );
  });

  test('metrics speak the Prometheus text format and keep to our names', async () => {
    let status = sampleStatus;
    await serving(
      () => status,
      async (port) => {
        const { body, type } = await get({ port }, '/metrics');
        expect(type).toMatch(/^text\/plain; version=0\.0\.4/);
        expect(body).toContain('pointsman_delivery_attempts_total{next_hop="inside",outcome="forwarded"} 1');
        expect(body).toContain('pointsman_story_events_total{event="forwarded"} 1');
        expect(body).toContain('pointsman_deliveries{state="queued"} 1');
        expect(body).toContain('pointsman_queue_oldest_age_seconds 240');
        expect(body).toContain('pointsman_xmpp_link_state{state="up"} 1');
        const names = [...body.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1] ?? '');
        expect(names.length).toBeGreaterThan(20);
        expect(names.filter((name) => !/^pointsman_[a-z0-9_]+$/.test(name))).toEqual([]);
        status = { ...sampleStatus, ready: false, counts: null };
        const silent = (await get({ port }, '/metrics')).body;
        expect(silent).toContain('pointsman_ready 0');
        expect(silent).not.toContain('pointsman_deliveries{');
      },
    );
  });

  test.each([
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.1',
    '[::2]:80',
  ])('a Host of %s is refused', (host) =>
    serving(
      () => sampleStatus,
      async (port) => {
        const refused = await get({ port }, '/metrics', { host });
        expect(refused.status).toBe(421);
        expect(refused.body).not.toContain('pointsman_');
      },
    ));

  test.each(['localhost', 'LOCALHOST:9', '127.0.0.2:8025', '[::1]:8025'])('a Host of %s is welcome', (host) =>
    serving(
      () => sampleStatus,
      async (port) => {
        expect((await get({ port }, '/healthz', { host })).status).toBe(200);
      },
    ));

  test('nothing else is there', () =>
    serving(
      () => sampleStatus,
      async (port) => {
        expect((await get({ port }, '/api/v2/status')).status).toBe(404);
      },
    ));
});
