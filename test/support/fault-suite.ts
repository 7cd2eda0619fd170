// What a real server and the way to it can do to the link; each trouble ends connected, with the truth about presence,
// without an unhandled rejection (vitest fails on one) and without growth.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { second, systemClock } from '../../src/clock.ts';
import { linkFault } from '../../src/presence/fault.ts';
import { expectBareJid } from '../../src/presence/jid.ts';
import { heapNow } from './heap.ts';
import type { Bot, ServerPeer, XmppSite } from './xmpp-site.ts';
import { pause, XmppSite as Site } from './xmpp-site.ts';

/** Pauses as short as a test needs; the detection of a dead peer at its real pace only where `slow`. */
const quick = { firstPause: 200, longestPause: 1_000, askAfter: second, answerWithin: 2 * second };

export function faultSuite(name: string, open: () => Promise<ServerPeer>, { slow }: { slow: boolean }): void {
  describe(`the link through troubles, on ${name}`, () => {
    let site: XmppSite;
    beforeAll(async () => {
      site = await Site.open(await open());
    });
    afterEach(() => site.tidy());
    afterAll(() => site?.[Symbol.asyncDispose]());

    /** A bot that knows that Alice is there and Bob is not. */
    async function knowing(options: Parameters<XmppSite['bot']>[1] = { limits: { link: quick } }): Promise<Bot> {
      const bot = site.bot({}, options);
      bot.xmpp.watch([site.alice, site.bob]);
      await bot.becomes('available');
      await bot.becomes('offline', site.bob);
      return bot;
    }

    /** Up for good, and what is believed follows what Alice does. */
    async function trusted(bot: Bot, alice: Awaited<ReturnType<XmppSite['login']>>): Promise<void> {
      await bot.link(({ state }) => state === 'up');
      bot.changes.skip();
      alice.show('dnd', { status: 'still here' });
      await bot.becomes('dnd');
      expect(bot.xmpp.presenceOf(site.alice)).toMatchObject({ state: 'dnd', status: 'still here' });
      // Silence is offline only once the server has had its time.
      await site.until(() => bot.xmpp.presenceOf(site.bob).state === 'offline', 'bob offline');
    }

    it('frozen (SIGSTOP): noticed in time; back in time after SIGCONT; nothing believed was lost', async () => {
      const alice = await site.login('alice');
      const limits = slow ? {} : { limits: { link: quick } };
      const bot = await knowing(limits);
      const noticeWithin = slow ? 25 * second : 3 * second;
      const frozenAt = systemClock.now();
      site.server.freeze();
      try {
        await bot.link(({ cause }) => cause === 'silent', noticeWithin + 2 * second);
        // The last octet may have been heard just after the freezing, and a loaded machine is late by some time.
        expect(systemClock.now() - frozenAt).toBeLessThan(noticeWithin + 1_500);
        expect(bot.xmpp.presenceOf(site.alice).state).toBe('available');
        await pause(slow ? 10 * second : 2 * second);
      } finally {
        site.server.thaw();
      }
      const thawedAt = systemClock.now();
      await bot.link(({ state }) => state === 'up');
      expect(systemClock.now() - thawedAt).toBeLessThan(10 * second);
      await trusted(bot, alice);
    });

    it('cut and resumed: what happened meanwhile is heard, nothing becomes unknown', async () => {
      const alice = await site.login('alice');
      const bot = await knowing();
      bot.changes.skip();
      const before = bot.changes.seen().length;
      site.proxy.cut();
      await bot.link(({ state }) => state !== 'up');
      alice.show('away', { status: 'lunch' });
      expect((await bot.becomes('away')).before).toBe('available');
      expect(bot.changes.seen().length).toBe(before + 1);
      expect(bot.xmpp.link().counts).toMatchObject({ resumed: 1 });
      await trusted(bot, alice);
    });

    it('spoiled: octets that nobody sent cost the connection, not the process nor what is known', async () => {
      const alice = await site.login('alice');
      const bot = await knowing();
      site.proxy.spoil(Buffer.from('<message><body>&nope;\u0000 not TLS at all'));
      await bot.link(({ counts }) => (counts?.sessions ?? 0) > 1);
      await trusted(bot, alice);
    });

    it('killed (kill -9), Alice gone meanwhile: unknown with what was known and its age, then offline', async () => {
      const alice = await site.login('alice');
      const bot = await knowing();
      const heard = bot.xmpp.presenceOf(site.alice).asOf;
      await site.server.kill9();
      await bot.link(({ state }) => state !== 'up');
      expect(bot.xmpp.presenceOf(site.alice).state).toBe('available');
      await alice.lost();
      await site.server.start();
      const flushed = await bot.becomes('unknown');
      expect(flushed.presence).toMatchObject({ reason: 'resync', lastKnown: { state: 'available' } });
      expect(flushed.presence.lastKnown?.asOf).toBeGreaterThanOrEqual(heard ?? 0);
      await bot.becomes('offline');
      await trusted(bot, await site.login('alice'));
    });

    it('stopped (SIGTERM) and started: whoever comes back is seen', async () => {
      const alice = await site.login('alice');
      const bot = await knowing();
      const room = expectBareJid(`shift@rooms.${site.server.domain}`);
      bot.xmpp.join([room]);
      bot.xmpp.watchRooms([room]);
      await site.untilSent(() => bot.xmpp.send({ kind: 'room', room }, 'before', 'r1'));
      await site.server.stop();
      await bot.link(({ state }) => state !== 'up');
      await alice.lost();
      await site.server.start();
      const again = await site.login('alice');
      await bot.link(({ state }) => state === 'up');
      await trusted(bot, again);
      // A room that the service shut down (332) is entered anew.
      await site.untilSent(() => bot.xmpp.send({ kind: 'room', room }, 'after', 'r2'));
    });

    it('a stripped STARTTLS: not a word of the login is sent, the fault says so; up when it is back', async () => {
      const alice = await site.login('alice');
      site.proxy.strip(/<starttls\b[^>]*\/>|<starttls\b.*?<\/starttls>/s);
      const bot = site.bot({}, { limits: { link: { ...quick, longestPause: 1_000 } } });
      bot.xmpp.watch([site.alice, site.bob]);
      await bot.link(({ cause }) => cause === 'no-tls');
      expect(linkFault(bot.xmpp.link(), systemClock.now())?.id).toBe('xmpp-link-no-tls');
      await pause(1_500);
      const said = Buffer.concat(site.proxy.said).toString('latin1');
      expect(said).toContain('<stream:stream');
      expect(said).not.toMatch(/<auth|<response|<iq/);
      site.proxy.strip(null);
      await trusted(bot, alice);
    });

    it('cut again and again: resumed each time, and no session leaves anything behind in memory', async () => {
      const alice = await site.login('alice');
      const bot = await knowing({ limits: { link: { ...quick, firstPause: 100, longestPause: 100 } } });
      const turn = async (): Promise<void> => {
        const { sessions = 0 } = bot.xmpp.link().counts ?? {};
        site.proxy.cut();
        await bot.link(({ state, counts }) => state === 'up' && (counts?.sessions ?? 0) > sessions);
      };
      for (let count = 0; count < 20; count += 1) await turn();
      const before = heapNow();
      const more = 25;
      for (let count = 0; count < more; count += 1) await turn();
      const each = (heapNow() - before) / more;
      // One stream that is kept is 30 kB more; some is what the runtime and the test itself add.
      expect(each).toBeLessThan(20_000);
      await trusted(bot, alice);
    });

    it('slow: a server that sends 20 kB a second is not taken for dead, and is believed', async () => {
      const alice = await site.login('alice');
      const bot = await knowing();
      site.proxy.slow(20_000);
      const ended = bot.xmpp.link().counts?.ended;
      await pause(5 * second);
      await trusted(bot, alice);
      expect(bot.xmpp.link().counts?.ended).toEqual(ended);
    });

    it('a stanza of 300 kB from somebody costs nobody but them', async () => {
      const alice = await site.login('alice');
      const noisy = await site.login('carol');
      const bot = await knowing();
      const { sessions } = bot.xmpp.link().counts ?? {};
      noisy.raw(`<message to='${site.jid('pointsman')}' type='chat'><body>${'x'.repeat(300_000)}</body></message>`);
      await noisy.lost();
      await trusted(bot, alice);
      expect(bot.xmpp.link().counts?.sessions).toBe(sessions);
    });

    it('a flood of 10,000 presences ends with the last one, and what it took is given back', async () => {
      const alice = await site.login('alice');
      const bot = await knowing();
      const before = process.memoryUsage().rss;
      alice.flood(10_000, 'xa');
      await bot.changes.next(({ presence }) => presence.state === 'xa', { what: 'the flood', within: 60_000 });
      alice.show('available', { status: 'that was all' });
      await bot.changes.next(({ presence }) => presence.status === 'that was all', { what: 'its end', within: 60_000 });
      expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
      await trusted(bot, alice);
    });
  });
}
