// Accepted is safe: every recipient ends in exactly one of delivered, reported, removed by a rule, or dead letter.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { day, minute } from '../../src/clock.ts';
import { PointsmanError } from '../../src/mail/error.ts';
import { expectMailbox, nullReversePath } from '../../src/mail/path.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { Story } from '../support/story.ts';
import { rules } from './rules.ts';

const busy = { kind: 'temporary', reply: { code: 451, enhanced: '4.3.0', text: 'busy' }, cause: '' } as const;
const unknown = {
  kind: 'permanent',
  reply: { code: 550, enhanced: '5.1.1', text: 'no such user' },
  cause: '',
} as const;

let story: Story;
beforeEach(async () => {
  story = await Story.begin(rules);
});
afterEach(() => story.end());

describe('a next hop that is busy', () => {
  it('is tried again with growing pauses until it takes the mail', async () => {
    story.outcomes.set('eve@example.org', [
      busy,
      { kind: 'temporary', cause: 'connection refused' },
      { kind: 'accepted', reply: { code: 250, text: 'ok' } },
    ]);
    const queueId = await story.mail('eve@example.org');
    const first = await story.event('deferred');
    expect(first.reply).toBe('451 4.3.0 busy');
    await story.clock.advanceTo(first.nextAttemptAt);
    const second = await story.event('deferred', (event) => event !== first);
    expect(second.nextAttemptAt - story.clock.now()).toBeGreaterThanOrEqual(8 * minute);
    await story.clock.advanceTo(second.nextAttemptAt);
    expect(await story.event('forwarded')).toMatchObject({ queueId, reply: '250 ok' });
  });

  it('to the end: the sender gets a report with its last words', async () => {
    story.outcomes.set('eve@example.org', [busy]);
    await story.mail([{ mailbox: expectMailbox('eve@example.org'), notify: ['failure'] }]);
    let last = await story.event('deferred');
    while (last.nextAttemptAt - story.clock.now() > 0 && story.clock.now() < last.at + 6 * day) {
      await story.clock.advanceTo(last.nextAttemptAt);
      const next = await Promise.race([story.event('deferred', ({ at }) => at > last.at), story.event('failed')]);
      if (next.event === 'failed') break;
      last = next;
    }
    const report = await story.ships('ann@example.net');
    expect(report.from).toBe(nullReversePath);
    expect(report.text).toMatch(/Status: [45]\.4\.7/);
    expect(report.text).toMatch(/last reply: busy/);
  });

  it('for a group chooses anew at the retry', async () => {
    story.presence('alice', 'available');
    story.outcomes.set('alice@example.org', [busy]);
    await story.mail('support@example.org');
    const { nextAttemptAt } = await story.event('deferred');
    story.presence('alice', 'offline');
    story.presence('bob', 'available');
    await story.clock.advanceTo(nextAttemptAt);
    await story.ships('bob@example.org');
    expect(await story.event('chosen', ({ why }) => why === 'retry')).toMatchObject({ person: 'bob' });
  });
});

