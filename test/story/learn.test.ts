// After a start nobody has been heard of yet: mail waits a few seconds for word, and then flows without.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { second } from '../../src/clock.ts';
import { Story } from '../support/story.ts';
import { rules } from './rules.ts';

let story: Story;
beforeEach(async () => {
  story = await Story.begin(rules);
  story.link = { state: 'up', since: story.clock.now() };
});
afterEach(() => story.end());

it('goes to the member who turns out to be there', async () => {
  await story.mail('support@example.org');
  await story.event('held');
  await story.clock.advance(2 * second);
  story.presence('alice', 'offline');
  await story.clock.advance(second);
  story.presence('bob', 'available');
  await story.ships('bob@example.org');
});

it('goes to the fallback at once when everybody turns out to be away', async () => {
  await story.mail('support@example.org');
  await story.event('held');
  for (const person of ['alice', 'bob', 'dave']) story.presence(person, 'offline');
  await story.ships('archive@example.org');
});

it('goes to the fallback when nothing is heard', async () => {
  await story.mail('support@example.org');
  await story.event('held');
  await story.clock.advance(15 * second);
  await story.ships('archive@example.org');
});

it('does not wait while the chat server has been down for long', async () => {
  story.link = { state: 'down', since: story.clock.now(), reason: 'refused' };
  await story.clock.advance(16 * second);
  await story.mail('support@example.org');
  await story.ships('archive@example.org');
  await story.quiet();
  expect(story.events.filter(({ event }) => event === 'held')).toEqual([]);
});
