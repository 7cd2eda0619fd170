// Evidence by mail: what comes by a path that is trusted stops the clock, what is forged changes nothing, and reports
// that come back to us move the mail on and reach the sender.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { minute } from '../../src/clock.ts';
import { noFaults } from '../../src/fault-point.ts';
import { parseDsn } from '../../src/mail/dsn-parse.ts';
import { nullReversePath } from '../../src/mail/path.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { postfixDsn, receiptSaying, receipts } from '../support/reports.ts';
import { Story } from '../support/story.ts';

const rules = `
people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@example.org }
  carol: { mail: carol@example.org, operator: true }
groups:
  support:
    address: support@example.org
    members: [alice, bob]
    strategy: in-order
    fallback: { mailbox: archive@example.org }
    policy: asks
  plain:
    address: plain@example.org
    members: [alice, bob]
    strategy: in-order
    fallback: unchanged
    policy: silent
  traced:
    address: traced@example.org
    members: [alice]
    fallback: unchanged
    policy: delivery
  opened:
    address: opened@example.org
    members: [alice]
    fallback: unchanged
    policy: receipt
policies:
  asks:
    until: read
    ask: [dsn, mdn]
    steps:
      - { name: next, after: 10m, to: next }
  delivery: { until: read, ask: [dsn], steps: [{ name: lead, after: 10m, to: { person: carol } }] }
  receipt: { until: read, ask: [mdn], steps: [{ name: lead, after: 10m, to: { person: carol } }] }
  silent:
    until: taken
    steps:
      - { name: next, after: 10m, to: next }
routes: []
`;

let story: Story;
beforeEach(async () => {
  story = await Story.begin(rules);
  story.presence('alice', 'available');
  story.presence('bob', 'available');
});
afterEach(() => story.end());

const messageIdOf = async (queueId: QueueId): Promise<string> =>
  (await story.store.message(queueId))?.message.facts.messageId ?? '';

/** The address that the n-th delivery's reports go to. */
const reportsOn = (queueId: QueueId, seq = 0): string => story.ours.reportsOn({ queueId, seq });

async function give(to = 'support@example.org', more: Parameters<Story['mail']>[1] = {}): Promise<QueueId> {
  const queueId = await story.mail(to, more);
  await story.ships('alice@example.org');
  await story.hears('alice', /Answer: ack/);
  return queueId;
}

const returned = (to: string, content: Uint8Array) => story.mail(to, { from: nullReversePath, content });

const states = async (queueId: QueueId) =>
  (await story.store.message(queueId))?.tracked.map(({ state, owner }) => ({ state, owner }));

describe('what is asked for', () => {
  it('goes out with an address of ours per delivery, and the sender’s own wishes stay with us', async () => {
    const queueId = await story.mail(
      [{ mailbox: 'support@example.org' as never, notify: ['success', 'failure'], orcpt: 'rfc822;help@example.org' }],
      { envelope: { envid: 'QQ314159', ret: 'FULL' } },
    );
    const { shipment, text } = await story.ships('alice@example.org');
    expect(shipment.envelope).toMatchObject({ reversePath: reportsOn(queueId), envid: `${queueId}.0`, ret: 'HDRS' });
    expect(shipment.recipients).toEqual([
      { mailbox: 'alice@example.org', notify: ['success', 'failure', 'delay'], orcpt: 'rfc822;help@example.org' },
    ]);
    expect(text).toContain(`Disposition-Notification-To: <${reportsOn(queueId)}>\r\n`);
    expect((await story.store.message(queueId))?.message.envelope).toMatchObject({ envid: 'QQ314159', ret: 'FULL' });
  });

  it('is nothing where the policy does not ask', async () => {
    await story.mail('plain@example.org');
    const { from, text } = await story.ships('alice@example.org');
    expect(from).toBe('ann@example.net');
    expect(text).not.toContain('Disposition-Notification-To');
  });

  it.each([
    ['dsn', 'traced@example.org', true, false],
    ['mdn', 'opened@example.org', false, true],
  ])('is %s alone where the policy asks for that alone', async (_ask, group, reports, receipt) => {
    const queueId = await story.mail(group);
    const { from, text, shipment } = await story.ships('alice@example.org');
    expect(from).toBe(reports ? reportsOn(queueId) : 'ann@example.net');
    expect(shipment.recipients[0]?.notify !== undefined).toBe(reports);
    expect(text.includes('Disposition-Notification-To')).toBe(receipt);
  });

  it('is no receipt where the sender has asked for one, and nothing of mail without a sender', async () => {
    await story.mail('support@example.org', { headers: 'Disposition-Notification-To: ann@example.net\r\n' });
    const { text } = await story.ships('alice@example.org');
    expect(text.match(/Disposition-Notification-To/g)).toHaveLength(1);
    const second = await story.mail('support@example.org', { from: nullReversePath });
    await story.event('forwarded', ({ queueId }) => queueId === second);
    expect(story.shipped.find(({ shipment }) => shipment.queueId === second)?.from).toBe(nullReversePath);
  });
});

