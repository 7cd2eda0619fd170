// Many steps that are due together and go to one mailbox: one mail that tells of all of them.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { minute } from '../../src/clock.ts';
import { Story } from '../support/story.ts';

const rules = `
people:
  alice: { mail: alice@example.org }
  carol: { mail: carol@example.org, operator: true }
groups:
  support:
    address: support@example.org
    members: [alice]
    strategy: in-order
    fallback: unchanged
    policy: standard
policies:
  standard:
    until: taken
    steps:
      - { name: boss, after: 10m, to: { person: carol }, digest: true }
      - { name: chief, after: 10m, to: { mailbox: chief@example.org }, digest: true }
`;

let story: Story;
beforeEach(async () => {
  story = await Story.begin(rules);
  story.presence('alice', 'available');
});
afterEach(() => {
  story.ignoreErrors(/timer queue could not be read/);
  return story.end();
});

async function given(count: number): Promise<void> {
  for (let number = 1; number <= count; number += 1) {
    const queueId = await story.mail('support@example.org', { subject: `Fire ${number}` });
    await story.event('forwarded', (event) => event.queueId === queueId);
  }
  await story.quiet();
}
const to = (mailbox: string) => story.shipped.filter((each) => each.to[0] === mailbox);
const digests = (mailbox: string) => to(mailbox).filter(({ text }) => /^Content-Type: multipart\/mixed/m.test(text));

it('six at once are one mail, with the mails as they came; they are hers, and the steps go on', async () => {
  await given(6);
  await story.clock.advance(10 * minute);
  await story.quiet();
  expect(to('carol@example.org')).toHaveLength(1);
  const [{ text = '', from = '' } = {}] = digests('carol@example.org');
  expect(from).toBe('<>');
  for (let number = 1; number <= 6; number += 1) {
    expect(text).toContain(`“Fire ${number}”`.replace(/[“”]/g, (mark) => Buffer.from(mark).toString('latin1')));
    expect(text).toContain(`Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nFrom: Ann`);
    expect(text).toMatch(new RegExp(`^Subject: Fire ${number}\r$`, 'm'));
  }
  expect(text.match(/^Content-Type: message\/rfc822/gm)).toHaveLength(6);
  const open = await story.store.openTracked({});
  expect(open.map(({ owner, step }) => `${owner} ${step}`)).toEqual(Array.from({ length: 6 }, () => 'carol 1'));
  expect(story.relay.load('carol').open).toBe(6);
  expect(story.relay.load('alice').open).toBe(0);
  await story.hears('carol@example.org', /6 mails for you|Answer: ack/);
  // Each of them is still a thing of its own.
  await story.says('carol', `ack ${open[0]?.shortId}`);
  await story.clock.advance(10 * minute);
  await story.quiet();
  expect(digests('chief@example.org')).toHaveLength(1);
  expect(digests('chief@example.org')[0]?.text.match(/^Content-Type: message\/rfc822/gm)).toHaveLength(5);
});

it('four go each by itself', async () => {
  await given(4);
  await story.clock.advance(10 * minute);
  await story.quiet();
  expect(digests('carol@example.org')).toHaveLength(0);
  expect(to('carol@example.org')).toHaveLength(4);
});

it('when one of them is taken in that instant, nobody gets that one twice and none is lost', async () => {
  await given(6);
  const [taken] = await story.store.openTracked({});
  await story.clock.advance(10 * minute - 1);
  await Promise.all([story.clock.advance(1), story.says('alice', `ack ${taken?.shortId}`)]);
  await story.quiet();
  expect(to('carol@example.org')).toHaveLength(1);
  const events = story.events.filter(({ event }) => event === 'escalated');
  const open = await story.store.openTracked({});
  expect(open).toHaveLength(5);
  expect(open.every(({ owner }) => owner === 'carol')).toBe(true);
  expect([5, 6]).toContain(events.length);
});

it('killed before it is written, all of them come with the next start; after, none comes twice', async () => {
  await given(6);
  for (const when of ['before', 'after'] as const) {
    story.writes = 0;
    // What was claimed, and then the one transaction.
    story.dieAt = { write: 2, when };
    void story.clock.advance(10 * minute);
    await story.died;
    story.dieAt = null;
    await story.crash();
    await story.quiet();
    await story.clock.advance(0);
    await story.quiet();
    expect(digests(when === 'before' ? 'carol@example.org' : 'chief@example.org')).toHaveLength(1);
    expect(story.events.filter(({ event }) => event === 'escalated').length).toBeLessThanOrEqual(12);
  }
});
