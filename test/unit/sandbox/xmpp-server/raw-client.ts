// A client that is nothing but a socket and what was said on it, so that a test reads like the wire. `…` in an expected
// text stands for anything.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'vitest';
import {
  createXmppServer,
  type XmppServer,
  type XmppServerOptions,
} from '../../../../src/sandbox/xmpp-server/xmpp-server.ts';

const patience = 5_000;

export class RawClient {
  readonly socket: Socket;
  #heard = '';
  #read = 0;
  #closed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text) => {
      this.#heard += text;
      socket.emit('heard');
    });
    socket.on('error', () => socket.emit('heard')); // a reset is one of the ways to be cut
    socket.on('close', () => {
      this.#closed = true;
      socket.emit('heard');
    });
  }

  say(text: string | Buffer): void {
    this.socket.write(text);
  }

  /** Waits until this was said after what the last call waited for, and returns it. */
  async hears(expected: string): Promise<string> {
    const shape = new RegExp(expected.split('…').map(escaped).join('[^]*?'));
    const limit = AbortSignal.timeout(patience);
    for (;;) {
      const match = shape.exec(this.unread);
      if (match) {
        this.#read += match.index + match[0].length;
        return match[0];
      }
      if (this.#closed || limit.aborted) {
        throw new Error(`expected ${expected}\nbut heard ${this.unread}${this.#closed ? ' and the end' : ''}`);
      }
      await Promise.race([once(this.socket, 'heard'), once(limit, 'abort')]);
    }
  }

  /** What no call has waited for yet. */
  get unread(): string {
    return this.#heard.slice(this.#read);
  }

  /** Everything said until the server has handled all that we said: its answer to a ping. */
  async hearsUntilPong(): Promise<string> {
    const before = this.#read;
    const id = `pong-${Math.trunc(performance.now() * 1000)}`;
    this.say(`<iq type='get' id='${id}'><ping xmlns='urn:xmpp:ping'/></iq>`);
    await this.hears(`id="${id}"`);
    return this.#heard.slice(before, this.#read);
  }

  async closed(): Promise<void> {
    if (!this.#closed) await once(this.socket, 'close');
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

export const open = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>`;

export function plain(user: string, password: string): string {
  const secret = Buffer.from(`\0${user}\0${password}`).toString('base64');
  return `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${secret}</auth>`;
}

export interface Stage {
  readonly server: XmppServer;
  readonly port: number;
  connect(): Promise<RawClient>;
  /** Logged in with PLAIN but not bound. */
  login(user: string): Promise<RawClient>;
  /** Logged in and bound as `user@localhost/resource`. */
  bind(user: string, resource: string): Promise<RawClient>;
  /** Bound and available. */
  enter(user: string, resource: string, presence?: string): Promise<RawClient>;
}

/** A server with alice, bob and carol, whose password is their name; it stops with the test. */
export async function stage(test: TestContext, options: Partial<XmppServerOptions> = {}): Promise<Stage> {
  const accounts = { alice: 'alice', bob: 'bob', carol: 'carol' };
  const server = createXmppServer({ domain: 'localhost', accounts, rooms: ['ops'], ...options });
  const { host, port } = await server.start();
  const clients: RawClient[] = [];
  test.onTestFinished(async () => {
    for (const client of clients) client.socket.destroy();
    await server.stop('abruptly');
  });
  const scene: Stage = {
    server,
    port,
    async connect() {
      const socket = connect(port, host);
      await once(socket, 'connect');
      const client = new RawClient(socket);
      clients.push(client);
      return client;
    },
    async login(user) {
      const client = await scene.connect();
      client.say(open);
      await client.hears('</stream:features>');
      client.say(plain(user, user));
      await client.hears('<success…/>');
      client.say(open);
      await client.hears('</stream:features>');
      return client;
    },
    async bind(user, resource) {
      const client = await scene.login(user);
      client.say(
        `<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${resource}</resource></bind></iq>`,
      );
      await client.hears(`<jid>${user}@localhost/${resource}</jid>…</iq>`);
      return client;
    },
    async enter(user, resource, presence = '<presence/>') {
      const client = await scene.bind(user, resource);
      client.say(presence);
      await client.hears(`from="${user}@localhost/${resource}" to="${user}@localhost/${resource}"`);
      await client.hearsUntilPong();
      return client;
    },
  };
  return scene;
}
