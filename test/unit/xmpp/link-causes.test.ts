// Each way of being down has its cause, its count and its fault; and TLS is with whom it was told to be.
import { createHash, X509Certificate } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { minute, second } from '../../../src/clock.ts';
import { linkFault } from '../../../src/presence/fault.ts';
import type { LinkCause } from '../../../src/presence/link-status.ts';
import { linkCauses } from '../../../src/presence/link-status.ts';
import { TestClock } from '../../support/clock.ts';
import { freePort } from '../../support/free-port.ts';
import type { Bot, Site } from './support.ts';
import { alice, makeCertificate, openSite } from './support.ts';

let certificate: ReturnType<typeof makeCertificate>;
beforeAll(() => {
  certificate = makeCertificate('example.test');
});

const header =
  "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1' version='1.0'>";

/** A peer that says this to everybody. */
async function peerSaying(...words: string[]): Promise<{ host: string; port: number } & Disposable> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    for (const word of words) socket.write(word);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, [Symbol.dispose]: () => server.close() };
}

const troubles: Record<Exclude<LinkCause, 'stopped'>, (site: Site, clock: TestClock) => Promise<Bot>> = {
  async dns(site, clock) {
    return site.bot({ server: null }, { clock, lookup: () => Promise.reject(new Error('SERVFAIL')) });
  },
  async unreachable(site, clock) {
    return site.bot({ server: { host: '127.0.0.1', port: await freePort() } }, { clock });
  },
  async 'no-session'(site, clock) {
    site.server.faults.silent = true;
    const bot = site.bot({}, { clock });
    const connected = site.server.until('connected');
    bot.xmpp.start();
    await connected;
    await clock.advance(16 * second);
    return bot;
  },
  async 'no-tls'(site, clock) {
    return site.bot({ tls: 'required' }, { clock });
  },
  async tls(_site, clock) {
    const site = await openSite({ tls: certificate });
    cleanups.push(site);
    return site.bot({ tls: 'required' }, { clock });
  },
  async login(site, clock) {
    return site.bot({ password: 'wrong' }, { clock });
  },
  async conflict(site, clock) {
    const bot = site.bot({}, { clock });
    bot.xmpp.start();
    await bot.link(({ state }) => state === 'up');
    site.server.faults.conflict('bot@example.test/pm');
    return bot;
  },
  async refused(site, clock) {
    const bot = site.bot({}, { clock });
    bot.xmpp.start();
    await bot.link(({ state }) => state === 'up');
    site.server.faults.streamError('policy-violation', 'bot@example.test/pm');
    return bot;
  },
  async 'stream-error'(site, clock) {
    const bot = site.bot({}, { clock });
    bot.xmpp.start();
    await bot.link(({ state }) => state === 'up');
    site.server.faults.streamError('system-shutdown', 'bot@example.test/pm');
    return bot;
  },
  async unreadable(site, clock) {
    const bot = site.bot({}, { clock });
    bot.xmpp.start();
    await bot.link(({ state }) => state === 'up');
    site.server.faults.sendRaw('bot@example.test/pm', '<message><body>&nope;</body></message>');
    return bot;
  },
  async closed(site, clock) {
    const bot = site.bot({}, { clock });
    bot.xmpp.start();
    await bot.link(({ state }) => state === 'up');
    site.server.faults.cut('bot@example.test/pm', 'reset');
    return bot;
  },
  async silent(site, clock) {
    const bot = site.bot({}, { clock });
    bot.xmpp.start();
    await bot.link(({ state }) => state === 'up');
    site.server.faults.stall();
    await clock.advance(26 * second);
    return bot;
  },
};
const cleanups: AsyncDisposable[] = [];
afterAll(async () => {
  for (const one of cleanups.splice(0)) await one[Symbol.asyncDispose]();
});

