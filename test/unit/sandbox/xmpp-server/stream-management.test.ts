// XEP-0198: counting, acknowledging, resuming. On the wire, and the arithmetic alone.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { minute } from '../../../../src/clock.ts';
import { StreamManagement } from '../../../../src/sandbox/xmpp-server/sm.ts';
import { el } from '../../../../src/sandbox/xmpp-server/xmpp-server.ts';
import { type RawClient, stage } from './raw-client.ts';
import { StepClock } from './step-clock.ts';

const sm = `xmlns='urn:xmpp:sm:3'`;

async function enable(client: RawClient): Promise<string> {
  client.say(`<enable ${sm} resume='true'/>`);
  const enabled = await client.hears('<enabled…/>');
  return /id="([^"]+)"/.exec(enabled)?.[1] ?? '';
}

test('both sides count from <enable/> on', async (test) => {
  const { enter, server } = await stage(test);
  const alice = await enter('alice', 'desk');
  expect(await enable(alice)).not.toBe('');
  alice.say(
    `<message to='alice@localhost'><body>one</body></message><message to='alice@localhost'><body>two</body></message>`,
  );
  await alice.hears('<body>one</body></message><r xmlns="urn:xmpp:sm:3"/>');
  await alice.hears('<body>two</body>');
  alice.say(`<r ${sm}/>`);
  await alice.hears('<a xmlns="urn:xmpp:sm:3" h="2"/>');
  expect(server.sessions()[0]).toMatchObject({ resumable: true, unacked: 2 });
  alice.say(`<a ${sm} h='1'/>`);
  await alice.hears('<r xmlns="urn:xmpp:sm:3"/>'); // one is still open
  alice.say(`<a ${sm} h='2'/><r ${sm}/>`);
  await alice.hears('<a ');
  expect(server.sessions()[0]?.unacked).toBe(0);
});

test('what was lost with the connection comes again, then what came meanwhile', async (test) => {
  const { enter, login, server } = await stage(test, { sharedRoster: true });
  const bob = await enter('bob', 'home');
  const alice = await enter('alice', 'desk');
  await bob.hears('from="alice@localhost/desk"');
  const id = await enable(alice);
  bob.say(
    `<message to='alice@localhost'><body>one</body></message><message to='alice@localhost'><body>two</body></message>`,
  );
  await alice.hears('<body>two</body>');
  const detached = server.until('detached');
  server.faults.cut('alice@localhost/desk');
  await detached;
  bob.say(`<message to='alice@localhost'><body>three</body></message>`);
  expect(await bob.hearsUntilPong()).not.toContain('unavailable'); // still there, as far as anybody knows

  const again = await login('alice');
  again.say(`<resume ${sm} previd='${id}' h='1'/>`);
  await again.hears(`<resumed xmlns="urn:xmpp:sm:3" previd="${id}" h="0"/>`);
  const repeated = await again.hearsUntilPong();
  expect(repeated).not.toContain('one');
  expect(repeated.indexOf('two')).toBeGreaterThan(0);
  expect(repeated.indexOf('three')).toBeGreaterThan(repeated.indexOf('two'));
});

test('a resumption takes over from a connection that still stands', async (test) => {
  const { enter, login } = await stage(test);
  const alice = await enter('alice', 'desk');
  const id = await enable(alice);
  const again = await login('alice');
  again.say(`<resume ${sm} previd='${id}' h='0'/>`);
  await again.hears('<resumed');
  await alice.hears('<conflict');
  await alice.closed();
  await again.hearsUntilPong();
});

const hopeless: [string, (id: string) => string, string][] = [
  ['an unknown session', (_id: string) => `<resume ${sm} previd='nonsense' h='0'/>`, '<failed…<item-not-found'],
  ['more acknowledged than sent', (id: string) => `<resume ${sm} previd='${id}' h='7'/>`, '<undefined-condition'],
  ['no number', (id: string) => `<resume ${sm} previd='${id}' h='x'/>`, '<undefined-condition'],
];
test.for(hopeless)('no resumption with %s', async ([, said, answer], test) => {
  const { enter, login } = await stage(test);
  const id = await enable(await enter('alice', 'desk'));
  const again = await login('alice');
  again.say(said(id));
  await again.hears(answer);
});

test("nobody resumes another account's session", async (test) => {
  const { enter, login } = await stage(test);
  const id = await enable(await enter('alice', 'desk'));
  const bob = await login('bob');
  bob.say(`<resume ${sm} previd='${id}' h='0'/>`);
  await bob.hears('<failed…<item-not-found');
});

test('after its time the session ends, and its messages are stored', async (test) => {
  const clock = new StepClock();
  const { enter, server } = await stage(test, { sharedRoster: true, clock, resumeTimeout: 5 * minute });
  const bob = await enter('bob', 'home');
  const alice = await enter('alice', 'desk');
  await enable(alice);
  const detached = server.until('detached');
  server.faults.cut('alice@localhost');
  await detached;
  bob.say(`<message to='alice@localhost'><body>kept</body></message>`);
  await bob.hearsUntilPong();
  const ended = server.until('ended');
  clock.advance(5 * minute);
  await ended;
  await bob.hears('type="unavailable" from="alice@localhost/desk"');
  expect(server.offlineMessages('alice').map((message) => message.getChildText('body'))).toEqual(['kept']);
});

test('a client that never acknowledges is ended', async (test) => {
  const { enter, server } = await stage(test);
  const alice = await enter('alice', 'desk');
  await enable(alice);
  const message = el('message', { xmlns: 'jabber:client', from: 'bob@localhost' }, el('body', {}, 'x'));
  for (let count = 0; count <= 1_000; count++) server.faults.inject('alice@localhost', message);
  await alice.hears('<policy-violation');
  await alice.closed();
});

test('a proper goodbye leaves nothing to resume', async (test) => {
  const { enter, server } = await stage(test);
  const alice = await enter('alice', 'desk');
  await enable(alice);
  const ended = server.until('ended');
  alice.say('</stream:stream>');
  await ended;
  expect(server.sessions()).toEqual([]);
});

test('h may only name what was sent, also when it wraps', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(20), fc.nat(30)), { maxLength: 30 }), (rounds) => {
      const management = new StreamManagement('x', true, 1_000);
      let sent = 0;
      let acked = 0;
      for (const [more, h] of rounds) {
        for (let count = 0; count < more; count++) management.keep(el('message'));
        sent += more;
        const possible = acked + h <= sent;
        expect(management.acknowledge(String(acked + h))).toBe(possible);
        if (possible) acked += h;
        expect(management.unacked).toHaveLength(sent - acked);
      }
    }),
  );
});
