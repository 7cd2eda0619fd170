import { describe, expect, test } from 'vitest';
import {
  type Action,
  deliveryStatus,
  maxReturned,
  needsSmtputf8,
  type ReportData,
  type ReportedRecipient,
  returnedMessage,
  statusOf,
} from '../../../src/mail/dsn.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { reportSubject, reportText } from '../../../src/mail/report-text.ts';

const now = Date.UTC(2026, 0, 5, 9, 0, 0);

function recipient(parts: Partial<ReportedRecipient> = {}): ReportedRecipient {
  return {
    mailbox: expectMailbox('x@example.com'),
    action: 'failed',
    reply: { code: 550, enhanced: '5.1.1', text: 'No such user' },
    remote: 'mx.example.com',
    ...parts,
  };
}

function report(
  recipients: ReportedRecipient[] = [recipient()],
  original: Partial<ReportData['original']> = {},
  to = 'a@example.org',
): ReportData {
  return {
    queueId: '0123456789ABD' as QueueId,
    hostname: 'relay.example',
    now,
    to: expectMailbox(to),
    original: {
      queueId: '0123456789ABC' as QueueId,
      arrivedAt: now - 3_600_000,
      envelope: { smtputf8: false },
      content: Buffer.from('Subject: x\r\nFrom: a\r\n\r\nbody\r\n'),
      ...original,
    },
    recipients,
  };
}

describe('the delivery status', () => {
  test('has a group for the message and one for each recipient', () => {
    const data = report(
      [
        recipient({ orcpt: 'rfc822;team@example.com', lastAttemptAt: now - 60_000 }),
        recipient({
          mailbox: expectMailbox('y@example.com'),
          action: 'delayed',
          reply: { code: 451, enhanced: '4.3.0', text: 'Try later' },
          willRetryUntil: now + 86_400_000,
        }),
      ],
      { envelope: { smtputf8: false, envid: 'QQ=1' } },
    );
    expect(deliveryStatus(data).split('\r\n')).toEqual([
      'Original-Envelope-Id: QQ=1',
      'Reporting-MTA: dns; relay.example',
      'Arrival-Date: Mon, 05 Jan 2026 08:00:00 +0000',
      'X-Pointsman-Queue-Id: 0123456789ABC',
      '',
      'Original-Recipient: rfc822; team@example.com',
      'Final-Recipient: rfc822; x@example.com',
      'Action: failed',
      'Status: 5.1.1',
      'Remote-MTA: dns; mx.example.com',
      'Diagnostic-Code: smtp; 550 5.1.1 No such user',
      'Last-Attempt-Date: Mon, 05 Jan 2026 08:59:00 +0000',
      '',
      'Final-Recipient: rfc822; y@example.com',
      'Action: delayed',
      'Status: 4.3.0',
      'Remote-MTA: dns; mx.example.com',
      'Diagnostic-Code: smtp; 451 4.3.0 Try later',
      'Will-Retry-Until: Tue, 06 Jan 2026 09:00:00 +0000',
      '',
    ]);
  });

  test('calls a reply of ours ours', () => {
    const { remote: _, ...ours } = recipient();
    const status = deliveryStatus(report([ours]));
    expect(status).toContain('Diagnostic-Code: X-Pointsman; 550 5.1.1 No such user\r\n');
    expect(status).not.toContain('Remote-MTA');
  });

  test.each([
    'x@example.com',
    'ü@example.com',
  ])('about %s cannot be given another field by anything from outside', (address) => {
    const evil = 'x\r\nAction: delivered\r\n\r\nFinal-Recipient: evil';
    const mailbox = expectMailbox(address);
    const status = deliveryStatus(
      report([recipient({ mailbox, orcpt: `rfc822;${evil}`, reply: { code: 550, text: evil }, remote: evil })], {
        envelope: { smtputf8: false, envid: evil },
      }),
    );
    expect(status.match(/^Action:.*$/gm)).toEqual(['Action: failed']);
    expect(status.split('\r\n\r\n')).toHaveLength(2);
  });

  test('is folded', () => {
    const reply = { code: 550, enhanced: '5.7.1', text: 'word '.repeat(100) };
    for (const line of deliveryStatus(report([recipient({ reply })])).split('\r\n'))
      expect(line.length).toBeLessThan(80);
  });

  test('knows addresses beyond ASCII, and is plain ASCII without any', () => {
    const plain = report([recipient({ reply: { code: 550, text: 'Kein Empfänger' } })]);
    expect(needsSmtputf8(plain)).toBe(false);
    expect(deliveryStatus(plain)).toContain('smtp; 550 Kein Empf?nger');
    const utf8 = report([
      recipient({ mailbox: expectMailbox('jürgen@example.com'), reply: { code: 550, text: 'Empfänger' } }),
    ]);
    expect(needsSmtputf8(utf8)).toBe(true);
    expect(deliveryStatus(utf8)).toContain('Final-Recipient: utf-8; jürgen@example.com\r\n');
    expect(deliveryStatus(utf8)).toContain('Empfänger');
  });
});

