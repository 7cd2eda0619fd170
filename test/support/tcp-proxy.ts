// A wire that can be cut, slowed down, or spoiled, between a client and a server on loopback.
import { connect, createServer, type Server, type Socket } from 'node:net';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

export class TcpProxy implements AsyncDisposable {
  readonly #listener: Server;
  readonly #pairs = new Set<Pair>();
  /** What clients have said while something was stripped. */
  readonly said: Buffer[] = [];
  #strips: RegExp | null = null;
  /** Octets a second to the client; null: as they come. */
  #rate: number | null = null;

  private constructor(listener: Server) {
    this.#listener = listener;
  }

  static async start(target: number): Promise<TcpProxy> {
    const listener = createServer({ noDelay: true }, (client) => proxy.#join(client, target));
    const proxy = new TcpProxy(listener);
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    const address = this.#listener.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
    return address.port;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  #join(client: Socket, target: number): void {
    const server = connect({ host: '127.0.0.1', port: target, noDelay: true });
    const pair = { client, server };
    this.#pairs.add(pair);
    const over = (): void => {
      this.#pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on('error', over).on('close', over);
    client.on('data', (data: Buffer) => {
      if (this.#strips) this.said.push(data);
      if (!server.write(data)) {
        client.pause();
        server.once('drain', () => client.resume());
      }
    });
    client.on('end', () => server.end());
    server.on('end', () => client.end());
    server.on('data', (whole: Buffer) => {
      const data = this.#strips ? Buffer.from(whole.toString('latin1').replace(this.#strips, ''), 'latin1') : whole;
      if (this.#rate === null) {
        client.write(data);
        return;
      }
      server.pause();
      this.#trickle(client, data, () => server.resume());
    });
  }

  #trickle(client: Socket, data: Buffer, done: () => void): void {
    const piece = Math.max(1, Math.floor((this.#rate ?? data.length * 20) / 20));
    client.write(data.subarray(0, piece));
    if (data.length <= piece) done();
    else setTimeout(() => this.#trickle(client, data.subarray(piece), done), 50).unref();
  }

  /** Without a goodbye, on both sides. */
  cut(): void {
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  }

  /** Octets that neither side has said, into the ear of the client. */
  spoil(bytes: Buffer): void {
    for (const { client } of this.#pairs) client.write(bytes);
  }

  /** Takes out of each piece that the server sends what matches; null: nothing. */
  strip(pattern: RegExp | null): void {
    this.#strips = pattern;
  }

  slow(rate: number | null): void {
    this.#rate = rate;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#listener.close(resolve));
  }
}
