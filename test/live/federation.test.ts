// Federation: two Prosodys that find each other by a DNS server, people on the far one, and what is believed of them when
// the way between the two fails.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hour, minute } from '../../src/clock.ts';
import { expectBareJid } from '../../src/presence/jid.ts';
import type { Child } from '../support/child.ts';
import { startDns } from '../support/dns.ts';
import { fastClock } from '../support/fast-clock.ts';
import { freePorts } from '../support/free-port.ts';
import { requirePeer } from '../support/peers.ts';
import { People } from '../support/person.ts';
import { Prosody } from '../support/prosody-server.ts';
import { type Bot, XmppSite } from '../support/xmpp-site.ts';

const frieda = expectBareJid('frieda@far.example');
const felix = expectBareJid('felix@far.example');
/** What takes minutes (asking another domain again) takes seconds; the servers live in real time. */
const factor = 30;
const link = { attempt: hour, connect: hour, askAfter: hour, answerWithin: hour };

describe.skipIf(!requirePeer('prosody', 'slixmpp', 'luaUnbound', 'dnsmasq'))('members at another domain', () => {
  let dns: Child;
  let near: XmppSite;
  let far: Prosody;
  let people: People;

  beforeAll(async () => {
    const [dnsPort, nearPort, farPort] = (await freePorts(3)) as [number, number, number];
    dns = startDns(dnsPort, { 'near.example': nearPort, 'rooms.near.example': nearPort, 'far.example': farPort });
    const federation = (port: number) => ({ federation: { port, dns: dnsPort }, unlimited: true });
    const accounts = { frieda: 'pw-frieda', felix: 'pw-felix' };
    const nearServer = Prosody.start({ domain: 'near.example', accounts: XmppSite.accounts, ...federation(nearPort) });
    const farServer = Prosody.start({ domain: 'far.example', accounts, ...federation(farPort) });
    near = await XmppSite.open(await nearServer);
    far = await farServer;
    people = new People(far);
  });
  afterEach(() => near.tidy());
  afterAll(async () => {
    await people?.[Symbol.asyncDispose]();
    await near?.[Symbol.asyncDispose]();
    await far?.[Symbol.asyncDispose]();
    await dns?.stop();
  });

  const believed = (bot: Bot, jid = frieda) => bot.xmpp.presenceOf(jid);
  const until = (bot: Bot, holds: () => boolean, what: string) =>
    near.until(holds, `${what}, not ${JSON.stringify([believed(bot), believed(bot, felix)])}`, 45_000);
  const silent = (bot: Bot) => bot.xmpp.faults().find(({ id }) => id === 'xmpp-domain-silent');

  async function knowing(): Promise<Bot> {
    // Felix says yes once, and leaves.
    const once = people.person('felix', 'pw-felix');
    await once.login();
    const bot = near.bot({}, { clock: fastClock(factor), limits: { link }, settleAfter: 30_000 });
    bot.xmpp.watch([frieda, felix]);
    await until(bot, () => believed(bot).state === 'available', 'frieda available');
    await until(bot, () => believed(bot, felix).state === 'available', 'felix available');
    await once.logout();
    await until(bot, () => believed(bot, felix).state === 'offline', 'felix offline');
    return bot;
  }

  it(
    'are seen as if they were here; when their server hangs, or dies, they are unknown, never offline',
    async () => {
      const person = people.person('frieda', 'pw-frieda');
      await person.login();
      const bot = await knowing();
      person.show('dnd', { status: 'far away — 遠い' });
      await until(bot, () => believed(bot).state === 'dnd', 'frieda dnd');
      expect(believed(bot).status).toBe('far away — 遠い');
      expect(silent(bot)).toBeUndefined();

      far.freeze();
      const seen: string[] = [];
      bot.xmpp.onChange(({ jid, presence }) => seen.push(`${jid} ${presence.state}`));
      try {
        await until(bot, () => believed(bot).reason === 'remote-silent', 'frieda unknown');
        expect(believed(bot)).toMatchObject({ state: 'unknown', lastKnown: { state: 'dnd' } });
        expect(believed(bot, felix)).toMatchObject({ state: 'unknown', reason: 'remote-silent' });
        expect(silent(bot)).toMatchObject({ about: 'far.example', severity: 'warning' });
      } finally {
        far.thaw();
      }
      await until(bot, () => believed(bot).state === 'dnd', 'frieda dnd again');
      await until(bot, () => believed(bot, felix).state === 'offline', 'felix offline again');
      expect(silent(bot)).toBeUndefined();

      await far.kill9();
      await until(bot, () => believed(bot).reason === 'remote-silent', 'frieda unknown again');
      await person.lost();
      expect(seen).not.toContain(`${frieda} offline`);
      await far.start();
      await person.login();
      await until(bot, () => believed(bot).state === 'available', 'frieda back');
      await until(bot, () => believed(bot, felix).state === 'offline', 'felix offline');
      expect(silent(bot)).toBeUndefined();
      await person.logout();
      await until(bot, () => believed(bot).state === 'offline', 'frieda gone');
    },
    4 * minute,
  );

  it('a domain that DNS does not know is silent, and nobody there is offline', async () => {
    const lost = expectBareJid('lost@nowhere.example');
    const bot = near.bot({}, { clock: fastClock(factor), limits: { link }, settleAfter: 30_000 });
    bot.xmpp.watch([lost, near.bob]);
    await until(bot, () => silent(bot)?.about === 'nowhere.example', 'the fault');
    // Ours has had its time to tell, and who there was asked is not taken for somebody who refuses.
    await near.until(() => believed(bot, near.bob).reason === 'not-subscribed', 'bob asked');
    await near.until(() => believed(bot, lost).reason === 'remote-silent', 'lost unknown');
    expect(believed(bot, lost).state).toBe('unknown');
  });

  it('whose domain is not trusted is not asked, and not believed', async () => {
    const person = people.person('frieda', 'pw-frieda', { as: 'mistrusted' });
    await person.login();
    const bot = near.bot({ trustedDomains: ['else.example'] }, { clock: fastClock(factor), limits: { link } });
    bot.xmpp.watch([frieda, near.alice]);
    const alice = await near.login('alice');
    await near.until(() => bot.xmpp.presenceOf(near.alice).state === 'available', 'alice');
    await alice.logout();
    expect(believed(bot)).toMatchObject({ state: 'unknown', reason: 'untrusted' });
    await person.logout();
  });
});
