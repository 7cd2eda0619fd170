// The embedded XMPP server with another library's client, slixmpp: whatever both ends of our own code agree on wrongly
// would show here. Needs Debian's python3-slixmpp, and openssl for the part with TLS.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  createXmppServer,
  type XmppServer,
  type XmppServerOptions,
} from '../../src/sandbox/xmpp-server/xmpp-server.ts';

const python = '/usr/bin/python3';
const works = (...command: [string, ...string[]]) => spawnSync(command[0], command.slice(1)).status === 0;
const hasSlixmpp = works(python, '-c', 'import slixmpp');
const hasOpenssl = works('openssl', 'version');
// With CI=true a missing peer is a failure, not a skip.
const skipped = process.env.CI !== 'true' && !(hasSlixmpp && hasOpenssl);

type Happening = Record<string, unknown>;

class Person {
  readonly #process: ChildProcess;
  readonly #happened: Happening[] = [];
  #wake: () => void = () => undefined;
  #complaint = '';

  constructor(host: string, port: number, name: string, password: string, more: Happening = {}) {
    const script = join(import.meta.dirname, 'peers', 'person.py');
    this.#process = spawn(python, ['-u', script], { stdio: 'pipe' });
    const { stdout, stderr } = this.#process;
    if (!stdout || !stderr) throw new Error('no pipes');
    createInterface(stdout).on('line', (line) => {
      if (!line.startsWith('{')) return; // slixmpp 1.8 prints into what it believes to be its own output
      this.#happened.push(JSON.parse(line) as Happening);
      this.#wake();
    });
    stderr.on('data', (text) => {
      this.#complaint += text;
    });
    this.#process.on('exit', () => this.#wake());
    const jid = `${name}@localhost`;
    this.does({ do: 'login', jid, resource: `${name}-client`, password, host, port, ...more });
    onTestFinished(() => void this.#process.kill());
  }

  does(order: Happening): void {
    this.#process.stdin?.write(`${JSON.stringify({ as: 'me', ...order })}\n`);
  }

  /** The first such event that was not waited for yet. */
  async sees(wanted: Happening): Promise<Happening> {
    const limit = AbortSignal.timeout(20_000);
    for (;;) {
      const index = this.#happened.findIndex((happening) =>
        Object.entries(wanted).every(([key, value]) => JSON.stringify(happening[key]) === JSON.stringify(value)),
      );
      const [found] = index < 0 ? [] : this.#happened.splice(index, 1);
      if (found) return found;
      if (limit.aborted || this.#process.exitCode !== null) {
        throw new Error(
          `not seen: ${JSON.stringify(wanted).slice(0, 200)}\n${this.#happened.map((h) => JSON.stringify(h).slice(0, 400)).join('\n')}\n${this.#complaint}`,
        );
      }
      const happens = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await Promise.race([happens, once(limit, 'abort')]);
    }
  }