describe('a read receipt', () => {
  it.each([
    'thunderbird',
    'outlook',
    'appleMail',
    'gmail',
  ] as const)('in the format of %s, to the address we gave, stops the clock', async (program) => {
    const queueId = await give();
    const words = { from: 'alice@example.org', to: reportsOn(queueId), messageId: await messageIdOf(queueId) };
    await returned(words.to, receipts[program](words));
    expect(await story.event('closed')).toMatchObject({ queueId, state: 'acknowledged', by: 'alice' });
    expect(await story.store.evidence(queueId)).toContainEqual(
      expect.objectContaining({ grade: 5, person: 'alice', source: 'MDN displayed (manual action)', trusted: true }),
    );
  });

  it.each([
    'automatic-action/MDN-sent-automatically; displayed',
    'manual-action/MDN-sent-manually; deleted',
    'automatic-action/MDN-sent-automatically; processed',
    'manual-action/MDN-sent-manually; dispatched',
    'manual-action/MDN-sent-manually; displayed/error',
  ])('%s is recorded and stops nothing', async (disposition) => {
    const queueId = await give();
    await returned(reportsOn(queueId), receiptSaying(disposition));
    expect(await story.event('evidence', ({ source }) => source.startsWith('MDN'))).toMatchObject({ grade: 0 });
    await story.clock.advance(10 * minute);
    await story.ships('bob@example.org');
  });

  it('that passes on its way to the sender counts from a peer that carries members’ mail', async () => {
    const queueId = await give();
    const words = { from: 'alice@example.org', to: 'ann@example.net', messageId: await messageIdOf(queueId) };
    await story.mail('ann@example.net', {
      from: nullReversePath,
      content: receipts.thunderbird(words),
      client: { carriesMembers: true },
    });
    expect(await story.event('closed')).toMatchObject({ queueId, by: 'alice' });
    await story.ships('ann@example.net');
  });

  it('forged from outside, with the right Message-ID and From, is recorded as unverified and changes nothing', async () => {
    const queueId = await give();
    const words = { from: 'alice@example.org', to: 'plain@example.org', messageId: await messageIdOf(queueId) };
    await story.mail('plain@example.org', { from: nullReversePath, content: receipts.gmail(words) });
    expect(await story.event('evidence', ({ source }) => source.startsWith('MDN'))).toMatchObject({ trusted: false });
    await story.quiet();
    expect(await states(queueId)).toEqual([{ state: 'tracked', owner: 'alice' }]);
  });

  it('of one from whom the mail has moved on tells nothing of who has it now', async () => {
    const queueId = await give();
    await story.clock.advance(10 * minute);
    await story.ships('bob@example.org');
    await returned(reportsOn(queueId, 0), receipts.gmail());
    await story.quiet();
    expect(await states(queueId)).toEqual([{ state: 'tracked', owner: 'bob' }]);
  });

  it('is not enough where the policy wants it taken', async () => {
    const queueId = await give('plain@example.org');
    await returned(reportsOn(queueId), receipts.gmail());
    expect(await story.event('evidence', ({ source }) => source.startsWith('MDN'))).toMatchObject({ trusted: true });
    await story.quiet();
    expect(await states(queueId)).toEqual([{ state: 'tracked', owner: 'alice' }]);
  });
});

