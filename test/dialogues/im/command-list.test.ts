// The list of ad-hoc commands, as clients show it in a menu: in the language of whoever asks.
import { expect, it } from 'vitest';
import { ruleSets } from './rules.ts';
import { bot, ImSite } from './site.ts';

it.each([
  ['en', 'Acknowledge a mail'],
  ['de', 'Mail übernehmen'],
])('is in %s', async (language, name) => {
  const rules = (ruleSets.standard ?? '').replaceAll('policy:', `language: ${language}\n    policy:`);
  await using site = await ImSite.open({ rules, people: ['alice'] });
  const alice = site.client('alice');
  const ask = (what: string, node: string) =>
    alice.say(
      `<iq type='get' to='${bot}/pm' id='${what}-${node}'><query xmlns='http://jabber.org/protocol/disco#${what}' node='${node}'/></iq>`,
    );
  ask('items', 'http://jabber.org/protocol/commands');
  await alice.hears(`name="${name}"`);
  ask('info', 'pointsman#ack');
  await alice.hears(`name="${name}"`);
  // A node that is not there is said to be none.
  ask('info', 'pointsman#nothing');
  await alice.hears('item-not-found');
  expect(alice.got).toEqual([]);
});
