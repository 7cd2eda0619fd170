// More mail than anybody wants to hear of one by one: the first few are told at once, the rest within a round, together.
// What would be out of date by then is not held.
import { expect, it } from 'vitest';
import { perMinute, roundEvery } from '../../../src/notify/pacing.ts';
import { ruleSets } from './rules.ts';
import { ImSite } from './site.ts';

const standard = ruleSets.standard ?? '';
const told = (site: ImSite) => site.client('alice').got.map(({ text }) => text);

it('whoever has heard enough for a minute hears the rest within a round, in one message', async () => {
  await using site = await ImSite.open({ rules: standard, people: ['alice', 'bob'] });
  const ids: string[] = [];
  for (let count = 0; count < perMinute + 5; count += 1) {
    ids.push((await site.mail('support@example.org', `Mail ${count}`)).id);
    await site.quiet();
  }
  expect(told(site)).toHaveLength(perMinute);
  await site.clock.advance(roundEvery);
  await site.quiet();
  const last = told(site).slice(perMinute);
  expect(last).toHaveLength(1);
  expect(last[0]).toMatch(/^5 mails for you, in your mailbox:\n/);
  for (const id of ids.slice(perMinute)) expect(last[0]).toContain(`#${id} `);
  // Each was told once and is known as told.
  const open = await site.store.openTracked({});
  const nudges = (await Promise.all(open.map(({ queueId }) => site.store.nudges(queueId)))).flat();
  expect(nudges.map(({ state }) => state)).toEqual(Array(perMinute + 5).fill('sent'));
  // To wait for the round was no try.
  expect(nudges.map(({ attempts }) => attempts)).toEqual(Array(perMinute + 5).fill(1));
});

it('a note that a round would make out of date goes at once', async () => {
  const hasty = standard.replace('after: 10m, to: next, times: 2', 'after: 5s, to: next, times: 1');
  await using site = await ImSite.open({ rules: hasty, people: ['alice', 'bob'] });
  for (let count = 0; count < perMinute + 3; count += 1) {
    await site.mail('support@example.org', `Mail ${count}`);
    await site.quiet();
  }
  expect(told(site)).toHaveLength(perMinute + 3);
});
