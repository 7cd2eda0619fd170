// Plans: routes in order, then the group with the address, then pass-through; loops end here.
import { describe, expect, test } from 'vitest';
import type { MailFacts } from '../../../src/mail/facts.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { replies } from '../../../src/mail/reply.ts';
import { isRelayed } from '../../../src/routing/admission.ts';
import { parseRules } from '../../../src/routing/parse.ts';
import { plan } from '../../../src/routing/plan.ts';
import { formatProblem } from '../../../src/routing/problem.ts';
import type { Rules } from '../../../src/routing/rules.ts';

const text = `people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@example.org, jid: none }
  carol: { mail: Carol@Example.org }
groups:
  support:
    addresses: [support@example.org, help@example.org]
    members: [carol, alice]
    strategy: round-robin
    hold: 2m
    fallback: { person: bob }
    policy: slow
  billing:
    address: billing@example.org
    members: [alice]
    fallback: unchanged
    policy: none
policies:
  slow: { steps: [{ name: next, after: 1h, to: next }] }
  fast: { steps: [{ name: next, after: 1m, to: next }] }
routes:
  - name: urgent
    match: { recipient: support@example.org, subject: [{ prefix: 'URGENT' }, { regex: '(?i)\\boutage\\b' }] }
    group: support
    policy: fast
    strategy: in-order
    eligible: [chat, dnd]
  - name: invoices
    match: { recipient: { glob: 's*@example.org' }, subject: { contains: invoice } }
    group: billing
  - name: reports
    match: { recipient: support@example.org, sender: '<>' }
    pass: true
  - name: spam
    match: { header: { X-Spam-Flag: 'YES', X-Spam-Score: { regex: '^[5-9]' } } }
    reject: 'No spam here'
  - name: untracked
    match: { recipient: help@example.org, sender: { glob: '*@example.org' } }
    group: support
    policy: none
`;

function rulesOf(source: string): Rules {
  const { rules, problems } = parseRules([{ name: 'r.yaml', text: source }]);
  if (!rules) throw new Error(problems.map(formatProblem).join('\n'));
  return rules;
}

const rules = rulesOf(text);

function facts(changes: Partial<MailFacts> = {}): MailFacts {
  return {
    queueId: '0000000000000' as QueueId,
    receivedAt: 0,
    reversePath: expectMailbox('someone@elsewhere.example'),
    recipients: [],
    size: 1000,
    peer: '127.0.0.1',
    carriesMembers: false,
    references: [],
    autoSubmitted: false,
    headers: [],
    receivedCount: 1,
    deliveredTo: [],
    ...changes,
  };
}

const planFor = (recipient: string, changes: Partial<MailFacts> = {}) =>
  plan(facts(changes), expectMailbox(recipient), rules);

describe('a group', () => {
  test('by its address, whatever the case', () => {
    expect(planFor('Support@EXAMPLE.org')).toEqual({
      kind: 'group',
      group: 'support',
      address: 'Support@EXAMPLE.org',
      candidates: [
        { person: 'carol', mailbox: 'Carol@Example.org', jid: 'carol@example.org' },
        { person: 'alice', mailbox: 'alice@example.org', jid: 'alice@example.org' },
      ],
      strategy: 'round-robin',
      eligible: ['chat', 'available'],
      hold: 120_000,
      pace: 5_000,
      fallback: { mailbox: 'bob@example.org', person: 'bob', unchanged: false },
      policy: rules.policies.get('slow'),
      rule: { file: 'r.yaml', line: 6, column: 3 },
      rulesVersion: rules.version,
      because: ['Support@EXAMPLE.org is the address of the group support (r.yaml:6)'],
    });
  });

  test('fallback unchanged is the address that was written to', () => {
    expect(planFor('Billing@example.org')).toMatchObject({
      fallback: { mailbox: 'Billing@example.org', unchanged: true },
      policy: null,
    });
  });
});

