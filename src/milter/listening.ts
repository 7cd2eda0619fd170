// Listening on internet and unix sockets, for doors that MTAs come to.
import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';

/** An internet address, or the path of a unix socket with its mode (0666 lets any local user's MTA connect). */
export type SocketAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string; readonly mode?: number };

/** Resolves with where it listens; the real port where 0 was asked for. */
export async function listenOn(server: Server, address: SocketAddress): Promise<SocketAddress> {
  const unix = 'path' in address;
  if (unix) await clearPath(address.path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    const where = unix ? { path: address.path } : { host: address.host, port: address.port };
    server.listen({ ...where, backlog: 1024 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  if (unix) {
    await chmod(address.path, address.mode ?? 0o666);
    return address;
  }
  const bound = server.address();
  return { host: address.host, port: bound !== null && typeof bound === 'object' ? bound.port : address.port };
}

/** For the log. */
export const describeAddress = (address: SocketAddress): string =>
  'path' in address ? `unix:${address.path}` : `${address.host}:${address.port}`;

/** A socket that a dead process left behind is in the way; one that answers is not ours to take. */
async function clearPath(path: string): Promise<void> {
  const there = await lstat(path).catch(() => null);
  if (!there) return;
  if (!there.isSocket()) throw new Error(`${path} is in the way and is not a socket`);
  const alive = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
  });
  if (alive) throw new Error(`somebody answers on ${path}; stop that one first`);
  await unlink(path);
}
