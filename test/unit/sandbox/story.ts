// One story in events: a mail that is accepted, held, chosen for, forwarded, nudged, escalated, acknowledged.
import type { QueueId } from '../../../src/mail/queue-id.ts';
import type { StoryEvent } from '../../../src/tracking/event.ts';
import { testStart } from '../../support/clock.ts';

export const queueId = '1M83JSCY2GWXK' as QueueId;
const room = 'duty@rooms.pointsman.test';
const at = (seconds: number) => ({ at: testStart + seconds * 1_000, queueId });

export const accepted: StoryEvent = {
  ...at(1),
  event: 'accepted',
  from: 'ann@example.net',
  to: ['support@pointsman.test'],
  size: 361,
  peer: '127.0.0.1',
  subject: 'The printer is on fire',
  messageId: '<a@example.net>',
};

export const story: readonly StoryEvent[] = [
  accepted,
  {
    ...at(1),
    seq: 0,
    event: 'held',
    group: 'support',
    until: testStart + 11_000,
    because: ['0 of 3 members of support eligible', 'held for up to 10s until somebody is'],
    decision: 'd1',
  },
  {
    ...at(4),
    seq: 0,
    event: 'chosen',
    group: 'support',
    person: 'alice',
    mailbox: 'alice@pointsman.test',
    why: 'dispatch',
    because: ['2 of 3 members of support eligible', 'alice: first in order'],
    decision: 'd2',
  },
  {
    ...at(4),
    seq: 0,
    event: 'deferred',
    to: 'alice@pointsman.test',
    nextHop: 'sink',
    reply: '451 later',
    nextAttemptAt: testStart + 9_000,
  },
  {
    ...at(9),
    seq: 0,
    event: 'forwarded',
    to: 'alice@pointsman.test',
    person: 'alice',
    nextHop: 'sink',
    reply: '250 Ok',
  },
  { ...at(9), seq: 0, event: 'nudged', to: 'alice@pointsman.test', person: 'alice', step: 0 },
  {
    ...at(9),
    seq: 0,
    event: 'evidence',
    person: 'alice',
    grade: 2,
    source: 'im received',
    trusted: true,
    reference: 'n1',
  },
  { ...at(21), seq: 0, event: 'escalated', step: 'room', trigger: 'time', from: 'alice', to: room },
  { ...at(21), seq: 0, event: 'nudged', to: room, room, step: 2 },
  { ...at(25), seq: 0, event: 'evidence', grade: 8, source: 'reply', trusted: false },
  { ...at(26), seq: 0, event: 'evidence', person: 'dave', grade: 7, source: 'im ack in room', trusted: true },
  { ...at(26), seq: 0, event: 'closed', state: 'acknowledged', by: 'dave' },
  {
    ...at(30),
    event: 'fault',
    fault: 'dead-letter',
    severity: 'error',
    text: 'A mail could be neither delivered nor reported',
  },
  { ...at(31), event: 'operated', action: 'retry', by: 'cli:root' },
  { ...at(31), seq: 0, event: 'reported', to: 'alice@pointsman.test', report: '1M83JSCY2GWXM' as QueueId },
  { ...at(32), seq: 0, event: 'failed', to: 'alice@pointsman.test', nextHop: 'sink', reply: '550 no such user' },
];