test.each([
  ['failed', 550, '5.1.1', '5.1.1'],
  ['failed', 550, undefined, '5.0.0'],
  ['failed', 450, '4.2.1', '4.2.1'],
  ['failed', 450, undefined, '4.0.0'],
  ['failed', 554, '2.0.0', '5.0.0'],
  ['delayed', 450, '4.2.1', '4.2.1'],
  ['delayed', 550, '5.7.1', '4.0.0'],
  ['relayed', 250, '2.1.5', '2.1.5'],
  ['relayed', 250, undefined, '2.0.0'],
  ['expanded', 250, '5.0.0', '2.0.0'],
] as const)('%s with %s %s has the status %s', (action, code, enhanced, status) => {
  expect(statusOf({ action, reply: { code, text: '', ...(enhanced ? { enhanced } : {}) } })).toBe(status);
});

describe('what is returned', () => {
  const content = (octets: number): Buffer => Buffer.from(`Subject: x\r\n\r\n${'y'.repeat(octets - 14)}`);
  const type = (ret: 'FULL' | 'HDRS' | undefined, octets: number, action: Action = 'failed'): string =>
    returnedMessage(
      report([recipient({ action })], {
        envelope: { smtputf8: false, ...(ret ? { ret } : {}) },
        content: content(octets),
      }),
    ).type;

  test.each([
    ['FULL', maxReturned, 'failed', 'message/rfc822'],
    [undefined, maxReturned, 'failed', 'message/rfc822'],
    ['FULL', maxReturned + 1, 'failed', 'text/rfc822-headers'],
    ['HDRS', 100, 'failed', 'text/rfc822-headers'],
    // RFC 3461 §4.3: RET is for failures only.
    ['FULL', 100, 'delayed', 'text/rfc822-headers'],
    ['FULL', 100, 'relayed', 'text/rfc822-headers'],
  ] as const)('RET=%s, %s octets, %s: %s', (ret, octets, action, wanted) => {
    expect(type(ret, octets, action)).toBe(wanted);
  });

  test('is the content itself, or its header', () => {
    const data = report();
    expect(returnedMessage(data).content).toBe(data.original.content);
    const header = returnedMessage(report([recipient()], { envelope: { smtputf8: false, ret: 'HDRS' } })).content;
    expect(Buffer.from(header).toString()).toBe('Subject: x\r\nFrom: a\r\n');
  });

  test('of a header without end is cut at a line', () => {
    const long = Buffer.from('X-Header: something\r\n'.repeat(10_000));
    const { content: header } = returnedMessage(report([recipient()], { content: long }));
    expect(header.length).toBeLessThanOrEqual(maxReturned);
    expect(header.length % 21).toBe(0);
    expect(header.length).toBeGreaterThan(maxReturned - 21);
  });

  test('with a header in UTF-8 has the types of RFC 6533', () => {
    const utf8 = Buffer.from('Subject: ü\r\n\r\n');
    expect(returnedMessage(report([recipient()], { content: utf8, envelope: { smtputf8: true } })).type).toBe(
      'message/global',
    );
    expect(
      returnedMessage(report([recipient()], { content: utf8, envelope: { smtputf8: true, ret: 'HDRS' } })).type,
    ).toBe('message/global-headers');
    expect(returnedMessage(report([recipient()], { envelope: { smtputf8: true } })).type).toBe('message/rfc822');
  });
});

test('the text for people names addresses, replies and what happens next', () => {
  const text = reportText(
    report([
      recipient({ orcpt: 'rfc822;team@example.com' }),
      recipient({ mailbox: expectMailbox('y@example.com'), action: 'delayed', willRetryUntil: now }),
      recipient({ mailbox: expectMailbox('z@example.com'), action: 'relayed' }),
    ]),
  );
  expect(text).toContain(
    '<x@example.com> (addressed as team@example.com)\r\n    mx.example.com said: 550 5.1.1 No such user',
  );
  expect(text).toContain('We try until Mon, 05 Jan 2026 09:00:00 +0000.');
  expect(text).toContain('sends no reports of its own');
  expect(text).toContain('0123456789ABC');
  expect(text).not.toMatch(/[^\r]\n/);
});

test.each([
  [['failed', 'delayed'], 'Your mail could not be delivered'],
  [['delayed', 'relayed'], 'Your mail is delayed'],
  [['expanded'], 'Your mail was passed on'],
] as const)('%s: %s', (actions, subject) => {
  expect(reportSubject(report(actions.map((action) => recipient({ action }))))).toBe(subject);
});
