// The scripted faults do what they say, with @xmpp/client at the other end where it matters how a real one takes it.
import { connect } from 'node:net';
import { expect, type TestContext, test } from 'vitest';
import { second } from '../../../../src/clock.ts';
import { createXmppServer, type XmppServer } from '../../../../src/sandbox/xmpp-server/xmpp-server.ts';
import { open, plain, stage } from './raw-client.ts';
import { StepClock } from './step-clock.ts';

/** The little of @xmpp/client that is used here. */
interface RealClient {
  on(event: 'error', listener: (error: Error) => void): void;
  start(): Promise<{ toString(): string }>;
  stop(): Promise<unknown>;
}
interface Library {
  client(options: Record<string, string>): RealClient;
}

/** Online, and its stream management on. */
async function realClient(test: TestContext, server: XmppServer, port: number): Promise<string> {
  // By a name TypeScript does not resolve: the library is untyped, and the adapter's declaration is the adapter's.
  const name: string = '@xmpp/client';
  const { client } = (await import(name)) as Library;
  const service = `xmpp://127.0.0.1:${port}`;
  const alice = client({ service, domain: 'localhost', resource: 'desk', username: 'alice', password: 'alice' });
  const errors: string[] = []; // unheard, the faults of these tests would end the process
  alice.on('error', (error) => errors.push(error.message));
  test.onTestFinished(() => alice.stop().then(() => undefined));
  const managed = server.until('managed');
  const jid = await alice.start();
  await managed;
  return String(jid);
}

test('@xmpp/client logs in with SCRAM, is cut, and resumes', async (test) => {
  const { server, port } = await stage(test);
  expect(await realClient(test, server, port)).toBe('alice@localhost/desk');
  const resumed = server.until('resumed');
  server.faults.cut('alice@localhost');
  expect((await resumed).jid).toBe('alice@localhost/desk');
});

test('without a memory of sessions the same cut gives a new one', async (test) => {
  const { server, port } = await stage(test);
  await realClient(test, server, port);
  server.faults.forgetResumptions();
  const session = server.until('session');
  server.faults.cut('alice@localhost', 'reset');
  expect((await session).jid).toBe('alice@localhost/desk');
});

test('stop and start keep the port, the accounts and the subscriptions, but no session', async (test) => {
  const { server, enter } = await stage(test, { sharedRoster: true });
  const alice = await enter('alice', 'desk');
  alice.say(`<enable xmlns='urn:xmpp:sm:3' resume='true'/>`);
  await alice.hears('<enabled');
  const stopped = server.stop();
  await alice.hears('<stream:error><system-shutdown…</stream:stream>');
  await stopped;
  expect(server.sessions()).toEqual([]);
  await server.start();
  await enter('alice', 'desk');
  expect(server.subscription('alice', 'bob@localhost')?.state).toBe('both');
});

test('silent: accepts, and never answers', async (test) => {
  const { server, connect } = await stage(test);
  server.faults.silent = true;
  const silent = await connect();
  silent.say(open);
  server.faults.silent = false;
  const other = await connect();
  other.say(open);
  await other.hears('</stream:features>'); // by now the first would have been answered too
  expect(silent.unread).toBe('');
});

test('one stalled: nothing is read or said until it goes on, and nothing is lost', async (test) => {
  const { server, enter } = await stage(test);
  const alice = await enter('alice', 'desk');
  const bob = await enter('bob', 'home');
  const goOn = server.faults.stall('alice@localhost');
  alice.say(`<message to='bob@localhost'><body>from alice</body></message>`);
  bob.say(`<message to='alice@localhost'><body>to alice</body></message>`);
  expect(await bob.hearsUntilPong()).not.toContain('from alice');
  expect(alice.unread).not.toContain('to alice');
  goOn();
  await alice.hears('<body>to alice</body>');
  await bob.hears('<body>from alice</body>');
});