describe('a refusal', () => {
  it('is reported to the sender, one report for all recipients that failed together', async () => {
    story.outcomes.set('eve@example.org', [unknown]);
    story.outcomes.set('joe@example.org', [unknown]);
    const queueId = await story.mail(['eve@example.org', 'joe@example.org', 'sue@example.org'], {
      envelope: { envid: 'QQ314159' },
    });
    const { text, from } = await story.ships('ann@example.net');
    expect(from).toBe(nullReversePath);
    for (const part of [
      'Original-Envelope-Id: QQ314159',
      'Final-Recipient: rfc822; eve@example.org',
      'Final-Recipient: rfc822; joe@example.org',
      'Action: failed',
      'Status: 5.1.1',
      'Diagnostic-Code: smtp; 550 5.1.1 no such user',
    ])
      expect(text).toContain(part);
    expect(text).not.toContain('sue@example.org;');
    const states = (await story.store.message(queueId))?.deliveries.map(({ state }) => state);
    expect(states).toEqual(['failed', 'failed', 'delivered']);
  });

  it.each([
    ['of a report', nullReversePath, undefined],
    ['where NOTIFY=NEVER', 'ann@example.net', ['never'] as const],
  ])('%s is a dead letter and opens a fault; nobody is written to', async (_name, from, notify) => {
    story.outcomes.set('eve@example.org', [unknown]);
    const queueId = await story.mail([{ mailbox: expectMailbox('eve@example.org'), ...(notify ? { notify } : {}) }], {
      from,
    });
    expect(await story.event('fault')).toMatchObject({ queueId, fault: 'dead-letter' });
    expect((await story.store.message(queueId))?.deliveries[0]).toMatchObject({ state: 'dead' });
    await story.quiet();
    expect(story.shipped).toHaveLength(1);
    story.expectErrors(/dead letter/);
    // It stays open until somebody has seen to it: dropped it here, as requeue-to would.
    const open = async () => (await story.store.faults('open')).map(({ kind, subject }) => `${kind} ${subject}`);
    await story.clock.advance(minute);
    await story.quiet();
    expect(await open()).toContain(`dead-letter ${queueId}`);
    await story.store.intervene(queueId, { action: 'drop', at: story.clock.now(), by: 'eve', says: 'dropped' });
    await story.clock.advance(minute);
    await story.quiet();
    expect(await open()).not.toContain(`dead-letter ${queueId}`);
  });

  it('of which a crash left a dead letter without its fault opens it at the next start, once', async () => {
    const [one, two] = ['eve@example.org', 'dan@example.net'];
    for (const each of [one, two]) story.outcomes.set(each, [{ kind: 'temporary', cause: 'later' }]);
    const queueId = await story.mail(one, { from: nullReversePath });
    const other = await story.mail(two, { from: nullReversePath });
    await story.quiet();
    const settlement = { seq: 0, to: 'dead', at: story.clock.now(), reply: '550 5.1.1 no', nextHop: 'inside' } as const;
    // Settled, and killed before anybody was told of the one; the other was seen to, and is left as it is.
    await story.relay.drain();
    await story.store.settle([{ ...settlement, queueId: queueId as never }], {});
    await story.store.settle([{ ...settlement, queueId: other as never }], {});
    const at = story.clock.now();
    const told = { kind: 'dead-letter', subject: other, severity: 'error', text: 'x', at } as const;
    const fault = await story.store.openFault(told);
    await story.store.changeFault({ ...fault, clearedAt: at, clearedBy: 'eve', revision: fault.revision + 1 });
    const open = async () => (await story.store.faults('open')).filter(({ kind }) => kind === 'dead-letter');
    for (let starts = 0; starts < 2; starts += 1) {
      await story.crash();
      await story.quiet();
      expect((await open()).map(({ subject, count, text }) => ({ subject, count, text }))).toEqual([
        {
          subject: queueId,
          count: 1,
          text: expect.stringMatching(/^Mail to eve@example.org could not .*550 5.1.1 no/),
        },
      ]);
    }
  });

  it('by a rule of every recipient is said before the 250', async () => {
    const refused = story.mail('support@example.org', { subject: 'Unwanted' });
    await expect(refused).rejects.toThrow(PointsmanError);
    await expect(refused).rejects.toMatchObject({ reply: { code: 550, enhanced: '5.7.1', text: 'Not here' } });
    expect((await story.store.counts()).deliveries.queued).toBe(0);
  });

  it('by a rule of one of two recipients is reported, and the other gets the mail', async () => {
    await story.mail(['support@example.org', 'eve@example.org'], { subject: 'Unwanted' });
    await story.ships('eve@example.org');
    const { text } = await story.ships('ann@example.net');
    expect(text).toContain('support@example.org');
  });
});

