// Rooms, as said on the wire. XEP-0045.
import { expect, test } from 'vitest';
import { type RawClient, stage } from './raw-client.ts';

const muc = `<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>`;

async function join(client: RawClient, nick: string, room = 'ops'): Promise<string> {
  client.say(`<presence to='${room}@rooms.localhost/${nick}'>${muc}</presence>`);
  return await client.hears('<message…<subject/>');
}

test('entering: who is there, then oneself with 110 and 100, then the subject; real JIDs are shown', async (test) => {
  const { enter } = await stage(test);
  const alice = await enter('alice', 'desk');
  const bob = await enter('bob', 'home');
  alice.say(`<presence to='ops@rooms.localhost/Al'><show>dnd</show>${muc}</presence>`);
  const own = await alice.hears('<presence…</presence>');
  expect(own).toContain('from="ops@rooms.localhost/Al"');
  expect(own).toContain('<status code="110"/>');
  expect(own).toContain('<status code="100"/>');
  expect(own).not.toContain('<status code="201"/>');
  await alice.hears(
    '<message type="groupchat" from="ops@rooms.localhost" to="alice@localhost/desk"><subject/></message>',
  );
  bob.say(`<presence to='ops@rooms.localhost/Bo'>${muc}</presence>`);
  await bob.hears('from="ops@rooms.localhost/Al"…<show>dnd</show>…<item…jid="alice@localhost/desk"/>');
  await bob.hears('from="ops@rooms.localhost/Bo"…<status code="110"/>…<subject/>');
  const seen = await alice.hears('from="ops@rooms.localhost/Bo"…</presence>');
  expect(seen).toContain('jid="bob@localhost/home"');
  expect(seen).not.toContain('110');
});

test('a message to the room reaches all, its sender too', async (test) => {
  const { enter } = await stage(test);
  const alice = await enter('alice', 'desk');
  const bob = await enter('bob', 'home');
  await join(alice, 'Al');
  await join(bob, 'Bo');
  alice.say(`<message id='m1' type='groupchat' to='ops@rooms.localhost'><body>hello</body></message>`);
  await alice.hears(
    'id="m1" type="groupchat" to="alice@localhost/desk" from="ops@rooms.localhost/Al"><body>hello</body>',
  );
  await bob.hears('from="ops@rooms.localhost/Al"><body>hello</body>');
  bob.say(`<message type='groupchat' to='ops@rooms.localhost'><subject>Night shift</subject></message>`);
  await alice.hears('from="ops@rooms.localhost/Bo"><subject>Night shift</subject>');
  bob.say(`<message type='chat' to='ops@rooms.localhost/Al'><body>psst</body></message>`);
  await alice.hears('type="chat" to="alice@localhost/desk" from="ops@rooms.localhost/Bo"><body>psst</body>');
});

test.for([
  ['a nick that is taken', `<presence id='q' to='ops@rooms.localhost/Al'>${muc}</presence>`, 'code="409"><conflict'],
  ['no nick', `<presence id='q' to='ops@rooms.localhost'>${muc}</presence>`, 'code="400"><jid-malformed'],
  [
    'talking from outside',
    `<message id='q' type='groupchat' to='ops@rooms.localhost'><body>x</body></message>`,
    '<not-acceptable',
  ],
  [
    'a room that is not',
    `<message id='q' type='groupchat' to='no@rooms.localhost'><body>x</body></message>`,
    '<item-not-found',
  ],
  [
    'a ping of oneself from outside',
    `<iq id='q' type='get' to='ops@rooms.localhost/Bo'><ping xmlns='urn:xmpp:ping'/></iq>`,
    '<not-acceptable',
  ],
  [
    'configuring what is not owned',
    `<iq id='q' type='get' to='ops@rooms.localhost'><query xmlns='http://jabber.org/protocol/muc#owner'/></iq>`,
    '<forbidden',
  ],
] as const)('an error for %s', async ([, said, error], test) => {
  const { enter } = await stage(test);
  await join(await enter('alice', 'desk'), 'Al');
  const bob = await enter('bob', 'home');
  bob.say(said);
  await bob.hears(`type="error"…id="q"><error…${error}`);
});

