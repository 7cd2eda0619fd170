// Other rules come into force while mail waits: it ends as it was planned, or is planned anew, as the admin chose.
// What somebody has had goes on under the policy it was given with, either way.
import { afterEach, describe, expect, it } from 'vitest';
import { hour, minute } from '../../src/clock.ts';
import { Story } from '../support/story.ts';

const people = `people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@example.org }
  carol: { mail: carol@example.org }
policies:
  slow: { until: taken, steps: [{ name: lead, after: 10h, to: { person: carol } }] }
  quick: { until: taken, steps: [{ name: lead, after: 10m, to: { person: carol } }] }
`;
const group = (member: string, policy = 'slow', more = '') => `${people}groups:
  desk: { address: desk@example.org, members: [${member}], hold: 5h, fallback: { person: carol }, policy: ${policy} }
${more}`;
const before = group('alice');
const after = group('bob', 'quick');

let story: Story;
afterEach(async () => {
  Story.queue = {};
  await story.quiet();
  await story.end();
});
async function begin(onReload: 'finish' | 'replan'): Promise<void> {
  Story.queue = { onReload };
  story = await Story.begin(before);
  story.link = { state: 'up', since: -minute };
  for (const person of ['alice', 'bob', 'carol']) story.presence(person, 'offline');
  await story.quiet();
}
const shippedTo = () => story.shipped.map(({ to }) => to[0]);
const versionsOf = async (queueId: Parameters<Story['store']['decisions']>[0]) =>
  (await story.store.decisions(queueId)).map(({ plan }) => plan.rulesVersion);
const anew = () =>
  story.events.flatMap((event) => (event.event === 'operated' && event.by === 'reload' ? [event.action] : []));

describe('onReload: finish', () => {
  it('held mail goes to whom the old rules wait for, though the new ones know the group no more', async () => {
    await begin('finish');
    const queueId = await story.mail('desk@example.org');
    await story.event('held');
    const old = story.rules.version;
    story.reload(people);
    story.presence('bob', 'available');
    await story.quiet();
    expect(story.shipped).toEqual([]);
    story.presence('alice', 'available');
    await story.ships('alice@example.org');
    await story.quiet();
    expect(await versionsOf(queueId)).toEqual([old, old]);
    expect(anew()).toEqual([]);
  });
});