describe('who may relay', () => {
  it('nobody who is not named', () => {
    expect(story.relay.admitClient('127.0.0.1')).toBeUndefined();
    expect(story.relay.admitClient('::ffff:127.0.0.1')).toBeUndefined();
    for (const address of ['192.0.2.1', '::1', 'nonsense', ''])
      expect(story.relay.admitClient(address)).toMatchObject({ code: 550, enhanced: '5.7.1' });
  });

  it('and only to domains, groups and people of ours', () => {
    const client = { address: '127.0.0.1', port: 1, helo: 'x', tls: false, carriesMembers: true };
    const admitted = (mailbox: string) =>
      story.relay.admitRecipient(client, { mailbox: expectMailbox(mailbox) }) === undefined;
    expect(admitted('support@example.org')).toBe(true);
    expect(admitted('anybody@example.net')).toBe(true);
    expect(admitted('victim@elsewhere.test')).toBe(false);
  });
});

describe('a crash', () => {
  it('before the attempt only delays the mail', async () => {
    story.presence('alice', 'available');
    story.outcomes.set('alice@example.org', [busy]);
    await story.mail('support@example.org');
    const { nextAttemptAt } = await story.event('deferred');
    await story.relay.drain();
    await story.crash();
    story.outcomes.clear();
    await story.clock.advanceTo(nextAttemptAt);
    await story.event('forwarded');
    await story.quiet();
    expect(story.shipped.filter(({ to }) => to[0] === 'alice@example.org')).toHaveLength(2);
  });

  it.each([
    ['support@example.org', 'alice@example.org'],
    ['eve@example.org', 'eve@example.org'],
  ])('finds the final dot on record, whoever had it: %s', async (to, mailbox) => {
    story.presence('alice', 'available');
    // The first attempt of what passes through is stored with its final dot.
    story.outcomes.set(mailbox, [busy, { kind: 'accepted', reply: { code: 250, text: 'taken' } }]);
    const onRecord: (number | null | undefined)[] = [];
    story.onFinalDot = async ({ queueId }) => {
      const stored = await story.store.message(queueId as QueueId);
      onRecord.push(stored?.deliveries[0]?.finalDotAt);
    };
    await story.mail(to);
    const { nextAttemptAt } = await story.event('deferred');
    await story.clock.advanceTo(nextAttemptAt);
    await story.event('forwarded');
    expect(onRecord).toEqual([nextAttemptAt]);
  });

  it('or a day of downtime fires each due step once, the current one', async () => {
    story.presence('alice', 'available');
    story.presence('bob', 'available');
    story.presence('dave', 'available');
    await story.mail('support@example.org');
    await story.hears('alice', /Answer: ack/);
    await story.relay.drain();
    await story.clock.advance(day);
    await story.crash();
    await story.ships('bob@example.org');
    await story.hears('bob', /Answer: ack/);
    await story.quiet();
    expect(story.shipped.map(({ to }) => to[0])).toEqual(['alice@example.org', 'bob@example.org']);
  });
});

describe('downtime while a forward is on its way', () => {
  it('does not use up the time of somebody who never got the mail', async () => {
    for (const person of ['alice', 'bob', 'dave']) story.presence(person, 'available');
    await story.mail('support@example.org');
    await story.hears('alice', /Answer: ack/);
    // The forward to bob is stored, and the process ends before it is attempted.
    const tracked = (await story.store.listTracked({ limit: 1 }))[0];
    await story.relay.drain();
    expect(tracked).toBeDefined();
    await story.clock.advance(10 * minute);
    await story.giveTo('bob');
    await story.clock.advance(day);
    await story.crash();
    await story.hears('bob', /Answer: ack/);
    await story.clock.advance(5 * minute);
    await story.quiet();
    expect(story.shipped.map(({ to }) => to[0])).toEqual(['alice@example.org', 'bob@example.org']);
    await story.clock.advance(5 * minute);
    await story.ships('dave@example.org');
  });
});

describe('a nudge', () => {
  it('that cannot be sent is tried again while it matters, and then is stale', async () => {
    story.presence('alice', 'available');
    story.mute = true;
    await story.mail('support@example.org');
    await story.event('forwarded');
    await story.clock.advance(3 * minute);
    await story.quiet();
    expect(story.said).toEqual([]);
    story.mute = false;
    await story.clock.advance(2 * minute);
    await story.hears('alice', /Answer: ack/);
    await story.quiet();
    expect(story.said.filter(({ text }) => /Answer: ack/.test(text))).toHaveLength(1);
  });
});
