// A milter that says "go on" to every step and, at the end of a message, exactly the octets a test wants: also what ours
// would never say. For seeing what an MTA makes of it.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import {
  actions,
  bareReplies,
  commands,
  offerPacket,
  type Packet,
  PacketReader,
  packet,
} from '../../src/milter/wire.ts';

/** One answer: its code and its strings, each to end in NUL. */
export type Said = readonly [code: string, ...strings: string[]];
/** `gone`: the connection breaks there, in the middle of the answer. */
export type Script = readonly (Said | 'gone')[];

export interface Heard {
  readonly connection: number;
  readonly code: string;
  readonly payload: Buffer;
}

/** One character an octet: what is heard can be said again as it was. */
export const stringsOf = ({ payload }: Pick<Heard, 'payload'>): readonly string[] =>
  payload.toString('latin1').replace(/\0$/, '').split('\0');

export class ScriptedMilter implements AsyncDisposable {
  /** Everything that was heard, in order. */
  readonly heard: Heard[] = [];
  /** What is said at the end of a message; "accept" goes without saying. */
  script: Script = [];
  /** What is not to be sent, or not to be answered. */
  protocol = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #connections = 0;

  private constructor() {
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  }

  static async start(): Promise<ScriptedMilter> {
    const milter = new ScriptedMilter();
    milter.#server.listen(0, '127.0.0.1');
    await once(milter.#server, 'listening');
    return milter;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  of(code: string): readonly Heard[] {
    return this.heard.filter((each) => each.code === code);
  }

  /** The codes of the newest connection: an earlier one may still be taking its leave. */
  newest(): readonly string[] {
    const said = this.heard.filter(({ connection }) => connection === this.#connections);
    return said.map(({ code }) => code);
  }

  #serve(socket: Socket): void {
    const reader = new PacketReader();
    this.#connections += 1;
    const connection = this.#connections;
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (chunk) => {
      reader.push(chunk);
      for (let one = reader.next(); one; one = reader.next()) this.#take(socket, connection, one);
    });
  }

  #take(socket: Socket, connection: number, { code, payload }: Packet): void {
    this.heard.push({ connection, code: String.fromCharCode(code), payload: Buffer.from(payload) });
    switch (code) {
      case commands.negotiate: {
        const all = Object.values(actions).reduce((sum, each) => sum | each, 0) & ~actions.setSymbolList;
        socket.write(offerPacket({ version: 6, actions: all, protocol: this.protocol }, []));
        return;
      }
      case commands.macro:
      case commands.abort:
        return;
      case commands.quit:
        socket.end();
        return;
      case commands.endOfBody:
        this.#say(socket);
        return;
      default:
        socket.write(bareReplies.continue);
    }
  }

  #say(socket: Socket): void {
    for (const each of this.script) {
      if (each === 'gone') {
        socket.end();
        return;
      }
      const [code, ...strings] = each;
      const octets = Buffer.from(strings.map((text) => `${text}\0`).join(''), 'latin1');
      socket.write(packet(code.charCodeAt(0), octets));
    }
    socket.write(bareReplies.accept);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
