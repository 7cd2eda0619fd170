// Roster, presence and messages between accounts, as said on the wire. RFC 6121.
import { expect, test } from 'vitest';
import { stage } from './raw-client.ts';

const getRoster = `<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>`;

test('asking, accepting, seeing, and taking it back', async (test) => {
  const { enter, server } = await stage(test);
  const alice = await enter('alice', 'desk', '<presence><show>dnd</show></presence>');
  const bob = await enter('bob', 'home');
  alice.say(getRoster);
  await alice.hears('<query xmlns="jabber:iq:roster"/>');
  bob.say(getRoster);
  await bob.hears('<query xmlns="jabber:iq:roster"/>');

  bob.say(`<presence type='subscribe' to='alice@localhost/ignored'/>`);
  await bob.hears('type="set"…<item jid="alice@localhost" subscription="none" ask="subscribe"/>');
  await alice.hears('<presence type="subscribe" to="alice@localhost" from="bob@localhost"/>');
  expect(server.subscription('alice', 'bob@localhost')).toBeUndefined(); // not shown before it is answered

  alice.say(`<presence type='subscribed' to='bob@localhost'/>`);
  await alice.hears('<item jid="bob@localhost" subscription="from"/>');
  await bob.hears('<item jid="alice@localhost" subscription="to"/>');
  await bob.hears('type="subscribed"');
  await bob.hears('from="alice@localhost/desk" to="bob@localhost"…<show>dnd</show>');

  alice.say('<presence/>');
  expect(await bob.hears('<presence…/>')).toContain('from="alice@localhost/desk"');

  alice.say(`<presence type='unsubscribed' to='bob@localhost'/>`);
  await bob.hears('<item jid="alice@localhost" subscription="none"/>');
  await bob.hears('<presence…type="unsubscribed"');
  await bob.hears('<presence…type="unavailable" from="alice@localhost/desk"');
  expect(server.subscription('bob', 'alice@localhost')).toEqual({ state: 'none', asked: false });
});

test('a request waits for who is offline; a second one is not shown again', async (test) => {
  const { enter, bind } = await stage(test);
  const bob = await enter('bob', 'home');
  bob.say(`<presence type='subscribe' to='alice@localhost'/>`);
  await bob.hearsUntilPong();
  const alice = await bind('alice', 'desk');
  alice.say('<presence/>');
  await alice.hears('<presence type="subscribe" from="bob@localhost" to="alice@localhost"/>');
  bob.say(`<presence type='subscribe' to='alice@localhost'/>`);
  await bob.hearsUntilPong();
  expect(await alice.hearsUntilPong()).not.toContain('type="subscribe"');
});

test('removing a contact cancels both ways', async (test) => {
  const { enter, server } = await stage(test, { sharedRoster: true });
  const alice = await enter('alice', 'desk');
  const bob = await enter('bob', 'home');
  alice.say(getRoster);
  await alice.hears('subscription="both"');
  alice.say(
    `<iq type='set' id='x'><query xmlns='jabber:iq:roster'><item jid='bob@localhost' subscription='remove'/></query></iq>`,
  );
  await alice.hears('<item jid="bob@localhost" subscription="remove"/>');
  await alice.hears('type="result" to="alice@localhost/desk" id="x"');
  await bob.hears('type="unavailable"');
  expect(server.subscription('bob', 'alice@localhost')?.state).toBe('none');
});

test('a new resource hears who is there, with stamps, and who is not', async (test) => {
  const { enter, bind } = await stage(test, { sharedRoster: { hub: 'alice' } });
  await enter('bob', 'home', '<presence><show>away</show><priority>3</priority></presence>');
  const alice = await bind('alice', 'desk');
  alice.say('<presence/>');
  await alice.hears('from="bob@localhost/home"…<show>away</show>…<delay xmlns="urn:xmpp:delay"…stamp="');
  await alice.hears('<presence type="unavailable" from="carol@localhost"');
});

test('like ejabberd, silence about who is offline', async (test) => {
  const { bind } = await stage(test, { sharedRoster: true, offlinePresence: 'silence' });
  const alice = await bind('alice', 'desk');
  alice.say('<presence/>');
  expect(await alice.hearsUntilPong()).not.toContain('unavailable');
});

