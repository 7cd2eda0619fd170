// Ports on loopback that nobody listens on, and waiting until somebody does.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** All are held open until the last one is known, so that they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
    return address.port;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
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
