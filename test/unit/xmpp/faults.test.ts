// The link and what rides on it, through the troubles that were seen to hang, kill or mislead the library underneath.

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { minute, second } from '../../../src/clock.ts';
import { TestClock } from '../../support/clock.ts';
import { alice, makeCertificate, openSite, team } from './support.ts';

const quick = { limits: { link: { firstPause: 100, longestPause: 100 } } };
const person = { kind: 'person', jid: alice } as const;

describe('a server that hangs', () => {
  it('one that answers in the millisecond in which it was asked does not', async () => {
    await using site = await openSite();
    const alicesClient = await site.person('alice');
    const clock = new TestClock();
    const bot = site.bot({}, { clock });
    bot.xmpp.watch([alice]);
    bot.xmpp.start();
    await bot.becomes('available');
    // It asks after ten seconds; what is heard now is heard while the clock stands.
    await clock.advance(10 * second);
    await alicesClient.xmpp.send({ kind: 'person', jid: bot0 }, 'at once', 'm');
    await bot.messages.next(({ body }) => body === 'at once', { what: 'message' });
    site.server.faults.stall('bot@example.test/pm');
    await clock.advance(15 * second);
    expect(bot.xmpp.link().state).toBe('up');
    // Whatever was on its way when it stalled may be heard late, which asks anew.
    const cut = bot.link(({ state }) => state !== 'up');
    await clock.advance(minute);
    await cut;
  });

  it('is given up after the time limit, and tried again, with growing pauses', async () => {
    await using site = await openSite();
    site.server.faults.silent = true;
    const clock = new TestClock();
    const bot = site.bot({}, { clock, random: () => 0.5 });
    let connected = site.server.until('connected');
    bot.xmpp.start();
    await connected;
    expect(bot.xmpp.link().state).toBe('connecting');
    await clock.advance(15 * second);
    expect(bot.xmpp.link()).toMatchObject({ state: 'down', reason: 'no session within 15 s' });
    connected = site.server.until('connected');
    await clock.advance(250);
    await connected;
    await clock.advance(15 * second);
    expect(bot.xmpp.link().state).toBe('down');
    await clock.advance(499);
    expect(bot.xmpp.link().state).toBe('down');
    site.server.faults.silent = false;
    await clock.advance(1);
    await bot.link(({ state }) => state === 'up');
    expect(bot.xmpp.link().reason).toBeUndefined();
  });

  it('that stalls within a session is asked, then cut, and the session is resumed', async () => {
    await using site = await openSite();
    const alicesClient = await site.person('alice');
    const clock = new TestClock();
    const bot = site.bot({}, { clock });
    bot.xmpp.watch([alice]);
    bot.xmpp.start();
    await bot.becomes('available');
    const goOn = site.server.faults.stall('bot@example.test/pm');
    await clock.advance(25 * second);
    expect(bot.xmpp.link().state).toBe('down');
    expect(bot.xmpp.link().reason).toMatch(/^the server has been silent for 2\d s$/);
    expect(bot.xmpp.presenceOf(alice).state).toBe('available');
    goOn();
    const resumed = site.server.until('resumed');
    await clock.advance(second);
    await resumed;
    await bot.link(({ state }) => state === 'up');
    await alicesClient.xmpp.send({ kind: 'person', jid: bot0 }, 'still there?', 'q');
    await bot.messages.next(({ body }) => body === 'still there?', { what: 'message' });
    expect(bot.changes.seen()).toHaveLength(1);
  });
});

const bot0 = 'bot@example.test' as typeof alice;

