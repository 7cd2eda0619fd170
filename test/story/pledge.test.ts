// Words that have an end: acknowledgements under a policy that gives them a life, and promises; steps that are gone
// through again; and a bound on how often one mail is handed round.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hour, minute } from '../../src/clock.ts';
import { takePromise } from '../../src/relay/promising.ts';
import { Story } from '../support/story.ts';

const rules = `
people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@example.org }
groups:
  support:
    address: support@example.org
    members: [alice, bob]
    strategy: in-order
    fallback: unchanged
    policy: lasting
  again:
    address: again@example.org
    members: [alice, bob]
    strategy: in-order
    fallback: unchanged
    policy: twice
  few:
    address: few@example.org
    members: [alice, bob]
    strategy: in-order
    fallback: unchanged
    policy: bounded
policies:
  lasting:
    until: taken
    ack: { lasts: 4h, grace: 30m }
    steps:
      - { name: next, after: 10m, to: next }
  twice:
    repeat: 1
    steps:
      - { name: next, after: 10m, to: next }
      - { name: room, after: 10m, to: { room: duty@rooms.example.org } }
  bounded:
    maxForwards: 0
    steps:
      - { name: next, after: 10m, to: next }
      - { name: room, after: 10m, to: { room: duty@rooms.example.org } }
`;

let story: Story;
beforeEach(async () => {
  story = await Story.begin(rules);
  story.presence('alice', 'available');
  story.presence('bob', 'available');
});
afterEach(() => story.end());

const only = async () => {
  const [tracked] = await story.store.listTracked({ limit: 1 });
  if (!tracked) throw new Error('nothing is tracked');
  return tracked;
};
const steps = () =>
  story.events.flatMap((event) =>
    event.event === 'escalated' ? [`${event.trigger}, ${event.step}: ${event.to}`] : [],
  );

/** Alice has said that she takes it. */
async function taken() {
  const queueId = await story.mail('support@example.org');
  await story.hears('alice', /Answer: ack/);
  await story.says('alice', 'ack');
  await story.hears('alice', /is yours/);
  return queueId;
}

describe('an acknowledgement that does not last for ever', () => {
  it('lets the steps wait; then its owner is reminded, and after the grace it goes on to the next', async () => {
    await taken();
    await story.clock.advance(4 * hour - 1);
    await story.quiet();
    expect(steps()).toEqual([]);
    await story.clock.advance(1);
    await story.hears('alice', /waiting|still|remind/i);
    expect(await only()).toMatchObject({ state: 'tracked', owner: 'alice', pledge: { kind: 'ack', reminded: true } });
    await story.clock.advance(30 * minute);
    await story.ships('bob@example.org');
    expect(steps()).toEqual(['time, acknowledgement: alice', 'ack expired, ack expired: bob']);
    expect((await only()).tried).toEqual({ alice: 'took it 4h 30m ago and has not answered' });
  });

  it('is renewed by another one after the reminder', async () => {
    await taken();
    await story.clock.advance(4 * hour);
    await story.event('escalated');
    await story.says('alice', 'ack');
    await story.quiet();
    await story.clock.advance(hour);
    await story.quiet();
    expect(await only()).toMatchObject({ owner: 'alice', pledge: { kind: 'ack', reminded: false } });
    expect(story.shipped).toHaveLength(1);
  });

  it('is ended by an answer', async () => {
    const queueId = await taken();
    const { messageId } = (await story.store.message(queueId))?.message.facts ?? {};
    await story.mail(story.ours.copies, { from: 'alice@example.org', headers: `In-Reply-To: ${messageId}\r\n` });
    expect(await story.event('closed')).toMatchObject({ state: 'answered', by: 'alice' });
    await story.clock.advance(5 * hour);
    await story.quiet();
    expect(steps()).toEqual([]);
  });

  it('does not move on because its owner goes home', async () => {
    await taken();
    story.presence('alice', 'offline');
    await story.clock.advance(minute);
    await story.quiet();
    expect(await only()).toMatchObject({ owner: 'alice' });
  });

  it('is over when its owner passes', async () => {
    await taken();
    await story.says('alice', 'pass');
    await story.ships('bob@example.org');
    expect((await only()).pledge ?? null).toBeNull();
  });

  it('survives a restart, and its end is not missed', async () => {
    await taken();
    await story.crash();
    await story.clock.advance(5 * hour);
    await story.event('escalated');
    await story.clock.advance(30 * minute);
    await story.ships('bob@example.org');
    expect(steps()).toEqual(['time, acknowledgement: alice', 'ack expired, ack expired: bob']);
    await story.quiet();
    // The loops of the process that is gone have lost their store.
    story.expectErrors(/timer queue could not be read/);
  });
});

describe('a promise', () => {
  const stage = () => ({
    ...story,
    ledger: { moved: () => undefined },
    tell: () => undefined,
    wake: () => story.relay.wake(),
  });
  const promises = async (person: string, lasts: number) =>
    takePromise(stage() as never, await only(), { person, lasts, source: 'im promise', reference: null });

  it('postpones the step; when it is not kept the mail goes on at once', async () => {
    await story.mail('support@example.org');
    await story.hears('alice', /Answer: ack/);
    expect(await promises('alice', 20 * minute)).toMatchObject({ kept: true });
    await story.clock.advance(20 * minute - 1);
    await story.quiet();
    expect(steps()).toEqual([]);
    await story.clock.advance(1);
    await story.ships('bob@example.org');
    expect(steps()).toEqual(['promise expired, promise expired: bob']);
  });

  it('that is broken by leaving moves the mail on at once', async () => {
    await story.mail('support@example.org');
    await story.hears('alice', /Answer: ack/);
    await promises('alice', hour);
    story.presence('alice', 'offline');
    await story.clock.advance(2_000);
    await story.ships('bob@example.org');
    expect(steps()).toEqual(['owner offline, owner offline: bob']);
  });

  it('comes too late for what is closed', async () => {
    await story.mail('again@example.org');
    await story.hears('alice', /Answer: ack/);
    await story.says('alice', 'ack');
    await story.event('closed');
    expect(await promises('bob', hour)).toMatchObject({ kept: false, tracked: { owner: 'alice' } });
  });
});

it('steps that repeat are gone through again, and then it expires', async () => {
  await story.mail('again@example.org');
  await story.hears('alice', /Answer: ack/);
  for (const expected of [1, 2, 3, 4]) {
    await story.clock.advance(10 * minute);
    await story.event('escalated', () => steps().length >= expected);
    await story.quiet();
  }
  expect(steps()).toEqual([
    'time, next: bob',
    'time, room: duty@rooms.example.org',
    'time, next: alice',
    'time, room: duty@rooms.example.org',
  ]);
  await story.clock.advance(10 * minute);
  expect(await story.event('closed')).toMatchObject({ state: 'expired' });
});

it('a mail is not forwarded more often than the policy allows', async () => {
  await story.mail('few@example.org');
  await story.hears('alice', /Answer: ack/);
  await story.says('alice', 'pass');
  await story.event('escalated');
  await story.quiet();
  expect(story.shipped).toHaveLength(1);
  expect(steps()).toEqual(['passed, room: duty@rooms.example.org']);
});
