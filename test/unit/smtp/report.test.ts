// The octets of a report, read back by a MIME parser that is not ours, and compared with a golden file.
import { simpleParser } from 'mailparser';
import { describe, expect, test } from 'vitest';
import type { ReportData } from '../../../src/mail/dsn.ts';
import { readFields } from '../../../src/mail/header.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { composeReport } from '../../../src/smtp/report.ts';

const now = Date.UTC(2026, 0, 5, 9, 0, 0);

function data(
  parts: Partial<ReportData> = {},
  content = 'Subject: hello\r\nFrom: a@example.org\r\n\r\n.Dot\r\nend',
): ReportData {
  return {
    queueId: '0123456789ABD' as QueueId,
    hostname: 'relay.example',
    now,
    to: expectMailbox('a@example.org'),
    original: {
      queueId: '0123456789ABC' as QueueId,
      arrivedAt: now - 3_600_000,
      envelope: { smtputf8: false, envid: 'QQ314159' },
      messageId: '<1@example.org>',
      content: Buffer.from(content),
    },
    recipients: [
      {
        mailbox: expectMailbox('alice@example.com'),
        orcpt: 'rfc822;team@example.com',
        action: 'failed',
        reply: { code: 550, enhanced: '5.1.1', text: 'No such user' },
        remote: 'mx.example.com',
        lastAttemptAt: now - 60_000,
      },
    ],
    ...parts,
  };
}

const header = (report: Uint8Array): Record<string, string> =>
  Object.fromEntries(readFields(report).map(({ name, value }) => [name, value]));

describe('a report', () => {
  test('is always the same for the same data', async () => {
    const report = Buffer.from(await composeReport(data()));
    expect(report.equals(Buffer.from(await composeReport(data())))).toBe(true);
    await expect(report.toString().replaceAll('\r\n', '\n')).toMatchFileSnapshot('../../golden/report-failed.eml');
  });

  test('is answered by nobody and threads with the original', async () => {
    const fields = header(await composeReport(data()));
    expect(fields).toMatchObject({
      to: '<a@example.org>',
      from: 'Mail Delivery System <mailer-daemon@relay.example>',
      'auto-submitted': 'auto-replied',
      date: 'Mon, 05 Jan 2026 09:00:00 +0000',
      'message-id': '<0123456789ABD.report@relay.example>',
      'in-reply-to': '<1@example.org>',
      references: '<1@example.org>',
      'mime-version': '1.0',
    });
    expect(fields['content-type']).toMatch(/^multipart\/report; report-type=delivery-status;/);
  });

  test('has three parts that a MIME parser finds', async () => {
    const parsed = await simpleParser(Buffer.from(await composeReport(data())), { keepDeliveryStatus: true });
    expect(parsed.text).toContain('alice@example.com');
    expect(parsed.attachments.map(({ contentType }) => contentType)).toEqual([
      'message/delivery-status',
      'message/rfc822',
    ]);
    expect(parsed.attachments[0]?.content.toString()).toContain('Action: failed');
    expect(parsed.attachments[1]?.content.toString()).toContain('.Dot\r\nend');
  });

  test('has lines that end in CRLF only, whatever it returns', async () => {
    const report = Buffer.from(await composeReport(data({}, `Subject: ü\r\n\r\n${'ü'.repeat(600)}\r\n`))).toString(
      'latin1',
    );
    expect(report).not.toMatch(/[^\r]\n|\r[^\n]/);
    expect(report).toContain('Content-Transfer-Encoding: 8bit');
  });

  test('keeps the address of its reader as it is', async () => {
    for (const to of ['"a b, <c>"@example.org', 'a@xn--bcher-kva.example']) {
      expect(header(await composeReport(data({ to: expectMailbox(to) }))).to).toBe(`<${to}>`);
    }
  });

  test('about addresses beyond ASCII has the types of RFC 6533', async () => {
    const report = await composeReport(data({ to: expectMailbox('jürgen@example.org') }));
    expect(header(report).to).toBe('<jürgen@example.org>');
    expect(Buffer.from(report).toString()).toContain('Content-Type: message/global-delivery-status');
  });

  test('does not repeat a Message-ID that would break its header', async () => {
    const original = { ...data().original, messageId: '<a\r\nBcc: evil@example.org>' };
    const fields = header(await composeReport(data({ original })));
    expect(fields).not.toHaveProperty('bcc');
    expect(fields).not.toHaveProperty('in-reply-to');
  });
});
