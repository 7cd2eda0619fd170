// Operators by instant message on a real chat server, people on slixmpp: an ack by text, by reply, by reaction and by ad-hoc
// command; a correction is seen; the room hears of claims. The transcript is in the output of the test.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bot, type LiveSite, room } from './live-site.ts';
import type { Person } from './person.ts';

const rules = `
people:
  anna: { mail: anna@example.test }
  bert: { mail: bert@example.test }
  cleo: { mail: cleo@example.test, operator: true }
groups:
  support:
    address: support@example.test
    members: [anna, bert]
    strategy: in-order
    fallback: { mailbox: duty@example.test }
    policy: standard
policies:
  standard:
    until: answered
    steps:
      - { name: room, after: 1s, to: { room: ${room} } }
      - { name: next, after: 1h, to: next }
`;

type OperatorsSite = Omit<LiveSite, 'prosody'>;

export function operatorsSuite(name: string, open: (rules: string) => Promise<OperatorsSite>): void {
  describe(`operators by instant message on ${name}`, () => {
    let site: OperatorsSite;
    let anna: Person;
    let bert: Person;

    beforeAll(async () => {
      site = await open(rules);
      ({ anna, bert } = site);
      await Promise.all([anna.login(), bert.login()]);
      await anna.join(room);
      await bert.join(room);
    });
    afterEach(() => {
      for (const person of [anna, bert]) {
        const told = person.told.seen(({ event }) => ['message', 'room', 'command'].includes(event));
        process.stdout.write(told.map(({ event, body }) => `${person.name} ${event}: ${body}\n`).join(''));
      }
    });
    afterAll(() => site?.[Symbol.asyncDispose]());

    async function nudged(subject: string): Promise<{ id: string; stanza: string }> {
      await site.post('support@example.test', subject);
      await anna.message(new RegExp(subject), 60_000);
      const told = anna.told.seen(({ event, body }) => event === 'message' && (body ?? '').includes(subject)).at(-1);
      return { id: /#(\w{4}) /.exec(told?.body ?? '')?.[1] ?? '', stanza: told?.id ?? '' };
    }

    it('by text: an ack is confirmed; who claims after that hears who has it', async () => {
      const { id } = await nudged('By text');
      anna.say(bot, `ack ${id}`);
      await anna.message(new RegExp(`^#${id} is yours`));
      bert.say(bot, `claim ${id}`);
      await bert.message(new RegExp(`^#${id}: anna has it`));
    });

    it('by reply, with the fallback text that clients add', async () => {
      const { id, stanza } = await nudged('By reply');
      anna.raw(
        `<message to='${bot}' type='chat' id='reply-1'><body>&gt; quoted\nack</body><reply xmlns='urn:xmpp:reply:0' to='${bot}' id='${stanza}'/><fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='9'/></fallback></message>`,
      );
      await anna.message(new RegExp(`^#${id} is yours`));
    });

    it('by reaction; taking it back undoes nothing', async () => {
      const { id, stanza } = await nudged('By reaction');
      const react = (inside: string) =>
        anna.raw(
          `<message to='${bot}' type='chat' id='r${inside.length}'><reactions xmlns='urn:xmpp:reactions:0' id='${stanza}'>${inside}</reactions></message>`,
        );
      react('<reaction>👍</reaction>');
      await anna.message(new RegExp(`^#${id} is yours`));
      react('');
      bert.say(bot, `claim ${id}`);
      await bert.message(new RegExp(`^#${id}: anna has it`));
    });

    it('by ad-hoc command, with a form where there is a choice', async () => {
      const { id } = await nudged('By command');
      const full = `${bot}/pointsman`;
      const asked = await anna.command(full, 'pointsman#pass');
      expect(asked.status).toBe('executing');
      expect(asked.fields).toEqual(['mail']);
      const queue = asked.values?.at(-1) ?? '';
      const done = await anna.command(full, 'pointsman#pass', { mail: queue });
      expect(done).toMatchObject({ status: 'completed' });
      expect(done.body).toMatch(new RegExp(`^#${id} is off your hands; bert is asked now`));
      await bert.message(/By command/, 60_000);
    });

    it('in the room: one claims, whoever was asked sees the first note corrected', async () => {
      const { id, stanza } = await nudged('In the room');
      await bert.roomMessage(new RegExp(`#${id} .*Nobody has answered it`, 's'), 60_000);
      bert.shout(room, `claim ${id}`);
      await anna.roomMessage(new RegExp(`^#${id} is taken by bert`));
      const corrected = await anna.correction(new RegExp(`^#${id} is taken by bert`));
      expect(corrected.replaces).toBe(stanza);
    });
  });
}