test('the hub sees all; the others see only the hub', async (test) => {
  const { server } = await stage(test, { sharedRoster: { hub: 'alice' } });
  expect(server.subscription('alice', 'bob@localhost')?.state).toBe('both');
  expect(server.subscription('bob', 'alice@localhost')?.state).toBe('both');
  expect(server.subscription('bob', 'carol@localhost')).toBeUndefined();
});

test('a lost connection without stream management is unavailability', async (test) => {
  const { enter, server } = await stage(test, { sharedRoster: true });
  const alice = await enter('alice', 'desk');
  await enter('bob', 'home');
  await alice.hears('from="bob@localhost/home"');
  server.faults.cut('bob@localhost', 'reset');
  await alice.hears('type="unavailable" from="bob@localhost/home"');
});

test('directed presence ends with an unavailable one', async (test) => {
  const { enter } = await stage(test);
  const alice = await enter('alice', 'desk');
  const bob = await enter('bob', 'home');
  bob.say(`<presence to='alice@localhost/desk'><status>hello</status></presence>`);
  await alice.hears('<status>hello</status>');
  bob.say(`<presence type='unavailable'/>`);
  await alice.hears('type="unavailable"');
});

test('to the bare JID: the highest priority that is not negative', async (test) => {
  const { enter } = await stage(test);
  const low = await enter('alice', 'low', '<presence><priority>1</priority></presence>');
  const high = await enter('alice', 'high', '<presence><priority>5</priority></presence>');
  const never = await enter('alice', 'never', '<presence><priority>-1</priority></presence>');
  const bob = await enter('bob', 'home');
  bob.say(`<message type='chat' to='alice@localhost'><body>one</body></message>`);
  await high.hears('from="bob@localhost/home"><body>one</body>');
  expect(await low.hearsUntilPong()).not.toContain('one');
  expect(await never.hearsUntilPong()).not.toContain('one');
  bob.say(`<message type='chat' to='alice@localhost/never'><body>two</body></message>`);
  await never.hears('<body>two</body>');
  bob.say(`<message type='chat' to='alice@localhost/gone'><body>three</body></message>`);
  await high.hears('<body>three</body>');
});

test('with only a negative priority there, a message to the bare JID is stored', async (test) => {
  const { enter, server } = await stage(test);
  const alice = await enter('alice', 'phone', '<presence><priority>-1</priority></presence>');
  const bob = await enter('bob', 'home');
  bob.say(`<message type='chat' to='alice@localhost'><body>for later</body></message>`);
  await bob.hearsUntilPong();
  expect(await alice.hearsUntilPong()).not.toContain('for later');
  expect(server.offlineMessages('alice')).toHaveLength(1);
});

test('who is offline gets it later, stamped; a chat state or a no-store hint is not kept', async (test) => {
  const { enter, bind, server } = await stage(test);
  const bob = await enter('bob', 'home');
  bob.say(`<message to='alice@localhost'><body>kept</body></message>`);
  bob.say(
    `<message type='chat' to='alice@localhost'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`,
  );
  bob.say(`<message to='alice@localhost'><body>lost</body><no-store xmlns='urn:xmpp:hints'/></message>`);
  await bob.hearsUntilPong();
  expect(server.offlineMessages('alice').map((message) => message.getChildText('body'))).toEqual(['kept']);
  const alice = await bind('alice', 'desk');
  alice.say('<presence><priority>-5</priority></presence>');
  expect(await alice.hearsUntilPong()).not.toContain('kept');
  alice.say('<presence/>');
  await alice.hears('<body>kept</body><delay xmlns="urn:xmpp:delay" from="localhost" stamp="');
  expect(server.offlineMessages('alice')).toEqual([]);
});

