// What people are told of a group's mail, and what is kept of it, is the group's to say.
import { afterEach, expect, it } from 'vitest';
import { minute } from '../../src/clock.ts';
import { Story } from '../support/story.ts';

const rules = (privacy: string) => `
people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@example.org }
groups:
  hr:
    address: hr@example.org
    members: [alice, bob]
    strategy: in-order
    fallback: unchanged
    policy: standard
    ${privacy}
  open: { address: open@example.org, members: [alice], strategy: in-order, fallback: unchanged, policy: none }
policies:
  standard: { until: taken, steps: [{ name: next, after: 10m, to: next }, { name: room, after: 5m, to: { room: duty@rooms.example.org } }] }
`;
const subject = 'Notice for Dave';

let story: Story;
afterEach(() => story.end());

async function given(privacy: string, to: string | string[] = 'hr@example.org'): Promise<string> {
  story = await Story.begin(rules(privacy));
  story.presence('alice', 'available');
  story.presence('bob', 'available');
  const queueId = await story.mail(to, { subject });
  await story.hears('alice', /hr@example.org/);
  await story.quiet();
  return queueId;
}

/** All that anybody is ever told of it: the nudge, lists, the move, the room, what it was. */
async function allThatIsSaid(): Promise<string> {
  const [tracked] = await story.store.openTracked({});
  for (const words of ['list', `show ${tracked?.shortId}`, `why ${tracked?.shortId}`]) await story.says('alice', words);
  await story.clock.advance(10 * minute);
  await story.hears('bob', /Answer: ack/);
  await story.clock.advance(5 * minute);
  await story.hears('duty@rooms.example.org', /ack/);
  await story.says('bob', `ack ${tracked?.shortId}`);
  await story.quiet();
  return story.said.map(({ text }) => text).join('\n');
}

it('subject and sender are told unless the group says otherwise, and nothing of the text', async () => {
  await given('language: en');
  const said = await allThatIsSaid();
  expect(said).toContain(subject);
  expect(said).toContain('ann@example.net');
  expect(said).not.toContain('Please come');
});

it('kept: it is on the record, and in no instant message', async () => {
  const queueId = await given('privacy: { subject: kept, sender: kept }');
  const said = await allThatIsSaid();
  expect(said).not.toContain(subject);
  expect(said).not.toMatch(/ann@example\.net|\bAnn\b/);
  expect(said).toContain('(its subject is not told here)');
  const kept = await story.store.message(queueId as never);
  expect(kept?.tracked[0]).toMatchObject({ subject, from: 'Ann <ann@example.net>' });
});

it('none: the subject is kept nowhere but in the mail, which is not changed', async () => {
  const queueId = (await given('privacy: { subject: none }', ['hr@example.org', 'open@example.org'])) as never;
  const said = await allThatIsSaid();
  const { store } = story;
  const record = [await store.message(queueId), await store.events(queueId), await store.nudges(queueId)];
  const decided = [await store.decisions(queueId), await store.evidence(queueId)];
  expect(JSON.stringify([said, record, decided, story.events])).not.toContain(subject);
  expect((await story.ships('alice@example.org')).text).toContain(`Subject: ${subject}`);
});

it('the excerpt is told to whoever is given the mail where the group wants that, and kept only there', async () => {
  const queueId = await given('privacy: { excerpt: shown }');
  expect((await story.hears('alice', /ack/)).text).toContain('It begins: Please come.');
  expect((await story.store.message(queueId as never))?.message.facts.excerpt).toBe('Please come.');
  await story.clock.advance(10 * minute);
  expect((await story.hears('bob', /Answer: ack/)).text).toContain('It begins: Please come.');
  const other = await story.mail(['hr@example.org', 'open@example.org'], { subject });
  expect((await story.store.message(other))?.message.facts.excerpt).toBeUndefined();
  await story.quiet();
});
