// The main story: a mail goes to the member who is there, the member is told, answers, and it is closed.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { minute, second } from '../../src/clock.ts';
import { headOf } from '../../src/mail/content.ts';
import { Story } from '../support/story.ts';
import { rules } from './rules.ts';

let story: Story;
beforeEach(async () => {
  story = await Story.begin(rules);
});
afterEach(() => story.end());

describe('mail for a group', () => {
  it('goes to the first member who is there, with the group as original recipient and its content untouched', async () => {
    story.presence('alice', 'dnd');
    story.presence('bob', 'available');
    const queueId = await story.mail('support@example.org');
    const { shipment, from, text } = await story.ships('bob@example.org');
    expect(from).toBe('ann@example.net');
    expect(shipment.recipients).toEqual([{ mailbox: 'bob@example.org', orcpt: 'rfc822;support@example.org' }]);
    expect(text).toMatch(
      /^Delivered-To: support@example\.org\r\nReceived: from mta\.example\.net [\s\S]*id [0-9A-Z]{13}\r\n/,
    );
    expect(Buffer.from(headOf(shipment.content)).toString()).toMatch(/^From: Ann/);
    const chosen = await story.event('chosen');
    expect(chosen).toMatchObject({ queueId, group: 'support', person: 'bob', why: 'dispatch' });
    const [decision] = await story.store.decisions(queueId);
    expect(decision?.choice.considered.map(({ person, verdict }) => [person, verdict])).toEqual([
      ['alice', 'excluded'],
      ['bob', 'chosen'],
      ['dave', 'excluded'],
    ]);
  });

  it('is nudged, and an ack by IM closes it: no step is taken, whatever time passes', async () => {
    story.presence('alice', 'available');
    const queueId = await story.mail('support@example.org');
    const { text } = await story.hears('alice', /#\w{4} Mail for support@example\.org from Ann/);
    expect(text).toMatch(/^Hello, this is Pointsman on mx\.example\.org/);
    const id = /ack (\w{4}) /.exec(text)?.[1];
    await story.says('alice', `Ack ${id}`);
    await story.hears('alice', /Thank you\. #\w{4} is yours/);
    expect(await story.event('closed')).toMatchObject({ queueId, state: 'acknowledged', by: 'alice' });
    await story.clock.advance(60 * minute);
    await story.quiet();
    expect(story.events.filter(({ event }) => event === 'escalated')).toEqual([]);
    await story.quiet();
    expect(story.shipped).toHaveLength(1);
  });

  it('greets a person only once', async () => {
    story.presence('alice', 'available');
    await story.mail('support@example.org', { subject: 'One' });
    await story.hears('alice', /Hello[\s\S]*“One”/);
    await story.mail('support@example.org', { subject: 'Two' });
    expect((await story.hears('alice', /“Two”/)).text).not.toMatch(/Hello/);
  });

  it('goes to the fallback when nobody is there, and its clock runs all the same', async () => {
    story.presence('alice', 'offline');
    story.presence('bob', 'away');
    const queueId = await story.mail('support@example.org');
    await story.ships('archive@example.org');
    expect(await story.event('chosen')).toMatchObject({ mailbox: 'archive@example.org' });
    await story.event('forwarded');
    story.presence('dave', 'available');
    await story.clock.advance(10 * minute);
    await story.ships('dave@example.org');
    expect(await story.event('escalated')).toMatchObject({ queueId, step: 'next', to: 'dave', trigger: 'time' });
  });

  it('without a policy tells the member and expects nothing', async () => {
    story.presence('dave', 'chat');
    await story.mail('news@example.org');
    expect((await story.hears('dave', /Mail for news@/)).text).not.toMatch(/ack/);
  });

  it('of two messages at once gives one each to the longest idle', async () => {
    story.presence('alice', 'available');
    story.presence('bob', 'available');
    await Promise.all([story.mail('ops@example.org'), story.mail('ops@example.org')]);
    await Promise.all([story.ships('alice@example.org'), story.ships('bob@example.org')]);
    await story.quiet();
    expect(story.shipped).toHaveLength(2);
  });
});

describe('mail for no group', () => {
  it('passes untouched and untracked, all recipients in one transaction', async () => {
    const queueId = await story.mail(['eve@example.org', 'Bob@example.net']);
    const { to, text } = await story.ships('eve@example.org');
    expect(to).toEqual(['eve@example.org', 'Bob@example.net']);
    // Above what came stands one field and no other: no Return-Path, no Delivered-To.
    expect(text).toMatch(/^Received: [^\r\n]+\r\n(?:[ \t][^\r\n]+\r\n)*From: Ann <ann@example\.net>\r\nTo: /);
    expect(
      text
        .slice(text.indexOf('\r\nTo: '))
        .split('\r\n')
        .map((line) => line.split(':')[0]),
    ).toEqual(['', 'To', 'Subject', 'Message-ID', '', 'Please come.', '']);
    await story.event('forwarded');
    expect((await story.store.message(queueId))?.tracked).toEqual([]);
    await story.quiet();
    expect(story.said).toEqual([]);
  });

  it('of domains with different next hops goes to each', async () => {
    await story.mail(['eve@example.org', 'x@elsewhere.example']);
    expect((await story.ships('x@elsewhere.example')).hop).toBe('elsewhere');
    expect((await story.ships('eve@example.org')).hop).toBe('default');
  });
});

describe('a mail that nobody is there for, in a group that holds', () => {
  it('is held, and goes to whoever comes first, at once', async () => {
    await story.mail('ops@example.org');
    expect(await story.event('held')).toMatchObject({ group: 'ops' });
    await story.clock.advance(30 * second);
    story.presence('bob', 'available');
    await story.ships('bob@example.org');
    await story.event('forwarded');
    expect((await story.store.listTracked({ limit: 1 }))[0]).toMatchObject({ owner: 'bob' });
  });

  it('goes to the fallback when the hold runs out', async () => {
    await story.mail('ops@example.org');
    await story.event('held');
    await story.clock.advance(5 * minute);
    await story.ships('carol@example.org');
    await story.quiet();
    expect(story.events.filter(({ event }) => event === 'held')).toHaveLength(1);
  });
});