describe('each way of being down', () => {
  it.each(
    linkCauses.filter((cause) => cause !== 'stopped'),
  )('%s is told apart, counted, and a fault', async (cause) => {
    await using site = await openSite();
    const clock = new TestClock();
    const bot = await troubles[cause](site, clock);
    if (bot.xmpp.link().state === 'off') bot.xmpp.start();
    const link = await bot.link(({ state }) => state === 'down' || state === 'connecting');
    const down = await bot.link((status) => status.cause !== undefined);
    expect(down.cause).toBe(cause);
    expect(link.counts?.ended[cause] ?? down.counts?.ended[cause]).toBe(1);
    const fault = linkFault(down, clock.now() + minute);
    expect(fault).toMatchObject({ id: `xmpp-link-${cause}`, since: down.downSince });
    expect(fault?.action).not.toBe('');
    const { state } = bot.xmpp.link();
    // What heals by itself is no fault in its first minute.
    const soon = linkFault(down, down.downSince ?? 0);
    expect(state === 'up' || (soon === null) === (fault?.severity === 'warning')).toBe(true);
  });

  it('is over with the next session, which clears the fault', async () => {
    await using site = await openSite();
    const bot = site.bot({}, { limits: { link: { firstPause: 100, longestPause: 100 } } });
    bot.xmpp.start();
    await bot.link(({ state }) => state === 'up');
    site.server.faults.cut('bot@example.test/pm');
    const down = await bot.link(({ state }) => state === 'down');
    expect(down.downSince).toBeDefined();
    const up = await bot.link(({ state }) => state === 'up');
    expect(up).not.toHaveProperty('cause');
    expect(up).not.toHaveProperty('downSince');
    expect(up.counts).toMatchObject({ sessions: 2, resumed: 1, ended: { closed: 1 } });
    expect(linkFault(up, Number.MAX_SAFE_INTEGER)).toBeNull();
  });
});

describe('TLS as configured for this link', () => {
  const fingerprint = (pem: string): string => new X509Certificate(pem).fingerprint256;

  it('a pinned certificate is taken though nobody signed it, and no other, before a word of the login is said', async () => {
    await using site = await openSite({ tls: { ...certificate, required: true } });
    const pinned = site.bot({ tls: 'required', pins: [fingerprint(certificate.cert)] });
    pinned.xmpp.start();
    await pinned.link(({ state }) => state === 'up');
    const wrong = site.bot({ tls: 'required', pins: [fingerprint(makeCertificate('example.test').cert)] });
    wrong.xmpp.start();
    const { reason, cause } = await wrong.link(({ state }) => state === 'down');
    expect(reason).toMatch(/^TLS: the certificate \(SHA-256 [0-9A-F:]{95}\) is not the pinned one$/);
    expect(cause).toBe('tls');
    expect(createHash('sha256').update(new X509Certificate(certificate.cert).raw).digest('hex')).toBe(
      fingerprint(certificate.cert).replaceAll(':', '').toLowerCase(),
    );
  });

  it.each([
    ['the domain of the JID, though an address is dialled', undefined, 'example.test'],
    ['the name that is configured', 'chat.other.test', 'chat.other.test'],
  ])('direct TLS asks for %s', async (_, serverName, expected) => {
    const own = makeCertificate(expected);
    const asked: (string | false | null)[] = [];
    const server = createTlsServer({ ...own, ALPNProtocols: ['xmpp-client'] }, (socket) => {
      socket.on('error', () => undefined);
      asked.push(socket.servername ?? null, socket.alpnProtocol);
      // It speaks XMPP as far as to refuse us: that is heard inside TLS.
      socket.write(`${header}<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    await using site = await openSite();
    const address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    const options = { tls: 'required', directTls: true, server: address } as const;
    const bot = site.bot({ ...options, ca: own.cert, ...(serverName ? { serverName } : {}) });
    bot.xmpp.start();
    const { reason, cause } = await bot.link(({ state }) => state === 'down');
    expect([reason, cause]).toEqual(['the server ended the stream: host-unknown', 'refused']);
    expect(asked).toEqual([expected, 'xmpp-client']);
    const stranger = site.bot({ ...options, ca: makeCertificate('x.test').cert });
    stranger.xmpp.start();
    expect(await stranger.link(({ state }) => state === 'down')).toMatchObject({ cause: 'tls' });
    server.close();
  });
});

describe('the parser', () => {
  it.each([
    "<?xml version='1.0'?>",
    '<!-- odd -->',
  ])('reads on though %s is cut anywhere between two packets', async (odd) => {
    await using site = await openSite();
    const bot = site.bot();
    bot.xmpp.start();
    await bot.link(({ state }) => state === 'up');
    for (let at = 1; at < odd.length; at += 1) {
      const id = `cut-${at}`;
      site.server.faults.sendRaw('bot@example.test/pm', odd.slice(0, at));
      await new Promise((resolve) => setImmediate(resolve));
      const after = `<message from='${alice}/desk' id='${id}'><body>${id} --></body></message>`;
      site.server.faults.sendRaw('bot@example.test/pm', odd.slice(at) + after);
      expect((await bot.messages.next((one) => one.id === id, { what: id })).body).toBe(`${id} -->`);
    }
  });
});

it('a server that speaks something else is told apart from one that hangs', async () => {
  await using site = await openSite();
  using peer = await peerSaying('HTTP/1.1 400 Bad Request\r\n\r\n<html></body>');
  const bot = site.bot({ server: peer });
  bot.xmpp.start();
  expect((await bot.link(({ state }) => state === 'down')).cause).toBe('unreadable');
});
