// Reports: each sender hears what NOTIFY asks for, once, and nobody hears of reports themselves.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { day, hour } from '../../src/clock.ts';
import type { ForwardPath, Notify } from '../../src/mail/envelope.ts';
import { expectMailbox, nullReversePath } from '../../src/mail/path.ts';
import type { Outcome } from '../../src/transport.ts';
import { Story } from '../support/story.ts';
import { rules } from './rules.ts';

const busy = { kind: 'temporary', reply: { code: 451, enhanced: '4.3.0', text: 'busy' }, cause: '' } as const;
const gone = { kind: 'permanent', reply: { code: 550, enhanced: '5.1.1', text: 'gone' }, cause: '' } as const;
const taken = (dsn: boolean): Outcome => ({ kind: 'accepted', reply: { code: 250, text: 'taken' }, dsn });
const to = (mailbox: string, notify?: Notify, orcpt?: string): ForwardPath => ({
  mailbox: expectMailbox(mailbox),
  ...(notify ? { notify } : {}),
  ...(orcpt ? { orcpt } : {}),
});

let story: Story;
beforeEach(async () => {
  story = await Story.begin(rules);
});
afterEach(() => story.end());

const reports = () => story.shipped.filter((each) => each.to.includes('ann@example.net'));
/** Goes on until nothing of the mail waits any more, and no report is on its way. */
async function untilDone(): Promise<void> {
  for (;;) {
    const { queued, held } = (await story.store.counts()).deliveries;
    if (queued + held === 0) return;
    const waiting = await story.store.listQueue({ limit: 50 });
    const next = Math.min(...waiting.map(({ nextAttemptAt }) => nextAttemptAt ?? Number.MAX_SAFE_INTEGER));
    if (next > story.clock.now() && next < Number.MAX_SAFE_INTEGER) await story.clock.advanceTo(next);
  }
}

describe('NOTIFY', () => {
  it.each<[string, Notify | undefined, 'reported' | 'dead']>([
    ['absent', undefined, 'reported'],
    ['FAILURE', ['failure'], 'reported'],
    ['SUCCESS alone', ['success'], 'dead'],
    ['DELAY alone', ['delay'], 'dead'],
    ['NEVER', ['never'], 'dead'],
  ])('%s: a failure is %s', async (_, notify, end) => {
    story.outcomes.set('eve@example.org', [gone]);
    const queueId = await story.mail([to('eve@example.org', notify)]);
    await untilDone();
    const state = (await story.store.message(queueId))?.deliveries[0]?.state;
    expect(state).toBe(end === 'dead' ? 'dead' : 'failed');
    expect(reports()).toHaveLength(end === 'dead' ? 0 : 1);
    if (end === 'dead') story.expectErrors(/dead letter/);
  });

  it.each<[Notify | undefined, number]>([
    [undefined, 0],
    [['failure'], 0],
    [['never'], 0],
    [['success', 'failure'], 1],
  ])('%j: success is reported %i times', async (notify, count) => {
    story.outcomes.set('eve@example.org', [taken(false)]);
    await story.mail([to('eve@example.org', notify)]);
    await untilDone();
    expect(reports()).toHaveLength(count);
  });
});

