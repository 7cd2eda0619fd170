// Streams and login, as said on the wire. RFC 6120 §4, §6, §7.
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createXmppServer } from '../../../../src/sandbox/xmpp-server/xmpp-server.ts';
import { open, plain, stage } from './raw-client.ts';

const sasl = 'urn:ietf:params:xml:ns:xmpp-sasl';

test('header, PLAIN, restart, bind, ping, goodbye', async (test) => {
  const { connect, server } = await stage(test);
  const alice = await connect();
  alice.say(`<?xml version='1.0'?>${open}`);
  await alice.hears(`<?xml version='1.0'?><stream:stream xmlns="jabber:client" … from="localhost" version="1.0"`);
  const features = await alice.hears('<stream:features>…</stream:features>');
  expect(features).not.toContain('starttls');
  for (const name of ['SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN']) expect(features).toContain(`<mechanism>${name}<`);
  alice.say(`${plain('alice', 'alice')}\n`);
  await alice.hears(`<success xmlns="${sasl}"/>`);
  alice.say(open);
  await alice.hears('<bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/>…<sm xmlns="urn:xmpp:sm:3"/>');
  alice.say(
    `<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>desk</resource></bind></iq>`,
  );
  await alice.hears('<jid>alice@localhost/desk</jid>');
  alice.say(`<iq type='set' id='2'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>`);
  await alice.hears('type="result" to="alice@localhost/desk" id="2"');
  await alice.hearsUntilPong();
  const ended = server.until('ended');
  alice.say('</stream:stream>');
  await alice.hears('</stream:stream>');
  expect((await ended).jid).toBe('alice@localhost/desk');
  await alice.closed();
});

test('a resource is made up when none is asked for', async (test) => {
  const { login } = await stage(test);
  const alice = await login('alice');
  alice.say(`<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`);
  expect(await alice.hears('<jid>alice@localhost/…</jid>')).toMatch(/\/[0-9a-f-]{36}</);
});

test('the same resource again ends the older session with conflict', async (test) => {
  const { bind, server } = await stage(test);
  const older = await bind('alice', 'desk');
  await bind('alice', 'desk');
  await older.hears('<stream:error><conflict xmlns="urn:ietf:params:xml:ns:xmpp-streams"/>');
  await older.closed();
  expect(server.sessions().map((session) => session.jid)).toEqual(['alice@localhost/desk']);
});

test('three wrong passwords are enough', async (test) => {
  const { connect } = await stage(test);
  const alice = await connect();
  alice.say(open);
  for (let attempt = 0; attempt < 3; attempt++) {
    alice.say(plain('alice', 'wrong'));
    await alice.hears('<failure…<not-authorized/></failure>');
  }
  await alice.hears('<policy-violation…</stream:stream>');
  await alice.closed();
});

test.for([
  ['an unknown user', plain('nobody', 'x'), 'not-authorized'],
  ['somebody else as authorisation identity', plainAs('bob@localhost', 'alice', 'alice'), 'invalid-authzid'],
  ['no password', auth('PLAIN', 'justtext'), 'malformed-request'],
  ['an unknown mechanism', auth('DIGEST-MD5', 'x'), 'invalid-mechanism'],
  ['what is not base64', `<auth xmlns='${sasl}' mechanism='PLAIN'>%%%</auth>`, 'incorrect-encoding'],
  ['channel binding, which is not offered', auth('SCRAM-SHA-1', 'p=tls-unique,,n=alice,r=abc'), 'malformed-request'],
  ['abort', `<abort xmlns='${sasl}'/>`, 'aborted'],
] as const)('login is refused for %s', async ([, said, condition], test) => {
  const { connect } = await stage(test);
  const client = await connect();
  client.say(open + said);
  await client.hears(`<failure xmlns="${sasl}"><${condition}/>`);
});

function auth(mechanism: string, text: string): string {
  return `<auth xmlns='${sasl}' mechanism='${mechanism}'>${Buffer.from(text).toString('base64')}</auth>`;
}

function plainAs(authzid: string, user: string, password: string): string {
  return auth('PLAIN', `${authzid}\0${user}\0${password}`);
}

