// A person at a real terminal client, Profanity, on a real Prosody: an ack by text, by an ad-hoc command, and by
// reply and reaction (stanzas typed into its XML console: it has no words for them); a note that is corrected when somebody
// else has taken the mail. The transcript is in the output of the test.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bot, type LiveSite, openLiveSite, room } from '../support/live-site.ts';
import { requirePeer } from '../support/peers.ts';
import { Profanity } from '../support/profanity.ts';

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
  standard:
    until: taken
    steps:
      - { name: room, after: 1h, to: { room: ${room} } }
`;

describe.skipIf(!requirePeer('postfix', 'prosody', 'slixmpp', 'profanity', 'tmux'))('at Profanity', () => {
  let site: LiveSite;
  let client: Profanity;

  beforeAll(async () => {
    site = await openLiveSite(rules);
    await site.bert.login();
    client = await Profanity.start({ jid: 'anna@example.test', password: 'a-2', port: site.prosody.port });
    await site.pointsman.untilPresent({ anna: 'available', bert: 'available' });
    await client.types(`/msg ${bot}`);
  });
  afterAll(async () => {
    process.stdout.write(`${client?.transcript()}\n`);
    await client?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
  });

  async function nudged(subject: string): Promise<string> {
    await site.post('support@example.test', subject);
    const screen = await client.sees(new RegExp(`#\\w{4} Mail for [^#]*“${subject}”.*Answer: ack`));
    return new RegExp(`#(\\w{4}) Mail for [^#]*“${subject}”`).exec(screen)?.[1] ?? '';
  }
  const stateOf = async (id: string) => (await site.pointsman.client.tracked(id)).tracked[0];

  it('acks by text, and is confirmed in one line', async () => {
    const id = await nudged('By text');
    await client.types(`ack ${id}`);
    await client.sees(new RegExp(`Thank you\\. #${id} is yours`));
    expect(await stateOf(id)).toMatchObject({ state: 'acknowledged', closedBy: 'anna' });
  });

  it('acks by ad-hoc command', async () => {
    const id = await nudged('By command');
    await client.types('/win 1');
    await client.types(`/cmd list ${bot}/pointsman`);
    await client.sees(/pointsman#ack.*pointsman#pass/);
    await client.types(`/cmd exec pointsman#ack ${bot}/pointsman`);
    await client.sees(new RegExp(`Thank you\\. #${id} is yours`));
    expect(await stateOf(id)).toMatchObject({ state: 'acknowledged', closedBy: 'anna' });
    await client.types(`/msg ${bot}`);
  });

  it.each([
    [
      'reply',
      (id: string) =>
        `<body>> what it said\nack</body><reply xmlns='urn:xmpp:reply:0' id='${id}'/><fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='15'/></fallback>`,
    ],
    [
      'reaction',
      (id: string) => `<reactions xmlns='urn:xmpp:reactions:0' id='${id}'><reaction>👍</reaction></reactions>`,
    ],
  ] as const)('acks by %s, as a raw stanza', async (how, inside) => {
    const id = await nudged(`By ${how}`);
    const tracked = await stateOf(id);
    const stanza = `${tracked?.queueId}.${tracked?.seq}.${tracked?.revision}.anna@example.test`;
    await client.types('/xmlconsole');
    const xml = `<message to='${bot}' type='chat' id='raw-${how}'>${inside(stanza).replace('> what', '&gt; what').replace('\n', '&#10;')}</message>`;
    await client.types(xml);
    await client.types(`/msg ${bot}`);
    await client.sees(new RegExp(`Thank you\\. #${id} is yours`));
    expect(await stateOf(id)).toMatchObject({ state: 'acknowledged', closedBy: 'anna' });
  });

  it('sees the first note in its corrected form when somebody else has taken it', async () => {
    const id = await nudged('Taken by bert');
    site.bert.say(bot, `claim ${id}`);
    await site.bert.message(new RegExp(`#${id}`));
    const screen = await client.sees(new RegExp(`#${id} is taken by bert`));
    // In the place of the note, and not below it.
    expect(screen).not.toMatch(new RegExp(`#${id} Mail for`));
  });
});
