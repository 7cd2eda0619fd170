// The webhook: one POST of JSON, refused by whatever is no 2xx, never redirected, never waited for without end.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { createWebhook } from '../../../src/webhook.ts';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0)) step();
});

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  undo.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/faults`;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}

it('posts the report as JSON', async () => {
  const heard: { method: string | undefined; type: string | undefined; body: unknown }[] = [];
  const url = await serve(async (request, response) => {
    const { method, headers } = request;
    heard.push({ method, type: headers['content-type'], body: JSON.parse(await bodyOf(request)) });
    response.writeHead(204).end();
  });
  await createWebhook(url)({ fault: 'disk-low', text: 'voll: 1 % “übrig”' });
  expect(heard).toEqual([
    { method: 'POST', type: 'application/json; charset=utf-8', body: { fault: 'disk-low', text: 'voll: 1 % “übrig”' } },
  ]);
});

it.each([404, 500, 503])('rejects when the program says %i', async (status) => {
  const url = await serve((_, response) => void response.writeHead(status).end('no'));
  await expect(createWebhook(url)({})).rejects.toThrow(`the webhook says ${status}`);
});

it('follows no redirect: it could name a machine that nobody configured', async () => {
  let followed = 0;
  const other = await serve((_, response) => {
    followed += 1;
    response.end();
  });
  const url = await serve((_, response) => void response.writeHead(307, { location: other }).end());
  await expect(createWebhook(url)({})).rejects.toThrow();
  expect(followed).toBe(0);
});

it('gives up on a program that does not answer, and on one that is not there', async () => {
  const url = await serve(() => undefined);
  await expect(createWebhook(url, 50)({})).rejects.toThrow(/timeout|aborted/i);
  await expect(createWebhook('http://127.0.0.1:1/')({})).rejects.toThrow();
});
