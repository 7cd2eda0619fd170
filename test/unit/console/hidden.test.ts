// What the rules keep for operators, a viewer does not see on any page: neither subject nor sender nor how it begins.
import { expect, test } from 'vitest';
import type { GroupView, Operations } from '../../../src/operations.ts';
import type { Privacy } from '../../../src/routing/rules.ts';
import { openPages } from '../../support/console-pages.ts';
import { sampleDelivery, sampleId, sampleStory, sampleTracked } from '../../support/fake-operations.ts';

const secrets = ['Payroll of March', 'secret@example.net', 'Secret Sender', 'Dear all, the figures'];
const [subject = '', address = '', name = '', excerpt = ''] = secrets;
const from = `${name} <${address}>`;
const tracked = { ...sampleTracked, subject, from };
const facts = { ...sampleStory.message.facts, subject, from, excerpt };

function open(role: 'viewer' | 'operator', privacy?: Privacy, group = 'support') {
  const view: GroupView = {
    ...{ name: group, addresses: ['support@example.org'], members: ['alice'], strategy: 'in-order', eligible: [] },
    ...{ hold: null, policy: 'urgent', ...(privacy ? { privacy } : {}) },
    next: {
      ...{ to: sampleTracked.address, decision: 'fallback', mailbox: sampleTracked.address, because: [] },
      ...{ considered: [], rulesVersion: 'abc' },
    },
  };
  const accepted = {
    ...{ event: 'accepted', at: 1, queueId: sampleId, peer: '192.0.2.7', size: 1 },
    ...{ from: address, to: ['support@example.org'] },
  } as const;
  const over: Partial<Operations> = {
    groups: () => [view],
    story: async () => ({
      ...sampleStory,
      ...{ message: { ...sampleStory.message, facts }, tracked: [tracked], deliveries: [sampleDelivery] },
      events: [accepted as never],
    }),
    soonest: async () => [tracked],
    listTracked: async () => [tracked],
    listQueue: async () => [{ ...sampleDelivery, acceptedAt: 1, reversePath: address, size: 1 } as never],
    lately: async () => ({ events: [{ ...accepted, number: 1 } as never], next: null }),
  };
  const user = { name: 'ann', role };
  const users = { find: () => user, verify: async () => user };
  const pages = openPages(over, { play: null, users });
  return async (path: string) => {
    const signed = await pages.post('/sign-in', { name: 'ann', password: 'right' });
    const cookie = (signed.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    return (await pages.get(path, { cookie })).text();
  };
}

const kept: Privacy = { subject: 'kept', sender: 'kept', excerpt: 'shown' };
const pages = ['/', '/message/k7mf', '/queue', '/people/alice', '/events?kind=all'];

test.each(pages)('%s shows a viewer nothing of what is kept for operators', async (path) => {
  const text = await open('viewer', kept)(path);
  expect(text).toContain('<main');
  for (const secret of secrets) expect(text).not.toContain(secret);
});

test.each(pages)('%s neither when the rules do not know the group any more, but by its address', async (path) => {
  if (path.startsWith('/events')) return;
  const text = await open('viewer', undefined, 'another')(path);
  expect(text).not.toContain(subject);
});

test('operators see what is on record, and viewers where nothing else is said', async () => {
  for (const [role, privacy] of [
    ['operator', kept],
    ['viewer', undefined],
    ['viewer', { subject: 'shown', sender: 'shown', excerpt: 'shown' }],
  ] as const) {
    const text = await open(role, privacy)('/message/k7mf');
    for (const secret of [subject, name, excerpt]) expect(text).toContain(secret);
    expect(await open(role, privacy)('/queue')).toContain(address);
  }
});