test('a new room: 201, its owner configures it and kicks; it goes with the last one', async (test) => {
  const { enter, server } = await stage(test);
  const alice = await enter('alice', 'desk');
  const bob = await enter('bob', 'home');
  alice.say(`<presence to='war@rooms.localhost/Al'>${muc}</presence>`);
  await alice.hears('affiliation="owner" role="moderator"…<status code="201"/>');
  alice.say(
    `<iq id='c' type='set' to='war@rooms.localhost'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>`,
  );
  await alice.hears('type="result" from="war@rooms.localhost"…id="c"');
  await join(bob, 'Bo', 'war');
  alice.say(
    `<iq id='k' type='set' to='war@rooms.localhost'><query xmlns='http://jabber.org/protocol/muc#admin'><item nick='Bo' role='none'><reason>enough</reason></item></query></iq>`,
  );
  await bob.hears('type="unavailable"…<reason>enough</reason>…<status code="307"/><status code="110"/>');
  alice.say(`<presence type='unavailable' to='war@rooms.localhost/Al'/>`);
  await alice.hears('type="unavailable"…from="war@rooms.localhost/Al"…<status code="110"/>');
  expect(server.rooms().map((room) => room.jid)).toEqual(['ops@rooms.localhost']);
});

test('kicked by the test: 307, and a message is refused from then on', async (test) => {
  const { enter, server } = await stage(test);
  const alice = await enter('alice', 'desk');
  await join(alice, 'Al');
  server.kick('ops', 'Al', 'drill');
  await alice.hears('type="unavailable"…role="none"…<status code="307"/>');
  alice.say(`<message type='groupchat' to='ops@rooms.localhost'><body>x</body></message>`);
  await alice.hears('<not-acceptable');
  expect(() => server.kick('ops', 'Al')).toThrow('nobody called Al');
});

test('another nick: 303, then the new one', async (test) => {
  const { enter } = await stage(test);
  const alice = await enter('alice', 'desk');
  const bob = await enter('bob', 'home');
  await join(alice, 'Al');
  await join(bob, 'Bo');
  alice.say(`<presence to='ops@rooms.localhost/Alice'/>`);
  await bob.hears('from="ops@rooms.localhost/Al"…nick="Alice"…<status code="303"/>');
  await bob.hears('from="ops@rooms.localhost/Alice"');
  await alice.hears('<status code="303"/><status code="110"/>…from="ops@rooms.localhost/Alice"…<status code="110"/>');
});

test('who is gone has left', async (test) => {
  const { enter, server } = await stage(test);
  const alice = await enter('alice', 'desk');
  const bob = await enter('bob', 'home');
  await join(alice, 'Al');
  await join(bob, 'Bo');
  server.faults.cut('bob@localhost');
  await alice.hears('from="ops@rooms.localhost/Bo"…type="unavailable"');
  expect(server.rooms()[0]?.occupants).toEqual([{ nick: 'Al', jid: 'alice@localhost/desk' }]);
});

test('pings: of oneself by the room, of another through it', async (test) => {
  const { enter } = await stage(test);
  const alice = await enter('alice', 'desk');
  const bob = await enter('bob', 'home');
  await join(alice, 'Al');
  await join(bob, 'Bo');
  alice.say(`<iq id='s' type='get' to='ops@rooms.localhost/Al'><ping xmlns='urn:xmpp:ping'/></iq>`);
  await alice.hears('type="result" from="ops@rooms.localhost/Al"…id="s"');
  alice.say(`<iq id='o' type='get' to='ops@rooms.localhost/Bo'><ping xmlns='urn:xmpp:ping'/></iq>`);
  await bob.hears('id="o" type="get" to="bob@localhost/home"…from="ops@rooms.localhost/Al"');
  bob.say(`<iq id='o' type='result' to='ops@rooms.localhost/Al'/>`);
  await alice.hears('id="o" type="result" to="alice@localhost/desk"…from="ops@rooms.localhost/Bo"');
});
