// The rule language in force, on the relay itself: paced holds in order, capacity with mail on its way, offers to
// several, overflow, refusal while the sender waits, observing, copies and added headers.
import { afterEach, describe, expect, it } from 'vitest';
import { minute, second } from '../../src/clock.ts';
import { PointsmanError } from '../../src/mail/error.ts';
import { Story } from '../support/story.ts';

const rules = `
people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@example.org }
  carol: { mail: carol@example.org, operator: true }
  dave: { mail: dave@example.org, capacity: 2 }
groups:
  held: { address: held@example.org, members: [alice, bob], strategy: longest-idle, hold: 1h, pace: 1m, fallback: { person: carol }, policy: slow }
  rush: { address: rush@example.org, members: [alice], hold: 1h, pace: none, fallback: { person: carol }, policy: none }
  small: { address: small@example.org, members: [dave], hold: 1h, pace: none, fallback: { person: carol }, policy: slow }
  offer: { address: offer@example.org, members: [alice, bob, dave], strategy: first-to-claim, fallback: { person: carol }, policy: slow }
  first: { address: first@example.org, members: [alice], fallback: [{ group: small }, { hold: 10m }, everyone], policy: slow }
  office: { address: office@example.org, members: [alice], fallback: { tempfail: 'Nobody is in' }, policy: none }
  closed: { address: closed@example.org, members: [alice], fallback: { reject: 'Nobody is in' }, policy: none }
  watched: { address: watched@example.org, members: [alice], fallback: unchanged, mode: observe, policy: none }
  sticky: { address: sticky@example.org, members: [alice, bob], strategy: sticky, otherwise: in-order, fallback: unchanged, policy: slow }
policies:
  slow: { until: taken, steps: [{ name: lead, after: 10h, to: { person: carol } }] }
routes:
  - { name: pdf, match: { recipient: { glob: '*' }, attachment: { type: application/pdf } }, copy: { mailbox: archive@example.org }, tag: pdf, addHeader: { X-Kind: pdf } }
  - { name: follow-up, match: { recipient: held@example.org, thread: seen }, reject: 'No threads here' }
`;

let story: Story;
const begin = async () => {
  story = await Story.begin(rules);
  story.link = { state: 'up', since: -minute };
  for (const person of ['alice', 'bob', 'carol', 'dave']) story.presence(person, 'offline');
  await story.quiet();
};
afterEach(async () => {
  // Looking whether held mail can go now is the last thing a change of presence causes.
  await story.quiet();
  await story.end();
});
const ack = async (person: string) => {
  const [tracked] = (await story.store.openTracked({ owner: person })).filter((one) => one.state === 'tracked');
  await story.says(person, `ack ${tracked?.shortId}`);
};

describe('a hold', () => {
  it('lets mail out oldest first, one per person and pace, and nothing overtakes it', async () => {
    await begin();
    const ids = [];
    for (let n = 0; n < 4; n += 1) {
      ids.push(await story.mail('held@example.org', { subject: `number ${n}` }));
      await story.clock.advance(second);
    }
    expect(story.relay).toBeDefined();
    story.presence('alice', 'available');
    await story.ships('alice@example.org');
    await story.quiet();
    expect(story.shipped.map(({ shipment }) => shipment.queueId)).toEqual([ids[0]]);
    // A new one comes while Alice would be free again, but three older ones wait.
    await story.clock.advance(30 * second);
    const late = await story.mail('held@example.org', { subject: 'late' });
    await story.quiet();
    expect(story.shipped).toHaveLength(1);
    story.presence('bob', 'available');
    await story.ships('bob@example.org');
    await story.quiet();
    for (let n = 0; n < 6; n += 1) {
      await story.clock.advance(30 * second);
      await story.quiet();
    }
    expect(story.shipped.map(({ shipment }) => shipment.queueId)).toEqual([...ids, late]);
  });

  it('without a pace lets all of them out at once, each waking the next', async () => {
    await begin();
    const ids = [];
    for (let n = 0; n < 4; n += 1) {
      ids.push(await story.mail('rush@example.org', { subject: `number ${n}` }));
      await story.clock.advance(second);
    }
    await story.quiet();
    expect(story.shipped).toEqual([]);
    // Only the head of the line is woken by who comes; the clock stands still from here on.
    story.presence('alice', 'available');
    await story.quiet();
    expect(story.shipped.map(({ shipment }) => shipment.queueId)).toEqual(ids);
  });

  it('survives a restart', async () => {
    await begin();
    const first = await story.mail('held@example.org');
    await story.event('held');
    // Of one millisecond chance says which id is the smaller, and so the first.
    await story.clock.advance(second);
    const ids = [first, await story.mail('held@example.org')];
    await story.clock.advance(minute);
    await story.quiet();
    await story.crash();
    story.presence('bob', 'available');
    await story.ships('bob@example.org');
    await story.clock.advance(minute);
    await story.quiet();
    expect(story.shipped.map(({ shipment }) => shipment.queueId)).toEqual(ids);
  });
});

