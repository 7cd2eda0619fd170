// The XMPP adapter against a real Prosody, over STARTTLS with an authority of its own, and people on slixmpp.
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock, systemRandom } from '../../src/clock.ts';
import type { XmppConfig } from '../../src/config.ts';
import type { IncomingMessage } from '../../src/notify/notifier.ts';
import { expectBareJid } from '../../src/presence/jid.ts';
import type { PresenceChange } from '../../src/presence/presence.ts';
import type { Xmpp, XmppOptions } from '../../src/xmpp/adapter.ts';
import { createXmpp } from '../../src/xmpp/adapter.ts';
import type { Receipt } from '../../src/xmpp/messages.ts';
import { Journal } from '../support/journal.ts';
import { requirePeer } from '../support/peers.ts';
import { People, type Person } from '../support/person.ts';
import { Prosody } from '../support/prosody-server.ts';

const domain = 'example.test';
const alice = expectBareJid(`alice@${domain}`);
const bob = expectBareJid(`bob@${domain}`);
const room = expectBareJid(`team@rooms.${domain}`);

describe.skipIf(!requirePeer('prosody', 'slixmpp'))('the XMPP adapter on Prosody', () => {
  let prosody: Prosody;
  let people: People;
  const cleanups: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    prosody = await Prosody.start({ domain, accounts: { pointsman: 'pw-ß-日本', alice: 'pw-alice', bob: 'pw-bob' } });
    people = new People(prosody);
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  afterAll(async () => {
    await people?.[Symbol.asyncDispose]();
    await prosody?.[Symbol.asyncDispose]();
  });

  function startBot(changes: Partial<XmppConfig> = {}, options: Partial<XmppOptions> = {}) {
    const config: XmppConfig = {
      jid: expectBareJid(`pointsman@${domain}`),
      resource: 'pointsman',
      password: 'pw-ß-日本',
      server: { host: '127.0.0.1', port: prosody.port },
      tls: 'required',
      ca: readFileSync(prosody.caFile, 'utf8'),
      nick: 'pointsman',
      rate: 100_000,
      ...changes,
    };
    const bot = createXmpp(config, { clock: systemClock, random: systemRandom, settleAfter: 500, ...options });
    const changed = new Journal<PresenceChange>('presence');
    const messages = new Journal<IncomingMessage>('messages');
    const receipts = new Journal<Receipt>('receipts');
    bot.onChange((change) => changed.add(change));
    bot.onMessage((message) => messages.add(message));
    bot.onReceipt((receipt) => receipts.add(receipt));
    bot.start();
    cleanups.push(() => bot.stop());
    const becomes = (state: string, jid = alice): Promise<PresenceChange> =>
      changed.next((change) => change.jid === jid && change.presence.state === state, { what: `${jid} ${state}` });
    return { bot, changed, becomes, messages, receipts };
  }

  async function login(name: 'alice' | 'bob'): Promise<Person> {
    const person = people.person(name, `pw-${name}`);
    await person.login();
    cleanups.push(() => person.logout());
    return person;
  }

  async function untilLink(bot: Xmpp, fits: (link: ReturnType<Xmpp['link']>) => boolean): Promise<void> {
    const late = AbortSignal.timeout(20_000);
    while (!fits(bot.link())) {
      if (late.aborted) throw new Error(`the link is ${JSON.stringify(bot.link())}`);
      await systemClock.sleepUntil(systemClock.now() + 20);
    }
  }

  it('asks for a subscription, sees presence come and go, and tells offline from unknown', async () => {
    const person = await login('alice');
    const { bot, becomes } = startBot();
    bot.watch([alice, bob]);
    expect(bot.presenceOf(alice)).toMatchObject({ state: 'unknown', reason: 'never-seen' });
    await becomes('available');
    person.show('dnd', { status: 'in a meeting — 会議' });
    expect((await becomes('dnd')).before).toBe('available');
    expect(bot.presenceOf(alice)).toMatchObject({ state: 'dnd', status: 'in a meeting — 会議' });
    person.show('available', { priority: -1 });
    await becomes('offline');
    person.show('chat', { priority: 5 });
    await becomes('chat');
    await person.logout();
    await becomes('offline');
    // Bob was never there to grant it: not subscribed is not offline.
    expect(bot.presenceOf(bob)).toMatchObject({ state: 'unknown', reason: 'not-subscribed' });
  });

  it('sends and gets messages, with a receipt and the odd character', async () => {
    const person = await login('alice');
    const { bot, becomes, messages, receipts } = startBot();
    bot.watch([alice]);
    await becomes('available');
    await bot.send({ kind: 'person', jid: alice }, 'mail from \u0001Grüße <b>&\ud800 👋', 'nudge-1');
    expect(await person.message(/mail/)).toEqual({ from: `pointsman@${domain}`, body: 'mail from Grüße <b>& 👋' });
    expect(await receipts.next(() => true, { what: 'receipt' })).toMatchObject({
      from: alice,
      id: 'nudge-1',
      kind: 'received',
    });
    person.say(`pointsman@${domain}`, 'ack ✓');
    expect(await messages.next(() => true, { what: 'answer' })).toMatchObject({
      from: alice,
      body: 'ack ✓',
      delayed: false,
    });
  });

  it('is in a room and knows who speaks there', async () => {
    const person = await login('alice');
    const { bot, messages } = startBot();
    bot.join([room]);
    // The first to enter owns the room, and so sees who the others are.
    await untilSent(() => bot.send({ kind: 'room', room }, 'nobody hears this', 'post-0'));
    await person.join(room, 'ally');
    await bot.send({ kind: 'room', room }, 'unread for 10 minutes', 'post-1');
    expect(await person.roomMessage(/unread/)).toEqual({ from: 'pointsman', body: 'unread for 10 minutes' });
    person.shout(room, 'claim');
    expect(await messages.next(() => true, { what: 'claim' })).toMatchObject({ from: alice, room, body: 'claim' });
    // Our own post came back from the room and was not taken for a word of somebody's.
    expect(messages.seen()).toHaveLength(1);
  });

  it('says why a wrong password or an unknown authority keeps it out', async () => {
    const wrong = startBot({ password: 'wrong' });
    await untilLink(wrong.bot, (link) => link.state === 'down');
    expect(wrong.bot.link().reason).toMatch(/^the server refused our login as pointsman@example.test: not-authorized/);
    const { bot } = startBot({ ca: null });
    await untilLink(bot, (link) => link.state === 'down');
    expect(bot.link().reason).toMatch(/^TLS: .*(certificate|issuer)/);
    await expect(bot.send({ kind: 'person', jid: alice }, 'x', 'y')).rejects.toMatchObject({ reason: 'link-down' });
  });

  it('takes no old presence for true after the server was killed and came back', async () => {
    const person = await login('alice');
    const { bot, becomes } = startBot({}, { limits: { link: { firstPause: 200, longestPause: 1_000 } } });
    bot.watch([alice]);
    await becomes('available');
    await prosody.kill9();
    await untilLink(bot, (link) => link.state !== 'up');
    expect(bot.presenceOf(alice).state).toBe('available');
    await person.vanish();
    await prosody.start();
    const flushed = await becomes('unknown');
    expect(flushed.presence).toMatchObject({ reason: 'resync', lastKnown: { state: 'available' } });
    await becomes('offline');
    expect(bot.link().state).toBe('up');
  });
});

async function untilSent(send: () => Promise<void>): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await send();
      return;
    } catch (error) {
      if (tries === 50) throw error;
      await systemClock.sleepUntil(systemClock.now() + 50);
    }
  }
}
