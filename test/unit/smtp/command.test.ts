// Tables of the arguments of MAIL, RCPT and XFORWARD; what a session does with them is in test/dialogues/smtp.
import { describe, expect, test } from 'vitest';
import { parseMail, parseRcpt, parseXforward } from '../../../src/smtp/command.ts';
import { decodeUtf8Address, decodeXtext, encodeUtf8Address, encodeXtext } from '../../../src/smtp/xtext.ts';

const line = (text: string): Buffer => Buffer.from(text);
const codes = (parsed: ReturnType<typeof parseMail> | ReturnType<typeof parseRcpt>): string =>
  parsed.ok ? 'ok' : `${parsed.reply.code} ${parsed.reply.enhanced}`;

describe('MAIL', () => {
  test.each([
    ['MAIL FROM:<>', { reversePath: '<>', body: '7BIT', smtputf8: false }],
    ['mail from:<a@b>', { reversePath: 'a@b' }],
    ['MAIL FROM: <a@b>', { reversePath: 'a@b' }],
    ['MAIL FROM:<a@b>  SIZE=1   BODY=8bitmime ', { size: 1, body: '8BITMIME' }],
    ['MAIL FROM:<a@b> RET=hdrs ENVID=x+3Dy', { ret: 'HDRS', envid: 'x=y' }],
    ['MAIL FROM:<@r.example:a@b>', { reversePath: 'a@b' }],
    ['MAIL FROM:<"> "@b> SIZE=5', { reversePath: '"> "@b', size: 5 }],
    ['MAIL FROM:<"\\">"@b>', { reversePath: '"\\">"@b' }],
  ])('%s', (text, value) => {
    expect(parseMail(line(text))).toMatchObject({ ok: true, value });
  });

  test.each([
    ['MAIL', '501 5.5.2'],
    ['MAIL FROM', '501 5.5.2'],
    ['MAIL TO:<a@b>', '501 5.5.2'],
    ['MAIL FROM:', '501 5.1.7'],
    ['MAIL FROM:a@b', '501 5.1.7'],
    ['MAIL FROM:<a@b', '501 5.1.7'],
    ['MAIL FROM:<"a@b>', '501 5.1.7'],
    ['MAIL FROM:<a@b>x', '501 5.1.7'],
    ['MAIL FROM:<<a@b>>', '501 5.1.7'],
    ['MAIL FROM:<a@b> =x', '501 5.5.4'],
    ['MAIL FROM:<a@b> SIZE', '501 5.5.4'],
    ['MAIL FROM:<a@b> SIZE=', '501 5.5.4'],
    ['MAIL FROM:<a@b> SIZE=-1', '501 5.5.4'],
    ['MAIL FROM:<a@b> SIZE=123456789012345678901', '501 5.5.4'],
    ['MAIL FROM:<a@b> BODY=9BIT', '501 5.5.4'],
    [`MAIL FROM:<a@b> ENVID=${'x'.repeat(101)}`, '501 5.5.4'],
    ['MAIL FROM:<a@b> ENVID=a+zz', '501 5.5.4'],
    ['MAIL FROM:<a@b> ENVID=a+0d', '501 5.5.4'],
    ['MAIL FROM:<a@b> NOTIFY=NEVER', '555 5.5.4'],
    ['MAIL FROM:<ü@b>', '553 5.6.7'],
    ['MAIL FROM:<a@b>\tSIZE=1', '501 5.5.2'],
  ])('%s: %s', (text, wanted) => {
    expect(codes(parseMail(line(text)))).toBe(wanted);
  });

  test('quotes what it did not understand, harmlessly', () => {
    const parsed = parseMail(line(`MAIL FROM:<a@b> ${'F'.repeat(60)}=x`));
    expect(parsed).toMatchObject({ reply: { text: `Unknown parameter "${'F'.repeat(40)}"` } });
    expect(codes(parseMail(Buffer.from('MAIL FROM:<a@b> \xff=x', 'latin1')))).toBe('501 5.5.2');
  });
});

