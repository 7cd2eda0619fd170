// What is too much is refused before anything is stored; postmaster is always heard.
import { existsSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { minute, second } from '../../src/clock.ts';
import { mostInMemory } from '../../src/mail/content.ts';
import { PointsmanError } from '../../src/mail/error.ts';
import { expectMailbox } from '../../src/mail/path.ts';
import { replies } from '../../src/mail/reply.ts';
import { contentLimits } from '../../src/relay/limits.ts';
import { Story } from '../support/story.ts';
import { rules } from './rules.ts';

let story: Story;
afterEach(async () => {
  Story.limits = {};
  await story.end();
});
const client = { address: '127.0.0.1', port: 1, helo: 'x', tls: false, carriesMembers: false };
const ask = (mailbox: string, address = '127.0.0.1') =>
  story.relay.admitRecipient({ ...client, address }, { mailbox: expectMailbox(mailbox) });

it.each<[string, string, RegExp]>([
  ['a header without end', `X: ${'y\r\n '.repeat(400_000)}\r\n`, /a header of more than/],
  ['a header of too many fields', 'X: y\r\n'.repeat(contentLimits.fields + 1), /header fields/],
  ['a line that is too long', `X: ${'y'.repeat(contentLimits.line + 10)}\r\n`, /a line of more than/],
])('%s is refused for good, and nothing is kept', async (_, headers, why) => {
  story = await Story.begin(rules);
  const refused = story.mail('eve@example.org', { headers });
  await expect(refused).rejects.toThrow(why);
  await expect(refused).rejects.toMatchObject({ reply: { code: 554, enhanced: '5.6.0' } });
  expect((await story.store.counts()).deliveries.queued).toBe(0);
});

it('a header that goes on beyond what is in memory of a file is refused, and the file is dropped', async () => {
  story = await Story.begin(rules);
  const writer = story.store.openContent();
  await writer.write(Buffer.from('X: y\r\n z\r\n'.repeat(100) + ' z\r\n'.repeat(mostInMemory / 4)));
  const content = await writer.finish();
  const envelope = { reversePath: '<>', body: '7BIT', smtputf8: false } as const;
  const forwardPaths = [{ mailbox: expectMailbox('eve@example.org') }];
  await expect(story.relay.accept(client, { ...envelope, forwardPaths }, content)).rejects.toThrow(/a header of more/);
  expect(existsSync(content.path)).toBe(false);
});

it('a header, fields and lines just within the limits are taken', async () => {
  story = await Story.begin(rules);
  await story.mail('eve@example.org', { headers: `X: ${'y'.repeat(contentLimits.line - 10)}\r\n` });
  await story.mail('eve@example.org', { headers: 'X: y\r\n z\r\n'.repeat(contentLimits.fields - 10) });
});

it('the disk full, or the queue: 452, and taken up again by itself', async () => {
  Story.limits = { most: 2 };
  story = await Story.begin(rules);
  const settled = async () => {
    await story.clock.advance(6 * second);
    ask('eve@example.org');
    for (let turn = 0; turn < 3; turn += 1) await story.store.counts();
    return ask('eve@example.org');
  };
  expect(await settled()).toBeUndefined();
  story.freeSpace = 10;
  expect(await settled()).toMatchObject({ code: 452, enhanced: '4.3.1' });
  expect(ask('postmaster@mx.example.org')).toBeUndefined();
  story.freeSpace = 1_000_000;
  expect(await settled()).toBeUndefined();
  story.outcomes.set('eve@example.org', [{ kind: 'temporary', reply: { code: 450, text: 'later' }, cause: '' }]);
  await story.mail('eve@example.org');
  await story.mail('eve@example.org');
  expect(await settled()).toMatchObject({ code: 452 });
  story.expectErrors(/no room/);
});

it('a disk that fills up in the middle of an attempt: what became of it is written when there is room, and sent once', async () => {
  story = await Story.begin(rules);
  const { settle } = story.store;
  let refused = 0;
  Object.assign(story.store, {
    settle: async (...args: Parameters<typeof settle>) => {
      refused += 1;
      // Until the fourth minute of it.
      if (refused <= 25) throw new PointsmanError(replies.storeFull, 'database or disk is full (SQLITE_FULL)');
      return settle(...args);
    },
  });
  const queueId = await story.mail('eve@example.org');
  const told = () => story.events.filter((event) => event.event === 'forwarded' && event.queueId === queueId).length;
  const known: number[] = [];
  for (let minutes = 0; minutes < 5; minutes += 1) {
    await story.clock.advance(minute);
    await story.quiet();
    known.push(told());
  }
  expect(known).toEqual([0, 0, 0, 1, 1]);
  expect(refused).toBe(26);
  // Longer than any lease.
  await story.clock.advance(2 * 31 * minute);
  await story.quiet();
  expect(story.shipped.length).toBe(1);
  const said = story.logged.filter(({ message }) => message.includes('kept in hand'));
  expect(said.length).toBeGreaterThan(2);
  expect(said.length).toBeLessThan(6);
});

it('a peer that is too fast waits for the next minute, others do not', async () => {
  Story.limits = { messages: 2, recipients: 3 };
  story = await Story.begin(rules);
  await story.mail('eve@example.org');
  await story.mail('eve@example.org');
  await expect(story.mail('eve@example.org')).rejects.toMatchObject({ reply: { code: 450, enhanced: '4.7.0' } });
  await story.mail('eve@example.org', { client: { address: '127.0.0.2' } });
  const asked = Array.from({ length: 4 }, () => ask('eve@example.org')?.code);
  expect(asked).toEqual([undefined, undefined, undefined, 450]);
  expect(ask('postmaster@example.org')).toBeUndefined();
  await story.clock.advance(minute);
  expect(ask('eve@example.org')).toBeUndefined();
  await story.mail('eve@example.org');
});

it('postmaster of our own name is always taken, and goes to the mailbox that is configured', async () => {
  story = await Story.begin(rules);
  expect(ask('Postmaster@mx.example.org')).toBeUndefined();
  expect(ask('somebody@mx.example.org')).toMatchObject({ code: 550 });
  await story.mail('Postmaster@mx.example.org');
  const { shipment } = await story.ships('chief@example.org');
  expect(shipment.recipients[0]?.orcpt).toBe('rfc822;Postmaster@mx.example.org');
});
