// Where the control API and the health port are served. The control channel is a unix socket in the state folder, for
// its owner alone; who holds it owns the state folder, so taking it also keeps a second Pointsman away from the store.
import { randomBytes } from 'node:crypto';
import { chmod, link, lstat, rename, unlink } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { dirname, join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';

/** Another live process has the socket; the message is for people. */
export class AlreadyRunningError extends Error {
  override readonly name = 'AlreadyRunningError';
}

export interface Listening {
  close(): Promise<void>;
}

/** sun_path, less its closing NUL, on Linux; the others have 104. */
const longestSocketPath = 103;

export function controlSocketIn(stateFolder: string): string {
  return join(stateFolder, 'control.sock');
}

export interface ControlSocket extends Listening {
  /** From now on requests are answered by this; until then with 503. */
  serve(api: Pick<Hono, 'fetch'>): void;
}

/**
 * Takes the socket before anything else in the state folder is touched: who holds it owns the folder.
 * @throws AlreadyRunningError when somebody answers on it. A socket nobody answers on is replaced.
 */
export async function takeControl(path: string): Promise<ControlSocket> {
  // Bound under a name of our own, closed to others, then linked into place: a link never replaces what is there, so
  // of two that start in the same instant one gets it and one is refused, and the socket is never open wider than 0600.
  const own = join(dirname(path), `.ctl-${randomBytes(3).toString('hex')}`);
  if (Buffer.byteLength(own) > longestSocketPath || Buffer.byteLength(path) > longestSocketPath) {
    throw new Error(
      `the path of the control socket is longer than ${longestSocketPath} octets: ${path}; use a shorter state folder`,
    );
  }
  let answer: Pick<Hono, 'fetch'>['fetch'] = () =>
    Response.json({ error: { message: 'Pointsman is starting; try again' } }, { status: 503 });
  const listener = getRequestListener((request) => answer(request), { overrideGlobalObjects: false });
  const server = createServer(listener);
  await listen(server, { path: own });
  try {
    await chmod(own, 0o600);
    await takeName(own, path);
  } catch (error) {
    await close(server);
    throw error;
  }
  const { ino } = await lstat(path);
  await removeIfThere(own);
  return {
    serve(api) {
      answer = (request) => api.fetch(request);
    },
    async close() {
      // Ours only: after an unlucky operator's rm another process may have one there by now. Removed while we still
      // listen: whoever starts next finds either a live socket or none.
      const there = await lstat(path).catch(() => null);
      if (there?.ino === ino) await removeIfThere(path);
      await close(server);
    },
  };
}

export async function serveControl(path: string, api: Pick<Hono, 'fetch'>): Promise<Listening> {
  const control = await takeControl(path);
  control.serve(api);
  return control;
}

async function takeName(own: string, path: string): Promise<void> {
  for (let tries = 0; tries < 5; tries += 1) {
    const taken = await link(own, path).then(
      () => true,
      (error: NodeJS.ErrnoException) => (error.code === 'EEXIST' ? false : Promise.reject(error)),
    );
    if (taken) return;
    const there = await lstat(path).catch(() => null);
    if (there === null) continue; // It ended just now.
    if (!there.isSocket()) throw new Error(`${path} is in the way and is not a socket; remove it`);
    if (await isAnswered(path)) {
      throw new AlreadyRunningError(
        `another Pointsman answers on ${path}; stop it first, or give this one another state folder`,
      );
    }
    // Moved aside before it is deleted: if a live one got there in between, it is the moved one that answers.
    const aside = `${own}~`;
    await rename(path, aside).catch(ignoreAbsence);
    if (await isAnswered(aside)) {
      await link(aside, path).catch(ignoreAbsence);
      await removeIfThere(aside);
      throw new AlreadyRunningError(`another Pointsman has just started on ${path}`);
    }
    await removeIfThere(aside);
  }
  throw new Error(`could not take ${path}: others keep taking it`);
}

/** How long a request may take to come whole: slow ones must not take what others need. Looked at every few seconds. */
const patience = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 20_000,
  connectionsCheckingInterval: 5_000,
};

/** Serves GET /healthz, /readyz and /metrics, and the API over TCP; answers with the port it got. */
export async function serveHealth(
  address: { readonly host: string; readonly port: number },
  health: Pick<Hono, 'fetch'>,
): Promise<Listening & { readonly port: number }> {
  const server = createServer(patience, getRequestListener(health.fetch, { overrideGlobalObjects: false }));
  server.maxConnections = 600;
  await listen(server, address);
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

/** For browsers. Slow ones must not take what others need: each has a short time for its request, and all are counted. */
export async function serveConsole(
  address: { readonly host: string; readonly port: number },
  app: Pick<Hono, 'fetch'>,
): Promise<Listening & { readonly port: number }> {
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = createServer(patience, listener);
  server.maxConnections = 1_200;
  await listen(server, address);
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

function listen(server: Server, where: { path: string } | { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Whether a process accepts connections there. One that accepts and then says nothing is alive all the same. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // EAGAIN: its backlog is full, so it is there. Anything else but refusal or absence: not ours to judge dead.
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}

function ignoreAbsence(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
}

async function removeIfThere(path: string): Promise<void> {
  await unlink(path).catch(ignoreAbsence);
}
