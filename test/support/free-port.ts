// Ports on loopback that nobody listens on, and waiting until somebody does.
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

// Below those that the kernel gives to whoever names none (32768 and up): one of these, given back so that a program may
// listen on it a second later, or a second time after a restart, could be somebody's by then. Each process has its own.
const first = 16_384;
const perProcess = 256;
const own = first + (process.pid % 64) * perProcess;
let next = Math.floor(Math.random() * perProcess);

/** All are held open until the last one is known, so that they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const held: Server[] = [];
  const ports: number[] = [];
  try {
    for (let tries = 0; ports.length < count; tries += 1) {
      if (tries === 2 * perProcess) throw new Error(`no ${count} ports are free from ${own} on`);
      const port = own + next;
      next = (next + 1) % perProcess;
      const server = createServer().listen(port, '127.0.0.1');
      const free = await once(server, 'listening').then(
        () => true,
        () => false,
      );
      if (!free) continue;
      held.push(server);
      ports.push(port);
    }
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  }
  return ports;
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error('one port was asked for');
  return port;
}

/**
 * Resolves when `port` accepts a connection (and, with `greeting`, has said something). A refused connect is the only
 * word a server gives of not being there yet, so this asks again; `signal` ends it, e.g. when the server has died.
 */
export async function untilListening(
  port: number,
  { within, signal, greeting = false }: { within: number; signal?: AbortSignal; greeting?: boolean },
): Promise<void> {
  const deadline = Date.now() + within;
  for (;;) {
    signal?.throwIfAborted();
    const socket = connect({ port, host: '127.0.0.1' });
    try {
      await once(socket, greeting ? 'data' : 'connect', { signal: AbortSignal.timeout(within) });
      return;
    } catch (cause) {
      if (Date.now() > deadline) throw new Error(`nothing answered on port ${port} within ${within} ms`, { cause });
      await pause(20);
    } finally {
      socket.destroy();
    }
  }
}
