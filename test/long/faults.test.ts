// Faults whose causes are outside of Pointsman, provoked as they come about: by what people, rooms, servers, files and
// certificates do. Each is told in the duty room on Prosody, is claimed there by an operator, and ends when its cause does.
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type FaultId, faultKinds } from '../../src/notify/faults.ts';
import { bot, type LiveSite, openLiveSite } from '../support/live-site.ts';
import { requirePeer } from '../support/peers.ts';
import { postfixMayRun } from '../support/postfix.ts';

const duty = 'duty@rooms.example.test';
const hidden = 'hidden@rooms.example.test';
const rules = (more = '') => `
people:
  anna: { mail: anna@example.test, operator: true }
  bert: { mail: bert@example.test }
${more}
groups:
  support:
    address: support@example.test
    members: [anna, bert]
    fallback: { mailbox: duty@example.test }
    policy: standard
policies:
  standard: { until: taken, steps: [{ name: next, after: 1h, to: next }] }
`;

/** The look of the desk comes every half minute, and most causes are waited for a minute. */
const patience = 240_000;

describe.skipIf(!requirePeer('postfix', 'prosody', 'slixmpp') || !postfixMayRun())('faults, provoked', () => {
  let site: LiveSite;
  beforeAll(async () => {
    site = await openLiveSite(rules(), {
      config: { operators: { room: duty }, presence: { up: 'none', down: 'none', rooms: [hidden] } },
    });
    await site.pointsman.stop();
    await Promise.all([site.anna.login(), site.bert.login(), site.mallory.login()]);
    // Who enters first owns the room: Pointsman is a guest in it, and sees nobody's address.
    await site.bert.join(hidden);
    await site.pointsman.start();
    await site.pointsman.untilPresent({ anna: 'available' }, 60_000);
    await site.anna.join(duty);
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  /** Its number, once the room has been told, it was claimed and the claim was told. */
  async function comes(kind: FaultId): Promise<string> {
    const { anna, pointsman } = site;
    const { number } = await pointsman.logged(
      kind,
      ({ fault, severity }) => fault === kind && severity !== undefined,
      patience,
    );
    const told = await anna.roomMessage(
      new RegExp(`^f${number} ${faultKinds[kind].severity}: ${faultKinds[kind].title}\\.\n`),
      patience,
    );
    process.stdout.write(`${told.body}\n`);
    anna.shout(duty, `claim f${number}`);
    await anna.roomMessage(new RegExp(`^f${number} is with anna: ${faultKinds[kind].title}`));
    return `f${number}`;
  }
  const ends = (id: string) => site.anna.roomMessage(new RegExp(`^${id} is over after `), patience);

  it('duty-room-hides-jids: a room in which others decide who sees whom', async () => {
    const id = await comes('duty-room-hides-jids');
    // Everybody who hides leaves.
    site.bert.raw(`<presence to='${hidden}/bert' type='unavailable'/>`);
    await ends(id);
  }, 600_000);

  it('certificate-expiring: the authority of the chat server ends in two days', async () => {
    await comes('certificate-expiring');
  }, 600_000);

  it('rules-rejected: a rule file with an error; presence of people who do not share it, or whose server is not there', async () => {
    const { pointsman } = site;
    await pointsman.writeRules('people: [broken');
    const rejected = await comes('rules-rejected');
    await pointsman.writeRules(
      rules(
        '  mallory: { mail: mallory@example.test }\n  far: { mail: far@example.test, jid: far@nowhere.invalid }\n  cleo: { mail: cleo@example.test }',
      ),
    );
    await pointsman.cli('reload');
    await ends(rejected);
    site.mallory.unsubscribe(bot);
    const silent = await comes('xmpp-domain-silent');
    const refused = await comes('presence-refused');
    await pointsman.writeRules(rules());
    await pointsman.cli('reload');
    await Promise.all([ends(silent), ends(refused)]);
  }, 900_000);

  it('commands-refused: a stranger who does not stop', async () => {
    site.mallory.pour(bot, 'ack k7k7', 40);
    await comes('commands-refused');
  }, 600_000);

  it('xmpp-link-down: for more than a minute; told in the room when it is back', async () => {
    const { anna, prosody, pointsman } = site;
    await prosody.stop();
    await Promise.all([anna.lost(), site.bert.lost(), site.mallory.lost()]);
    await pointsman.logged('xmpp-link-down', ({ fault }) => fault === 'xmpp-link-down', patience);
    await prosody.start();
    await anna.login();
    await anna.join(duty);
    const line = await anna.roomMessage(/^f\d+ is over, it was open from .*: no XMPP session\.\n/, patience);
    process.stdout.write(`${line.body}\n`);
  }, 600_000);

  it('next-hop-down: the mail server behind does not answer, and answers again', async () => {
    const { back } = site;
    await back.stop();
    for (let count = 0; count < 3; count += 1) await site.post('anna@example.test', `Nobody there ${count}`);
    const id = await comes('next-hop-down');
    await back.start();
    await ends(id);
  }, 900_000);
});
