// Being away is one thing: said by message, or set by hand for somebody, it is seen and taken back in the same place.
import { afterEach, expect, it } from 'vitest';
import { hour } from '../../../src/clock.ts';
import { ruleSets } from './rules.ts';
import { ImSite } from './site.ts';

let site: ImSite;
afterEach(() => site[Symbol.asyncDispose]());
const open = () => ImSite.open({ rules: ruleSets.standard ?? '', people: ['alice', 'bob', 'carol'] });
const told = (name: string, pattern: RegExp) =>
  site.until(`${name} ${pattern}`, () => site.client(name).got.some(({ text }) => pattern.test(text)));
const ownerOf = async ({ queueId }: { queueId: never }) => (await site.store.message(queueId))?.tracked[0]?.owner;

it('"away" is what the presence desk shows, outlives a restart, and ends with its time', async () => {
  site = await open();
  site.client('alice').message('away 2h');
  await told('alice', /^You get no new mail until/);
  expect(site.desk.overrides().get('alice')).toMatchObject({ state: 'dnd', by: 'alice' });
  expect(site.desk.presenceOfPerson('alice')).toMatchObject({ state: 'dnd', source: 'manual' });
  await site.restart();
  const first = await site.mail('support@example.org', 'x');
  await told('bob', new RegExp(`#${first.id} `));
  await site.settled();
  await site.clock.advance(2 * hour);
  await site.quiet();
  expect(site.desk.overrides().size).toBe(0);
  const second = await site.mail('support@example.org', 'y');
  await site.until('hers', async () => (await ownerOf(second as never)) === 'alice');
});

it('what an operator set by hand is taken back by "back"', async () => {
  site = await open();
  const now = site.clock.now();
  await site.desk.set('alice', { state: 'offline', setAt: now, from: now, until: null, by: 'root' });
  const { id } = await site.mail('support@example.org', 'x');
  await told('bob', new RegExp(`#${id} `));
  site.client('alice').message('back');
  await told('alice', /^Welcome back/);
  expect(site.desk.overrides().size).toBe(0);
  const next = await site.mail('support@example.org', 'y');
  await site.until('hers', async () => (await ownerOf(next as never)) === 'alice');
});

it('whoever says away keeps what they have', async () => {
  site = await open();
  const mail = await site.mail('support@example.org', 'x');
  await told('alice', new RegExp(`#${mail.id} `));
  site.client('alice').message('away');
  await told('alice', /1 of yours stay with you/);
  await site.quiet();
  expect(await ownerOf(mail as never)).toBe('alice');
});
