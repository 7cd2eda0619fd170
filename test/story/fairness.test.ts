// Nobody waits for more than their share: not for a next hop that is slow, not behind a sender who floods us.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { minute, second } from '../../src/clock.ts';
import { Story } from '../support/story.ts';
import { rules } from './rules.ts';

let story: Story;
beforeEach(async () => {
  story = await Story.begin(
    rules.replace(
      'people:\n',
      'people:\n  far: { mail: far@elsewhere.example }\n  farther: { mail: farther@elsewhere.example }\n',
    ),
  );
});
afterEach(() => story.end());

const took = async (queueId: string): Promise<number> => {
  const sent = story.clock.now();
  const done = story.event('forwarded', (event) => event.queueId === queueId).then(() => true);
  for (;;) {
    if (await Promise.race([done, story.quiet().then(() => false)])) return story.clock.now() - sent;
    await story.clock.advance(second / 2);
  }
};

/** More than are attempted at one time, and than wait in memory. */
async function flood(to: string, from: string, count = 700): Promise<void> {
  await Promise.all(Array.from({ length: count }, () => story.mail(to, { from })));
}

const end = async (count: number, attempts = count): Promise<void> => {
  story.paced.clear();
  while ((await story.store.counts()).deliveries.delivered < count) {
    await story.clock.advance(20 * second);
    await story.quiet();
  }
  // Nothing was sent twice.
  expect(story.shipped.length).toBe(attempts);
};

describe('a next hop that is slow', () => {
  it('keeps nobody waiting who goes elsewhere, whether just accepted or due', async () => {
    story.outcomes.set('eve@example.org', [
      { kind: 'temporary', reply: { code: 450, text: 'later' }, cause: '' },
      { kind: 'accepted', reply: { code: 250, text: 'ok' } },
    ]);
    const deferred = await story.mail('eve@example.org');
    await story.event('deferred', (event) => event.queueId === deferred);
    story.paced.set('elsewhere', { connections: 5, takes: 10 * second });
    await flood('far@elsewhere.example', 'program@example.net');
    expect(await took(await story.mail('joe@example.org'))).toBe(0);
    await story.store.retryNow(deferred, story.clock.now(), {
      event: 'operated',
      at: story.clock.now(),
      queueId: deferred,
      action: 'retry',
      by: 'test',
    });
    story.relay.wake();
    expect(await took(deferred)).toBeLessThan(second);
    // What it has at one time: a connection's worth, and one more in line for each.
    expect(story.relay.state().hops.find(({ name }) => name === 'elsewhere')?.under).toBeLessThanOrEqual(10);
    await end(702, 703);
  });

  it('gets its mail at its own pace; what finds no room in memory has a turn of its own, and is not put back again and again', async () => {
    story.paced.set('elsewhere', { connections: 5, takes: second });
    await flood('far@elsewhere.example', 'program@example.net');
    await story.quiet();
    const waiting = await story.store.listQueue({ limit: 1_000 });
    const turned = waiting.filter(({ lastReply }) => lastReply?.startsWith('much mail waits'));
    expect(turned.length).toBeGreaterThan(50);
    expect(new Set(turned.map(({ nextAttemptAt }) => nextAttemptAt)).size).toBe(turned.length);
    for (let tick = 0; tick < 60; tick += 1) {
      await story.clock.advance(second / 2);
      await story.quiet();
    }
    // Five a second.
    expect(story.shipped.length).toBeGreaterThan(140);
    expect(story.shipped.length).toBeLessThanOrEqual(155);
    await end(700);
  });
});

describe('a sender who floods us', () => {
  it('delays the mail of others by no more than one round', async () => {
    story.paced.set('default', { connections: 5, takes: second });
    await flood('eve@example.org', 'alarm-17=eve@example.net');
    // Ten are in line at the next hop; then it is the turn of everybody else.
    expect(await took(await story.mail('joe@example.org', { from: 'ann@example.net' }))).toBeLessThan(4 * second);
    expect(await took(await story.mail('joe@example.org', { from: 'bob@example.net' }))).toBeLessThan(4 * second);
    expect(story.shipped.length).toBeLessThan(60);
    await end(702);
  });
});

describe('an escalation', () => {
  it('goes before all that waits, in memory and in the store', async () => {
    story.presence('alice', 'available');
    story.presence('bob', 'available');
    const urgent = await story.mail('support@example.org');
    await story.event('forwarded', (event) => event.queueId === urgent);
    await story.clock.advance(10 * minute - 2 * second);
    story.paced.set('default', { connections: 2, takes: second });
    await flood('eve@example.org', 'program@example.net');
    const passedOn = story.event('forwarded', (event) => event.queueId === urgent && event.to === 'bob@example.org');
    let there = false;
    void passedOn.then(() => {
      there = true;
    });
    for (let tick = 0; !there && tick < 60; tick += 1) {
      await story.clock.advance(second / 2);
      await story.quiet();
    }
    // It is asked for after two seconds; then what is in line at the next hop goes first: two at work, and two more.
    expect(story.clock.now() - (await passedOn).at).toBeLessThanOrEqual(second);
    expect(there).toBe(true);
    expect(story.shipped.length).toBeLessThan(20);
    await end(702);
  });
});
