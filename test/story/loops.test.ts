// Mail that comes back: a member who forwards to the group ends in a clear 5.4.6, whatever was lost on the way, once.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mostInAnHour } from '../../src/relay/guard.ts';
import { type Shipped, Story } from '../support/story.ts';
import { rules } from './rules.ts';

let story: Story;
beforeEach(async () => {
  story = await Story.begin(rules);
  story.presence('alice', 'available');
});
afterEach(() => story.end());

/** What alice got, sent back to the group with the header lines that `keep` lets through. */
async function sentBack(shipped: Shipped, keep: (line: string) => boolean, to = 'support@example.org') {
  const header = shipped.text
    .slice(0, shipped.text.indexOf('\r\n\r\n'))
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
    .filter(keep);
  const content = Buffer.from(`${header.join('\r\n')}\r\n\r\nPlease come.\r\n`);
  const client = { address: '127.0.0.1', port: 1, helo: 'mail.example.org', tls: false, carriesMembers: false };
  const { forwardPaths: _, ...envelope } = { ...shipped.shipment.envelope, forwardPaths: [] };
  const path = { mailbox: to as (typeof shipped.shipment.recipients)[0]['mailbox'] };
  return story.relay.accept(client, { ...envelope, forwardPaths: [path] }, content);
}
const loop = { reply: { code: 554, enhanced: '5.4.6' } };
const without =
  (...names: string[]) =>
  (line: string) =>
    !names.some((name) => line.toLowerCase().startsWith(`${name}:`));

describe('a member who', () => {
  it('forwards it back as it came: 5.4.6', async () => {
    await story.mail('support@example.org');
    await expect(sentBack(await story.ships('alice@example.org'), () => true)).rejects.toMatchObject(loop);
  });

  it('forwards it back without Delivered-To: our mark is known again', async () => {
    await story.mail('support@example.org');
    const got = await story.ships('alice@example.org');
    await expect(sentBack(got, without('delivered-to'))).rejects.toMatchObject(loop);
    // Also after the key was rotated; not under keys that are not ours.
    const before = story.markKeys;
    story.markKeys = [{ id: 'k2', secret: Buffer.from('another') }, ...before];
    await expect(sentBack(got, without('delivered-to'))).rejects.toMatchObject(loop);
    story.markKeys = [{ id: 'k1', secret: Buffer.from('another') }];
    await expect(sentBack(got, without('delivered-to'))).resolves.toBeTypeOf('string');
  });

  it('forwards it to another group: that is no loop', async () => {
    await story.mail('support@example.org');
    const got = await story.ships('alice@example.org');
    await expect(sentBack(got, () => true, 'news@example.org')).resolves.toBeTypeOf('string');
  });

  it('strips every mark: one Message-ID has a bound for each member', async () => {
    await story.mail('support@example.org');
    const got = await story.ships('alice@example.org');
    for (let round = 0; round < mostInAnHour; round += 1) {
      const queueId = await sentBack(got, without('delivered-to', 'x-pointsman-trace', 'received'));
      await Promise.race([
        story.event('forwarded', (event) => event.queueId === queueId),
        story.event('failed', (event) => event.queueId === queueId),
      ]);
    }
    const failed = await story.event('failed');
    expect(failed.reply).toMatch(/^554 5\.4\.6/);
    expect(story.shipped.filter(({ to }) => to.includes('alice@example.org'))).toHaveLength(mostInAnHour);
    const report = await story.ships('ann@example.net');
    expect(report.text).toContain('Status: 5.4.6');
  });
});

it('a mail to the group and to others that comes back tells the sender once', async () => {
  await story.mail('support@example.org');
  const got = await story.ships('alice@example.org');
  const mark = /^X-Pointsman-Trace: .*$/m.exec(got.text)?.[0] ?? '';
  const messageId = /^Message-ID: (.*)$/m.exec(got.text)?.[1] ?? '';
  // The one header that counts is ours; Message-ID as it was.
  const client = { address: '127.0.0.1', port: 1, helo: 'x', tls: false, carriesMembers: false };
  const path = got.shipment.recipients[0];
  if (!path) throw new Error('nobody got it');
  const other = { mailbox: 'eve@example.org' as typeof path.mailbox };
  await story.relay.accept(
    client,
    { ...got.shipment.envelope, forwardPaths: [{ mailbox: 'support@example.org' as typeof path.mailbox }, other] },
    Buffer.from(`${mark.trim()}\r\nMessage-ID: ${messageId.trim()}\r\n\r\nx\r\n`),
  );
  await story.ships('eve@example.org');
  const { text } = await story.ships('ann@example.net');
  expect(text).toContain('Final-Recipient: rfc822; support@example.org');
  expect(text).toContain('Status: 5.4.6');
  while ((await story.store.counts()).deliveries.queued > 0) await story.store.counts();
  expect(story.shipped.filter(({ to }) => to.includes('ann@example.net'))).toHaveLength(1);
});

it('a mark that somebody made up is neither believed nor removed', async () => {
  const forged = `X-Pointsman-Trace: v1 k1 ${'A'.repeat(43)}\r\nX-Pointsman-Anything: yes\r\n`;
  await story.mail('support@example.org', { headers: forged });
  const { text } = await story.ships('alice@example.org');
  expect(text).toContain(forged);
  expect(text.match(/^X-Pointsman-Trace:/gm)).toHaveLength(2);
});