it('capacity counts what is on its way, and room is filled as soon as there is some', async () => {
  await begin();
  story.presence('dave', 'available');
  await Promise.all(Array.from({ length: 4 }, () => story.mail('small@example.org')));
  await story.quiet();
  expect(story.shipped.map(({ to }) => to[0])).toEqual(['dave@example.org', 'dave@example.org']);
  await ack('dave');
  await story.quiet();
  expect(story.shipped).toHaveLength(3);
});

it('an offer goes to all, and is whose takes it first', async () => {
  await begin();
  story.presence('alice', 'available');
  story.presence('bob', 'available');
  await story.mail('offer@example.org');
  await Promise.all([story.ships('alice@example.org'), story.ships('bob@example.org')]);
  await story.quiet();
  expect(story.shipped).toHaveLength(2);
  for (const { text, shipment } of story.shipped) {
    expect(text).toMatch(/^Delivered-To: offer@example\.org\r\n/);
    expect(shipment.recipients[0]?.orcpt).toBe('rfc822;offer@example.org');
  }
  const asked = story.said.filter(({ text }) => text.includes('ack')).map(({ to }) => to);
  expect(asked.sort()).toEqual(['alice@example.org', 'bob@example.org']);
  const [tracked] = await story.store.listTracked({ limit: 1 });
  expect(tracked).toMatchObject({ state: 'tracked', owner: null });
  await story.says('bob', `ack ${tracked?.shortId}`);
  await story.quiet();
  expect((await story.store.listTracked({ limit: 1 }))[0]).toMatchObject({ state: 'acknowledged', owner: 'bob' });
});

it('a retry of mail for several sends it to nobody twice', async () => {
  await begin();
  story.presence('alice', 'available');
  story.presence('bob', 'available');
  const later = { kind: 'temporary', cause: 'busy' } as const;
  story.outcomes.set('alice@example.org', [later, { kind: 'accepted', reply: { code: 250, text: 'Ok' } }]);
  await story.mail('offer@example.org');
  await story.event('deferred');
  await story.clock.advance(20 * minute);
  await story.quiet();
  const delivered = story.events.flatMap((event) => (event.event === 'forwarded' ? [event.to] : []));
  expect(delivered.sort()).toEqual(['alice@example.org', 'bob@example.org']);
});

it('overflows to the next group, and what is left goes to everyone', async () => {
  await begin();
  story.presence('dave', 'available');
  await story.mail('first@example.org');
  await story.ships('dave@example.org');
  await story.quiet();
  expect((await story.store.listTracked({ limit: 1 }))[0]).toMatchObject({ owner: 'dave' });
  // Somebody of another group may answer for it.
  await ack('dave');
  story.presence('dave', 'offline');
  await story.mail('first@example.org');
  await story.event('held');
  await story.clock.advance(10 * minute);
  await story.ships('alice@example.org');
});

it('refuses while the sender waits, for now or for good', async () => {
  await begin();
  const refused = (to: string) =>
    story.mail(to).then(
      () => 'accepted',
      (error: unknown) => error,
    );
  const office = await refused('office@example.org');
  expect(office).toBeInstanceOf(PointsmanError);
  expect(office).toMatchObject({ reply: { code: 450, enhanced: '4.2.1', text: 'Nobody is in' } });
  expect(await refused('closed@example.org')).toMatchObject({ reply: { code: 550, text: 'Nobody is in' } });
  story.presence('alice', 'available');
  await story.mail('office@example.org');
  await story.ships('alice@example.org');
});

it('observes: passes the mail unchanged and records whom it would have gone to', async () => {
  await begin();
  story.presence('alice', 'available');
  const queueId = await story.mail('watched@example.org');
  const { to } = await story.ships('watched@example.org');
  await story.quiet();
  expect(to).toEqual(['watched@example.org']);
  expect(story.said).toEqual([]);
  const [decision] = await story.store.decisions(queueId);
  expect(decision?.choice).toMatchObject({ kind: 'member', person: 'alice' });
});

it('adds a copy and a header, and the rest goes on as usual', async () => {
  await begin();
  story.presence('alice', 'available');
  await story.mail('held@example.org', { headers: 'Content-Type: application/pdf; name=x.pdf\r\n' });
  await Promise.all([story.ships('alice@example.org'), story.ships('archive@example.org')]);
  await story.quiet();
  const mine = story.shipped.find(({ to }) => to[0] === 'alice@example.org');
  expect(mine?.text).toMatch(/^X-Kind: pdf\r\nDelivered-To: held@example\.org\r\n/);
  expect(story.shipped.find(({ to }) => to[0] === 'archive@example.org')?.shipment.recipients[0]?.notify).toEqual([
    'never',
  ]);
});

it('a thread sticks to whom it knows, unless they are away', async () => {
  await begin();
  story.presence('bob', 'available');
  await story.mail('sticky@example.org');
  await story.ships('bob@example.org');
  await story.event('forwarded');
  const id = (await story.store.listTracked({ limit: 1 }))[0]?.messageId;
  story.presence('alice', 'available');
  await story.mail('sticky@example.org', { headers: `References: ${id}\r\n` });
  await story.quiet();
  expect(story.shipped.map(({ to }) => to[0])).toEqual(['bob@example.org', 'bob@example.org']);
  await expect(story.mail('held@example.org', { headers: `References: ${id}\r\n` })).rejects.toMatchObject({
    reply: { code: 550 },
  });
});