  async quits(): Promise<void> {
    this.does({ do: 'logout' });
    await this.sees({ event: 'offline' });
    this.#process.stdin?.end();
    if (this.#process.exitCode === null) await once(this.#process, 'exit');
  }
}

async function start(options: Partial<XmppServerOptions> = {}) {
  const accounts = { alice: 'wonder land', bob: 'b=,b', desk: 'router' };
  const server: XmppServer = createXmppServer({ domain: 'localhost', accounts, rooms: ['ops'], ...options });
  const { host, port } = await server.start();
  onTestFinished(() => server.stop('abruptly'));
  const person = (name: keyof typeof accounts, more: Happening = {}) =>
    new Person(host, port, name, accounts[name], more);
  return { server, person };
}

describe.skipIf(skipped)('slixmpp with the embedded server', () => {
  test('logs in, sees who is there, chats, and enters a room', async () => {
    const { server, person } = await start({ sharedRoster: { hub: 'desk' } });
    const desk = person('desk');
    const online = await desk.sees({ event: 'online' });
    expect(online).toMatchObject({ jid: 'desk@localhost/desk-client', roster: { 'alice@localhost': 'both' } });
    await desk.sees({ event: 'presence', from: 'alice@localhost', type: 'unavailable' });

    const alice = person('alice');
    await alice.sees({ event: 'online' });
    await desk.sees({ event: 'presence', from: 'alice@localhost/alice-client', type: 'available' });
    await alice.sees({ event: 'presence', from: 'desk@localhost/desk-client', delayed: true });
    alice.does({ do: 'show', show: 'dnd', status: 'in <a> meeting & busy' });
    await desk.sees({ event: 'presence', type: 'dnd', status: 'in <a> meeting & busy' });

    desk.does({ do: 'explore', to: 'localhost' });
    await desk.sees({ event: 'explored' });
    desk.does({ do: 'say', to: 'alice@localhost', body: 'Grüße 🚂 <&>' });
    await alice.sees({ event: 'message', body: 'Grüße 🚂 <&>', delayed: false });
    desk.does({ do: 'say', to: 'bob@localhost', body: 'while you were out' });
    alice.does({ do: 'ping', to: 'localhost' });
    await alice.sees({ event: 'pong' });
    alice.does({ do: 'ping', to: 'desk@localhost/desk-client' });
    await alice.sees({ event: 'pong' });

    alice.does({ do: 'join', room: 'ops@rooms.localhost', nick: 'Alice' });
    await alice.sees({ event: 'joined' });
    desk.does({ do: 'join', room: 'ops@rooms.localhost', nick: 'Desk' });
    await desk.sees({ event: 'joined' });
    await desk.sees({
      event: 'room-presence',
      from: 'ops@rooms.localhost/Alice',
      jid: 'alice@localhost/alice-client',
    });
    desk.does({ do: 'shout', room: 'ops@rooms.localhost', body: 'anybody there?' });
    await alice.sees({ event: 'room', from: 'Desk', body: 'anybody there?' });
    await desk.sees({ event: 'room', from: 'Desk' });
    server.kick('ops', 'Alice');
    await desk.sees({
      event: 'room-presence',
      from: 'ops@rooms.localhost/Alice',
      type: 'unavailable',
      codes: ['307'],
    });

    const bob = person('bob');
    await bob.sees({ event: 'message', body: 'while you were out', delayed: true });
    await alice.quits();
    await desk.sees({ event: 'presence', from: 'alice@localhost/alice-client', type: 'unavailable' });
  });

  test.for(['SCRAM-SHA-1', 'SCRAM-SHA-256', 'PLAIN'])('logs in over STARTTLS with %s', async (mechanism) => {
    const { file, ...pair } = makeCertificate();
    const { server, person } = await start({ tls: { ...pair, required: true } });
    const long = 'x'.repeat(100_000); // several TLS records
    const bob = person('bob', { ca: file, mechanism });
    expect(await bob.sees({ event: 'online' })).toMatchObject({ jid: 'bob@localhost/bob-client' });
    bob.does({ do: 'say', to: 'bob@localhost', body: long });
    await bob.sees({ event: 'message', body: long });
    const ended = server.until('ended');
    await bob.quits();
    await ended;
  });

  test('a wrong password is told so', async () => {
    const { server, person } = await start();
    server.setPassword('bob', 'changed');
    await person('bob', { mechanism: 'SCRAM-SHA-256' }).sees({ event: 'refused', why: 'authentication' });
  });

  test('a stream error is understood', async () => {
    const { server, person } = await start();
    const bob = person('bob');
    await bob.sees({ event: 'online' });
    server.faults.conflict('bob@localhost');
    await bob.sees({ event: 'stream-error', condition: 'conflict' });
  });

  test('asking and accepting', async () => {
    const { server, person } = await start();
    const [alice, bob] = [person('alice'), person('bob')];
    await alice.sees({ event: 'online' });
    await bob.sees({ event: 'online' });
    alice.does({ do: 'subscribe', to: 'bob@localhost' });
    // slixmpp accepts and asks back by itself
    await bob.sees({ event: 'presence', from: 'alice@localhost', type: 'subscribe' });
    await alice.sees({ event: 'presence', from: 'bob@localhost/bob-client', type: 'available' });
    await bob.sees({ event: 'presence', from: 'alice@localhost/alice-client', type: 'available' });
    expect(server.subscription('alice', 'bob@localhost')?.state).toBe('both');
  });
});

/** Signed by itself: its own authority. The file is there until the test has ended. */
function makeCertificate(): { key: string; cert: string; file: string } {
  const folder = mkdtempSync(join(tmpdir(), 'embedded-xmpp-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'];
  execFileSync('openssl', [...request, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8'), file: cert };
}