describe('a cut connection', () => {
  it('is resumed: nothing is lost, nothing is flushed, what was in flight is acknowledged', async () => {
    await using site = await openSite();
    const alicesClient = await site.person('alice');
    const bot = site.bot({}, quick);
    bot.xmpp.watch([alice]);
    bot.xmpp.start();
    await bot.becomes('available');
    const detached = site.server.until('detached');
    // What the server did not get before the cut is sent again after it.
    const held = site.server.faults.drop({ direction: 'in', fits: (stanza) => stanza.attrs.id === 'n1' });
    const sent = bot.xmpp.send(person, 'look', 'n2');
    site.server.faults.cut('bot@example.test/pm', 'reset');
    await detached;
    const said = alicesClient.xmpp.send({ kind: 'person', jid: bot0 }, 'ack', 'a1');
    await sent;
    await said;
    held.stop();
    expect((await bot.messages.next(() => true, { what: 'ack' })).delayed).toBe(false);
    await alicesClient.messages.next(({ id }) => id === 'n2', { what: 'nudge' });
    expect(bot.changes.seen()).toHaveLength(1);
  });

  it('of a session that the server forgot: all begins anew, and what was in flight is told to be lost', async () => {
    await using site = await openSite();
    await site.person('alice');
    const bot = site.bot({}, quick);
    bot.xmpp.watch([alice]);
    bot.xmpp.start();
    await bot.becomes('available');
    const goOn = site.server.faults.stall('bot@example.test/pm');
    const sent = bot.xmpp.send(person, 'look', 'n1');
    sent.catch(() => undefined);
    site.server.faults.cut('bot@example.test/pm');
    site.server.faults.forgetResumptions();
    goOn();
    await expect(sent).rejects.toMatchObject({ reason: 'lost' });
    expect((await bot.becomes('unknown')).presence).toMatchObject({
      reason: 'resync',
      lastKnown: { state: 'available' },
    });
    await bot.becomes('available');
  });

  it('a server that was restarted and says nothing of who left: offline after settling', async () => {
    await using site = await openSite({ offlinePresence: 'silence' });
    const alicesClient = await site.person('alice');
    const bot = site.bot({}, quick);
    bot.xmpp.watch([alice]);
    bot.xmpp.start();
    await bot.becomes('available');
    await site.server.stop('abruptly');
    await bot.link(({ state }) => state !== 'up');
    expect(bot.xmpp.presenceOf(alice).state).toBe('available');
    await alicesClient.xmpp.stop();
    await site.server.start();
    await bot.becomes('unknown');
    await bot.becomes('offline');
  });
});

describe('watching', () => {
  it('begins with the truth for somebody who was in the roster, and there, all the time', async () => {
    await using site = await openSite();
    await site.person('alice');
    const clock = new TestClock();
    const bot = site.bot({}, { clock });
    bot.xmpp.start();
    const present = site.server.until(
      'stanza',
      ({ direction, stanza, jid }) =>
        direction === 'out' && jid === 'bot@example.test/pm' && stanza.attrs.from === `${alice}/desk`,
    );
    await present;
    await clock.advance(2 * second);
    bot.xmpp.watch([alice]);
    expect((await bot.changes.next(() => true, { what: 'first change' })).presence.state).toBe('available');
    await clock.advance(minute);
    expect(bot.xmpp.presenceOf(alice).state).toBe('available');
  });
});

describe('the link down for long', () => {
  it('presence freezes, then is unknown, and a send is refused at once', async () => {
    await using site = await openSite();
    await site.person('alice');
    const clock = new TestClock();
    const bot = site.bot({}, { clock, random: () => 1 });
    bot.xmpp.watch([alice]);
    bot.xmpp.start();
    await bot.becomes('available');
    const start = clock.now();
    await site.server.stop('abruptly');
    await bot.link(({ state }) => state !== 'up');
    await expect(bot.xmpp.send(person, 'x', 'x')).rejects.toMatchObject({ reason: 'link-down' });
    await clock.advance(2 * minute - second);
    expect(bot.xmpp.presenceOf(alice)).toMatchObject({ state: 'available', asOf: start });
    await clock.advance(2 * second);
    expect(bot.xmpp.presenceOf(alice)).toMatchObject({
      state: 'unknown',
      reason: 'link-down',
      lastKnown: { state: 'available', asOf: start },
    });
  });
});

