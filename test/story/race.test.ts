// What people do meets what the clock does: every kind of evidence at every moment, by the table of the reference page.
import { afterEach, describe, expect, it } from 'vitest';
import { hour, minute } from '../../src/clock.ts';
import { nullReversePath } from '../../src/mail/path.ts';
import { type Moment, moments, outcomeOf, races, type Source, sources } from '../support/races.ts';
import { postfixDsn, receipts } from '../support/reports.ts';
import { Story } from '../support/story.ts';

const rules = `
people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@example.org }
  dave: { mail: dave@example.org }
groups:
  support:
    address: support@example.org
    members: [alice, bob, dave]
    strategy: in-order
    fallback: unchanged
    policy: standard
policies:
  standard:
    until: read
    ask: [dsn, mdn]
    steps:
      - { name: next, after: 10m, to: next, times: 2 }
`;

let story: Story;
afterEach(() => {
  story.ignoreErrors(/timer queue could not be read/);
  return story.end();
});

const only = async () => {
  const [tracked] = await story.store.listTracked({ limit: 1 });
  if (!tracked) throw new Error('nothing is tracked');
  return tracked;
};

/** Alice's; her mail was delivery 0. */
async function comes(source: Source): Promise<void> {
  const tracked = await only();
  const { queueId, seq, shortId, messageId } = tracked;
  const reports = story.ours.reportsOn({ queueId, seq: 0 });
  switch (source) {
    case 'ack':
      return story.says('alice', `ack ${shortId}`);
    case 'promise':
      return story.says('alice', `20m ${shortId}`);
    case 'pass':
      return story.says('alice', `pass ${shortId}`);
    case 'reply': {
      const headers = `In-Reply-To: ${messageId}\r\n`;
      await story.mail(story.ours.copies, { from: 'alice@example.org', headers });
      return;
    }
    case 'read receipt': {
      const words = { from: 'alice@example.org', to: reports, messageId: messageId ?? '' };
      await story.mail(reports, { from: nullReversePath, content: receipts.thunderbird(words) });
      return;
    }
    case 'IMAP \\Seen':
      story.sees('alice', messageId ?? '');
      return;
    case 'failure report': {
      const content = postfixDsn({ recipient: 'alice@example.org', action: 'failed', status: '5.1.1' });
      await story.mail(reports, { from: nullReversePath, content });
      return;
    }
    case 'operator’s ack':
      await story.relay.acknowledge({ queueId, seq }, 'root', 'cli');
      return;
    default:
      source satisfies never;
  }
}

const steps = () => story.events.filter(({ event }) => event === 'escalated').length;

async function meet(source: Source, moment: Moment): Promise<void> {
  const due = (await only()).nextStepAt ?? 0;
  const until = (at: number) => story.clock.advance(at - story.clock.now());
  switch (moment) {
    case 'before':
    case 'restarted':
      await until(due - 5 * minute);
      if (moment === 'restarted') {
        await story.quiet();
        await story.crash();
      }
      return comes(source);
    case 'racing':
      await until(due - 1);
      await Promise.all([until(due), comes(source)]);
      return;
    case 'moved':
    case 'over':
      await until(due);
      await story.hears('bob', /Answer: ack/);
      if (moment === 'over') await story.says('bob', `ack ${(await only()).shortId}`);
      await story.quiet();
      return comes(source);
    case 'twice':
      await until(due - 5 * minute);
      await comes(source);
      await story.quiet();
      return comes(source);
    default:
      moment satisfies never;
  }
}

describe.each(sources)('%s', (source) => {
  it.each(Object.keys(moments) as Moment[])('%s', async (moment) => {
    story = await Story.begin(rules, { mailboxes: true });
    for (const person of ['alice', 'bob', 'dave']) story.presence(person, 'available');
    await story.mail('support@example.org');
    await story.hears('alice', /Answer: ack/);
    await story.quiet();
    await meet(source, moment);
    await story.quiet();
    const tracked = await only();
    expect(outcomeOf(tracked)).toContain(races[source][moment]);
    // Whichever was first: it has moved on at most once, and it has ended at most once.
    expect(steps()).toBeLessThanOrEqual(1);
    const closed = story.events.filter(({ event }) => event === 'closed').length;
    expect(closed).toBe(tracked.closedAt === null ? 0 : 1);
    // What is over stays so: nobody is sent or told anything more of it.
    if (closed === 0) return;
    const [shipped, said] = [story.shipped.length, story.said.length];
    await story.clock.advance(hour);
    await story.quiet();
    expect([await only(), story.shipped.length, story.said.length]).toEqual([tracked, shipped, said]);
  });
});
