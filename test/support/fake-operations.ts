// Operations with one message in them, for tests of what stands before the port: the API, the CLI. What is asked of it
// is recorded in `calls`.
import type { MailFacts } from '../../src/mail/facts.ts';
import { expectMailbox } from '../../src/mail/path.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import type { DirectoryView, Operations, Status, Story } from '../../src/operations.ts';
import type { FaultView, Oversight } from '../../src/oversight.ts';
import { expectBareJid } from '../../src/presence/jid.ts';
import type { GroupPlan } from '../../src/routing/plan.ts';
import type { Decision, Delivery, QueueRow } from '../../src/store/store.ts';
import type { Percentiles } from '../../src/tracking/report.ts';
import type { Tracked } from '../../src/tracking/tracked.ts';

export const sampleNow = Date.UTC(2026, 2, 1, 10, 42, 0);
export const sampleId = '01JC5Z0K3F7QX' as QueueId;
/** What a hostile subject leaves after the facts were taken from a store written by somebody else. */
export const hostileSubject = 'Printer \u001b[31m\u0007on fire\u202e\u009b2J\r\nfake line';

const alice = expectMailbox('alice@example.org');
const support = expectMailbox('support@example.org');
const accepted = sampleNow - 240_000;

export const samplePlan: GroupPlan & { readonly policy: NonNullable<GroupPlan['policy']> } = {
  kind: 'group',
  group: 'support',
  address: support,
  candidates: [{ person: 'alice', mailbox: alice, jid: expectBareJid('alice@example.org') }],
  strategy: 'in-order',
  eligible: ['chat', 'available'],
  hold: null,
  fallback: { mailbox: support, unchanged: true },
  policy: {
    name: 'urgent',
    until: 'taken',
    steps: [{ name: 'next-person', after: 600_000, to: { kind: 'next' }, times: 1 }],
    place: { file: 'rules/30-policies.yaml', line: 2, column: 3 },
  },
  rule: { file: 'rules/20-groups.yaml', line: 4, column: 3 },
  rulesVersion: 'abc123def456',
  because: ['group support has the address support@example.org'],
};

const facts: MailFacts = {
  queueId: sampleId,
  receivedAt: accepted,
  reversePath: expectMailbox('customer@example.net'),
  recipients: [support],
  size: 2048,
  peer: '192.0.2.7',
  carriesMembers: false,
  messageId: '<1@example.net>',
  subject: hostileSubject,
  from: 'A Customer <customer@example.net>',
  references: [],
  autoSubmitted: false,
  headers: [],
  receivedCount: 1,
  deliveredTo: [],
};

export const sampleDelivery: Delivery = {
  queueId: sampleId,
  seq: 0,
  path: { mailbox: support },
  plan: samplePlan,
  state: 'queued',
  attempts: 2,
  forwardOf: null,
  chosen: { mailbox: alice, person: 'alice' },
  lastReply: '451 4.7.1 Try again later',
  lastHop: 'inside',
  finalDotAt: null,
  onHoldBy: null,
  delayToldAt: null,
  nextAttemptAt: sampleNow + 300_000,
};

export const sampleTracked: Tracked = {
  queueId: sampleId,
  seq: 0,
  shortId: 'k7mf',
  state: 'tracked',
  revision: 3,
  plan: samplePlan,
  owner: 'alice',
  ownedSince: sampleNow - 200_000,
  step: 0,
  stepTaken: 0,
  nextStepAt: sampleNow + 60_000,
  tried: { bob: 'has passed' },
  acceptedAt: accepted,
  closedAt: null,
  closedBy: null,
  messageId: '<1@example.net>',
  subject: hostileSubject,
  from: 'A Customer <customer@example.net>',
  reversePath: expectMailbox('customer@example.net'),
  address: support,
};

const onlinePresence = { state: 'available', since: accepted, asOf: sampleNow - 5_000 } as const;

export const sampleDecision: Decision = {
  queueId: sampleId,
  seq: 0,
  id: 'd1',
  at: accepted,
  why: 'dispatch',
  plan: samplePlan,
  snapshot: {
    now: accepted,
    people: { alice: { presence: onlinePresence, open: 0, lastAssignedAt: null } },
    lastInGroup: null,
    excluded: {},
    holdUntil: null,
  },
  choice: {
    kind: 'member',
    person: 'alice',
    mailbox: alice,
    considered: [
      {
        person: 'alice',
        presence: onlinePresence,
        open: 0,
        lastAssignedAt: null,
        verdict: 'chosen',
        reason: 'first in order',
      },
    ],
    because: ['alice is the first eligible member'],
  },
};

