// Next hops in trouble: one that is down, one that hangs, one that comes back; and the others meanwhile.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { hour, minute, second } from '../../src/clock.ts';
import { expectMailbox } from '../../src/mail/path.ts';
import type { Outcome } from '../../src/transport.ts';
import { Story } from '../support/story.ts';
import { rules } from './rules.ts';

const refused: Outcome = { kind: 'temporary', cause: 'connect ECONNREFUSED' };
const busy = { kind: 'temporary', reply: { code: 450, text: 'greylisted' }, cause: '' } as const;
const ok: Outcome = { kind: 'accepted', reply: { code: 250, text: 'ok' } };

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

const at = (queueId: string) => story.store.message(queueId as never).then((found) => found?.deliveries[0]);
const shippedTo = (mailbox: string) => story.shipped.filter(({ to }) => to.includes(mailbox)).length;
const deferred = (queueId: string) => story.event('deferred', (event) => event.queueId === queueId);

/** Five sessions in a row that failed. */
async function goesDown(): Promise<void> {
  story.outcomes.set('far@elsewhere.example', [refused]);
  for (let count = 0; count < 5; count += 1) await deferred(await story.mail('far@elsewhere.example'));
  expect(shippedTo('far@elsewhere.example')).toBe(5);
}

describe('a next hop', () => {
  it('that cannot be reached counts against no message: what comes is kept without an attempt', async () => {
    await goesDown();
    const queueId = await story.mail('farther@elsewhere.example');
    expect((await deferred(queueId)).reply).toMatch(/elsewhere does not answer \(connect ECONNREFUSED\)/);
    expect(await at(queueId)).toMatchObject({ attempts: 0, state: 'queued', lastHop: 'elsewhere' });
    expect(shippedTo('farther@elsewhere.example')).toBe(0);
    // The others go on.
    await story.mail('eve@example.org');
    await story.event('forwarded');
  });

  it('that cannot be reached now may have had it before a crash: that is not forgotten', async () => {
    story.outcomes.set('farther@elsewhere.example', [busy]);
    const queueId = await story.mail('farther@elsewhere.example');
    const { nextAttemptAt } = await deferred(queueId);
    // The next attempt came to its final dot, and its process to its end.
    await story.relay.drain();
    await story.store.recordFinalDot([{ queueId: queueId as never, seq: 0 }], story.clock.now());
    await story.crash();
    await goesDown();
    const fresh = await story.mail('far@elsewhere.example');
    await story.clock.advanceTo(nextAttemptAt);
    await story.quiet();
    expect(await at(queueId)).toMatchObject({ attempts: 1, state: 'queued', finalDotAt: expect.any(Number) });
    // Stored with its final dot, and never sent.
    expect(await at(fresh)).toMatchObject({ state: 'queued', finalDotAt: null });
    story.outcomes.clear();
    const forwarded = story.event('forwarded', (event) => event.queueId === queueId);
    for (let tick = 0; tick < 30; tick += 1) {
      await story.clock.advance(20 * second);
      await story.store.counts();
    }
    await forwarded;
    const told = story.logged.filter(({ message }) => message.includes('possible duplicate'));
    expect(told.map(({ fields }) => fields.to)).toEqual(['farther@elsewhere.example']);
  });

  it('that may have had it for one of several recipients: that one is told of', async () => {
    const both = ['far@elsewhere.example', 'farther@elsewhere.example'];
    for (const each of both) story.outcomes.set(each, [busy]);
    const queueId = await story.mail(both.map((each) => ({ mailbox: expectMailbox(each) })));
    await deferred(queueId);
    await story.quiet();
    await story.relay.drain();
    await story.store.recordFinalDot([{ queueId: queueId as never, seq: 1 }], story.clock.now());
    await story.crash();
    story.outcomes.clear();
    const forwarded = story.event('forwarded', ({ to }) => to === both[1]);
    await story.clock.advance(10 * minute);
    await forwarded;
    const told = story.logged.filter(({ message }) => message.includes('possible duplicate'));
    expect(told.map(({ fields }) => [fields.queueId, fields.seq, fields.to])).toEqual([[queueId, 1, both[1]]]);
  });

  it('that is down is probed, by one message at a time', async () => {
    await goesDown();
    const before = story.shipped.length;
    await story.clock.advance(10 * second);
    expect(story.shipped.length).toBe(before);
    for (let tick = 0; tick < 30; tick += 1) {
      await story.clock.advance(20 * second);
      await story.store.counts();
    }
    const probes = story.shipped.length - before;
    expect(probes).toBeGreaterThan(1);
    expect(probes).toBeLessThan(12);
  });

  it('that comes back gets what waited, at once', async () => {
    await goesDown();
    const waiting: string[] = [];
    for (let count = 0; count < 7; count += 1) waiting.push(await story.mail('farther@elsewhere.example'));
    for (const queueId of waiting) await deferred(queueId);
    story.outcomes.set('far@elsewhere.example', [ok]);
    while (shippedTo('far@elsewhere.example') < 6 && shippedTo('farther@elsewhere.example') < 1) {
      await story.clock.advance(5 * second);
      await story.store.counts();
    }
    const back = story.clock.now();
    for (const queueId of waiting) await story.event('forwarded', (event) => event.queueId === queueId);
    expect(story.clock.now() - back).toBe(0);
  });

  it('that answers is no reason to hasten mail that it has deferred itself', async () => {
    story.outcomes.set('eve@example.org', [busy]);
    await deferred(await story.mail('eve@example.org'));
    for (let count = 0; count < 5; count += 1) {
      const queueId = await story.mail('joe@example.org');
      await story.event('forwarded', (event) => event.queueId === queueId);
      await story.store.counts();
    }
    expect(shippedTo('eve@example.org')).toBe(1);
  });

  it('that hangs leaves room for the others', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    story.hanging.set('elsewhere', promise);
    // More than are attempted at one time.
    await Promise.all(Array.from({ length: 260 }, () => story.mail('far@elsewhere.example')));
    const queueId = await story.mail('eve@example.org');
    for (let tick = 0; tick < 10; tick += 1) {
      await story.clock.advance(5 * second);
      await story.store.counts();
    }
    await story.event('forwarded', (event) => event.queueId === queueId);
    expect(shippedTo('far@elsewhere.example')).toBe(0);
    resolve();
    while ((await story.store.counts()).deliveries.delivered < 261) {
      await story.clock.advance(minute);
      await story.store.counts();
    }
    // Nothing went twice, though leases may have run out meanwhile.
    expect(shippedTo('far@elsewhere.example')).toBe(260);
  });
});