test.for([
  ['a message to nobody', `<message id='q' to='nobody@localhost'><body>x</body></message>`, 'service-unavailable'],
  ['another server', `<message id='q' to='bob@example.org'><body>x</body></message>`, 'remote-server-not-found'],
  ['what is no JID', `<message id='q' to='a b@localhost'><body>x</body></message>`, 'jid-malformed'],
  ['an unknown request', `<iq id='q' type='get'><query xmlns='x:y'/></iq>`, 'service-unavailable'],
  [
    'a request for a contact',
    `<iq id='q' type='get' to='bob@localhost'><query xmlns='x:y'/></iq>`,
    'service-unavailable',
  ],
  [
    'a request to who is gone',
    `<iq id='q' type='get' to='bob@localhost/x'><query xmlns='x:y'/></iq>`,
    'service-unavailable',
  ],
  ['another roster', `<iq id='q' type='get' to='bob@localhost'><query xmlns='jabber:iq:roster'/></iq>`, 'forbidden'],
  ['a vcard that is not', `<iq id='q' type='get'><vCard xmlns='vcard-temp'/></iq>`, 'item-not-found'],
  ['a priority that is none', `<presence id='q'><priority>high</priority></presence>`, 'bad-request'],
  ['an empty request', `<iq id='q' type='get'/>`, 'bad-request'],
] as const)('an error for %s', async ([, said, condition], test) => {
  const { enter } = await stage(test);
  const alice = await enter('alice', 'desk');
  alice.say(said);
  await alice.hears(`type="error"…id="q"><error…<${condition} xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/>`);
});

test('an error is never answered with an error', async (test) => {
  const { enter } = await stage(test);
  const alice = await enter('alice', 'desk');
  alice.say(`<message type='error' to='nobody@localhost'/><iq type='error' id='a' to='nobody@localhost/x'/>`);
  expect(await alice.hearsUntilPong()).not.toContain('type="error"');
});

test('requests travel between clients', async (test) => {
  const { enter } = await stage(test);
  const alice = await enter('alice', 'desk');
  const bob = await enter('bob', 'home');
  bob.say(`<iq type='get' id='p1' to='alice@localhost/desk'><ping xmlns='urn:xmpp:ping'/></iq>`);
  await alice.hears('from="bob@localhost/home"><ping xmlns="urn:xmpp:ping"/>');
  alice.say(`<iq type='result' id='p1' to='bob@localhost/home'/>`);
  await bob.hears('<iq type="result" id="p1" to="bob@localhost/home" from="alice@localhost/desk"/>');
});

test('carbons: both sides of a chat reach the other resource that asked for them', async (test) => {
  const { enter } = await stage(test);
  const desk = await enter('alice', 'desk');
  const phone = await enter('alice', 'phone', '<presence><priority>-1</priority></presence>');
  const bob = await enter('bob', 'home');
  phone.say(`<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>`);
  await phone.hears('id="c"');
  bob.say(`<message type='chat' to='alice@localhost'><body>in</body></message>`);
  await desk.hears('<body>in</body>');
  await phone.hears('<received xmlns="urn:xmpp:carbons:2"><forwarded…<body>in</body>');
  desk.say(`<message type='chat' to='bob@localhost'><body>out</body></message>`);
  await phone.hears('<sent xmlns="urn:xmpp:carbons:2"><forwarded…<body>out</body>');
});

test('private storage keeps what is put there, and answers with the question otherwise', async (test) => {
  const { enter } = await stage(test);
  const alice = await enter('alice', 'desk');
  alice.say(`<iq type='get' id='1'><query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query></iq>`);
  await alice.hears('id="1"><query xmlns="jabber:iq:private"><storage xmlns="storage:bookmarks"/>');
  alice.say(
    `<iq type='set' id='2'><query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'><conference jid='ops@rooms.localhost'/></storage></query></iq>` +
      `<iq type='get' id='3'><query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query></iq>`,
  );
  await alice.hears('id="3"…<conference jid="ops@rooms.localhost"/>');
});

test('disco: the server, its rooms, a room', async (test) => {
  const { enter } = await stage(test);
  const alice = await enter('alice', 'desk');
  const ask = (to: string, what: string) =>
    alice.say(`<iq type='get' id='d' to='${to}'><query xmlns='http://jabber.org/protocol/disco#${what}'/></iq>`);
  ask('localhost', 'info');
  await alice.hears('<identity category="server" type="im"…<feature var="urn:xmpp:ping"/>');
  ask('localhost', 'items');
  await alice.hears('<item jid="rooms.localhost"');
  ask('rooms.localhost', 'items');
  await alice.hears('<item jid="ops@rooms.localhost"');
  ask('ops@rooms.localhost', 'info');
  await alice.hears('<identity category="conference"…muc_nonanonymous');
});
