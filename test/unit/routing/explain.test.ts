// A decision in words.
import { expect, test } from 'vitest';
import { expectMailbox } from '../../../src/mail/path.ts';
import { expectBareJid } from '../../../src/presence/jid.ts';
import { choose, foundNobody, type Snapshot } from '../../../src/routing/choose.ts';
import { explain, replay } from '../../../src/routing/explain.ts';
import type { GroupPlan } from '../../../src/routing/plan.ts';

const now = Date.UTC(2026, 0, 5, 10, 0, 0);
const candidates = ['alice', 'bob'].map((person) => ({
  person,
  mailbox: expectMailbox(`${person}@example.org`),
  jid: expectBareJid(`${person}@example.org`),
}));
const plan: GroupPlan = {
  kind: 'group',
  group: 'support',
  address: expectMailbox('support@example.org'),
  candidates,
  strategy: 'longest-idle',
  eligible: ['chat', 'available'],
  hold: null,
  fallback: { mailbox: expectMailbox('archive@example.org'), unchanged: false },
  policy: null,
  rule: { file: 'rules/20-groups.yaml', line: 4, column: 3 },
  rulesVersion: '0123456789ab',
  because: ['support@example.org is the address of the group support (rules/20-groups.yaml:4)'],
};
const snapshot: Snapshot = {
  now,
  people: {
    alice: {
      presence: { state: 'dnd', since: now - 720_000, asOf: now - 60_000 },
      open: 2,
      lastAssignedAt: now - 1000,
    },
    bob: {
      presence: { state: 'available', since: now - 7_200_000, asOf: now - 30_000 },
      open: 0,
      lastAssignedAt: null,
    },
  },
  lastInGroup: 'alice',
  excluded: {},
  holdUntil: null,
};

test('candidates, exclusions with reasons, presence and its age, rule and version', () => {
  const choice = choose(plan, snapshot);
  expect(explain({ at: now, why: 'dispatch', plan, snapshot, choice })).toEqual([
    '2026-01-05T10:00:00.000Z  dispatch of mail for support@example.org',
    '  rule rules/20-groups.yaml:4, version 0123456789ab',
    '  support@example.org is the address of the group support (rules/20-groups.yaml:4)',
    '  longest-idle among those who are chat or available',
    '  alice  excluded  is dnd for 12m  [presence dnd, heard 1m ago; 2 open; last assigned 1s ago]',
    '  bob    chosen    is available for 2h; never had a message  [presence available, heard 30s ago; 0 open; never assigned]',
    '  → bob <bob@example.org>',
    '    1 of 2 members of support eligible',
    '    bob: the only one',
  ]);
  expect(foundNobody(choice)).toBe(false);
});

test('hold and fallback', () => {
  const absent = { ...snapshot, people: {} };
  const lines = (holdUntil: number | null) => {
    const one = { ...absent, holdUntil };
    return explain({ at: now, why: 'retry', plan, snapshot: one, choice: choose(plan, one) });
  };
  expect(lines(now + 90_000)).toContain('  → held until 2026-01-05T10:01:30.000Z');
  expect(lines(null)).toContain('  → archive@example.org (fallback)');
  expect(foundNobody(choose(plan, absent))).toBe(true);
});

test('replay compares what JSON keeps, in whatever order the keys come back', () => {
  const choice = choose(plan, snapshot);
  const reordered = Object.fromEntries(Object.entries(choice).reverse()) as typeof choice;
  expect(replay({ plan, snapshot, choice: reordered })).toBe(true);
  expect(replay({ plan, snapshot: { ...snapshot, people: {} }, choice })).toBe(false);
  expect(replay({ plan: { ...plan, strategy: 'in-order' }, snapshot, choice })).toBe(false);
});