test('all stalled: who comes then is accepted and waits too', async (test) => {
  const { server, enter, connect } = await stage(test);
  const alice = await enter('alice', 'desk');
  const goOn = server.faults.stall();
  const connected = server.until('connected');
  const newcomer = await connect();
  newcomer.say(open);
  await connected;
  const elsewhere = await stage(test); // a whole login at another server: time enough for an answer from this one
  await elsewhere.enter('alice', 'desk');
  server.faults.inject('alice@localhost', `<message from='bob@localhost'><body>late</body></message>`);
  expect([alice.unread, newcomer.unread]).toEqual(['/>', '']); // the end of her last answer
  goOn();
  await newcomer.hears('</stream:features>');
  await alice.hears('<body>late</body>');
});

test('refused logins, and one that is let in after', async (test) => {
  const { server, connect } = await stage(test);
  server.faults.refusedAuth = 'temporary-auth-failure';
  const alice = await connect();
  const failed = server.until('auth-failed');
  alice.say(open + plain('alice', 'alice'));
  await alice.hears('<temporary-auth-failure/>');
  expect((await failed).condition).toBe('temporary-auth-failure');
  server.faults.refusedAuth = undefined;
  alice.say(plain('alice', 'alice'));
  await alice.hears('<success');
});

test('raw bytes, split amid a character', async (test) => {
  const { server, enter } = await stage(test);
  const alice = await enter('alice', 'desk');
  const bytes = Buffer.from(`<message from='bob@localhost'><body>é</body></message>`);
  const middle = bytes.indexOf(0xc3) + 1;
  server.faults.sendRaw('alice@localhost', bytes.subarray(0, middle), bytes.subarray(middle));
  await alice.hears('<body>é</body>');
});

test('conflict, to one session; nobody of that name is an error', async (test) => {
  const { server, enter } = await stage(test);
  const alice = await enter('alice', 'desk');
  server.faults.conflict('alice@localhost/desk');
  await alice.hears('<stream:error><conflict');
  expect(() => server.faults.conflict('alice@localhost/desk')).toThrow('no connected session of alice@localhost/desk');
});

test('stanzas are dropped, held or delayed on their way', async (test) => {
  const clock = new StepClock();
  const { server, enter } = await stage(test, { clock });
  const alice = await enter('alice', 'desk');
  const bob = await enter('bob', 'home');
  const body = (text: string) => `<message to='alice@localhost'><body>${text}</body></message>`;
  const has = (text: string) => ({
    fits: (stanza: { getChildText(name: string): string | null }) => stanza.getChildText('body') === text,
  });
  const dropped = server.faults.drop({ ...has('drop'), direction: 'in' });
  const held = server.faults.hold({ ...has('hold'), direction: 'out' });
  server.faults.delay({ ...has('delay'), direction: 'in' }, 10 * second);
  bob.say(body('drop') + body('hold') + body('delay') + body('pass'));
  await bob.hearsUntilPong();
  const heard = await alice.hearsUntilPong();
  expect(heard).toContain('pass');
  for (const text of ['drop', 'hold', 'delay']) expect(heard).not.toContain(text);
  held.stop();
  await alice.hears('<body>hold</body>');
  clock.advance(10 * second);
  await alice.hears('<body>delay</body>');
  expect([dropped.caught.length, held.caught.length]).toEqual([1, 1]);
  dropped.stop();
  bob.say(body('drop'));
  await alice.hears('<body>drop</body>');
});

test('injected from anybody', async (test) => {
  const { server, enter } = await stage(test);
  const alice = await enter('alice', 'desk');
  server.faults.inject('alice@localhost', `<presence from='eve@example.org' type='subscribe'/>`);
  await alice.hears('<presence from="eve@example.org" type="subscribe"/>');
});

test('a client that does not read cannot hold up the end', async () => {
  const server = createXmppServer({ domain: 'localhost', accounts: {} });
  const { host, port } = await server.start();
  const socket = connect(port, host);
  const connected = server.until('connected');
  await connected;
  await server.stop();
  socket.destroy();
});