describe('routes', () => {
  test('the first that matches wins, and overrides', () => {
    expect(planFor('support@example.org', { subject: 'Big Outage: invoice' })).toMatchObject({
      kind: 'group',
      group: 'support',
      policy: { name: 'fast' },
      strategy: 'in-order',
      eligible: ['chat', 'dnd'],
      rule: { line: 22 },
      because: [
        'the route urgent (r.yaml:22) matches: recipient is support@example.org, subject matches the regex "(?i)\\\\boutage\\\\b"',
        'group support',
      ],
    });
  });

  test('policy: none takes the policy away', () => {
    const reversePath = expectMailbox('alice@example.org');
    expect(planFor('help@example.org', { reversePath })).toMatchObject({ kind: 'group', policy: null });
  });

  test('to another group', () => {
    expect(planFor('SALES@example.org', { subject: 'your INVOICE' })).toMatchObject({
      kind: 'group',
      group: 'billing',
      fallback: { mailbox: 'SALES@example.org', unchanged: true },
    });
  });

  test('a test on a subject that is not there is false', () => {
    expect(planFor('sales@example.org')).toMatchObject({ kind: 'pass', rule: null });
  });

  test('the null reverse-path is the sender <>', () => {
    expect(planFor('support@example.org', { reversePath: '<>' })).toMatchObject({ kind: 'pass', rule: { line: 31 } });
  });

  test('all headers must hold, any value of one will do', () => {
    const spam = [
      ['x-spam-flag', 'yes'],
      ['x-spam-score', '1.0'],
      ['x-spam-score', '7.5'],
    ] as const;
    expect(planFor('support@example.org', { headers: spam })).toMatchObject({
      kind: 'reject',
      reply: { code: 550, enhanced: '5.7.1', text: 'No spam here' },
      rule: { line: 34 },
    });
    expect(planFor('support@example.org', { headers: spam.slice(0, 2) })).toMatchObject({ kind: 'group' });
    expect(planFor('support@example.org', { headers: spam.slice(1) })).toMatchObject({ kind: 'group' });
  });

  test('reasons never hold what the mail says', () => {
    const plans = ['support@example.org', 'sales@example.org'].map((to) =>
      planFor(to, { subject: 'secret outage invoice' }),
    );
    expect(JSON.stringify(plans)).not.toContain('secret');
  });
});

describe('loops', () => {
  test('delivered to the group before, by any of its addresses', () => {
    expect(planFor('support@example.org', { deliveredTo: ['alice@example.org', 'help@example.org'] })).toMatchObject({
      kind: 'reject',
      reply: replies.loop,
      because: ['a loop: it has been delivered to help@example.org before (Delivered-To)'],
    });
  });

  test('delivered to an address that only a route leads from', () => {
    expect(planFor('sales@example.org', { subject: 'invoice', deliveredTo: ['sales@example.org'] })).toMatchObject({
      kind: 'reject',
      reply: replies.loop,
    });
  });

  test('delivered to somebody else is no loop, and mail for no group is not looked at', () => {
    expect(planFor('support@example.org', { deliveredTo: ['billing@example.org'] }).kind).toBe('group');
    expect(planFor('alice@example.org', { deliveredTo: ['alice@example.org'] }).kind).toBe('pass');
  });

  test('more hops than 50, for anybody', () => {
    expect(planFor('alice@example.org', { receivedCount: 50 }).kind).toBe('pass');
    expect(planFor('alice@example.org', { receivedCount: 51 })).toMatchObject({
      kind: 'reject',
      reply: replies.loop,
      rule: null,
    });
  });
});

test('nothing but pass-through without rules', () => {
  expect(plan(facts(), expectMailbox('x@y.example'), rulesOf(''))).toMatchObject({
    kind: 'pass',
    rule: null,
    because: ["no route matches and x@y.example is no group's address: passed through"],
  });
});

describe('who is relayed to', () => {
  const domains = ['example.com', 'münchen.example'];
  test.each([
    ['someone@example.com', true],
    ['someone@EXAMPLE.com', true],
    ['someone@sub.example.com', false],
    ['Support@example.org', true],
    ['help@example.org', true],
    ['carol@example.org', true],
    ['archive@example.org', false],
    ['x@xn--mnchen-3ya.example', true],
    ['x@MÜNCHEN.example', true],
    ['x@[127.0.0.1]', false],
    ['"a@example.com"@elsewhere.example', false],
  ])('%s: %s', (mailbox, relayed) => {
    expect(isRelayed(expectMailbox(mailbox), rules, domains)).toBe(relayed);
  });
});
