// A chat server that takes far less of us a second than we send: it holds back everything, acknowledgements too, for longer
// than we wait for one. Nothing is lost, and nothing is said twice.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bot, type LiveSite, openLiveSite, room } from '../support/live-site.ts';
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
    strategy: round-robin
    fallback: { mailbox: duty@example.test }
    policy: standard
policies:
  standard: { until: taken, steps: [{ name: room, after: 1h, to: { room: ${room} } }] }
`;

describe.skipIf(!requirePeer('postfix', 'prosody', 'slixmpp') || !postfixMayRun())('a throttling server', () => {
  let site: LiveSite;
  beforeAll(async () => {
    site = await openLiveSite(rules, { takes: '1kb/s' });
    await Promise.all([site.anna.login(), site.bert.login()]);
    await site.pointsman.untilPresent({ anna: 'available', bert: 'available' }, 60_000);
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  it('gets every note through, each once', async () => {
    const { anna, bert, pointsman } = site;
    // Answers to these are longer than what they ask with: 60 helps are more than a minute of what the server takes.
    anna.pour(bot, 'help', 70);
    bert.pour(bot, 'help', 70);
    const mails = 12;
    for (let count = 0; count < mails; count += 1) {
      await site.post('support@example.test', `Throttled ${count}`);
      await pause(2_000);
    }
    const people = { anna, bert };
    const told = () =>
      Object.values(people).flatMap(({ messages }) =>
        messages.filter((text) => /Mail for support|mails for you/.test(text)),
      );
    const ids = async () => (await pointsman.client.listTracked({ limit: 100 })).map(({ shortId }) => shortId);
    const deadline = Date.now() + 10 * 60_000;
    while (!(await ids()).every((id) => told().some((text) => text.includes(`#${id} `)))) {
      if (Date.now() > deadline) throw new Error(`not all were told:\n${told().join('\n')}`);
      await pause(1_000);
    }
    // What is held back still comes: until both have had an answer to a last question.
    for (const person of [anna, bert]) {
      person.say(bot, 'list');
      await person.message(/^With you:/, 300_000);
    }
    for (const id of await ids())
      expect(
        told().filter((text) => text.includes(`#${id} Mail`)),
        id,
      ).toHaveLength(1);
    const stanzas = Object.values(people).flatMap(({ told: journal }) =>
      journal.seen(({ event }) => event === 'message').map(({ id }) => id),
    );
    expect(new Set(stanzas).size).toBe(stanzas.length);
    const late = pointsman.log.seen(({ msg }) => msg === 'nudge not sent; trying again');
    process.stdout.write(`${late.length} notes were not acknowledged in time\n`);
  }, 1_800_000);
});