describe('onReload: replan', () => {
  it('held mail goes at once to whom the new rules choose, under the new policy', async () => {
    await begin('replan');
    const queueId = await story.mail('desk@example.org');
    await story.event('held');
    const old = story.rules.version;
    story.presence('bob', 'available');
    await story.quiet();
    expect(story.shipped).toEqual([]);
    story.reload(after);
    await story.ships('bob@example.org');
    await story.quiet();
    expect(await versionsOf(queueId)).toEqual([old, story.rules.version]);
    expect(anew()).toEqual([`planned anew under rules ${story.rules.version}: group desk → group desk`]);
    expect(await story.store.listTracked({ limit: 2 })).toMatchObject([
      { state: 'tracked', owner: 'bob', plan: { policy: { name: 'quick' }, rulesVersion: story.rules.version } },
    ]);
    await story.clock.advance(10 * minute);
    await story.ships('carol@example.org');
  });

  it('several held ones keep their order, and the same rules again change nothing', async () => {
    await begin('replan');
    const ids = [];
    for (let n = 0; n < 3; n += 1) {
      ids.push(await story.mail('desk@example.org', { subject: `number ${n}` }));
      await story.clock.advance(1000);
    }
    story.reload(before);
    await story.quiet();
    expect(anew()).toEqual([]);
    story.reload(after);
    await story.quiet();
    story.presence('bob', 'available');
    for (let n = 0; n < 6; n += 1) {
      await story.clock.advance(10_000);
      await story.quiet();
    }
    expect(story.shipped.map(({ shipment }) => shipment.queueId)).toEqual(ids);
    expect(shippedTo()).toEqual(Array(3).fill('bob@example.org'));
  });

  it('several held ones that are for another group now all go there, in order, or wait there', async () => {
    await begin('replan');
    const ids = [];
    for (let n = 0; n < 3; n += 1) {
      ids.push(await story.mail('desk@example.org', { subject: `number ${n}` }));
      await story.clock.advance(1000);
    }
    story.reload(`${people}groups:
  other: { address: desk@example.org, members: [bob], hold: 5h, pace: none, fallback: { person: carol }, policy: quick }
`);
    await story.quiet();
    expect(anew()).toEqual(Array(3).fill(`planned anew under rules ${story.rules.version}: group desk → group other`));
    expect((await story.store.history()).held?.map(({ plan }) => plan.group)).toEqual(['other', 'other', 'other']);
    story.presence('bob', 'available');
    await story.quiet();
    expect(story.shipped.map(({ shipment }) => shipment.queueId)).toEqual(ids);
    expect(shippedTo()).toEqual(Array(3).fill('bob@example.org'));
  });

  it('what is for no group any more passes through, and is nobody’s task', async () => {
    await begin('replan');
    await story.mail('desk@example.org');
    await story.event('held');
    story.reload(people);
    const { to } = await story.ships('desk@example.org');
    await story.quiet();
    expect(to).toEqual(['desk@example.org']);
    expect(await story.store.listTracked({ limit: 2 })).toMatchObject([{ state: 'withdrawn', closedBy: 'reload' }]);
    expect((await story.store.history()).held).toEqual([]);
    expect(anew()).toEqual([`planned anew under rules ${story.rules.version}: group desk → passed through`]);
  });

  it('what gets a policy only now is tracked from now on', async () => {
    await begin('replan');
    story.reload(group('alice', 'none'));
    await story.mail('desk@example.org');
    await story.event('held');
    expect(await story.store.listTracked({ limit: 2 })).toEqual([]);
    story.presence('bob', 'available');
    story.reload(after);
    await story.ships('bob@example.org');
    await story.quiet();
    expect(await story.store.listTracked({ limit: 2 })).toMatchObject([{ state: 'tracked', owner: 'bob' }]);
    expect(story.said.map(({ to }) => to)).toEqual(['bob@example.org']);
  });

  it('what the new rules refuse is reported to its sender', async () => {
    await begin('replan');
    await story.mail('desk@example.org', { from: 'ann@elsewhere.example' });
    await story.event('held');
    story.reload(
      group('bob', 'slow', "routes:\n  - { match: { recipient: desk@example.org }, reject: 'Not wanted here' }\n"),
    );
    const report = await story.ships('ann@elsewhere.example');
    expect(report.from).toBe('<>');
    expect(report.text).toContain('Not wanted here');
  });

  it('what failed for a time is chosen for by the new rules when it is tried again', async () => {
    await begin('replan');
    story.presence('alice', 'available');
    story.presence('bob', 'available');
    story.outcomes.set('alice@example.org', [{ kind: 'temporary', cause: 'busy' }]);
    await story.mail('desk@example.org');
    await story.event('deferred');
    story.reload(after);
    await story.clock.advance(20 * minute);
    await story.ships('bob@example.org');
    await story.quiet();
    expect(shippedTo().at(-1)).toBe('bob@example.org');
  });

  it('what somebody has goes on under the policy it was given with', async () => {
    await begin('replan');
    story.presence('alice', 'available');
    await story.mail('desk@example.org');
    await story.ships('alice@example.org');
    await story.event('nudged');
    story.reload(after);
    await story.clock.advance(hour);
    await story.quiet();
    expect(shippedTo()).toEqual(['alice@example.org']);
    await story.clock.advance(9 * hour);
    await story.ships('carol@example.org');
    expect(anew()).toEqual([]);
  });

  it('rules that were changed while it was down are looked at when it starts', async () => {
    await begin('replan');
    await story.mail('desk@example.org');
    await story.event('held');
    story.presence('bob', 'available');
    await story.quiet();
    story.reload(after, { asleep: true });
    await story.crash();
    await story.ships('bob@example.org');
  });

  it('survives a crash between the reload and the choice', async () => {
    await begin('replan');
    await story.mail('desk@example.org');
    await story.event('held');
    story.reload(after);
    await story.quiet();
    await story.crash();
    story.presence('bob', 'available');
    await story.ships('bob@example.org');
  });
});
