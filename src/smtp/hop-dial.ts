// Getting to a next hop: the socket, what TLS must show, and who we are there.
import net from 'node:net';
import type tls from 'node:tls';
import type { Duration } from '../clock.ts';
import type { NextHop } from '../transport.ts';
import type { Failure } from './hop-words.ts';

export function dial(hop: NextHop, timeout: Duration, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = hop.socket
      ? net.connect({ path: hop.socket })
      : net.connect({ host: hop.host, port: hop.port, noDelay: true });
    const finish = (failure?: Failure): void => {
      signal.removeEventListener('abort', aborted);
      socket.off('error', failed);
      socket.off('timeout', timedOut);
      socket.setTimeout(0);
      if (failure) {
        socket.on('error', () => undefined);
        socket.destroy();
        reject(failure);
      } else resolve(socket);
    };
    const aborted = (): void => finish({ cause: 'no connection in time' });
    const timedOut = (): void => finish({ cause: 'no connection in time' });
    const failed = (error: Error): void => finish({ cause: error.message });
    socket.once('error', failed);
    socket.once('timeout', timedOut);
    socket.setTimeout(timeout);
    socket.once('connect', () => finish());
    signal.addEventListener('abort', aborted, { once: true });
    if (signal.aborted) aborted();
  });
}

/** Only `verify` says whom we talk to; the others encrypt against those who listen. A pin stands for all authorities. */
export function tlsOptionsOf({ host, tls: level, ca, pins }: NextHop): tls.ConnectionOptions {
  return {
    host,
    ...(net.isIP(host) === 0 ? { servername: host } : {}),
    rejectUnauthorized: level === 'verify' && pins === undefined,
    ...(ca === undefined ? {} : { ca }),
  };
}

/** Undefined when the certificate is believed. */
export function wrongPin({ tls: level, pins }: NextHop, socket: tls.TLSSocket): Failure | undefined {
  if (level !== 'verify' || pins === undefined) return undefined;
  const shown = socket.getPeerCertificate().fingerprint256;
  if (pins.includes(shown)) return undefined;
  return { cause: `certificate with the fingerprint ${shown}: not the pinned one`, tls: true };
}

/** RFC 4954 §4, RFC 4616: `AUTH PLAIN` with its initial response. */
export function authLine({ user, password }: NonNullable<NextHop['auth']>): string {
  return `AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}\r\n`;
}

/** In one go: much of it as it lies there, little or many pieces in a copy, which is quicker then. */
export function writeTogether(socket: net.Socket, pieces: readonly Buffer[]): void {
  const octets = pieces.reduce((sum, { length }) => sum + length, 0);
  if (octets < 32_768 || pieces.length > 16) {
    socket.write(Buffer.concat(pieces, octets));
    return;
  }
  socket.cork();
  for (const piece of pieces) socket.write(piece);
  socket.uncork();
}
