// Quiet hours, in the person's own zone: nothing is said then; what still matters comes afterwards, the rest is one line.
import { afterEach, expect, it } from 'vitest';
import { hour, minute } from '../../../src/clock.ts';
import { ruleSets } from './rules.ts';
import { ImSite } from './site.ts';

const nights = `
schedules:
  nights: { open: { days: mon-sun, from: '22:00', to: '07:00' } }
`;
const rules = (ruleSets.standard ?? '')
  .replace('alice: { mail: alice@example.org }', 'alice: { mail: alice@example.org, zone: Asia/Tokyo, quiet: nights }')
  .replace('members: [alice, bob]', 'members: [alice]')
  .replace('after: 10m, to: next, times: 2', 'after: 6h, to: owner, times: 2')
  .concat(nights);

let site: ImSite;
afterEach(() => site[Symbol.asyncDispose]());
const told = () => site.client('alice').got.map(({ text }) => text);

/** To the next moment at which the clock in Tokyo shows this; in steps, so that what is due on the way is done. */
async function until(hours: number): Promise<void> {
  const at = () => new Date(site.clock.now() + 9 * hour).getUTCHours();
  do {
    await site.settled();
    await site.clock.advance(hour - (site.clock.now() % hour));
  } while (at() !== hours);
  await site.quiet();
}

it('holds a note until the night is over, and says it once then', async () => {
  site = await ImSite.open({ rules, people: ['alice'] });
  await until(5);
  const { id, queueId } = await site.mail('support@example.org', 'x');
  await site.until('hers', async () => (await site.store.message(queueId))?.tracked[0]?.owner === 'alice');
  await site.quiet();
  await site.clock.advance(119 * minute);
  await site.quiet();
  expect(told()).toEqual([]);
  await site.clock.advance(minute);
  await site.until('told', () => told().length > 0);
  await site.quiet();
  expect(told()).toEqual([expect.stringContaining(`#${id} Mail for support@example.org`)]);
  const { id: other } = await site.mail('support@example.org', 'y');
  await site.until('told by day', () => told().length > 1);
  expect(told()[1]).toContain(`#${other} `);
});

it('says in one line what went out of date in the night', async () => {
  const unwatched = rules.replace('policy: standard\n  sales', 'policy: none\n  sales');
  site = await ImSite.open({ rules: unwatched, people: ['alice'] });
  await until(22);
  await site.mail('support@example.org', 'x');
  await site.mail('support@example.org', 'y');
  await until(7);
  await site.until('told', () => told().length > 0);
  await site.quiet();
  expect(told()).toEqual(['2 notes went out of date in your quiet hours. Answer list for what is open.']);
});

it('of what came by a step in the night, only the last word is said', async () => {
  site = await ImSite.open({ rules, people: ['alice'] });
  await until(22);
  const { id } = await site.mail('support@example.org', 'x');
  await until(7);
  await site.until('told', () => told().length > 0);
  await site.quiet();
  expect(told()).toEqual([expect.stringMatching(new RegExp(`^#${id} .*still unanswered after`, 's'))]);
});