it('a clock that jumps ahead does not send twice what is on its way', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  story.hanging.set('elsewhere', promise);
  const queueId = await story.mail('far@elsewhere.example');
  while ((await story.store.nextDueAt(['attempt'])) === story.clock.now()) await story.store.counts();
  await story.clock.advance(6 * hour);
  await story.mail('eve@example.org');
  await story.event('forwarded', ({ to }) => to === 'eve@example.org');
  resolve();
  await story.event('forwarded', (event) => event.queueId === queueId);
  expect(shippedTo('far@elsewhere.example')).toBe(1);
  expect(story.events.filter(({ event }) => event === 'deferred')).toEqual([]);
});

describe('a clock that was a day ahead', () => {
  it('has put nothing off by a day, once it is set right', async () => {
    const right = story.clock.now();
    await story.clock.jumpTo(right + 24 * hour);
    story.outcomes.set('far@elsewhere.example', [busy]);
    const queueId = await story.mail('far@elsewhere.example');
    await deferred(queueId);
    await story.clock.jumpTo(right);
    story.outcomes.set('far@elsewhere.example', [ok]);
    story.relay.wake();
    await story.event('forwarded', (event) => event.queueId === queueId);
  });

  it('nor a step: what was left of its time is what is left', async () => {
    story.presence('alice', 'available');
    story.presence('bob', 'available');
    const right = story.clock.now();
    await story.clock.jumpTo(right + 24 * hour);
    const queueId = await story.mail('support@example.org');
    await story.event('forwarded', (event) => event.queueId === queueId);
    await story.clock.advance(4 * minute);
    await story.clock.jumpTo(right);
    story.relay.wake();
    const moved = story.event('forwarded', (event) => event.queueId === queueId && event.to === 'bob@example.org');
    await story.quiet();
    await story.clock.advance(9 * minute);
    await story.quiet();
    expect(shippedTo('bob@example.org')).toBe(0);
    await story.clock.advance(minute);
    await moved;
  });

  it('nor a step, when it was set right while nobody looked; and it is not brought near a second time', async () => {
    story.presence('alice', 'available');
    story.presence('bob', 'available');
    const right = story.clock.now();
    await story.clock.jumpTo(right + 24 * hour);
    const queueId = await story.mail('support@example.org');
    await story.event('forwarded', (event) => event.queueId === queueId);
    await story.clock.advance(4 * minute);
    await story.quiet();
    await story.clock.jumpTo(right);
    await story.crash();
    await story.event('operated', ({ by }) => by === 'clock set back');
    await story.quiet();
    const [near] = await story.store.openTracked({});
    const left = (near?.nextStepAt ?? 0) - right;
    expect([near?.owner, left > 0, left <= 10 * minute]).toEqual(['alice', true, true]);
    await story.crash();
    await story.quiet();
    expect(await story.store.openTracked({})).toEqual([near]);
    expect(shippedTo('bob@example.org')).toBe(0);
    await story.clock.advance(left);
    await story.quiet();
    expect(shippedTo('bob@example.org')).toBe(1);
    story.ignoreErrors(/timer queue could not be read/);
  });

  it('is not looked for at a start when nothing was written by it', async () => {
    await story.mail('support@example.org');
    await story.quiet();
    await story.crash();
    const looked = vi.spyOn(story.store, 'openWrittenAfter');
    await story.quiet();
    expect(looked).not.toHaveBeenCalled();
  });

  it('nor what is held, also when it was set right while nobody looked', async () => {
    const right = story.clock.now();
    await story.clock.jumpTo(right + 24 * hour);
    const queueId = await story.mail('ops@example.org');
    await story.event('held', (event) => event.queueId === queueId);
    await story.quiet();
    await story.clock.jumpTo(right);
    await story.crash();
    const sent = story.event('forwarded', (event) => event.queueId === queueId);
    await story.quiet();
    await story.clock.advance(5 * minute);
    await sent;
  });
});
