// Floods on a real chat server: a stranger pours commands over the bot, a member repeats herself. Nothing changes, and
// others are answered within a second.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bot, type LiveSite, openLiveSite } from '../support/live-site.ts';
import { requirePeer } from '../support/peers.ts';
import { postfixMayRun } from '../support/postfix.ts';

const rules = `
people:
  anna: { mail: anna@example.test }
  bert: { mail: bert@example.test }
groups:
  support:
    address: support@example.test
    members: [anna, bert]
    strategy: in-order
    fallback: { mailbox: duty@example.test }
    policy: standard
policies:
  standard: { until: taken, steps: [{ name: next, after: 1h, to: next }] }
`;

describe.skipIf(!requirePeer('postfix', 'prosody', 'slixmpp') || !postfixMayRun())('a flood', () => {
  let site: LiveSite;
  beforeAll(async () => {
    site = await openLiveSite(rules, { unlimited: true });
    await Promise.all([site.anna.login(), site.bert.login(), site.mallory.login()]);
    await site.pointsman.untilPresent({ anna: 'available', bert: 'available' });
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  it('of ten thousand commands from a stranger: one line in answer, and a member is answered within a second', async () => {
    const { anna, mallory, pointsman } = site;
    await site.post('support@example.test', 'Flooded');
    const id = /#(\w{4}) /.exec((await anna.message(/Flooded/)).body)?.[1] ?? '';
    const memory = await pointsman.memory();
    const waits: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      mallory.pour(bot, `ack ${id}`, 2_000);
      const asked = performance.now();
      anna.say(bot, 'list');
      await anna.message(/^With you:/);
      waits.push(performance.now() - asked);
    }
    await mallory.message(/^I do not know you/);
    // A fence: what she said before has been heard.
    mallory.say(bot, 'help');
    anna.say(bot, `show ${id}`);
    await anna.message(new RegExp(`^#${id} `));
    process.stdout.write(`waited ${waits.map((wait) => Math.round(wait)).join(', ')} ms\n`);
    for (const wait of waits) expect(wait).toBeLessThan(1_000);
    expect(mallory.messages).toHaveLength(1);
    expect((await pointsman.client.tracked(id)).tracked).toMatchObject([{ state: 'tracked', owner: 'anna' }]);
    expect((await pointsman.memory()) - memory).toBeLessThan(100_000_000);
  });

  it('of commands from a member: some are answered, the rest is not, and others do not wait', async () => {
    const { anna, bert } = site;
    anna.pour(bot, 'help', 500);
    const asked = performance.now();
    bert.say(bot, 'who support');
    await bert.message(/^support: /);
    expect(performance.now() - asked).toBeLessThan(1_000);
    await anna.message(/^I give mail for a group/);
    const helped = () => anna.messages.filter((text) => text.startsWith('I give mail for a group')).length;
    // Somebody else's question after hers: it has been through the same door.
    bert.say(bot, 'help');
    await bert.message(/^I give mail for a group/);
    expect(helped()).toBeLessThanOrEqual(60);
  });
});