describe.each([
  ['SCRAM-SHA-1', 'sha1', 20],
  ['SCRAM-SHA-256', 'sha256', 32],
] as const)('%s', (mechanism, hash, length) => {
  async function scram(test: Parameters<typeof stage>[0], password: string, gs2 = 'n,,') {
    const client = await (await stage(test)).connect();
    client.say(open + auth(mechanism, `${gs2}n=alice,r=fyko`));
    const challenge = await client.hears('<challenge…</challenge>');
    const first = Buffer.from(challenge.replace(/<[^>]*>/g, ''), 'base64').toString();
    const [, nonce = '', salt = '', rounds = ''] = /^r=(fyko[^,]+),s=([^,]+),i=(\d+)$/.exec(first) ?? [];
    const hmac = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest();
    const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), Number(rounds), length, hash);
    const bare = `c=${Buffer.from('n,,').toString('base64')},r=${nonce}`;
    const message = `n=alice,r=fyko,${first},${bare}`;
    const clientKey = hmac(salted, 'Client Key');
    const signature = hmac(createHash(hash).update(clientKey).digest(), message);
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)));
    const text = Buffer.from(`${bare},p=${proof.toString('base64')}`).toString('base64');
    client.say(`<response xmlns='${sasl}'>${text}</response>`);
    return { client, serverSignature: hmac(hmac(salted, 'Server Key'), message).toString('base64') };
  }

  test('the server proves itself too', async (test) => {
    const { client, serverSignature } = await scram(test, 'alice');
    const success = await client.hears('<success…</success>');
    expect(Buffer.from(success.replace(/<[^>]*>/g, ''), 'base64').toString()).toBe(`v=${serverSignature}`);
  });

  test('a wrong password', async (test) => {
    const { client } = await scram(test, 'alicf');
    await client.hears('<not-authorized/>');
  });

  test('a changed channel-binding flag', async (test) => {
    const { client } = await scram(test, 'alice', 'y,,');
    await client.hears('<not-authorized/>');
  });
});

const beforeLogin: [string, string | Buffer, string][] = [
  ['another domain', open.replace('localhost', 'example.org'), 'host-unknown'],
  ['another namespace', open.replace('jabber:client', 'jabber:server'), 'invalid-namespace'],
  ['no version', open.replace(` version='1.0'`, ''), 'unsupported-version'],
  ['a stanza before login', `${open}<message to='bob@localhost'/>`, 'not-authorized'],
  ['tags that do not match', `${open}<auth></oth>`, 'not-well-formed'],
  ['what is no tag name', `${open}<"/>`, 'not-well-formed'],
  ['a stray end tag', '</stream:stream>', 'not-well-formed'],
  ['bytes that are not UTF-8', Buffer.from([...Buffer.from(open), 0xc3, 0x28]), 'unsupported-encoding'],
  ['more than 10 kB before login', `${open}<auth>${'x'.repeat(12_000)}`, 'policy-violation'],
];
test.for(beforeLogin)('stream error for %s', async ([, said, condition], test) => {
  const { connect } = await stage(test);
  const client = await connect();
  client.say(said);
  await client.hears(
    `<stream:stream …<stream:error><${condition} xmlns="urn:ietf:params:xml:ns:xmpp-streams"/>…</stream:stream>`,
  );
  await client.closed();
});

const inSession: [string, string, string][] = [
  ['a control character', `<message to='bob@localhost'><body>a\u0001b</body></message>`, 'not-well-formed'],
  ['a control character as a reference', `<message to='bob@localhost'><body>&#1;</body></message>`, 'not-well-formed'],
  ['an entity of its own', `<message to='bob@localhost'><body>&lol;</body></message>`, 'not-well-formed'],
  ['an unbound prefix', `<message to='bob@localhost'><x:y/></message>`, 'bad-namespace-prefix'],
  ['somebody else as sender', `<message from='bob@localhost' to='bob@localhost'/>`, 'invalid-from'],
  ['what is no stanza', `<note/>`, 'unsupported-stanza-type'],
  [
    'a stanza over the limit',
    `<message to='bob@localhost'><body>${'x'.repeat(264_000)}</body></message>`,
    'policy-violation',
  ],
  ['endless nesting', '<message>'.repeat(70), 'policy-violation'],
];
test.for(inSession)('the session ends for %s', async ([, said, condition], test) => {
  const { enter, server } = await stage(test);
  const alice = await enter('alice', 'desk');
  alice.say(said);
  await alice.hears(`<stream:error><${condition}`);
  await alice.closed();
  expect(server.sessions()).toEqual([]);
});

test('characters cut in two between packets arrive whole', async (test) => {
  const { enter, server } = await stage(test);
  const alice = await enter('alice', 'desk');
  const bytes = Buffer.from(`<message to='alice@localhost'><body>Grüße 🚂</body></message>`);
  const got = server.until('stanza', (event) => event.direction === 'in' && event.stanza.name === 'message');
  alice.socket.setNoDelay(true);
  for (const byte of bytes) alice.say(Buffer.from([byte]));
  expect((await got).stanza.getChildText('body')).toBe('Grüße 🚂');
});

test('a stanza just under the limit passes', async (test) => {
  const { enter } = await stage(test);
  const alice = await enter('alice', 'desk');
  alice.say(`<message to='alice@localhost'><body>${'x'.repeat(262_000)}</body></message>`);
  await alice.hears('x</body></message>');
});

test('STARTTLS without a certificate is refused, and the stream ends', async (test) => {
  const { connect } = await stage(test);
  const client = await connect();
  client.say(`${open}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`);
  await client.hears('<failure xmlns="urn:ietf:params:xml:ns:xmpp-tls"/></stream:stream>');
  await client.closed();
});

test.for(['0.0.0.0', '::', '192.0.2.1', 'example.org'])('refuses to bind %s', (host) => {
  expect(() => createXmppServer({ domain: 'localhost', host, accounts: {} })).toThrow(
    `loopback only, not to "${host}"`,
  );
});
