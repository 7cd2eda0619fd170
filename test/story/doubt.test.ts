// Doubt and absence at the moment of choosing: old presence is asked about where the rule says so, whoever stands in for
// somebody gets their mail, and whose hours have ended keeps what they have for as long as they sit there.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hour, minute } from '../../src/clock.ts';
import { Story } from '../support/story.ts';

const rules = (more = '') => `
people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@example.org }
  carol: { mail: carol@example.org }
  dora: { mail: dora@example.org }
groups:
  support:
    address: support@example.org
    members: [alice, bob, carol]
    strategy: in-order
    fallback: unchanged
    policy: quick
    ${more}
policies:
  quick:
    until: taken
    steps:
      - { name: next, after: 10m, to: next }
      - { name: room, after: 10m, to: { room: duty@rooms.example.org } }
`;

let story: Story;
afterEach(() => story.end());
const lastDecision = async (queueId: Parameters<Story['store']['decisions']>[0]) =>
  (await story.store.decisions(queueId)).at(-1);

describe('askAfter', () => {
  beforeEach(async () => {
    story = await Story.begin(rules('askAfter: 10m'));
    for (const person of ['alice', 'bob', 'carol']) story.presence(person, 'available');
  });

  it('whoever was heard of lately is not asked', async () => {
    await story.clock.advance(10 * minute);
    await story.mail('support@example.org');
    await story.ships('alice@example.org');
    expect(story.asked).toEqual([]);
  });

  it('whoever was not is asked, and gets the mail when a client answers; the decision shows fresh presence', async () => {
    await story.clock.advance(hour);
    story.there.set('alice', true);
    const queueId = await story.mail('support@example.org');
    await story.ships('alice@example.org');
    expect(story.asked).toEqual(['alice']);
    const decision = await lastDecision(queueId);
    expect(decision?.snapshot.people.alice?.presence.asOf).toBe(story.clock.now());
  });

  it('nobody answers for the first: all others who would be next are asked at once, the first who answers gets it', async () => {
    await story.clock.advance(hour);
    story.there.set('alice', false);
    story.there.set('bob', false);
    story.there.set('carol', true);
    const queueId = await story.mail('support@example.org');
    await story.ships('carol@example.org');
    expect(story.asked).toEqual(['alice', 'bob', 'carol']);
    const reasons = (await lastDecision(queueId))?.choice.considered.map(({ person, reason }) => [person, reason]);
    expect(reasons?.[0]).toEqual(['alice', expect.stringContaining('none of their clients answers')]);
  });

  it('whoever cannot be asked is believed', async () => {
    await story.clock.advance(hour);
    await story.mail('support@example.org');
    await story.ships('alice@example.org');
    expect(story.asked).toEqual(['alice']);
  });

  it('an escalation asks, too', async () => {
    story.there.set('bob', false);
    story.there.set('carol', true);
    await story.mail('support@example.org');
    // Said once the watch is stored.
    await story.hears('alice', /printer/);
    await story.quiet();
    await story.clock.advance(10 * minute + 1);
    await story.ships('carol@example.org');
    expect(story.asked).toEqual(['bob', 'carol']);
  });

  it('a word by hand does not grow old', async () => {
    story.presence('alice', 'available', story.clock.now(), { source: 'manual' });
    await story.clock.advance(hour);
    await story.mail('support@example.org');
    await story.ships('alice@example.org');
    expect(story.asked).toEqual([]);
  });
});

describe('a substitute', () => {
  beforeEach(async () => {
    story = await Story.begin(rules());
    story.presence('alice', 'offline', story.clock.now(), { source: 'absence', substitute: 'dora' });
    story.presence('bob', 'available');
    story.presence('dora', 'available');
  });

  it('gets the mail in the place of who is away, and may act on it', async () => {
    const queueId = await story.mail('support@example.org', { subject: 'Fire' });
    await story.ships('dora@example.org');
    const decision = await lastDecision(queueId);
    const dora = decision?.choice.considered.find(({ person }) => person === 'dora');
    expect(dora).toMatchObject({ verdict: 'chosen', reason: expect.stringContaining('stands in for alice') });
    await story.hears('dora', /Fire/);
    await story.says('dora', 'ack');
    const { by } = await story.event('closed');
    expect(by).toBe('dora');
  });

  it('is asked like anybody: by their own presence', async () => {
    story.presence('dora', 'dnd');
    await story.mail('support@example.org');
    await story.ships('bob@example.org');
  });

  it('takes no place when the absent one is there after all', async () => {
    story.presence('alice', 'available', story.clock.now(), { substitute: 'dora' });
    await story.mail('support@example.org');
    await story.ships('alice@example.org');
  });

  it('who comes wakes the mail that is held for the one in whose place they are', async () => {
    story.reload(rules('hold: 1h'));
    story.presence('bob', 'offline');
    story.presence('carol', 'offline');
    story.presence('dora', 'offline');
    await story.mail('support@example.org');
    await story.event('held');
    story.presence('dora', 'available');
    await story.ships('dora@example.org');
  });
});
