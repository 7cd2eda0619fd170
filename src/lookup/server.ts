// Where MTAs look things up. Answers come from memory, in the order of the questions, and all that are due at one
// moment go out in one write.
import { createServer, type Server, type Socket } from 'node:net';
import type { Log } from '../log.ts';
import { describeError } from '../mail/error.ts';
import { listenOn, type SocketAddress } from '../milter/listening.ts';
import { type Found, type Protocol, type Question, socketmap, tcpTable } from './wire.ts';

export interface LookupDoor {
  /** Resolves with where it listens. */
  listen(protocol: 'socketmap' | 'tcp table', address: SocketAddress): Promise<SocketAddress>;
  close(): Promise<void>;
}

export interface LookupDoorOptions {
  readonly answer: (question: Question) => Found;
  /** Whether this address may ask; on unix sockets the file's mode says so. */
  readonly admit: (address: string) => boolean;
  readonly log: Log;
}

const protocols: Readonly<Record<'socketmap' | 'tcp table', Protocol>> = { socketmap, 'tcp table': tcpTable };
const mostConnections = 1_000;
/** More unanswered answers than this, and nobody reads them. */
const mostUnread = 1_048_576;

export function createLookupDoor({ answer, admit, log }: LookupDoorOptions): LookupDoor {
  const servers: Server[] = [];
  const sockets = new Set<Socket>();

  function welcome(socket: Socket, protocol: Protocol, unix: boolean): void {
    if (!unix && !admit(socket.remoteAddress ?? '')) {
      log.warn({ peer: socket.remoteAddress }, 'a lookup from a stranger refused');
      socket.destroy();
      return;
    }
    sockets.add(socket);
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let out = '';
      try {
        for (let read = protocol.read(rest); read; read = protocol.read(rest)) {
          rest = rest.subarray(read.used);
          out += protocol.write(found(read.question));
        }
      } catch (error) {
        log.warn({ peer: socket.remoteAddress, cause: describeError(error) }, 'a lookup that cannot be read');
        if (out !== '') socket.write(out);
        socket.end();
        return;
      }
      if (out !== '') socket.write(out);
      if (socket.writableLength > mostUnread) socket.destroy();
    });
    // Whoever asks goes when they like.
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  }

  /** An error of ours is temporary: the MTA keeps the mail. */
  function found(question: Question): Found {
    try {
      return answer(question);
    } catch (error) {
      log.error({ err: error, map: question.map }, 'a lookup failed');
      return { kind: 'temporary', why: 'internal error' };
    }
  }

  return {
    async listen(name, address) {
      const server = createServer({ noDelay: true, keepAlive: true }, (socket) =>
        welcome(socket, protocols[name], 'path' in address),
      );
      server.maxConnections = mostConnections;
      servers.push(server);
      return listenOn(server, address);
    },
    async close() {
      const closed = servers.map((server) => new Promise<void>((resolve) => void server.close(() => resolve())));
      for (const socket of sockets) socket.destroySoon();
      await Promise.all(closed);
    },
  };
}
