import { expect, test } from 'vitest';
import { formatReply, isPermanent, isPositive, isTemporary, parseReply, replies } from '../../../src/mail/reply.ts';

test.each([
  ['250 2.0.0 Ok: queued as X', { code: 250, enhanced: '2.0.0', text: 'Ok: queued as X' }],
  ['250 Ok', { code: 250, text: 'Ok' }],
  ['250', { code: 250, text: '' }],
  ['250 2.0.0', { code: 250, enhanced: '2.0.0', text: '' }],
  ['550-5.1.1 No such\r\n550 5.1.1 user', { code: 550, enhanced: '5.1.1', text: 'No such user' }],
  ['550-No such\n550 user\n', { code: 550, text: 'No such user' }],
  ['550-\r\n550 5.7.1 why', { code: 550, enhanced: '5.7.1', text: 'why' }],
  // RFC 2034 §4: the class of the enhanced code is that of the reply; another one is text of somebody who errs.
  ['550 4.2.1 odd', { code: 550, text: 'odd' }],
  ['550 5.1.1234 odd', { code: 550, text: '5.1.1234 odd' }],
  ['451 4.3.0\ttabbed', { code: 451, enhanced: '4.3.0', text: 'tabbed' }],
  ['550 a\x00b\x1b[31mc\u2028d', { code: 550, text: 'a b [31mc d' }],
  ['550-one\r\ngarbage\r\n550 two', { code: 550, text: 'one garbage two' }],
])('%j is read', (raw, reply) => {
  expect(parseReply(raw)).toEqual(reply);
});

test.each(['', 'hello', '25', '2500 x', '150 x', '650 x', '250x', ' ', '-250'])('%j is no reply', (raw) => {
  expect(parseReply(raw)).toBeUndefined();
});

test('a reply without end is cut', () => {
  expect(parseReply(`550 ${'x'.repeat(100_000)}`)?.text).toHaveLength(1_000);
});

test('every reply of ours has a code of its class, one line, and reads back as itself', () => {
  for (const [name, reply] of Object.entries(replies)) {
    expect(reply.enhanced.charAt(0), name).toBe(String(reply.code).charAt(0));
    expect(reply.text, name).toMatch(/^[\x20-\x7e]+$/);
    expect(parseReply(formatReply(reply)), name).toEqual(reply);
    expect([isPositive(reply), isTemporary(reply), isPermanent(reply)].filter(Boolean), name).toHaveLength(1);
  }
});
