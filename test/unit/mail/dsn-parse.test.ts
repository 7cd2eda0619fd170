// Delivery reports that come back to us: those of other programs, and our own.
import { describe, expect, test } from 'vitest';
import { parseDsn } from '../../../src/mail/dsn-parse.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { composeReport } from '../../../src/smtp/report.ts';
import { postfixDsn, receipts } from '../../support/reports.ts';

describe('a report of Postfix', () => {
  test('is read', () => {
    const content = postfixDsn({
      recipient: 'alice@example.org',
      action: 'failed',
      status: '5.1.1',
      envid: '01ABC.0',
      orcpt: 'support@example.org',
    });
    expect(parseDsn(content)).toEqual({
      envid: '01ABC.0',
      reportingMta: 'mx.example.org',
      messageId: '<fire-1@example.net>',
      recipients: [
        {
          action: 'failed',
          status: '5.1.1',
          finalRecipient: 'alice@example.org',
          originalRecipient: 'support@example.org',
          remoteMta: 'imap.example.org',
          diagnostic: '550 5.1.1 <alice@example.org>: Recipient address rejected: User unknown',
        },
      ],
    });
  });

  test.each(['delayed', 'delivered', 'relayed', 'expanded', 'FAILED', 'failed (really)'])('action %s', (action) => {
    const dsn = parseDsn(postfixDsn({ recipient: 'a@b.example', action, status: '2.0.0' }));
    expect(dsn?.recipients[0]?.action).toBe(action.toLowerCase().replace(/ .*/, ''));
  });

  test('with an action nobody knows is none', () => {
    expect(parseDsn(postfixDsn({ recipient: 'a@b.example', action: 'eaten', status: '5.0.0' }))).toBeUndefined();
  });

  test('that was cut short on its way is read as far as it goes', () => {
    const whole = postfixDsn({ recipient: 'a@b.example', action: 'failed', status: '5.1.1' });
    const cut = whole.subarray(0, whole.indexOf('--4F2D41', whole.indexOf('Diagnostic-Code')));
    expect(parseDsn(cut)?.recipients).toHaveLength(1);
  });

  test('wrapped by a list or a scanner is found', () => {
    const inner = postfixDsn({ recipient: 'a@b.example', action: 'failed', status: '5.1.1' }).toString('latin1');
    const [, type = '', rest = ''] =
      /(Content-Type: multipart\/report[\s\S]*?"\r\n)[\s\S]*?(\r\n\r\n[\s\S]*)$/.exec(inner) ?? [];
    const text = `Content-Type: multipart/mixed; boundary=w\r\n\r\n--w\r\n${type}${rest}\r\n--w\r\n\r\nAdvertisement\r\n--w--\r\n`;
    expect(parseDsn(Buffer.from(text, 'latin1'))?.recipients[0]?.finalRecipient).toBe('a@b.example');
  });
});

test('our own reports are read back', async () => {
  const content = await composeReport({
    queueId: '01JABCDEFGHJK' as QueueId,
    hostname: 'mx.example.org',
    now: 0,
    to: expectMailbox('ann@example.net'),
    original: {
      queueId: '01JABCDEFGHJM' as QueueId,
      arrivedAt: 0,
      envelope: { smtputf8: false, envid: 'QQ314159' },
      content: Buffer.from('Message-ID: <fire-1@example.net>\r\n\r\nx\r\n'),
    },
    recipients: [
      {
        mailbox: expectMailbox('support@example.org'),
        orcpt: 'rfc822;help@example.org',
        action: 'failed',
        reply: { code: 550, enhanced: '5.1.1', text: 'no' },
        remote: 'imap.example.org',
      },
    ],
  });
  expect(parseDsn(content)).toMatchObject({
    envid: 'QQ314159',
    messageId: '<fire-1@example.net>',
    recipients: [
      {
        action: 'failed',
        status: '5.1.1',
        finalRecipient: 'support@example.org',
        originalRecipient: 'help@example.org',
      },
    ],
  });
});

test('a receipt, and plain mail, are no delivery reports', () => {
  expect(parseDsn(receipts.gmail())).toBeUndefined();
  expect(parseDsn(Buffer.from('Subject: Undelivered Mail Returned to Sender\r\n\r\nReally.\r\n'))).toBeUndefined();
});