export const sampleStory: Story = {
  message: {
    queueId: sampleId,
    acceptedAt: accepted,
    envelope: { reversePath: expectMailbox('customer@example.net'), body: '8BITMIME', smtputf8: false },
    facts,
    size: 2048,
    trace: '',
    kind: 'mail',
  },
  deliveries: [sampleDelivery],
  tracked: [sampleTracked],
  contentKept: true,
  events: [
    {
      event: 'accepted',
      at: accepted,
      queueId: sampleId,
      from: 'customer@example.net',
      to: ['support@example.org'],
      size: 2048,
      peer: '192.0.2.7',
      subject: hostileSubject,
    },
    {
      event: 'chosen',
      at: accepted + 20,
      queueId: sampleId,
      seq: 0,
      group: 'support',
      person: 'alice',
      mailbox: 'alice@example.org',
      why: 'dispatch',
      because: ['alice is the first eligible member'],
      decision: 'd1',
    },
    {
      event: 'deferred',
      at: accepted + 3_000,
      queueId: sampleId,
      seq: 0,
      to: 'alice@example.org',
      nextHop: 'inside',
      reply: '451 4.7.1 Try \u001b]0;owned\u0007again later',
      nextAttemptAt: sampleNow + 300_000,
    },
  ],
  evidence: [],
  decisions: [sampleDecision],
  nudges: [],
};

export const sampleStatus: Status = {
  version: '0.1.0',
  ready: true,
  problems: [],
  rulesVersion: 'abc123def456',
  link: { state: 'up', since: sampleNow - 3_600_000 },
  startedAt: sampleNow - 7_200_000,
  counts: {
    deliveries: { queued: 1, held: 0, delivered: 5, failed: 0, dropped: 0, dead: 0 },
    tracked: { waiting: 0, held: 0, tracked: 1, acknowledged: 2, answered: 0, expired: 0, withdrawn: 0 },
    oldestQueuedAt: accepted,
    pendingNudges: 0,
  },
};

export const sampleFault: FaultView = {
  number: 3,
  kind: 'next-hop-down',
  subject: 'inside',
  severity: 'error',
  text: 'Next hop inside does not answer',
  openedAt: accepted,
  lastAt: sampleNow - 60_000,
  count: 4,
  owner: null,
  ownedSince: null,
  clearedAt: null,
  clearedBy: null,
  revision: 1,
  announced: 1,
  meaning: 'Three attempts in a row were deferred.',
  todo: 'See to that mail server.',
  clears: 'when it accepts a mail',
  byHand: false,
};

const nothingDone: Percentiles = { count: 0, values: [] };

function fakeOversight(): Oversight {
  return {
    faults: async () => [sampleFault],
    actOnFault: async (_number, action, by) => ({ ...sampleFault, owner: action === 'claim' ? by : null }),
    audited: async () => [
      {
        number: 7,
        at: sampleNow - 5_000,
        by: 'console:ann',
        action: 'hold',
        subject: sampleId,
        wish: {},
        before: { state: 'queued' },
        after: { done: '0' },
        outcome: 'done',
      },
    ],
    note: async () => undefined,
    lately: async () => ({
      events: sampleStory.events.map((event, index) => ({ ...event, number: index + 1 })),
      next: null,
    }),
    handled: async () => [],
    report: async ({ since, until }) => ({
      since,
      until,
      mails: 4,
      watched: 2,
      escalated: 1,
      expired: 0,
      toRead: nothingDone,
      toTaken: { count: 2, values: [{ percent: 50, time: 60_000 }] },
      groups: [{ group: 'support', mails: 4, watched: 2, escalated: 1, taken: 2, medianToTaken: 60_000 }],
      people: [
        { person: 'alice', given: 4, taken: 2, medianToTaken: 60_000, hours: Array.from({ length: 24 }, () => 0) },
      ],
    }),
    presenceDays: async (names, since, until) =>
      names.map((name) => ({ name, spans: [{ from: since, to: until, state: 'available' }] })),
    ruleFiles: () => ({
      version: 'abc123def456',
      rejected: false,
      problems: [],
      files: [{ name: 'rules/10-people.yaml', text: 'people:\n  alice: { mail: alice@example.org }\n' }],
    }),
    tryOut: async () => ({
      version: 'abc123def456',
      problems: [],
      story: [{ at: sampleNow, recipient: 'support@example.org', text: '0s to alice', reasons: ['first in order'] }],
    }),
    replayDays: async ({ since, until }) => ({
      version: 'abc123def456',
      problems: [],
      since,
      until,
      mails: 1,
      recipients: 1,
      moved: 1,
      differences: [
        {
          queueId: sampleId,
          receivedAt: accepted,
          recipient: 'support@example.org',
          subject: hostileSubject,
          before: { where: 'to alice', at: accepted, why: 'first in order' },
          after: { where: 'to bob', at: accepted, why: 'first in order' },
        },
      ],
      loads: [{ person: 'alice', before: { given: 1, peak: 1 }, after: null }],
      withoutAttachments: 0,
      took: 12,
    }),
  };
}

