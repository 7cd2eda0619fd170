// What operators do to the queue: held, released, dropped, sent on, counted; each recorded with who did it.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { day, hour, minute } from '../../src/clock.ts';
import { nullReversePath } from '../../src/mail/path.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { createOperations } from '../../src/operate.ts';
import { Story } from '../support/story.ts';
import { rules } from './rules.ts';

const busy = { kind: 'temporary', reply: { code: 451, enhanced: '4.3.0', text: 'busy' }, cause: '' } as const;
const gone = { kind: 'permanent', reply: { code: 550, enhanced: '5.1.1', text: 'gone' }, cause: '' } as const;
const ok = { kind: 'accepted', reply: { code: 250, text: 'ok' } } as const;

let story: Story;
let operations: ReturnType<typeof createOperations>;
beforeEach(async () => {
  story = await Story.begin(rules);
  operations = createOperations({
    store: story.store,
    relay: story.relay,
    clock: story.clock,
    rules: { current: () => story.rules, problems: () => [] },
    watcher: {
      presenceOf: () => ({ state: 'unknown', since: null, asOf: null }),
      onChange: () => undefined,
      watch: () => undefined,
      link: () => ({ state: 'up', since: 0 }),
    },
    rotateMarkKey: () => 'k2',
    reload: async () => ({ version: 'x', problems: [] }),
    version: '0',
  });
});
afterEach(() => story.end());

/** A mail to eve that waits for its second attempt. */
async function deferred(): Promise<QueueId> {
  story.outcomes.set('eve@example.org', [busy, ok]);
  const queueId = await story.mail('eve@example.org');
  await story.event('deferred', (event) => event.queueId === queueId);
  return queueId;
}
const delivery = async (queueId: QueueId, seq = 0) => (await story.store.message(queueId))?.deliveries[seq];

describe('a message on hold', () => {
  it('is not attempted, nor hastened by a retry, until it is released', async () => {
    const queueId = await deferred();
    expect(await operations.intervene(queueId, 'hold', 'cli:ann')).toEqual({ done: [0], busy: [] });
    expect(await operations.retry(queueId, 'cli:ann')).toBe(0);
    await story.clock.advance(3 * day);
    expect(story.shipped).toHaveLength(1);
    expect(await operations.listQueue({ onHold: true, limit: 9 })).toMatchObject([{ queueId, onHoldBy: 'cli:ann' }]);
    expect((await operations.status()).counts?.oldestQueuedAt).toBeNull();

    await operations.intervene(queueId, 'release', 'cli:bob');
    await story.event('forwarded');
    expect((await story.store.events(queueId)).filter(({ event }) => event === 'operated')).toMatchObject([
      { action: 'put on hold', by: 'cli:ann' },
      { action: 'released', by: 'cli:bob' },
    ]);
  });

  it('is refused what makes no sense', async () => {
    const queueId = await deferred();
    await expect(operations.intervene(queueId, 'release', 'x')).rejects.toThrow(/nothing of .* to release/);
    await operations.intervene(queueId, 'hold', 'x');
    await expect(operations.intervene(queueId, 'hold', 'x')).rejects.toThrow(/or is so already/);
  });

  it('stays on hold over a restart, and when members come', async () => {
    const queueId = await story.mail('ops@example.org');
    await story.event('held');
    await operations.intervene(queueId, 'hold', 'x');
    await story.crash();
    story.presence('alice', 'available');
    await story.clock.advance(hour);
    expect(story.shipped).toEqual([]);
    story.expectErrors(/timer queue could not be read/);
  });
});

describe('a message that is dropped', () => {
  it('is gone for everybody, and nobody is told', async () => {
    const queueId = await deferred();
    await operations.intervene(queueId, 'drop', 'cli:ann');
    await story.clock.advance(6 * day);
    expect(story.shipped).toHaveLength(1);
    expect(await delivery(queueId)).toMatchObject({ state: 'dropped', lastReply: 'dropped by cli:ann' });
    expect((await story.store.counts()).deliveries).toMatchObject({ queued: 0, dropped: 1 });
  });

  it('and was tracked is withdrawn', async () => {
    const queueId = await story.mail('ops@example.org');
    await story.event('held');
    await operations.intervene(queueId, 'drop', 'cli:ann');
    expect((await story.store.message(queueId))?.tracked).toMatchObject([{ state: 'withdrawn', closedBy: 'cli:ann' }]);
  });

  it('as a dead letter loses its content in the end', async () => {
    story.outcomes.set('eve@example.org', [gone]);
    const queueId = await story.mail('eve@example.org', { from: nullReversePath });
    await story.event('fault');
    await operations.intervene(queueId, 'drop', 'cli:ann');
    await story.clock.advance(2 * hour);
    // Ends when it is gone; the test's own time limit is the failure.
    while ((await story.store.message(queueId))?.contentKept) await story.store.counts();
    story.expectErrors(/dead letter/);
  });
});

