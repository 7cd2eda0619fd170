// Picking by an operator, where it is hard: two at once, a restart in between, a next hop that does not take it at once.
import { afterEach, expect, it } from 'vitest';
import { minute } from '../../../src/clock.ts';
import { ruleSets } from './rules.ts';
import { ImSite } from './site.ts';

const people = ['alice', 'bob', 'carol', 'dave'];
const rules = (ruleSets.propose ?? '').replace('dave@example.org }', 'dave@example.org, operator: true }');

let site: ImSite;
afterEach(() => site[Symbol.asyncDispose]());

const asked = (name: string) => site.client(name).got.filter(({ text }) => text.includes('Who shall have it?'));
const stateOf = async (queueId: never) => (await site.store.message(queueId))?.tracked[0];

it('of two operators who pick at once one wins; the mail is forwarded once, and both know who has it', async () => {
  for (let round = 0; round < 5; round += 1) {
    site = await ImSite.open({ rules, people });
    const { id, queueId } = await site.mail('support@example.org', 'x');
    await site.until('both asked', () => asked('carol').length === 1 && asked('dave').length === 1);
    site.client('carol').message(`pick ${id} 1`);
    site.client('dave').message(`pick ${id} 2`);
    await site.until('gone', async () => (await stateOf(queueId as never))?.state === 'tracked');
    await site.quiet();
    const owner = (await stateOf(queueId as never))?.owner;
    const winner = owner === 'alice' ? 'carol' : 'dave';
    const loser = winner === 'carol' ? 'dave' : 'carol';
    const events = await site.store.events(queueId);
    expect(events.filter(({ event }) => event === 'forwarded')).toHaveLength(1);
    expect(site.client(winner).got.map(({ text }) => text)).toContain(`#${id} goes to ${owner}.`);
    expect(site.client(loser).got.at(-1)?.text).toMatch(
      new RegExp(`^#${id}(?: goes to ${owner}; ${winner} has picked\\.|: with ${owner}\\.)$`),
    );
    if (round < 4) await site[Symbol.asyncDispose]();
  }
});

it('what was asked outlives a restart: nobody is asked again, and the pick still counts', async () => {
  site = await ImSite.open({ rules, people });
  const { id, queueId } = await site.mail('support@example.org', 'x');
  await site.until('asked', () => asked('carol').length === 1);
  await site.quiet();
  await site.restart();
  await site.quiet();
  expect(asked('carol')).toHaveLength(1);
  site.client('carol').message('2');
  await site.until('gone', async () => (await stateOf(queueId as never))?.owner === 'bob');
  expect(site.client('carol').got.at(-1)?.text).toBe(`#${id} goes to bob.`);
  const events = await site.store.events(queueId);
  expect(events.find(({ event }) => event === 'picked')).toMatchObject({ person: 'bob', by: 'carol' });
  const choices = (await site.store.decisions(queueId)).map(({ choice }) => choice);
  const final = choices.filter(({ kind }) => kind === 'member');
  expect(final).toMatchObject([{ person: 'bob' }]);
  expect(final[0]?.because).toContain('bob: picked by carol');
});

it('what was picked holds for the retries, too', async () => {
  site = await ImSite.open({ rules, people });
  site.outcome = { kind: 'temporary', reply: { code: 451, enhanced: '4.3.0', text: 'busy' }, cause: 'busy' };
  const { queueId } = await site.mail('support@example.org', 'x');
  await site.until('asked', () => asked('carol').length === 1);
  site.client('carol').message('2');
  await site.until('deferred', async () =>
    (await site.store.events(queueId)).some(({ event }) => event === 'deferred'),
  );
  site.outcome = { kind: 'accepted', reply: { code: 250, enhanced: '2.0.0', text: 'Ok' } };
  await site.settled();
  await site.clock.advance(10 * minute);
  await site.until('gone', async () => (await stateOf(queueId as never))?.state === 'tracked');
  expect((await stateOf(queueId as never))?.owner).toBe('bob');
  expect(asked('carol')).toHaveLength(1);
});
