// Values for the store's tests: complete, valid, and easy to vary.
import type { Instant } from '../../src/clock.ts';
import { minute } from '../../src/clock.ts';
import { expectMailbox } from '../../src/mail/path.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { expectBareJid } from '../../src/presence/jid.ts';
import type { GroupPlan, PassPlan } from '../../src/routing/plan.ts';
import type { Acceptance, NewDecision, NewDelivery, NewNudge } from '../../src/store/store.ts';
import type { StoryEvent } from '../../src/tracking/event.ts';
import type { Evidence } from '../../src/tracking/evidence.ts';
import type { Tracked } from '../../src/tracking/tracked.ts';

export const t0: Instant = 1_800_000_000_000;
export const alice = expectMailbox('alice@example.org');
export const support = expectMailbox('support@example.org');
const place = { file: 'rules/groups.yaml', line: 3, column: 1 };

export const pass: PassPlan = {
  kind: 'pass',
  address: alice,
  rule: null,
  rulesVersion: 'abc123abc123',
  because: ['no route and no group'],
};

export const groupPlan: GroupPlan & { policy: NonNullable<GroupPlan['policy']> } = {
  kind: 'group',
  group: 'support',
  address: support,
  candidates: [{ person: 'alice', mailbox: alice, jid: expectBareJid('alice@example.org') }],
  strategy: 'longest-idle',
  eligible: ['chat', 'available'],
  hold: 30 * minute,
  fallback: { mailbox: support, unchanged: true },
  policy: {
    name: 'urgent',
    until: 'read',
    steps: [{ name: 'remind', after: 10 * minute, to: { kind: 'owner' }, times: 1 }],
    place,
  },
  rule: place,
  rulesVersion: 'abc123abc123',
  because: ['group address'],
};

export const id = (name: string): QueueId => name as QueueId;

export function delivery(seq: number, more: Partial<NewDelivery> = {}): NewDelivery {
  return {
    seq,
    path: { mailbox: alice, notify: ['failure'], orcpt: 'rfc822;alice@example.org' },
    plan: pass,
    forwardOf: null,
    chosen: null,
    firstAttemptAt: t0,
    ...more,
  };
}

export function trackedOf(queueId: QueueId, more: Partial<Tracked> = {}): Tracked {
  return {
    queueId,
    seq: 0,
    shortId: `s${queueId}`,
    state: 'waiting',
    revision: 0,
    plan: groupPlan,
    owner: null,
    ownedSince: null,
    step: 0,
    stepTaken: 0,
    nextStepAt: null,
    tried: {},
    acceptedAt: t0,
    closedAt: null,
    closedBy: null,
    messageId: `<${queueId}@example.net>`,
    subject: 'Grüße, “help”',
    from: 'Customer <customer@example.net>',
    reversePath: expectMailbox('customer@example.net'),
    address: support,
    ...more,
  };
}

export function event(queueId: QueueId, more: Partial<StoryEvent & { event: 'operated' }> = {}): StoryEvent {
  return { at: t0, queueId, event: 'operated', action: 'noted', by: 'test', ...more };
}

export function acceptance(queueId: QueueId, more: Partial<Acceptance> = {}): Acceptance {
  const reversePath = expectMailbox('customer@example.net');
  return {
    message: {
      queueId,
      acceptedAt: t0,
      envelope: { reversePath, body: '8BITMIME', smtputf8: false, ret: 'HDRS', envid: 'e1' },
      facts: {
        queueId,
        receivedAt: t0,
        reversePath,
        recipients: [alice],
        size: 27,
        peer: '127.0.0.1',
        carriesMembers: false,
        messageId: `<${queueId}@example.net>`,
        subject: 'Grüße, “help”',
        references: [],
        autoSubmitted: false,
        headers: [['subject', 'Grüße, “help”']],
        receivedCount: 1,
        deliveredTo: [],
      },
      size: 27,
      trace: 'Received: from test\r\n',
      kind: 'mail',
    },
    content: Buffer.from('Subject: help\r\n\r\n\x00\xff bytes', 'latin1'),
    deliveries: [delivery(0)],
    tracked: [],
    events: [
      {
        at: t0,
        queueId,
        event: 'accepted',
        from: reversePath,
        to: [alice],
        size: 27,
        peer: '127.0.0.1',
        subject: 'hi',
      },
    ],
    ...more,
  };
}

/** A message for the group, tracked, of which nobody has been chosen yet. */
export function groupAcceptance(queueId: QueueId, more: Partial<Tracked> = {}): Acceptance {
  return acceptance(queueId, {
    deliveries: [delivery(0, { plan: groupPlan, path: { mailbox: support } })],
    tracked: [trackedOf(queueId, more)],
  });
}

export function nudge(nudgeId: string, queueId: QueueId, more: Partial<NewNudge> = {}): NewNudge {
  return {
    id: nudgeId,
    queueId,
    seq: 0,
    to: { kind: 'person', jid: expectBareJid('alice@example.org'), person: 'alice' },
    text: 'New mail: help',
    kind: 'nudge',
    step: 0,
    dueAt: t0,
    staleAt: t0 + 60 * minute,
    ...more,
  };
}

export function evidenceOf(queueId: QueueId, more: Partial<Evidence> = {}): Evidence {
  return {
    queueId,
    seq: 0,
    at: t0,
    person: 'alice',
    grade: 7,
    source: 'im ack',
    reference: 'stanza-1',
    trusted: true,
    ...more,
  };
}

export function decision(decisionId: string, queueId: QueueId): NewDecision {
  const presence = { state: 'available', since: t0, asOf: t0 } as const;
  return {
    id: decisionId,
    queueId,
    seq: 0,
    at: t0,
    why: 'dispatch',
    plan: groupPlan,
    snapshot: {
      now: t0,
      people: { alice: { presence, open: 0, lastAssignedAt: null } },
      lastInGroup: null,
      excluded: {},
      holdUntil: t0 + minute,
    },
    choice: {
      kind: 'member',
      person: 'alice',
      mailbox: alice,
      considered: [
        { person: 'alice', presence, open: 0, lastAssignedAt: null, verdict: 'chosen', reason: 'longest idle' },
      ],
      because: ['the only one there'],
    },
  };
}