export const sampleDirectory: DirectoryView = {
  source: 'ldaps://ldap.example.org:636/dc=example,dc=org',
  readAt: sampleNow - 60_000,
  failure: null,
  held: [{ subject: 'duty', text: 'nobody is in it any more: alice, bob' }],
  people: 42,
  groups: [
    {
      id: 'cn=duty,dc=example,dc=org',
      name: 'duty',
      members: ['alice', 'bob'],
      missing: ['"uid=x" has no mail address'],
    },
  ],
  unused: 3,
  flaws: [{ id: 'uid=x,dc=example,dc=org', text: 'has no mail address' }],
};

export interface FakeOperations extends Operations {
  readonly calls: readonly (readonly [verb: string, ...args: unknown[]])[];
}

export function fakeOperations(over: Partial<Operations> = {}): FakeOperations {
  const calls: [string, ...unknown[]][] = [];
  const known = (id: string) => id.toUpperCase() === sampleId || id.toLowerCase() === sampleTracked.shortId;
  const row: QueueRow = { ...sampleDelivery, acceptedAt: accepted, reversePath: 'customer@example.net', size: 2048 };
  const base: Operations = {
    status: async () => sampleStatus,
    listQueue: async () => [row],
    story: async (id) => (known(id) ? sampleStory : null),
    retry: async () => 1,
    intervene: async () => ({ done: [0], busy: [] }),
    requeue: async () => ({ done: [0], busy: [] }),
    countQueue: async () => ({
      bounds: [5, 10],
      rows: [{ nextHop: 'inside', total: 3, onHold: 1, ages: [1, 0, 2] }],
    }),
    listTracked: async () => [sampleTracked],
    soonest: async () => [sampleTracked],
    candidates: async () => ({ tracked: sampleTracked, considered: sampleDecision.choice.considered }),
    reassign: async () => sampleTracked,
    snooze: async () => sampleTracked,
    takeStep: async () => sampleTracked,
    groups: () => [],
    ack: async (id, by) =>
      known(id)
        ? { kind: 'done', tracked: { ...sampleTracked, state: 'acknowledged', closedBy: by, closedAt: sampleNow } }
        : { kind: 'unknown' },
    presence: async () => [
      {
        name: 'alice',
        mail: 'alice@example.org',
        jid: 'alice@example.org',
        groups: ['support'],
        presence: { ...onlinePresence, status: 'at my\u001b[2J desk' },
        source: 'xmpp',
        age: 1_000,
        open: 1,
        lastAssignedAt: sampleNow - 240_000,
      },
    ],
    route: () => [],
    directory: () => sampleDirectory,
    acceptDirectory: async () => sampleDirectory,
    copiesAddress: async () => 'copies.0123456789abcdef@track.example.org',
    presenceAt: async () => [{ name: 'alice', presence: onlinePresence }],
    setPresence: async (name, wish) => ({
      name,
      mail: 'alice@example.org',
      jid: null,
      groups: ['support'],
      presence:
        wish === null ? onlinePresence : { state: wish.state, since: sampleNow, asOf: sampleNow, source: 'manual' },
      source: wish === null ? 'xmpp' : 'manual',
      age: 0,
      open: 0,
      lastAssignedAt: null,
    }),
    followPresence: () => () => undefined,
    explain: async (id) => (known(id) ? [{ decision: sampleDecision, replayed: true }] : null),
    recorded: async () => [],
    presenceHistory: async () => [],
    rotateMarkKey: async () => ({ key: 'k2' }),
    reload: async () => ({ version: 'abc123def456', problems: [] }),
    ...fakeOversight(),
  };
  const recorded = Object.entries({ ...base, ...over }).map(([verb, run]) => [
    verb,
    (...args: unknown[]) => {
      calls.push([verb, ...args]);
      return (run as (...all: unknown[]) => unknown)(...args);
    },
  ]);
  return { ...(Object.fromEntries(recorded) as Operations), calls };
}
