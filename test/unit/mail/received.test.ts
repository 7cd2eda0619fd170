import { expect, test } from 'vitest';
import type { Envelope } from '../../../src/mail/envelope.ts';
import { readFields } from '../../../src/mail/header.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { addressLiteral, formatDate, receivedField, type Trace } from '../../../src/mail/received.ts';

function trace(client: Partial<Trace['client']> = {}, envelope: Partial<Envelope> = {}): string {
  return receivedField({
    queueId: '0123456789ABC' as QueueId,
    at: Date.UTC(2026, 0, 5, 9, 0, 0),
    hostname: 'relay.example',
    client: { address: '192.0.2.1', helo: 'mx.example', tls: false, ...client },
    envelope: {
      reversePath: '<>',
      forwardPaths: [{ mailbox: expectMailbox('team@example.com') }],
      body: '7BIT',
      smtputf8: false,
      ...envelope,
    },
  });
}

test('names peer, host, protocol, queue id, the one recipient, and the time', () => {
  expect(trace()).toBe(
    'Received: from mx.example ([192.0.2.1])\r\n' +
      '\tby relay.example with ESMTP id 0123456789ABC\r\n' +
      '\tfor <team@example.com>;\r\n' +
      '\tMon, 05 Jan 2026 09:00:00 +0000\r\n',
  );
});

test('who said HELO spoke SMTP without extensions', () => {
  expect(trace({ plain: true })).toContain(' with SMTP id ');
  // RFC 3848: TLS and SMTPUTF8 came by an EHLO before.
  expect(trace({ plain: true, tls: true })).toContain(' with ESMTPS id ');
});

test.each([
  [false, false, 'ESMTP'],
  [true, false, 'ESMTPS'],
  [false, true, 'UTF8SMTP'],
  [true, true, 'UTF8SMTPS'],
])('tls %s, smtputf8 %s: with %s', (tls, smtputf8, protocol) => {
  expect(trace({ tls }, { smtputf8 })).toContain(` with ${protocol} id `);
});

test('does not tell one recipient of the others', () => {
  const forwardPaths = ['a@example.com', 'b@example.com'].map((text) => ({ mailbox: expectMailbox(text) }));
  expect(trace({}, { forwardPaths })).not.toContain('for <');
});

test.each([
  ['', 'unknown'],
  ['x\r\nBcc: evil', 'x??Bcc:?evil'],
  ['a b (c) <d>', 'a?b??c???d?'],
  ['[192.0.2.9]', '[192.0.2.9]'],
  ['jürgen', 'j?rgen'],
  ['y'.repeat(500), 'y'.repeat(255)],
])('HELO %j becomes %j', (helo, word) => {
  const field = trace({ helo });
  expect(field).toContain(`from ${word} ([192.0.2.1])`);
  expect(readFields(Buffer.from(field))).toHaveLength(1);
});

test.each([
  ['192.0.2.1', '[192.0.2.1]'],
  ['2001:db8::1', '[IPv6:2001:db8::1]'],
  ['192.0.2.1)\r\nX', '[192.0.2.1]'],
])('%j is written %s', (address, literal) => {
  expect(addressLiteral(address)).toBe(literal);
});

test('dates are those of RFC 5322, in UTC', () => {
  expect(formatDate(0)).toBe('Thu, 01 Jan 1970 00:00:00 +0000');
  expect(formatDate(Date.UTC(2028, 1, 29, 23, 59, 59))).toBe('Tue, 29 Feb 2028 23:59:59 +0000');
});
