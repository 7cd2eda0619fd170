// What must be believed of presence, and how old it is, whatever the server: each row of presence semantics on a real
// server with people on another library's client.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { expectBareJid } from '../../src/presence/jid.ts';
import type { Bot, ServerPeer, XmppSite } from './xmpp-site.ts';
import { pause, XmppSite as Site } from './xmpp-site.ts';

const link = { firstPause: 200, longestPause: 1_000 };

export function presenceSuite(name: string, open: () => Promise<ServerPeer>): void {
  describe(`presence as ${name} tells it`, () => {
    let site: XmppSite;
    beforeAll(async () => {
      site = await Site.open(await open());
    });
    afterEach(() => site.tidy());
    afterAll(() => site?.[Symbol.asyncDispose]());

    const believed = (bot: Bot, jid = site.alice) => bot.xmpp.presenceOf(jid);
    const until = (bot: Bot, state: string, jid = site.alice) =>
      site.until(
        () => believed(bot, jid).state === state,
        `${jid} ${state}, not ${JSON.stringify(believed(bot, jid))}`,
      );

    it('who was there before us is there since when they came, known since now; who was not is offline, after a while', async () => {
      const came = Date.now();
      await site.login('alice');
      await pause(1_100);
      const bot = site.bot();
      bot.xmpp.watch([site.alice, site.bob]);
      expect(believed(bot)).toMatchObject({ state: 'unknown', reason: 'never-seen' });
      await until(bot, 'available');
      expect(believed(bot, site.bob).state).not.toBe('available');
      // The server's stamp (XEP-0203), in whole seconds, on the way through its own clock.
      expect(Math.abs((believed(bot).since ?? 0) - came)).toBeLessThan(2_500);
      expect(believed(bot).asOf).toBeGreaterThanOrEqual(came + 1_000);
      await until(bot, 'offline', site.bob);
    });

    it('show, status, priority and idle of the resource that speaks for the person', async () => {
      const desk = await site.login('alice', { resource: 'desk', as: 'desk' });
      const phone = await site.login('alice', { resource: 'phone', as: 'phone' });
      const bot = site.bot();
      bot.xmpp.watch([site.alice]);
      await until(bot, 'available');
      desk.show('dnd', { status: 'in a meeting — 会議', priority: 9 });
      phone.show('away', { priority: 0 });
      await until(bot, 'away');
      expect(believed(bot)).toMatchObject({ awayBy: 'person', resources: [{ show: 'away' }, { show: 'dnd' }] });
      phone.show('xa', { idle: new Date(Date.now() - 600_000).toISOString() });
      await until(bot, 'xa');
      expect(believed(bot).awayBy).toBe('idle');
      expect((believed(bot).idleSince ?? 0) + 600_000 - Date.now()).toBeLessThan(5_000);
      await phone.logout();
      await until(bot, 'dnd');
      expect(believed(bot).status).toBe('in a meeting — 会議');
      await desk.logout();
      await until(bot, 'offline');
      expect(believed(bot)).not.toHaveProperty('resources');
    });

    it('a negative priority is not reachable, though it is seen', async () => {
      const alice = await site.login('alice');
      const bot = site.bot();
      bot.xmpp.watch([site.alice]);
      await until(bot, 'available');
      alice.show('chat', { priority: -1 });
      await until(bot, 'offline');
      expect(believed(bot).resources).toMatchObject([{ show: 'chat', priority: -1 }]);
    });

    it('the same said twice is one change, and begins no new stay', async () => {
      const alice = await site.login('alice');
      const bot = site.bot();
      bot.xmpp.watch([site.alice]);
      await until(bot, 'available');
      alice.show('away', { status: 'x' });
      await until(bot, 'away');
      const { since } = believed(bot);
      bot.changes.skip();
      const count = bot.changes.seen().length;
      for (let turn = 0; turn < 5; turn += 1) alice.show('away', { status: 'x' });
      alice.show('away', { status: 'y' });
      await site.until(() => believed(bot).status === 'y', 'the new status');
      expect(bot.changes.seen().length).toBe(count + 1);
      expect(believed(bot).since).toBe(since);
    });

    it('last words are kept', async () => {
      const alice = await site.login('alice');
      const bot = site.bot();
      bot.xmpp.watch([site.alice]);
      await until(bot, 'available');
      alice.raw("<presence type='unavailable'><status>gone fishing</status></presence>");
      await until(bot, 'offline');
      expect(believed(bot).status).toBe('gone fishing');
    });

    it('nobody, a stranger and a dead domain are not subscribed, never offline', async () => {
      const nobody = site.jid('nobody');
      const dead = expectBareJid('someone@nowhere.invalid');
      const bot = site.bot();
      bot.xmpp.watch([site.bob, nobody, dead]);
      await until(bot, 'offline', site.bob);
      expect(believed(bot, nobody)).toMatchObject({ state: 'unknown', reason: 'not-subscribed' });
      expect(believed(bot, dead).state).toBe('unknown');
      expect(['not-subscribed', 'error', 'remote-silent']).toContain(believed(bot, dead).reason);
    });

    it('a zombie: its line is dead, its server still believes; asking its client tells', async () => {
      const alice = await site.login('alice', { acks: true });
      const bot = site.bot();
      bot.xmpp.watch([site.alice]);
      await until(bot, 'available');
      expect(await bot.xmpp.verify?.(site.alice, 5_000)).toBe(true);
      const fresh = believed(bot).asOf ?? 0;
      expect(Date.now() - fresh).toBeLessThan(5_000);
      await alice.vanish();
      expect(believed(bot).state).toBe('available');
      expect(await bot.xmpp.verify?.(site.alice, 1_500)).toBe(false);
      expect(believed(bot)).toMatchObject({ state: 'unknown', reason: 'no-answer', lastKnown: { state: 'available' } });
      // A new word of theirs ends the doubt.
      await site.login('alice', { resource: 'other', as: 'again' });
      await until(bot, 'available');
    });

    it('a duty room: its occupants count by their real JID; nick, show, kick and leave are followed', async () => {
      const room = expectBareJid(`duty@rooms.${site.server.domain}`);
      const alice = await site.login('alice');
      const bot = site.bot({}, { limits: { link } });
      const told: [string, string | null][] = [];
      bot.xmpp.onOccupant((jid, presence) => told.push([jid, presence?.state ?? null]));
      bot.xmpp.join([room]);
      bot.xmpp.watchRooms([room]);
      const last = () => told.filter(([jid]) => jid === site.alice).at(-1)?.[1];
      // The first to enter owns the room, and so sees who the others are.
      await site.until(() => bot.xmpp.faults().length === 0 && bot.xmpp.link().state === 'up', 'up');
      await site.untilSent(() => bot.xmpp.send({ kind: 'room', room }, 'anybody?', 'r1'));
      await alice.join(room, 'ally');
      await site.until(() => last() === 'available', 'alice in the room');
      alice.raw(`<presence to='${room}/ally'><show>dnd</show></presence>`);
      await site.until(() => last() === 'dnd', 'dnd in the room');
      alice.raw(`<presence to='${room}/sally'/>`);
      await pause(300);
      // COMPAT(Prosody 0.12): the show is lost with the change of nick; ejabberd keeps it.
      expect(last()).toBe('dnd');
      // A cut connection is resumed: nobody has left.
      site.proxy.cut();
      await bot.link(({ counts }) => counts?.resumed === 1);
      alice.raw(`<presence to='${room}/sally'><show>away</show></presence>`);
      await site.until(() => last() === 'away', 'away in the room');
      expect(told.filter(([jid, state]) => jid === site.alice && state === null)).toEqual([]);
      alice.raw(`<presence to='${room}/sally' type='unavailable'/>`);
      await site.until(() => last() === null, 'alice out of the room');
      expect(told.some(([jid]) => jid !== site.alice)).toBe(false);
    });
  });
}