describe('a message that is sent on', () => {
  it('goes to the new address with the old one as original recipient, and no second time to the old one', async () => {
    const queueId = await deferred();
    await operations.requeue(queueId, 'joe@example.org', 'cli:ann');
    const { shipment } = await story.ships('joe@example.org');
    expect(shipment.recipients).toEqual([{ mailbox: 'joe@example.org', orcpt: 'rfc822;eve@example.org' }]);
    await story.event('forwarded');
    await story.clock.advance(6 * day);
    expect(story.shipped.map(({ to }) => to)).toEqual([['eve@example.org'], ['joe@example.org']]);
    expect(await delivery(queueId)).toMatchObject({ state: 'dropped' });
    expect(await delivery(queueId, 1)).toMatchObject({ state: 'delivered' });
  });

  it('to a group is chosen for and tracked as any mail for it', async () => {
    story.presence('bob', 'available');
    const queueId = await deferred();
    await operations.requeue(queueId, 'support@example.org', 'cli:ann');
    await story.ships('bob@example.org');
    await story.hears('bob', /printer/i);
    expect((await story.store.message(queueId))?.tracked).toMatchObject([{ seq: 1, state: 'tracked', owner: 'bob' }]);
  });

  it('is a dead letter that finds a reader', async () => {
    story.outcomes.set('eve@example.org', [gone]);
    const queueId = await story.mail('eve@example.org', { from: nullReversePath });
    await story.event('fault');
    expect(await operations.listQueue({ states: ['dead'], limit: 9 })).toHaveLength(1);
    await operations.requeue(queueId, 'postmaster@example.org', 'cli:ann');
    await story.ships('postmaster@example.org');
    await story.event('forwarded');
    expect((await story.store.counts()).deliveries).toMatchObject({ dead: 0, dropped: 1, delivered: 1 });
    story.expectErrors(/dead letter/);
  });

  it.each([
    ['victim@elsewhere.test', /none of our domains/],
    ['not an address', /not an address/],
  ])('to %s is refused', async (to, why) => {
    await expect(operations.requeue(await deferred(), to, 'x')).rejects.toThrow(why);
  });

  it('when all was delivered is refused', async () => {
    const queueId = await story.mail('joe@example.org');
    await story.event('forwarded');
    await expect(operations.requeue(queueId, 'eve@example.org', 'x')).rejects.toThrow(/every delivery has ended/);
  });
});

it('the queue is counted by next hop and age, and narrowed by what people know', async () => {
  story.outcomes.set('far@elsewhere.example', [busy]);
  const first = await deferred();
  await story.clock.advance(minute);
  story.outcomes.set('sue@example.org', [busy]);
  await story.mail('sue@example.org', { from: 'max@example.net' });
  await story.event('deferred', ({ to }) => to === 'sue@example.org');
  const { bounds, rows } = await operations.countQueue();
  expect(rows).toEqual([{ nextHop: 'default', total: 2, onHold: 0, ages: [2, ...bounds.map(() => 0)] }]);
  const ids = async (filter: object) =>
    (await operations.listQueue({ limit: 9, ...filter })).map(({ path }) => path.mailbox);
  expect(await ids({ to: 'EVE@' })).toEqual(['eve@example.org']);
  expect(await ids({ from: 'max@' })).toEqual(['sue@example.org']);
  expect(await ids({ to: '%' })).toEqual([]);
  expect(await ids({ hop: 'default' })).toHaveLength(2);
  expect(await ids({ hop: 'elsewhere' })).toEqual([]);
  expect(await ids({ acceptedBefore: story.clock.now() })).toEqual(['eve@example.org']);
  expect((await operations.story(first))?.deliveries[0]?.lastReply).toBe('451 4.3.0 busy');
});