describe('who may not log in', () => {
  it.each(['SCRAM', 'refused'])('a refusal (%s) names the reason and waits the longest pause', async (how) => {
    await using site = await openSite();
    const clock = new TestClock();
    if (how === 'refused') site.server.faults.refusedAuth = 'account-disabled';
    const bot = site.bot({ password: how === 'refused' ? 'pw-bot' : 'wrong' }, { clock });
    bot.xmpp.start();
    const { reason } = await bot.link(({ state }) => state === 'down');
    expect(reason).toMatch(
      how === 'refused'
        ? /refused our login as bot@example.test: account-disabled/
        : /bot@example.test: not-authorized/,
    );
    await clock.advance(59 * second);
    expect(bot.xmpp.link().state).toBe('down');
    site.server.faults.refusedAuth = undefined;
    site.server.setPassword('bot', how === 'refused' ? 'pw-bot' : 'wrong');
    await clock.advance(second);
    await bot.link(({ state }) => state === 'up');
  });

  it('a conflict asks whether there is a second Pointsman, and does not fight for the resource', async () => {
    await using site = await openSite();
    const clock = new TestClock();
    const bot = site.bot({}, { clock });
    bot.xmpp.start();
    await bot.link(({ state }) => state === 'up');
    site.server.faults.conflict('bot@example.test/pm');
    const { reason } = await bot.link(({ state }) => state === 'down');
    expect(reason).toContain('does a second Pointsman run with this account?');
    await clock.advance(59 * second);
    expect(bot.xmpp.link().state).toBe('down');
  });
});