describe('a copy of a member’s reply', () => {
  it('to the address that only the admin and we know closes it', async () => {
    const queueId = await give('plain@example.org');
    await story.mail(story.ours.copies, {
      from: 'alice@example.org',
      headers: `In-Reply-To: ${await messageIdOf(queueId)}\r\n`,
    });
    expect(await story.event('closed')).toMatchObject({ queueId, state: 'answered', by: 'alice' });
    expect(story.shipped).toHaveLength(1);
  });

  it('that comes together with other recipients is forwarded to those', async () => {
    const queueId = await give('plain@example.org');
    await story.mail([story.ours.copies, 'ann@example.net'], {
      from: 'alice@example.org',
      headers: `References: <trimmed@example.net> ${await messageIdOf(queueId)}\r\n`,
    });
    expect(await story.event('closed')).toMatchObject({ state: 'answered' });
    const { shipment } = await story.ships('ann@example.net');
    expect(shipment.recipients).toHaveLength(1);
  });

  it('to an address that we have not made is refused', async () => {
    const client = { address: '127.0.0.1', port: 1, helo: 'x', tls: false, carriesMembers: false };
    const path = (mailbox: string) => ({ mailbox: mailbox as never });
    expect(story.relay.admitRecipient(client, path(story.ours.copies))).toBeUndefined();
    expect(story.relay.admitRecipient(client, path('copies.0000000000000000@track.example.org'))?.code).toBe(550);
    expect(story.relay.admitRecipient(client, path('postmaster@track.example.org'))?.code).toBe(550);
  });
});

