// What really happened, said in the words of a replay: otherwise every mail would seem to have gone elsewhere. And what
// people did is repeated: the first who has a mail does what the first one did, the second what the second did.
import { describe, expect, test } from 'vitest';
import { hour, minute } from '../../../src/clock.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { expectBareJid } from '../../../src/presence/jid.ts';
import { asItWas, type RecordedMail, Replay } from '../../../src/rehearsal/replay.ts';
import { parseRules } from '../../../src/routing/parse.ts';

const nine = Date.UTC(2026, 0, 5, 9);
const desk = expectMailbox('desk@example.org');
const ann = expectMailbox('ann@example.org');
type Delivery = RecordedMail['deliveries'][number];

const mailOf = (delivery: Partial<Delivery>, n = 0): RecordedMail => ({
  facts: {
    queueId: String(n).padStart(13, '0') as QueueId,
    receivedAt: nine + n * minute,
    reversePath: expectMailbox('x@example.net'),
    recipients: [desk],
    size: 1,
    peer: '127.0.0.1',
    carriesMembers: false,
    references: [],
    autoSubmitted: false,
    headers: [],
    receivedCount: 1,
    deliveredTo: [],
  },
  deliveries: [
    {
      seq: 0,
      address: desk,
      plan: { kind: 'group' },
      person: 'ann',
      mailbox: ann,
      choice: 'member',
      because: ['a', 'b', 'c'],
      closed: null,
      ...delivery,
    },
  ],
});

describe('where it went', () => {
  const nobody = { person: null, mailbox: null, choice: null } as const;
  test.each<[string, Partial<Delivery>, string | undefined, Record<string, number>]>([
    ['to a member', {}, 'to ann', { ann: 1 }],
    ['to a member of the group behind', { of: 'second' }, 'to ann of second', { ann: 1 }],
    ['to all of them', { also: ['bob', 'eve'] }, 'to ann, bob, eve', { ann: 1, bob: 1, eve: 1 }],
    ['to a person as fallback', { choice: 'fallback' }, 'to ann (fallback)', { ann: 1 }],
    ['to a mailbox as fallback', { choice: 'fallback', person: null }, 'to ann@example.org (fallback)', {}],
    ['on, unchanged', { choice: 'fallback', person: null, mailbox: desk }, 'on to desk@example.org, unchanged', {}],
    [
      'back to its sender',
      { choice: 'fallback', person: null, mailbox: desk, refusal: { code: 550, text: 'No' } },
      'refused: 550 No',
      {},
    ],
    [
      'on, while only observing',
      { plan: { kind: 'group', mode: 'observe' } },
      'on to desk@example.org, unchanged; would be to ann',
      {},
    ],
    ['through', { ...nobody, plan: { kind: 'pass' } }, 'passed through to desk@example.org', {}],
    ['nowhere yet', nobody, undefined, {}],
  ])('%s', (_what, delivery, where, given) => {
    const { routes, loads } = asItWas([mailOf(delivery)]);
    expect([...routes.values()].map((route) => route.where)).toEqual(where === undefined ? [] : [where]);
    expect(Object.fromEntries([...loads].map(([person, load]) => [person, load.given]))).toEqual(given);
  });
});

describe('what people did', () => {
  const { rules } = parseRules([
    {
      name: 'r',
      text: `people: { ann: { mail: ann@example.org }, bob: { mail: bob@example.org }, eve: { mail: eve@example.org } }
groups: { desk: { address: desk@example.org, members: [ann, bob, eve], strategy: least-busy, fallback: unchanged, policy: p } }
policies: { p: { until: taken, steps: [{ name: next, after: 30m, to: next, times: 2 }] } }`,
    },
  ]);
  /** Whom the next mail goes to, an hour after the first: whoever still has the first one is busier. */
  const nextAfter = (first: Partial<Delivery>): string | undefined => {
    if (!rules) throw new Error('the rules are wrong');
    const replay = new Replay(rules);
    for (const name of ['ann', 'bob', 'eve'])
      replay.presence({
        jid: expectBareJid(`${name}@example.org`),
        at: nine - hour,
        presence: { state: 'available', since: nine - hour, asOf: nine - hour },
      });
    for (const mail of [mailOf(first), mailOf({}, 60)]) {
      replay.run(mail.facts.receivedAt - 1);
      replay.mail(mail);
    }
    replay.run(nine + 2 * hour);
    return [...replay.result.routes.values()].map(({ where }) => where)[1];
  };
  const closed = (after: number) => ({ at: nine + after, state: 'acknowledged', ownedSince: nine });

  test.each<[string, Partial<Delivery>, string]>([
    // Ann has had one, and is free again: bob has been idle for longest, and is as free.
    ['the first takes it: she is free again', { closed: closed(10 * minute) }, 'to bob'],
    // It is with eve by then: ann and bob have nothing, and bob's turn as well as ann's has been.
    [
      'the first passes it on, the second too, the third keeps it',
      {
        moves: [
          { at: nine + minute, trigger: 'passed', from: 'zoe', to: 'yan' },
          { at: nine + 2 * minute, trigger: 'passed', from: 'yan', to: 'xia' },
        ],
      },
      'to ann',
    ],
    ['nobody does anything: after the steps it is with eve', {}, 'to ann'],
    [
      'a reminder and a room are nobody’s turn: ann has it still when it is closed',
      {
        moves: [
          { at: nine + minute, trigger: 'time', from: 'zoe', to: 'zoe' },
          { at: nine + 2 * minute, trigger: 'time', from: 'zoe', to: 'room@rooms.example.org' },
        ],
        closed: closed(20 * minute),
      },
      'to bob',
    ],
  ])('%s', (_what, first, where) => expect(nextAfter(first)).toBe(where));
});