describe('RCPT', () => {
  test.each([
    ['RCPT TO:<a@b>', { mailbox: 'a@b' }],
    ['RCPT TO:<postMASTER>', { mailbox: 'postMASTER@relay.example' }],
    ['RCPT TO:<a@b> NOTIFY=never', { notify: ['never'] }],
    ['RCPT TO:<a@b> NOTIFY=SUCCESS,success,DELAY', { notify: ['success', 'delay'] }],
    ['RCPT TO:<a@b> ORCPT=RFC822;a+2Bb@c', { orcpt: 'RFC822;a+b@c' }],
    ['RCPT TO:<a@b> ORCPT=utf-8;\\x{FC}@c', { orcpt: 'utf-8;ü@c' }],
  ])('%s', (text, value) => {
    expect(parseRcpt(line(text), false, 'relay.example')).toMatchObject({ ok: true, value });
  });

  test.each([
    ['RCPT TO:<>', '501 5.1.3'],
    ['RCPT TO:<a>', '501 5.1.3'],
    ['RCPT TO:<a@b> NOTIFY=', '501 5.5.4'],
    ['RCPT TO:<a@b> NOTIFY=,', '501 5.5.4'],
    ['RCPT TO:<a@b> NOTIFY=NEVER,DELAY', '501 5.5.4'],
    ['RCPT TO:<a@b> ORCPT=;x', '501 5.5.4'],
    ['RCPT TO:<a@b> ORCPT=rfc822;', '501 5.5.4'],
    ['RCPT TO:<a@b> ORCPT=rfc822;+20', '501 5.5.4'],
    [`RCPT TO:<a@b> ORCPT=rfc822;${'x'.repeat(494)}`, '501 5.5.4'],
    ['RCPT TO:<a@b> ORCPT=utf-8;\\x{D800}@c', '501 5.5.4'],
    ['RCPT TO:<a@b> ORCPT=utf-8;ü@c', '501 5.5.4'],
    ['RCPT TO:<a@b> RET=FULL', '555 5.5.4'],
  ])('%s: %s', (text, wanted) => {
    expect(codes(parseRcpt(line(text), false, 'relay.example'))).toBe(wanted);
  });
});

test('XFORWARD knows its names, and nothing that could end a line', () => {
  const read = (text: string): unknown => {
    const parsed = parseXforward(line(text));
    return parsed.ok ? Object.fromEntries(parsed.value) : parsed.reply.code;
  };
  expect(read('XFORWARD NAME=a.example ADDR=192.0.2.1 helo=x+20y')).toEqual({
    NAME: 'a.example',
    ADDR: '192.0.2.1',
    HELO: 'x y',
  });
  expect(read('XFORWARD ADDR=IPV6:2001:db8::1 NAME=[UNAVAILABLE]')).toEqual({ ADDR: 'IPV6:2001:db8::1' });
  for (const wrong of ['XFORWARD', 'XFORWARD NAME', 'XFORWARD LOGIN=x', 'XFORWARD NAME=a+0A', 'XFORWARD ADDR=here']) {
    expect(read(wrong), wrong).toBe(501);
  }
});

describe('xtext', () => {
  test.each([
    ['', ''],
    ['abc', 'abc'],
    ['a+2Bb+3D', 'a+b='],
    ['+20', ' '],
  ])('%j is %j', (encoded, decoded) => {
    expect(decodeXtext(encoded)).toBe(decoded);
    expect(encodeXtext(decoded)).toBe(encoded);
  });

  test.each(['+', '+2', '+2b', 'a b', 'a=b', '+0A', '+7F', '+C3+BC', 'ü'])('%j is none', (text) => {
    expect(decodeXtext(text)).toBeUndefined();
  });

  test('of UTF-8 addresses has two forms', () => {
    expect(encodeUtf8Address('ü=\\@x', false)).toBe('\\x{FC}\\x{3D}\\x{5C}@x');
    expect(encodeUtf8Address('ü=\\@x', true)).toBe('ü\\x{3D}\\x{5C}@x');
    expect(decodeUtf8Address('\\x{FC}\\x{3D}\\x{5C}@x', false)).toBe('ü=\\@x');
    expect(decodeUtf8Address('ü\\x{1F600}', true)).toBe('ü\u{1F600}');
    for (const wrong of ['\\x{}', '\\x{FFFFFFF}', '\\x{110000}', '\\x{0A}', '\\', 'a=b', '\\x{FC']) {
      expect(decodeUtf8Address(wrong, true), wrong).toBeUndefined();
    }
  });
});