describe('a delivery report', () => {
  const failed = postfixDsn({ recipient: 'alice@example.org', action: 'failed', status: '5.1.1' });

  it('of failure moves the mail on at once, and the sender is not bothered', async () => {
    const queueId = await give();
    await returned(reportsOn(queueId), failed);
    expect(await story.event('escalated')).toMatchObject({ trigger: 'undeliverable', from: 'alice', to: 'bob' });
    await story.ships('bob@example.org');
    await story.quiet();
    expect(story.events.filter(({ event }) => event === 'reported')).toEqual([]);
  });

  it('of failure by every mailbox reaches the sender, once, in the sender’s own terms', async () => {
    const queueId = await story.mail([{ mailbox: 'support@example.org' as never, orcpt: 'rfc822;help@example.org' }], {
      envelope: { envid: 'QQ314159' },
    });
    await story.hears('alice', /Answer: ack/);
    await returned(reportsOn(queueId), failed);
    await story.ships('bob@example.org');
    await story.hears('bob', /Answer: ack/);
    for (let twice = 0; twice < 2; twice += 1)
      await returned(
        reportsOn(queueId, 1),
        postfixDsn({ recipient: 'bob@example.org', action: 'failed', status: '5.2.2' }),
      );
    const { text, from } = await story.ships('ann@example.net');
    expect(from).toBe(nullReversePath);
    expect(parseDsn(Buffer.from(text))).toMatchObject({
      envid: 'QQ314159',
      recipients: [{ action: 'failed', finalRecipient: 'support@example.org', originalRecipient: 'help@example.org' }],
    });
    await story.quiet();
    expect(story.events.filter(({ event }) => event === 'reported')).toHaveLength(1);
    expect(await states(queueId)).toEqual([{ state: 'expired', owner: null }]);
  });

  it.each([
    'return-recorded',
    'return-moved-on',
  ] as const)('of failure by every mailbox is not forgotten when we die at %s: the next hop sends it again', async (window) => {
    const queueId = await give();
    /** The report comes, we die in that window, start again, and it comes again: we had not said 250. */
    const diesOnce = async (to: string, report: Uint8Array) => {
      const killed = new Error('killed');
      story.reach = (reached) => {
        if (reached === window) throw killed;
      };
      await expect(returned(to, report)).rejects.toThrow(killed);
      story.reach = noFaults;
      await story.quiet();
      await story.crash();
      for (let twice = 0; twice < 2; twice += 1) await returned(to, report);
    };
    await diesOnce(reportsOn(queueId), failed);
    await story.ships('bob@example.org');
    await story.hears('bob', /Answer: ack/);
    await story.quiet();
    expect(await states(queueId)).toEqual([{ state: 'tracked', owner: 'bob' }]);
    await diesOnce(
      reportsOn(queueId, 1),
      postfixDsn({ recipient: 'bob@example.org', action: 'failed', status: '5.2.2' }),
    );
    await story.ships('ann@example.net');
    await story.quiet();
    expect(story.events.filter(({ event }) => event === 'reported')).toHaveLength(1);
    expect(story.shipped.filter(({ to }) => to.includes('bob@example.org'))).toHaveLength(1);
  });

  it('of failure, where the sender wants no reports, ends there', async () => {
    const queueId = await story.mail([{ mailbox: 'support@example.org' as never, notify: ['never'] }]);
    await story.hears('alice', /Answer: ack/);
    await returned(reportsOn(queueId), failed);
    await story.ships('bob@example.org');
    await story.hears('bob', /Answer: ack/);
    await returned(reportsOn(queueId, 1), failed);
    await story.event('closed');
    await story.quiet();
    expect(story.events.filter(({ event }) => event === 'reported')).toEqual([]);
  });

  it('of success is evidence of delivery and stops nothing; the sender has heard that the mail was expanded', async () => {
    const queueId = await story.mail([{ mailbox: 'support@example.org' as never, notify: ['success'] }]);
    await story.hears('alice', /Answer: ack/);
    await returned(
      reportsOn(queueId),
      postfixDsn({ recipient: 'alice@example.org', action: 'delivered', status: '2.0.0' }),
    );
    expect(await story.event('evidence', ({ source }) => source.startsWith('DSN'))).toMatchObject({ grade: 1 });
    const { text } = await story.ships('ann@example.net');
    expect(parseDsn(Buffer.from(text))?.recipients).toMatchObject([{ action: 'expanded' }]);
    expect(await states(queueId)).toEqual([{ state: 'tracked', owner: 'alice' }]);
  });

  it('of failure after an acknowledgement reopens nothing, but the mail is nowhere, and the sender hears so', async () => {
    const queueId = await give();
    await story.says('alice', 'ack');
    await story.event('closed');
    await returned(reportsOn(queueId), failed);
    await story.quiet();
    expect(story.shipped.map(({ to }) => to[0])).toEqual(['alice@example.org', 'ann@example.net']);
    expect(await states(queueId)).toEqual([{ state: 'acknowledged', owner: 'alice' }]);
  });

  it('of one forward that is not the last one with the mail bothers nobody', async () => {
    const queueId = await give();
    await story.clock.advance(10 * minute);
    await story.ships('bob@example.org');
    await story.hears('bob', /Answer: ack/);
    await returned(reportsOn(queueId), failed);
    await story.quiet();
    expect(story.shipped).toHaveLength(2);
    expect(await states(queueId)).toEqual([{ state: 'tracked', owner: 'bob' }]);
  });

  it('that no program can read, or an automatic answer, is recorded and changes nothing', async () => {
    const queueId = await give();
    await story.mail(reportsOn(queueId), { from: 'alice@example.org', headers: 'Auto-Submitted: auto-replied\r\n' });
    expect(await story.event('evidence', ({ source }) => source === 'automatic reply')).toMatchObject({
      trusted: false,
    });
    await story.quiet();
    expect(await states(queueId)).toEqual([{ state: 'tracked', owner: 'alice' }]);
  });
});
