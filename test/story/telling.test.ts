// Telling people when the way to them is bad: what is not known to have arrived is repeated as it was; what has arrived is
// not repeated; what is void is not said, and a gap is explained once, also after a restart.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { minute, second } from '../../src/clock.ts';
import { Story } from '../support/story.ts';

const room = 'duty@rooms.example.org';
const rules = `
people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@example.org }
groups:
  support:
    address: support@example.org
    members: [alice, bob]
    strategy: in-order
    eligible: [available, unknown]
    fallback: unchanged
    policy: standard
policies:
  standard:
    until: taken
    steps:
      - { name: next, after: 10m, to: next }
      - { name: room, after: 10m, to: { room: ${room} } }
`;

let story: Story;
beforeEach(async () => {
  story = await Story.begin(rules);
  story.presence('alice', 'available');
  story.presence('bob', 'available');
});
afterEach(() => story.end());

const told = (who: string) => story.said.filter(({ to }) => to === `${who}@example.org`);
const settled = async (by: number) => {
  await story.quiet();
  await story.clock.advance(by);
  await story.quiet();
};
const shortId = async () => (await story.store.listTracked({ limit: 1 }))[0]?.shortId ?? '';

describe('a note whose acknowledgement was lost', () => {
  it('is repeated with the same id and the same words, so that nobody reads it twice', async () => {
    story.wordLost = true;
    await story.mail('support@example.org');
    await story.hears('alice', /Mail for/);
    await settled(7 * second);
    story.wordLost = false;
    await settled(minute);
    const [first, ...repeated] = told('alice');
    expect(repeated.length).toBeGreaterThan(0);
    for (const again of repeated) expect(again).toEqual(first);
    const [tracked] = await story.store.listTracked({ limit: 1 });
    expect(tracked && (await story.store.nudges(tracked.queueId)).map(({ state }) => state)).toEqual(['sent']);
  });

  it('is not repeated when their client has said that it has it', async () => {
    story.wordLost = true;
    await story.mail('support@example.org');
    const { id } = await story.hears('alice', /Mail for/);
    story.received('alice', id);
    story.wordLost = false;
    await settled(minute);
    expect(told('alice')).toHaveLength(1);
    expect(story.events.filter(({ event }) => event === 'nudged')).toHaveLength(1);
  });

  it('goes as the bundle it was, whatever has come since', async () => {
    story.wordLost = true;
    story.mute = true;
    for (let count = 0; count < 4; count += 1) await story.mail('support@example.org', { subject: `Mail ${count}` });
    await story.quiet();
    story.mute = false;
    story.reopened();
    const bundle = await story.hears('alice', /4 mails for you/);
    await story.quiet();
    story.wordLost = false;
    await story.mail('support@example.org', { subject: 'One more' });
    await settled(2 * minute);
    const all = told('alice');
    expect(all.filter(({ text }) => text.includes('Mail 2')).every((each) => each.text === bundle.text)).toBe(true);
    expect(all.filter(({ text }) => text.includes('Mail 2')).every((each) => each.id === bundle.id)).toBe(true);
    expect(all.filter(({ text }) => text.includes('One more'))).toHaveLength(1);
  });
});

describe('while nobody can be told', () => {
  it('what waits goes as soon as messages go again, and not only at its next try', async () => {
    story.mute = true;
    await story.mail('support@example.org');
    await settled(3 * minute);
    expect(told('alice')).toEqual([]);
    story.mute = false;
    story.reopened();
    await story.quiet();
    expect(told('alice')).toHaveLength(1);
  });

  /** One of many tries is on its way when messages go again; it fails all the same. */
  async function failsAfterOpening(mails: number): Promise<void> {
    story.mute = true;
    for (let count = 0; count < mails; count += 1)
      await story.mail('support@example.org', { subject: `Mail ${count}` });
    for (let tries = 0; tries < 5; tries += 1) await settled(minute);
    const { promise: fails, reject: fail } = Promise.withResolvers<void>();
    const { promise: under, resolve: isUnder } = Promise.withResolvers<void>();
    story.onSay = async () => {
      isUnder();
      await fails;
    };
    await settled(2 * minute);
    await under;
    story.mute = false;
    story.reopened();
    await story.quiet();
    story.onSay = null;
    fail(Object.assign(new Error('not sent within 30 s'), { unsent: true }));
    await story.quiet();
  }

  it.each([1, 4])('nor does what was being tried just then wait for its next try: %i at once', async (mails) => {
    await failsAfterOpening(mails);
    expect(told('alice')).toHaveLength(1);
    expect(told('alice')[0]?.text).toContain('Mail 0');
  });

  it('messages go again while a bundle that failed is being put off: all of it goes, as one', async () => {
    story.mute = true;
    for (let count = 0; count < 4; count += 1) await story.mail('support@example.org', { subject: `Mail ${count}` });
    for (let tries = 0; tries < 5; tries += 1) await settled(minute);
    // As soon as the first of them is put off.
    const settleNudge = story.store.settleNudge;
    let count = 0;
    Object.assign(story.store, {
      settleNudge: async (...args: Parameters<typeof settleNudge>) => {
        const done = settleNudge(...args);
        count += 1;
        if (count === 1) {
          await done;
          story.mute = false;
          story.reopened();
        }
        return done;
      },
    });
    await settled(2 * minute - second);
    expect(count).toBeGreaterThan(0);
    await settled(second);
    await story.quiet();
    expect(told('alice')).toHaveLength(1);
    expect(told('alice')[0]?.text).toMatch(/^(.*\n)*4 mails for you/);
  });

  it('who never heard of a mail is not told that it has moved on; one line says that they missed something', async () => {
    story.mute = true;
    await story.mail('support@example.org');
    await settled(minute);
    await settled(10 * minute);
    story.mute = false;
    story.reopened();
    await story.hears('bob', /Mail for/);
    await settled(30 * second);
    expect(told('alice').map(({ text }) => text)).toEqual([
      expect.stringMatching(
        /^I was cut off from you from 09:00 to 09:11\. What I had to say on one mail is out of date/,
      ),
    ]);
    await settled(10 * minute);
    expect(told('alice')).toHaveLength(1);
  });

  it.each([
    ['the program runs on', false],
    ['the program is restarted in it', true],
  ])('a gap with several void notes is one line, from its beginning: %s', async (_name, restarted) => {
    const id = story.mail('support@example.org').then(shortId);
    story.mute = true;
    await id;
    for (let count = 0; count < 4; count += 1) await story.mail('support@example.org');
    await settled(minute);
    await settled(9 * minute);
    await settled(10 * minute);
    // By now all has gone to the room, and the room's notes are void in their turn.
    await settled(30 * minute);
    if (restarted) {
      await story.relay.drain();
      await story.crash();
    }
    story.mute = false;
    story.reopened();
    story.reopened(room);
    story.presence('alice', 'available');
    story.presence('bob', 'available');
    await settled(5 * second);
    await settled(20 * second);
    await settled(20 * second);
    for (const who of ['alice', 'bob']) {
      const gaps = told(who).filter(({ text }) => /cut off/.test(text));
      expect(gaps, who).toHaveLength(1);
      expect(gaps[0]?.text).toMatch(/from 09:\d\d to 09:50\. What I had to say on 5 mails is out of date/);
    }
    const lines = story.said.filter(({ to }) => to === room).map(({ text }) => text);
    expect(lines.filter((text) => /I could not write here from/.test(text))).toHaveLength(1);
  });
});
