// Other domains: an s2s failure turns a domain unknown, never offline; and whose word does not count is not asked.
import { describe, expect, it } from 'vitest';
import { minute, second } from '../../../src/clock.ts';
import { expectBareJid } from '../../../src/presence/jid.ts';
import { TestClock } from '../../support/clock.ts';
import type { Bot, Site } from './support.ts';
import { alice, openSite } from './support.ts';

const dora = expectBareJid('dora@far.test');
const emil = expectBareJid('emil@far.test');
const us = 'bot@example.test/pm';

/** Until the bot's ping to the other domain went out, which the embedded server cannot answer in its stead. */
async function pinged(site: Site): Promise<string> {
  const { stanza } = await site.server.until(
    'stanza',
    ({ direction, stanza }) => direction === 'in' && stanza.attrs.to === 'far.test' && stanza.name === 'iq',
  );
  return stanza.attrs.id ?? '';
}

async function open(): Promise<{ site: Site; bot: Bot; clock: TestClock } & AsyncDisposable> {
  const site = await openSite();
  const clock = new TestClock();
  site.server.faults.drop({
    direction: 'out',
    fits: ({ name, attrs }) => name !== 'message' && attrs.type === 'error' && (attrs.from ?? '').endsWith('far.test'),
  });
  const bot = site.bot({}, { clock, settleAfter: 2 * second, limits: { link: { askAfter: 60 * minute } } });
  bot.xmpp.watch([alice, dora, emil]);
  const asked = pinged(site);
  bot.xmpp.start();
  await bot.link(({ state }) => state === 'up');
  let id: string | undefined;
  asked.then((found) => {
    id = found;
  });
  while (id === undefined) await clock.advance(second);
  // Held back for the whole test: this server is nobody's neighbour, and says so of every probe.
  const roster = (jid: string): string =>
    `<iq type='set' id='push-${jid}'><query xmlns='jabber:iq:roster'><item jid='${jid}' subscription='both'/></query></iq>`;
  // Not as raw octets: stream management would count them on our side alone.
  for (const stanza of [roster(dora), roster(emil), presence()]) site.server.faults.inject(us, stanza);
  await bot.becomes('available', dora).catch(() => undefined);
  return {
    site,
    bot,
    clock,
    [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
  };
}

const presence = (): string => `<presence from='${dora}/desk'/>`;
const failure = `<message type='error' from='${dora}' to='${us}' id='m'><error type='wait'><remote-server-timeout xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`;

describe('a domain that cannot be reached any more', () => {
  it('is unknown, all of it, with what was known; not offline; a fault; and known again when it answers', async () => {
    await using at = await open();
    const { site, bot, clock } = at;
    expect(bot.xmpp.presenceOf(dora).state).toBe('available');
    await clock.advance(5 * second);
    // It was heard of: so Emil's silence means that he is offline.
    expect(bot.xmpp.presenceOf(emil).state).toBe('offline');
    bot.changes.skip();
    site.server.faults.inject(us, failure);
    expect((await bot.becomes('unknown', dora)).presence).toMatchObject({
      reason: 'remote-silent',
      lastKnown: { state: 'available' },
    });
    expect(bot.xmpp.presenceOf(emil)).toMatchObject({ state: 'unknown', reason: 'remote-silent' });
    expect(bot.xmpp.presenceOf(alice).reason).not.toBe('remote-silent');
    expect(bot.xmpp.faults()).toMatchObject([{ id: 'xmpp-domain-silent', text: expect.stringContaining('far.test') }]);
    const probed = site.server.until(
      'stanza',
      ({ direction, stanza }) => direction === 'in' && stanza.attrs.type === 'probe' && stanza.attrs.to === emil,
    );
    site.server.faults.inject(us, presence());
    await bot.becomes('available', dora);
    await probed;
    expect(bot.xmpp.presenceOf(emil)).toMatchObject({ state: 'unknown', reason: 'resync' });
    expect(bot.xmpp.faults()).toEqual([]);
    await clock.advance(5 * second);
    expect(bot.xmpp.presenceOf(emil).state).toBe('offline');
  });
});

describe('a domain that never answered', () => {
  it('is never offline, however long it is silent', async () => {
    await using site = await openSite();
    const clock = new TestClock();
    const bot = site.bot({}, { clock, settleAfter: 2 * second, limits: { link: { askAfter: 60 * minute } } });
    bot.xmpp.watch([alice, emil]);
    bot.xmpp.start();
    await bot.link(({ state }) => state === 'up');
    for (let turn = 0; turn < 60; turn += 1) await clock.advance(second);
    expect(bot.xmpp.presenceOf(alice).state).toBe('offline');
    expect(bot.xmpp.presenceOf(emil).state).toBe('unknown');
  });
});

it('the word of a domain that is not trusted does not count, and nobody there is asked', async () => {
  await using site = await openSite();
  const asked: string[] = [];
  site.server.onStanza((stanza, direction) => {
    if (direction === 'in' && (stanza.attrs.to ?? '').includes('far.test')) asked.push(stanza.toString());
  });
  const bot = site.bot({ trustedDomains: ['near.test'] });
  bot.xmpp.watch([alice, dora]);
  bot.xmpp.start();
  await bot.link(({ state }) => state === 'up');
  await bot.becomes('offline');
  site.server.faults.sendRaw(us, presence(), `<presence from='${alice}/desk'/>`);
  await bot.becomes('available');
  expect(bot.xmpp.presenceOf(dora)).toMatchObject({ state: 'unknown', reason: 'untrusted' });
  expect(asked).toEqual([]);
});
