// The chat server is stopped while mail comes, for longer than the first step of the policy takes, and Pointsman itself is
// restarted meanwhile. What still matters is said once when it is back, what is out of date is not said, and one line
// explains the gap.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bot, type LiveSite, openLiveSite, room } from './live-site.ts';

const rules = (step: string) => `
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
  standard: { until: taken, steps: [{ name: room, after: ${step}, to: { room: ${room} } }, { name: again, after: 3h, to: owner }] }
`;

export interface OutageOptions {
  /** Of the policy: what is older when the server is back is out of date. */
  readonly step: string;
  readonly mails: number;
  /** Milliseconds between two. */
  readonly every: number;
  /** Milliseconds for which the server is gone, at least. */
  readonly lasts: number;
}

export function outageSuite({ step, mails, every, lasts }: OutageOptions): void {
  describe(`the chat server is gone for ${lasts / 1_000} s, with a restart of Pointsman in the middle`, () => {
    let site: LiveSite;
    beforeAll(async () => {
      site = await openLiveSite(rules(step));
      await Promise.all([site.anna.login(), site.bert.login()]);
      await site.bert.join(room);
      await site.pointsman.untilPresent({ anna: 'available' });
    });
    afterAll(() => site?.[Symbol.asyncDispose]());

    it(
      'what matters is said once, what is out of date is not, and one line explains the gap',
      {
        // Whatever is waited for has a limit of its own, which tells what did not come; this one would not.
        timeout: 2 * lasts + 900_000,
      },
      () => told(site, goneAndBack),
    );

    async function goneAndBack(): Promise<void> {
      const { anna, bert, prosody, pointsman } = site;
      await site.post('support@example.test', 'Before');
      const before = /#(\w{4}) /.exec((await anna.message(/Before/)).body)?.[1] ?? '';
      anna.say(bot, `ack ${before}`);
      await anna.message(/is yours/);
      const gone = Date.now();
      await prosody.stop();
      await Promise.all([anna.lost(), bert.lost()]);
      await pointsman.logged('link down', ({ msg }) => msg === 'xmpp link down');
      const subjects = Array.from({ length: mails }, (_, count) => `In the dark ${count}`);
      for (const [index, subject] of subjects.entries()) {
        await site.post('support@example.test', subject);
        if (index === Math.floor(mails / 2)) {
          await pointsman.stop();
          await pointsman.start();
        }
        await pause(every);
      }
      // What Pointsman did not take while it was stopped Postfix has again after a second, or after a minute (postfix.ts).
      for (const subject of subjects) await site.back.maildir('anna@example.test').next(subject, 90_000);
      await pause(Math.max(0, lasts - (Date.now() - gone)));
      // Nothing tells that a step was taken while nobody can be told, so it is asked until all were.
      const open = async () =>
        (await pointsman.client.listTracked({ limit: 1_000 })).filter(({ state }) => state === 'tracked');
      await until('all mails go on to the room', async () => (await open()).every(({ step }) => step > 0));
      await prosody.start();
      await Promise.all([anna.login(), bert.login()]);
      // Pointsman may be back before him, and have said what it had to say: he is told of that as well.
      await bert.join(room, 'bert', { history: 100 });
      // The pauses between its tries have grown to a minute at most.
      await pointsman.untilPresent({ anna: 'available' }, 90_000);

      const line = await anna.message(/^I was cut off from you from /, 60_000);
      expect(line.body).toContain(`What I had to say on ${mails} mails is out of date and not sent.`);
      anna.say(bot, 'list');
      await anna.message(/^With you:/);
      const ids = (await open()).map(({ shortId }) => shortId);
      expect(ids).toHaveLength(mails);
      // Each is open, hers, and in the room exactly once: by its line, or counted in a bundle.
      const inRoom = () =>
        bert.told
          .seen(({ event, body }) => event === 'room' && (body ?? '').includes('Mail for'))
          .map(({ body = '' }) => body);
      const counted = () =>
        inRoom().reduce((sum, text) => sum + Number(/^(\d+) mails that nobody/.exec(text)?.[1] ?? 1), 0);
      await until('all mails are told of in the room', () => counted() >= mails);
      expect(counted()).toBe(mails);
      for (const id of ids) expect(inRoom().join('\n').split(`#${id} Mail for`).length - 1, id).toBeLessThanOrEqual(1);
      // To her nothing was said late, and the line came once.
      expect(anna.messages.filter((text) => text.includes('Mail for'))).toHaveLength(1);
      expect(anna.messages.filter((text) => /cut off/.test(text))).toHaveLength(1);
    }
  });
}

async function until(what: string, fits: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await fits())) {
    if (Date.now() > deadline) throw new Error(`within a minute it was not so that ${what}`);
    await pause(200);
  }
}

/** Should it fail: what the programs said last stands beside it, for they and their folders are gone then. */
async function told(site: LiveSite, test: () => Promise<void>): Promise<void> {
  try {
    await test();
  } catch (error) {
    const ours = site.pointsman.log.seen().map((line) => JSON.stringify(line));
    const tail = (name: string, lines: readonly string[]) => [`${name}:`, ...lines.slice(-60)].join('\n  ');
    const room = site.bert.told.seen(({ event }) => event === 'room').map(({ body = '' }) => body);
    console.error(
      [
        tail('Pointsman', ours),
        tail('Postfix in front', (await site.front.log()).split('\n')),
        tail('Prosody', (await site.prosody.log()).split('\n')),
        tail('Bert in the room', room),
      ].join('\n'),
    );
    throw error;
  }
}