describe('a success that was asked for', () => {
  it('from a next hop without DSN is told as relayed', async () => {
    story.outcomes.set('eve@example.org', [taken(false)]);
    await story.mail([to('eve@example.org', ['success'], 'rfc822;Eve@old.example')], { envelope: { envid: 'E1' } });
    const { text, from } = await story.ships('ann@example.net');
    expect(from).toBe(nullReversePath);
    expect(text).toContain('Action: relayed\r\nStatus: 2.0.0');
    expect(text).toContain('Original-Envelope-Id: E1');
    expect(text).toContain('Original-Recipient: rfc822; Eve@old.example');
    expect(text).toContain('sends no reports of its own');
    // RFC 3461 §4.3: only a failure returns the content.
    expect(text).not.toContain('Please come.');
  });

  it('from a next hop with DSN is its own to report', async () => {
    story.outcomes.set('eve@example.org', [taken(true)]);
    await story.mail([to('eve@example.org', ['success'])]);
    await untilDone();
    expect(reports()).toEqual([]);
    expect(story.shipped[0]?.shipment.recipients[0]?.notify).toEqual(['success']);
  });

  it.each<[Notify, Notify]>([
    [['success'], ['never']],
    [
      ['success', 'failure', 'delay'],
      ['failure', 'delay'],
    ],
  ])('for a group is told as expanded, and not asked of the next hop again: %j becomes %j', async (asked, onward) => {
    story.presence('alice', 'available');
    story.outcomes.set('alice@example.org', [taken(true)]);
    await story.mail([to('support@example.org', asked)]);
    const { text } = await story.ships('ann@example.net');
    expect(text).toContain('Final-Recipient: rfc822; support@example.org\r\nAction: expanded');
    expect(text).not.toContain('alice');
    expect(story.shipped[0]?.shipment.recipients).toEqual([
      { mailbox: 'alice@example.org', notify: onward, orcpt: 'rfc822;support@example.org' },
    ]);
    // A forward of an escalation is ours: nothing about it reaches the sender.
    await story.clock.advance(11 * 60_000);
    expect(reports()).toHaveLength(1);
  });
});

describe('a report', () => {
  it('of a delay is sent once, says until when, and failure is reported after it', async () => {
    story.outcomes.set('eve@example.org', [busy]);
    const queueId = await story.mail([to('eve@example.org')]);
    const { text } = await Promise.all([story.ships('ann@example.net'), untilDone()]).then(([first]) => first);
    expect(text).toContain('Action: delayed\r\nStatus: 4.3.0');
    const until = (await story.store.message(queueId))?.message.acceptedAt ?? 0;
    expect(text).toContain(`Will-Retry-Until: ${new Date(until + 5 * day).toUTCString().replace('GMT', '+0000')}`);
    expect(reports().map(({ text: each }) => /Action: (\w+)/.exec(each)?.[1])).toEqual(['delayed', 'failed']);
    const told = (await story.store.message(queueId))?.deliveries[0]?.delayToldAt ?? 0;
    expect(told - until).toBeGreaterThanOrEqual(4 * hour);
  });

  it.each<[Notify]>([[['failure']], [['success']], [['never']]])('of a delay is not sent with %j', async (notify) => {
    story.outcomes.set('eve@example.org', [busy, busy, busy, busy, busy, busy, busy, busy, taken(true)]);
    await story.mail([to('eve@example.org', notify)]);
    await untilDone();
    expect(reports()).toEqual([]);
  });

  it('that cannot be delivered itself ends sooner, as a dead letter', async () => {
    story.outcomes.set('eve@example.org', [gone]);
    story.outcomes.set('ann@example.net', [busy]);
    await story.mail([to('eve@example.org')]);
    const start = story.clock.now();
    await untilDone();
    const fault = await story.event('fault');
    expect(fault).toMatchObject({ fault: 'dead-letter' });
    expect(fault.at - start).toBeLessThanOrEqual(2 * day + hour);
    expect(new Set(reports().map(({ shipment }) => shipment.queueId)).size).toBe(1);
    story.expectErrors(/dead letter/);
  });

  it('is in German for a mail in German', async () => {
    story.outcomes.set('eve@example.org', [gone]);
    await story.mail([to('eve@example.org')], { headers: 'Content-Language: de\r\n' });
    const { text } = await story.ships('ann@example.net');
    expect(text).toContain('Ihre Mail konnte nicht zugestellt werden');
    expect(text).toContain('gone');
  });
});

it('recipients go to a next hop in one transaction only where they are the same in NOTIFY and ORCPT', async () => {
  await story.mail([
    to('a@example.org', ['failure']),
    to('b@example.org', ['failure']),
    to('c@example.org'),
    to('d@example.org', ['failure'], 'rfc822;x@y.example'),
  ]);
  await untilDone();
  const sets = story.shipped.map(({ to: all }) => all.join(' ')).sort();
  expect(sets).toEqual(['a@example.org b@example.org', 'c@example.org', 'd@example.org']);
});
