// What has long ended is forgotten while the relay goes on; what somebody still has to see to is not.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { day, minute } from '../../src/clock.ts';
import { nullReversePath } from '../../src/mail/path.ts';
import { portion } from '../../src/relay/retention.ts';
import { Story } from '../support/story.ts';
import { rules } from './rules.ts';

let story: Story;
beforeEach(async () => {
  Story.queue = { keepHistory: 10 * day };
  story = await Story.begin(rules);
});
afterEach(async () => {
  Story.queue = {};
  await story.end();
});

const later = async (by: number): Promise<void> => {
  await story.clock.advance(by);
  await story.quiet();
};

it('forgets after the time that is configured, a portion at a time, and keeps dead letters', async () => {
  story.outcomes.set('eve@example.org', [{ kind: 'permanent', reply: { code: 550, text: 'no such user' }, cause: '' }]);
  const dead = await story.mail('eve@example.org', { from: nullReversePath });
  const passed = await Promise.all(Array.from({ length: 3 * portion }, () => story.mail('joe@example.org')));
  story.presence('alice', 'available');
  const tracked = await story.mail('support@example.org');
  await story.event('forwarded', (event) => event.queueId === tracked);
  await story.relay.acknowledge({ queueId: tracked, seq: 0 }, 'test', 'test');
  await later(9 * day);
  for (const each of [dead, tracked, ...passed]) expect(await story.store.message(each)).not.toBeNull();
  const young = await story.mail('joe@example.org');
  await story.event('forwarded', (event) => event.queueId === young);
  await later(day);
  // Each portion is followed by a pause.
  for (let pauses = 0; pauses < 10; pauses += 1) await later(minute);
  expect(await story.store.message(tracked)).toBeNull();
  for (const each of passed) expect(await story.store.message(each)).toBeNull();
  expect((await story.store.message(dead))?.contentKept).toBe(true);
  expect((await story.store.message(young))?.deliveries[0]?.state).toBe('delivered');
  expect((await story.store.counts()).deliveries).toMatchObject({ delivered: 1, dead: 1 });
  const told = story.logged.filter(({ message }) => message.startsWith('records of what ended'));
  story.logged.splice(0);
  expect(told.reduce((sum, { fields }) => sum + Number(fields.messages), 0)).toBe(3 * portion + 1);
});

it('goes on in a few minutes when the store fails', async () => {
  const queueId = await story.mail('joe@example.org');
  await story.event('forwarded', (event) => event.queueId === queueId);
  const { prune } = story.store;
  Object.assign(story.store, { prune: () => Promise.reject(new Error('disk I/O error')) });
  await later(11 * day);
  expect(story.logged.some(({ message }) => message.includes('could not be forgotten'))).toBe(true);
  Object.assign(story.store, { prune });
  for (let passes = 0; passes < 3; passes += 1) await later(5 * minute);
  expect(await story.store.message(queueId)).toBeNull();
});
