// Small made-up things for unit tests: each with sane defaults, changed where a test cares.
import { minute } from '../../src/clock.ts';
import { expectMailbox } from '../../src/mail/path.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { expectBareJid } from '../../src/presence/jid.ts';
import type { Presence, State } from '../../src/presence/presence.ts';
import type { PersonSnapshot, Snapshot } from '../../src/routing/choose.ts';
import type { GroupPlan } from '../../src/routing/plan.ts';
import type { Policy, Step } from '../../src/routing/rules.ts';
import type { Tracked } from '../../src/tracking/tracked.ts';
import { testStart } from './clock.ts';

const place = { file: 'rules/test.yaml', line: 1, column: 1 };

export const step = (name: string, to: Step['to'], more: Partial<Step> = {}): Step => ({
  name,
  after: 10 * minute,
  times: 1,
  ...more,
  to,
});

export const policy = (steps: readonly Step[], more: Partial<Policy> = {}): Policy => ({
  name: 'standard',
  until: 'read',
  place,
  ...more,
  steps,
});

export function groupPlan(people: readonly string[], more: Partial<GroupPlan> = {}): GroupPlan {
  return {
    kind: 'group',
    group: 'support',
    address: expectMailbox('support@example.org'),
    candidates: people.map((person) => ({
      person,
      mailbox: expectMailbox(`${person}@example.org`),
      jid: expectBareJid(`${person}@example.org`),
    })),
    strategy: 'in-order',
    eligible: ['chat', 'available'],
    hold: null,
    fallback: { mailbox: expectMailbox('archive@example.org'), unchanged: false },
    policy: null,
    rule: place,
    rulesVersion: '0123456789ab',
    because: [],
    ...more,
  };
}

export const presence = (state: State, more: Partial<Presence> = {}): Presence => ({
  state,
  since: testStart - minute,
  asOf: testStart,
  ...more,
});

/** @param states a person's state by name; who is not named is unknown */
export function snapshot(states: Readonly<Record<string, State>>, more: Partial<Snapshot> = {}): Snapshot {
  const people: Record<string, PersonSnapshot> = {};
  for (const [person, state] of Object.entries(states))
    people[person] = { presence: presence(state), open: 0, lastAssignedAt: null };
  return { now: testStart, people, lastInGroup: null, excluded: {}, holdUntil: null, ...more };
}

export function tracked(people: readonly string[], steps: readonly Step[], more: Partial<Tracked> = {}): Tracked {
  const rule = policy(steps);
  return {
    queueId: '01HZZZZZZ0000' as QueueId,
    seq: 0,
    shortId: 'k7mf',
    state: 'tracked',
    revision: 3,
    plan: { ...groupPlan(people), policy: rule },
    owner: people[0] ?? null,
    ownedSince: testStart - 10 * minute,
    step: 0,
    stepTaken: 0,
    nextStepAt: testStart,
    tried: {},
    acceptedAt: testStart - 10 * minute,
    closedAt: null,
    closedBy: null,
    messageId: '<m1@example.net>',
    subject: 'The printer is on fire',
    from: 'Ann <ann@example.net>',
    reversePath: expectMailbox('ann@example.net'),
    address: expectMailbox('support@example.org'),
    ...more,
  };
}
