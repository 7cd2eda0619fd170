// The chat server is gone while mail comes: nobody hears a word, and when it is back each note is said once.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bot, type LiveSite, openLiveSite, room } from '../support/live-site.ts';
import { outageSuite } from '../support/outage-suite.ts';
import { requirePeer } from '../support/peers.ts';
import { postfixMayRun } from '../support/postfix.ts';

const rules = `
people:
  anna: { mail: anna@example.test }
groups:
  support:
    address: support@example.test
    members: [anna]
    eligible: [chat, available, unknown]
    fallback: { mailbox: duty@example.test }
    policy: standard
policies:
  standard: { until: taken, steps: [{ name: room, after: 1h, to: { room: ${room} } }] }
`;
const subjects = Array.from({ length: 6 }, (_, count) => `In the dark ${count}`);

describe.skipIf(!requirePeer('postfix', 'prosody', 'slixmpp') || !postfixMayRun())('the chat server is gone', () => {
  let site: LiveSite;
  beforeAll(async () => {
    site = await openLiveSite(rules);
    await site.anna.login();
    await site.pointsman.untilPresent({ anna: 'available' });
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  it('and comes back: each of the notes once, none lost', async () => {
    const { anna, prosody, pointsman } = site;
    await site.post('support@example.test', 'Before');
    await anna.message(/Before/);
    await prosody.kill9();
    await anna.lost();
    await pointsman.logged('link down', ({ msg }) => msg === 'xmpp link down');
    for (const subject of subjects) {
      await site.post('support@example.test', subject);
      await site.back.maildir('anna@example.test').next(subject);
    }
    expect(anna.messages.join()).not.toContain('In the dark');
    await prosody.start();
    await anna.login();
    await pointsman.untilPresent({ anna: 'available' });
    // They have waited together, and are told together: five by their lines, the sixth in the count and in the list.
    await anna.message(/^6 mails for you, in your mailbox:\n/, 60_000);
    const all = await pointsman.client.listTracked({ limit: 100 });
    const ids = all.filter(({ subject }) => subjects.includes(subject ?? '')).map(({ shortId }) => shortId);
    expect(ids).toHaveLength(subjects.length);
    // A fence: whatever would come a second time has come before it.
    anna.say(bot, 'list');
    await anna.message(/^With you:/);
    const told = anna.messages.filter((text) => !text.startsWith('With you:')).join('\n');
    for (const id of ids) expect(told.split(`#${id} Mail for`).length - 1, id).toBeLessThanOrEqual(1);
    expect(ids.filter((id) => told.includes(`#${id} Mail for`))).toHaveLength(5);
    const nudged = await Promise.all(ids.map(async (id) => (await pointsman.client.tracked(id)).events));
    for (const events of nudged) expect(events.filter(({ event }) => event === 'nudged')).toHaveLength(1);
  });
});

describe.skipIf(!requirePeer('postfix', 'prosody', 'slixmpp') || !postfixMayRun())(
  'for longer than a step takes',
  () => {
    outageSuite({ step: '6s', mails: 6, every: 300, lasts: 8_000 });
  },
);
