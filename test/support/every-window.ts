// One life through every kind of change, with the process killed at one of its transactions: before it, or once it is
// done and nobody has heard so. Whoever was not answered says it again, as peers and people do; then everything is as it
// would have been.
import { expect } from 'vitest';
import { minute } from '../../src/clock.ts';
import { nullReversePath } from '../../src/mail/path.ts';
import { postfixDsn } from './reports.ts';
import { Story } from './story.ts';

const rules = `
people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@example.org }
  dave: { mail: dave@example.org }
  erin: { mail: erin@example.org }
groups:
  support:
    address: support@example.org
    members: [alice, bob, dave, erin]
    strategy: in-order
    fallback: unchanged
    policy: standard
policies:
  standard:
    until: answered
    ask: [dsn]
    steps:
      - { name: next, after: 10m, to: next, times: 2 }
      - { name: room, after: 10m, to: { room: duty@rooms.example.org } }
`;

export interface Death {
  readonly write: number;
  readonly when: 'before' | 'after';
}

/** Answers how many transactions it took. */
export async function liveThrough(death: Death | null): Promise<number> {
  const story = await Story.begin(rules);
  const people = ['alice', 'bob', 'dave', 'erin'];
  try {
    for (const person of people) story.presence(person, 'available');
    const queueId = await story.mail('support@example.org');
    const began = story.clock.now();
    story.writes = 0;
    story.dieAt = death;
    let deaths = 0;
    /** Until it is done and all that follows from it. */
    const then = async (deed: () => Promise<unknown>): Promise<void> => {
      for (;;) {
        const done = await Promise.race([
          deed().then(() => story.quiet(Infinity).then(() => true)),
          story.died.then(() => false),
        ]);
        if (done) return;
        deaths += 1;
        story.dieAt = null;
        await story.crash();
      }
    };
    const until = (minutes: number) => () =>
      story.clock.advanceTo(Math.max(story.clock.now(), began + minutes * minute));
    const tracked = () => story.store.tracked({ queueId, seq: 0 });
    const says = (person: string, words: string) => async () =>
      story.says(person, `${words} ${(await tracked())?.shortId}`);

    await then(async () => undefined);
    await then(until(10));
    await then(says('bob', '5m'));
    // He does not keep it.
    await then(until(15));
    await then(async () => {
      const found = await story.store.message(queueId);
      const delivery = found?.deliveries.find(({ chosen }) => chosen?.person === 'dave');
      if (!delivery) throw new Error('dave has not got it');
      const content = postfixDsn({ recipient: 'dave@example.org', action: 'failed', status: '5.1.1' });
      await story.mail(story.ours.reportsOn(delivery), { from: nullReversePath, content });
    });
    await then(says('erin', 'ack'));
    await then(until(25));
    await then(until(30));
    await then(async () => {
      const headers = `In-Reply-To: ${(await tracked())?.messageId}\r\n`;
      await story.mail(story.ours.copies, { from: 'erin@example.org', headers });
    });
    await then(until(120));

    const after = await tracked();
    expect(after).toMatchObject({ state: 'answered', owner: 'erin', closedBy: 'erin', nextStepAt: null });
    const events = await story.store.events(queueId);
    const moves = events.flatMap((each) => (each.event === 'escalated' ? [`${each.trigger}: ${each.to}`] : []));
    expect(moves).toEqual([
      'time: bob',
      'promise expired: dave',
      'undeliverable: erin',
      'time: duty@rooms.example.org',
    ]);
    expect(events.filter(({ event }) => event === 'closed')).toHaveLength(1);
    const found = await story.store.message(queueId);
    expect(found?.deliveries.map(({ state, chosen }) => `${state} ${chosen?.person}`)).toEqual(
      people.map((person) => `delivered ${person}`),
    );
    // Each was sent the mail and told of it; twice only where the word of it was lost in the death.
    const twice = people.filter(
      (person) => story.shipped.filter(({ to }) => to[0] === `${person}@example.org`).length > 1,
    );
    expect(twice.length).toBeLessThanOrEqual(deaths);
    for (const to of ['alice', 'bob', 'dave', 'erin'].map((person) => `${person}@example.org`))
      expect(
        story.said.some((said) => said.to === to && /Answer: ack/.test(said.text)),
        to,
      ).toBe(true);
    expect(story.said.some(({ to }) => to === 'duty@rooms.example.org')).toBe(true);
    // How often what is due is claimed together differs a little from life to life.
    if (death && story.writes >= death.write) expect(deaths, 'it died').toBe(1);
    return story.writes;
  } finally {
    story.dieAt = null;
    story.ignoreErrors(/timer queue could not be read|could not be handled/);
    await story.end();
  }
}
