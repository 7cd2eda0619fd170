// An operator's hand in a tracked message: who might have it, giving it to one of them, more time for its owner.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { hour, minute } from '../../src/clock.ts';
import { RefusedError } from '../../src/operations.ts';
import { Story } from '../support/story.ts';

const rules = `
people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@example.org }
  carol: { mail: carol@example.org }
groups:
  support:
    address: support@example.org
    members: [alice, bob]
    strategy: in-order
    fallback: unchanged
    policy: quick
policies:
  quick:
    until: taken
    steps:
      - { name: next, after: 10m, to: next }
      - { name: room, after: 10m, to: { room: duty@rooms.example.org } }
`;

let story: Story;
beforeEach(async () => {
  story = await Story.begin(rules);
  story.presence('alice', 'available');
  story.presence('bob', 'dnd');
});
afterEach(() => story.end());

const only = async () => {
  const [tracked] = await story.store.listTracked({ limit: 1 });
  if (!tracked) throw new Error('nothing is tracked');
  return tracked;
};

it('ranks the candidates as the rules would choose now, with their reasons', async () => {
  await story.mail('support@example.org');
  await story.ships('alice@example.org');
  await story.quiet();
  story.presence('bob', 'available');
  const considered = story.relay.candidates(await only());
  expect(considered.map(({ person, verdict }) => [person, verdict])).toEqual([
    ['alice', 'excluded'],
    ['bob', 'chosen'],
  ]);
  expect(considered[0]?.reason).toMatch(/had it/);
});

it('is given to somebody, also to one who is no candidate: forwarded, the former owner told, the clock anew', async () => {
  await story.mail('support@example.org');
  await story.ships('alice@example.org');
  await story.quiet();
  await story.clock.advance(5 * minute);
  const before = await only();
  const after = await story.relay.reassign(before, 'carol', 'console:ann');
  expect(after).toMatchObject({ owner: 'carol', tried: { alice: 'console:ann gave it to carol' } });
  expect(after.nextStepAt).toBe(story.clock.now() + 10 * minute);
  const { text } = await story.ships('carol@example.org');
  expect(text).toMatch(/^X-Pointsman-Escalated: reassign by console:ann; was with alice; /m);
  await story.hears('alice', /moved on to carol/);
  expect(story.relay.load('carol').open).toBe(1);
  expect(story.relay.load('alice').open).toBe(0);
  const events = await story.store.events(before.queueId);
  expect(events).toContainEqual(
    expect.objectContaining({ event: 'operated', action: 'reassign to carol', by: 'console:ann' }),
  );
  expect(events).toContainEqual(expect.objectContaining({ event: 'escalated', from: 'alice', to: 'carol' }));
});

it('is not given to whoever has it, to nobody, or when it is over', async () => {
  await story.mail('support@example.org');
  await story.ships('alice@example.org');
  await story.quiet();
  const tracked = await only();
  await expect(story.relay.reassign(tracked, 'alice', 'ann')).rejects.toThrow(/is with alice already/);
  await expect(story.relay.reassign(tracked, 'nobody', 'ann')).rejects.toThrow(/nobody called "nobody"/);
  await story.relay.acknowledge(tracked, 'ann', 'operator');
  await expect(story.relay.reassign(tracked, 'bob', 'ann')).rejects.toThrow(RefusedError);
  await expect(story.relay.snooze(tracked, hour, 'ann')).rejects.toThrow(/already answered by ann/);
});

it('snoozed, it moves on only after that', async () => {
  story.presence('bob', 'available');
  await story.mail('support@example.org');
  await story.ships('alice@example.org');
  await story.quiet();
  const snoozed = await story.relay.snooze(await only(), hour, 'console:ann');
  expect(snoozed).toMatchObject({ owner: 'alice', nextStepAt: story.clock.now() + hour });
  await story.clock.advance(hour - minute);
  expect((await only()).owner).toBe('alice');
  await story.clock.advance(2 * minute);
  await story.ships('bob@example.org');
  const events = await story.store.events(snoozed.queueId);
  expect(events).toContainEqual(expect.objectContaining({ event: 'operated', action: 'snooze', by: 'console:ann' }));
});

it('passed to somebody by instant message is the same deed: it counts as their last message', async () => {
  await story.mail('support@example.org');
  await story.ships('alice@example.org');
  await story.hears('alice', /Mail for/);
  await story.clock.advance(5 * minute);
  await story.says('alice', 'pass to bob');
  await story.hears('alice', /goes to bob now/);
  expect(await only()).toMatchObject({ owner: 'bob', tried: { alice: 'has passed it to bob' } });
  expect(story.relay.load('bob')).toEqual({ open: 1, lastAssignedAt: story.clock.now() });
  expect(story.relay.load('alice').open).toBe(0);
  // Their own word: nobody tells them again.
  await story.ships('bob@example.org');
  await story.quiet();
  expect(story.said.filter(({ to, text }) => to === 'alice@example.org' && /moved on/.test(text))).toEqual([]);
});