it('a server that does not know the password is not believed when it says success', async () => {
  // It plays SCRAM to its end with a signature it cannot have.
  const server = createServer((socket) => {
    const base64 = (text: string): string => Buffer.from(text).toString('base64');
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      const said = String(data);
      const sasl = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
      if (said.includes('<response')) {
        socket.write(`<success ${sasl}>${base64(`v=${Buffer.alloc(32, 7).toString('base64')}`)}</success>`);
      } else if (said.includes('<auth')) {
        const nonce = /r=(.*)$/.exec(Buffer.from(/>([^<]+)<\/auth/.exec(said)?.[1] ?? '', 'base64').toString())?.[1];
        socket.write(`<challenge ${sasl}>${base64(`r=${nonce}x,s=QSXCR+Q6sek8bf92,i=4096`)}</challenge>`);
      } else {
        socket.write(
          "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1' version='1.0'>" +
            `<stream:features><mechanisms ${sasl}><mechanism>SCRAM-SHA-256</mechanism></mechanisms></stream:features>`,
        );
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await using site = await openSite();
  const bot = site.bot({ server: { host: '127.0.0.1', port: (server.address() as AddressInfo).port } });
  bot.xmpp.start();
  const { reason } = await bot.link(({ state }) => state === 'down');
  expect(reason).toBe('the server did not prove that it knows our password');
  server.close();
});

describe('TLS', () => {
  let certificate: ReturnType<typeof makeCertificate>;
  let other: ReturnType<typeof makeCertificate>;
  beforeAll(() => {
    certificate = makeCertificate('example.test');
    other = makeCertificate('other.test');
  });
  const spoken: string[] = [];
  afterAll(() => {
    expect(spoken.join('')).not.toContain('<auth');
  });

  it('with an authority for this link: up', async () => {
    await using site = await openSite({ tls: { ...certificate, required: true } });
    const bot = site.bot({ tls: 'required', ca: certificate.cert });
    bot.xmpp.start();
    await bot.link(({ state }) => state === 'up');
  });

  it('a stripped STARTTLS: not one octet of the login is sent', async () => {
    // A peer that offers everything but TLS, and writes down what it hears.
    const heard: string[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (data) => heard.push(String(data)));
      socket.write(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1' version='1.0'>" +
          "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism><mechanism>SCRAM-SHA-1</mechanism></mechanisms></stream:features>",
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    await using site = await openSite();
    const address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    const bot = site.bot({ tls: 'required', server: address });
    bot.xmpp.start();
    const { reason } = await bot.link(({ state }) => state === 'down');
    expect(reason).toBe('the server offers no TLS, which is required: somebody may be in between');
    expect(heard.join('')).toContain('<stream:stream');
    spoken.push(...heard);
    server.close();
  });

  it('without TLS allowed, PLAIN is not used even when it is all there is', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (data) => spoken.push(String(data)));
      socket.write(
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1' version='1.0'>" +
          "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>",
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    await using site = await openSite();
    const bot = site.bot({ server: { host: '127.0.0.1', port: (server.address() as AddressInfo).port } });
    bot.xmpp.start();
    expect((await bot.link(({ state }) => state === 'down')).reason).toMatch(/no way to log in that is safe/);
    server.close();
  });

  it.each(['unknown authority', 'another name'])('a certificate of %s is refused', async (what) => {
    const theirs = what === 'another name' ? other : certificate;
    await using site = await openSite({ tls: theirs });
    const bot = site.bot({ tls: 'required', ca: what === 'another name' ? other.cert : null });
    bot.xmpp.start();
    const { reason } = await bot.link(({ state }) => state === 'down');
    expect(reason).toMatch(what === 'another name' ? /^TLS: .*example\.test.*other\.test/s : /^TLS: .*self.signed/);
  });

  it('what is said between <proceed/> and TLS ends the attempt', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write(
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1' version='1.0'>" +
          "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
      );
      socket.on('data', (data) => {
        if (!String(data).includes('<starttls')) return;
        socket.write("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><message from='admin@example.test'/>");
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    await using site = await openSite();
    const address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    const bot = site.bot({ tls: 'required', server: address });
    bot.xmpp.start();
    expect((await bot.link(({ state }) => state === 'down')).reason).toBe(
      'something was said between STARTTLS and TLS',
    );
    server.close();
  });
});

describe('what comes in', () => {
  it('a character split between two reads arrives whole', async () => {
    await using site = await openSite();
    const bot = site.bot();
    bot.xmpp.start();
    await bot.link(({ state }) => state === 'up');
    const bytes = Buffer.from(
      `<message from='${alice}/desk' to='bot@example.test/pm' id='u'><body>Grüße 👋</body></message>`,
    );
    const cut = bytes.indexOf(Buffer.from('👋')) + 2;
    site.server.faults.sendRaw('bot@example.test/pm', bytes.subarray(0, cut));
    await new Promise((resolve) => setImmediate(resolve));
    site.server.faults.sendRaw('bot@example.test/pm', bytes.subarray(cut));
    expect((await bot.messages.next(() => true, { what: 'message' })).body).toBe('Grüße 👋');
  });

  it.each([
    ['an address that is none', "<message from='@' to='bot@example.test'><body>x</body></message>"],
    ['an empty error', `<iq type='error' from='${alice}' id='x'><error/></iq>`],
    ['an iq with nothing in it', `<iq type='get' from='${alice}/desk' id='y'/>`],
    ['presence with nonsense', `<presence from='${alice}/desk'><show>maybe</show><priority>999</priority></presence>`],
    ['an element nobody knows', "<surprise xmlns='urn:x'/>"],
  ])('%s does not end the stream', async (_, raw) => {
    await using site = await openSite();
    const bot = site.bot();
    bot.xmpp.watch([alice]);
    bot.xmpp.start();
    await bot.link(({ state }) => state === 'up');
    site.server.faults.sendRaw('bot@example.test/pm', raw);
    site.server.faults.sendRaw(
      'bot@example.test/pm',
      `<message from='${alice}/desk' id='ok'><body>ok</body></message>`,
    );
    await bot.messages.next(({ body }) => body === 'ok', { what: 'message after it' });
    expect(bot.xmpp.link().state).toBe('up');
  });

  it.each([
    ['an illegal entity', '<message><body>&nope;</body></message>'],
    ['a stanza without end', `<message from='${alice}'><body>${'x'.repeat(3 * 1024 * 1024)}`],
    ['an acknowledgement of what was never sent', "<a xmlns='urn:xmpp:sm:3' h='4000000'/>"],
    ['crossed tags', '<message></body>'],
  ])('%s costs the session, not the process, and a new one follows', async (_, raw) => {
    await using site = await openSite();
    const bot = site.bot({}, quick);
    bot.xmpp.start();
    await bot.link(({ state }) => state === 'up');
    const again = site.server.until('session');
    site.server.faults.sendRaw('bot@example.test/pm', raw);
    await again;
    await bot.link(({ state }) => state === 'up');
    expect(bot.log.lines.join('\n')).toContain('xmpp link down');
  });

  it('a listener that throws costs nobody anything', async () => {
    await using site = await openSite();
    const alicesClient = await site.person('alice');
    const bot = site.bot();
    bot.xmpp.onMessage(() => {
      throw new Error('mine');
    });
    bot.xmpp.start();
    await bot.link(({ state }) => state === 'up');
    await alicesClient.xmpp.send({ kind: 'person', jid: bot0 }, 'one', '1');
    await alicesClient.xmpp.send({ kind: 'person', jid: bot0 }, 'two', '2');
    await bot.messages.next(({ body }) => body === 'two', { what: 'two' });
    expect(bot.log.lines.join('\n')).toContain('a listener of the XMPP adapter failed');
  });

  it('a roster push and an answer from somebody else are not believed', async () => {
    await using site = await openSite();
    await site.person('alice');
    const bot = site.bot();
    bot.xmpp.watch([alice]);
    bot.xmpp.start();
    await bot.becomes('available');
    const refused = site.server.until(
      'stanza',
      ({ stanza, direction }) => direction === 'in' && stanza.attrs.id === 'evil',
    );
    site.server.faults.sendRaw(
      'bot@example.test/pm',
      `<iq type='set' from='mallory@example.test/x' id='evil'><query xmlns='jabber:iq:roster'><item jid='${alice}' subscription='none'/></query></iq>`,
    );
    expect((await refused).stanza.attrs.type).toBe('error');
    expect(bot.xmpp.presenceOf(alice).state).toBe('available');
  });
});

describe('what goes out', () => {
  it('a subject full of control characters arrives, cleaned, and the stream lives', async () => {
    await using site = await openSite();
    const alicesClient = await site.person('alice');
    const bot = site.bot();
    bot.xmpp.start();
    await bot.link(({ state }) => state === 'up');
    await bot.xmpp.send(
      person,
      `a${String.fromCodePoint(0, 1, 8, 11, 12, 27, 0xfffe, 0xffff)}b\ud800c\r\nd <e>&`,
      'p\u0001',
    );
    expect(await alicesClient.messages.next(() => true, { what: 'nudge' })).toMatchObject({
      body: 'abc\nd <e>&',
      id: 'p',
    });
    expect(bot.log.lines.join('\n')).not.toContain('link down');
  });

  it('300 kB are cut to what an IM may hold', async () => {
    await using site = await openSite();
    const alicesClient = await site.person('alice');
    const bot = site.bot();
    bot.xmpp.start();
    await bot.link(({ state }) => state === 'up');
    await bot.xmpp.send(person, 'é'.repeat(150_000), 'big');
    const { body } = await alicesClient.messages.next(() => true, { what: 'nudge' });
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(4096);
    expect(body).toMatch(/^é+…$/);
    expect(bot.xmpp.link().state).toBe('up');
  });
});

/** Looked at after each turn of the event loop; the test's own time limit ends it. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

describe('rooms', () => {
  it('enters, speaks, hears with the real JID, is kicked and comes back, with another nick when ours is taken', async () => {
    await using site = await openSite();
    const nicks = (): string[] => site.server.rooms()[0]?.occupants.map(({ nick }) => nick) ?? [];
    const alicesClient = await site.person('alice', { rooms: [team] });
    await until(() => alicesClient.log.lines.some((line) => line.startsWith('in the room')));
    const clock = new TestClock();
    // The clock outruns the server's answers here: that must not make it look dead.
    const bot = site.bot({ nick: 'alice' }, { clock, limits: { link: { askAfter: 60 * minute } } });
    bot.xmpp.join([team]);
    bot.xmpp.start();
    await until(() => bot.log.lines.some((line) => line.startsWith('in the room')));
    expect(nicks()).toEqual(['alice', 'alice_']);
    await bot.xmpp.send({ kind: 'room', room: team }, 'unread', 'r1');
    await alicesClient.messages.next(({ body, room }) => body === 'unread' && room === team, { what: 'post' });
    await alicesClient.xmpp.send({ kind: 'room', room: team }, 'claim', 'r2');
    const heard = await bot.messages.next(() => true, { what: 'claim' });
    expect(heard).toMatchObject({ from: alice, room: team, body: 'claim' });
    site.server.kick('team', 'alice_');
    await until(() => bot.log.lines.some((line) => line.startsWith('out of the room')));
    await expect(bot.xmpp.send({ kind: 'room', room: team }, 'x', 'r3')).rejects.toMatchObject({
      reason: 'not-in-room',
    });
    await clock.advance(5 * minute - second);
    expect(nicks()).toEqual(['alice']);
    await clock.advance(10 * second);
    await until(() => nicks().includes('alice_'));
  });
});

it('stop says goodbye and ends in time, though the server does not read', async () => {
  await using site = await openSite();
  const clock = new TestClock();
  const bot = site.bot({}, { clock });
  bot.xmpp.start();
  await bot.link(({ state }) => state === 'up');
  site.server.faults.stall();
  const stopped = bot.xmpp.stop();
  await clock.advance(2 * second);
  await stopped;
  expect(bot.xmpp.link().state).toBe('off');
});
