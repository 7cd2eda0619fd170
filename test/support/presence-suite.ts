// What must be believed of presence, and how old it is, whatever the server: each row of presence semantics on a real
// server with people on another library's client.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { day, hour } from '../../src/clock.ts';
import { expectBareJid } from '../../src/presence/jid.ts';
import { clockToPutOn, fastClock } from './fast-clock.ts';
import type { Person } from './person.ts';
import type { Bot, ServerPeer, XmppSite } from './xmpp-site.ts';
import { pause, XmppSite as Site } from './xmpp-site.ts';

const link = { firstPause: 200, longestPause: 1_000 };
/** For a clock that runs fast: the server does not. */
const unhurried = { attempt: hour, connect: hour, askAfter: hour, answerWithin: hour };

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

    it('who is in the shared roster group is not asked; who is not says yes, no, or nothing', async () => {
      const alice = await site.login('alice');
      const dora = await site.login('dora');
      const erik = await site.login('erik', { consent: 'no' });
      await site.login('fay', { consent: 'nothing' });
      const clock = clockToPutOn();
      const bot = site.bot({}, { clock });
      const [yes, no, silent] = [site.jid('dora'), site.jid('erik'), site.jid('fay')];
      bot.xmpp.watch([site.alice, yes, no, silent]);
      await until(bot, 'available');
      await until(bot, 'available', yes);
      await erik.told.next(({ event, type }) => event === 'presence' && type === 'subscribe', { what: 'the question' });
      const fault = (id: string) => bot.xmpp.faults().find((each) => each.id === id);
      await site.until(() => fault('presence-refused') !== undefined, 'the fault of who refused');
      expect(fault('presence-refused')?.text).toContain(`${no} refused`);
      expect(believed(bot, no)).toMatchObject({ state: 'unknown', reason: 'not-subscribed' });
      expect(believed(bot, silent)).toMatchObject({ state: 'unknown', reason: 'not-subscribed' });
      expect(fault('presence-not-answered')).toBeUndefined();
      // The server's word that fay was asked may still be on its way: a day counts from there.
      const tomorrow = () => {
        clock.forward(day);
        return fault('presence-not-answered') !== undefined;
      };
      await site.until(tomorrow, 'the fault of who is silent');
      expect(fault('presence-not-answered')?.text).toContain(`${silent} have not answered`);
      expect(fault('presence-refused')?.text).not.toContain(silent);
      const asked = alice.told.seen(({ event, type }) => event === 'presence' && type === 'subscribe');
      expect(asked).toEqual([]);
      // Whoever takes it back is not known any more, and not asked again.
      dora.unsubscribe(site.jid('pointsman'));
      await until(bot, 'unknown', yes);
      expect(believed(bot, yes)).toMatchObject({ reason: 'not-subscribed' });
    });

    it('presence for us alone (RFC 6121 §4.6) is believed of who is watched, for as long as it lasts', async () => {
      const shy = await site.login('fay', { consent: 'nothing' });
      const stranger = await site.login('erik', { consent: 'no' });
      const bot = site.bot();
      const fay = site.jid('fay');
      bot.xmpp.watch([fay]);
      await site.until(() => believed(bot, fay).reason === 'not-subscribed', 'not subscribed');
      await bot.link(({ state }) => state === 'up');
      shy.raw(`<presence to='${site.jid('pointsman')}/pointsman'><show>chat</show></presence>`);
      stranger.raw(`<presence to='${site.jid('pointsman')}/pointsman'><show>chat</show></presence>`);
      await until(bot, 'chat', fay);
      expect(believed(bot, site.jid('erik')).state).toBe('unknown');
      shy.raw(`<presence to='${site.jid('pointsman')}/pointsman' type='unavailable'/>`);
      await site.until(() => believed(bot, fay).state !== 'chat', 'no longer');
      expect(believed(bot, fay)).toMatchObject({ state: 'unknown', reason: 'not-subscribed' });
    });

    it('a second Pointsman on the account: under another resource a fault, under the same one a conflict', async () => {
      const bot = site.bot({}, { limits: { link } });
      bot.xmpp.watch([site.alice]);
      await bot.link(({ state }) => state === 'up');
      // An admin who looks into the account with a client of their own is none.
      const admin = await site.login('pointsman', { resource: 'gajim' });
      const other = site.bot({ resource: 'spare' }, { limits: { link } });
      const shared = () => bot.xmpp.faults().filter(({ id }) => id === 'xmpp-account-shared');
      await site.until(() => shared().length > 0, 'the fault');
      expect(shared().map(({ about }) => about)).toEqual([`${site.jid('pointsman')}/spare`]);
      await other.xmpp.stop();
      await site.until(() => shared().length === 0, 'the fault cleared');
      await admin.logout();
      const { sessions = 0 } = bot.xmpp.link().counts ?? {};
      const same = site.bot({}, { limits: { link: { ...link, longestPause: 60_000 } } });
      await bot.link(({ counts }) => (counts?.ended.conflict ?? 0) > 0);
      await same.xmpp.stop();
      await bot.link(({ state, counts }) => state === 'up' && (counts?.sessions ?? 0) > sessions);
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

    describe('a room that somebody else owns', () => {
      let count = 0;
      /** Alice owns it; the bot is in it, with a clock that makes its pauses of minutes short. */
      async function owned(config: Readonly<Record<string, string>> = {}, nick = 'ally') {
        count += 1;
        const room = expectBareJid(`other${count}@rooms.${site.server.domain}`);
        const alice = await site.login('alice');
        await alice.join(room, nick);
        if (Object.keys(config).length > 0) configure(alice, room, config);
        const bot = site.bot({}, { clock: fastClock(100), limits: { link: unhurried } });
        bot.xmpp.join([room]);
        bot.xmpp.watchRooms([room]);
        const isIn = () =>
          bot.xmpp.send({ kind: 'room', room }, 'here', `in-${count}`).then(
            () => true,
            () => false,
          );
        const entered = () => site.untilSent(() => bot.xmpp.send({ kind: 'room', room }, 'here', `in-${count}`));
        const why = () => bot.xmpp.faults().find(({ about }) => about === room)?.text ?? '';
        return { room, alice, bot, isIn, entered, why };
      }
      const form = (fields: Readonly<Record<string, string>>) =>
        Object.entries({ FORM_TYPE: 'http://jabber.org/protocol/muc#roomconfig', ...fields })
          .map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`)
          .join('');
      const configure = (owner: Person, room: string, fields: Readonly<Record<string, string>>) =>
        owner.raw(
          `<iq type='set' to='${room}' id='c${count}'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>${form(fields)}</x></query></iq>`,
        );
      const administer = (owner: Person, room: string, item: string) =>
        owner.raw(
          `<iq type='set' to='${room}' id='a${count}'><query xmlns='http://jabber.org/protocol/muc#admin'><item ${item}/></query></iq>`,
        );

      it('hides who is in it: nobody counts, and the fault says what to do', async () => {
        const { bot, entered, why, room } = await owned({ 'muc#roomconfig_whois': 'moderators' });
        const told: string[] = [];
        bot.xmpp.onOccupant((jid) => told.push(jid));
        await entered();
        await site.until(() => why().includes('does not show who'), `the fault, not ${why()}`);
        expect(bot.xmpp.faults().find(({ about }) => about === room)).toMatchObject({ id: 'duty-room-hides-jids' });
        expect(told).toEqual([]);
      });

      it('our nick is taken: another one is ours', async () => {
        const { entered, alice } = await owned({}, 'pointsman');
        await entered();
        expect(await alice.roomMessage(/^here$/)).toMatchObject({ from: 'pointsman_' });
      });

      it('kicked (307): out, with the reason in the fault, and in again after a while', async () => {
        const { room, alice, entered, why, isIn } = await owned();
        await entered();
        administer(alice, room, "nick='pointsman' role='none'");
        await site.until(() => why().includes('307'), 'the fault');
        expect(await isIn()).toBe(false);
        await entered();
        await site.until(() => !why().includes('not in'), 'the fault cleared');
      });

      it('banned (301): out, and not let in again', async () => {
        const { room, alice, entered, why, isIn } = await owned();
        await entered();
        administer(alice, room, `jid='${site.jid('pointsman')}' affiliation='outcast'`);
        await site.until(() => why().includes('301'), 'the fault');
        expect(await isIn()).toBe(false);
      });

      it('no longer a member of a room for members (321 or 322): out, and nobody is known to be in it', async () => {
        const { room, alice, bot, entered, why } = await owned({ 'muc#roomconfig_whois': 'anyone' });
        const told: (string | null)[] = [];
        bot.xmpp.onOccupant((_, presence) => told.push(presence?.state ?? null));
        await entered();
        await site.until(() => told.at(-1) === 'available', 'alice in the room');
        administer(alice, room, `jid='${site.jid('pointsman')}' affiliation='member'`);
        configure(alice, room, { 'muc#roomconfig_whois': 'anyone', 'muc#roomconfig_membersonly': '1' });
        await pause(500);
        administer(alice, room, `jid='${site.jid('pointsman')}' affiliation='none'`);
        const seen = await alice.told.next(
          ({ event, codes }) => event === 'room-presence' && (codes ?? []).some((code) => /^32[12]$/.test(code)),
          { what: 'the end of the membership' },
        );
        expect(seen).toMatchObject({ from: `${room}/pointsman`, type: 'unavailable' });
        await site.until(() => told.includes(null), 'nobody in the room');
        // Prosody does not let it in again; ejabberd does, once it is out.
        await site.until(
          () => /32[12]|registration-required/.test(why()) || told.at(-1) === 'available',
          'in or told why',
        );
      });

      it('destroyed: nobody is in it any more; who enters again owns a new one', async () => {
        const { room, alice, bot, entered } = await owned({ 'muc#roomconfig_whois': 'anyone' });
        const told: (string | null)[] = [];
        bot.xmpp.onOccupant((_, presence) => told.push(presence?.state ?? null));
        await entered();
        await site.until(() => told.at(-1) === 'available', 'alice in the room');
        alice.raw(
          `<iq type='set' to='${room}' id='d${count}'><query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query></iq>`,
        );
        await site.until(() => told.at(-1) === null, 'nobody in the room');
        await entered();
        await alice.join(room, 'ally');
        await site.until(() => told.at(-1) === 'available', 'alice in the new room');
      });
    });
  });
}
