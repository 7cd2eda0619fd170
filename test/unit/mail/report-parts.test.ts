// What reports of all kinds of programs write, in the parts that a DSN and an MDN are made of.
import { expect, test } from 'vitest';
import { addressOf, readReport } from '../../../src/mail/report-parts.ts';

test.each([
  ['rfc822; bob@example.org', 'bob@example.org'],
  ['RFC822;bob@example.org', 'bob@example.org'],
  ['utf-8 ; bücher@example.org', 'bücher@example.org'],
  ['rfc822; <bob@example.org>', 'bob@example.org'],
  ['bob@example.org', 'bob@example.org'],
  ['  <bob@example.org>  ', 'bob@example.org'],
  ['rfc822; bob@example.org (Bob, of Sales)', 'bob@example.org'],
  ['rfc822; bob@example.org(Bob)', 'bob@example.org'],
  ['rfc822; <bob@example.org> (Bob)', 'bob@example.org'],
  ['rfc822; "a@b"@example.org', '"a@b"@example.org'],
  ['x400; /c=de/', undefined],
  ['x400; a@b c', undefined],
  ['rfc822; bob', undefined],
  ['rfc822; @example.org', undefined],
  ['rfc822; bob@', undefined],
  ['rfc822; bob@example.org and more', undefined],
  // Found by fuzzing.
  ['\0rfc822; bob@example.org', undefined],
  ['rfc822; bob@exam\0ple.org', undefined],
  ['', undefined],
  [undefined, undefined],
])('the address of %j', (value, address) => {
  expect(addressOf(value)).toBe(address);
});

test.each([
  ['a=3Db', 'a=b'],
  ['a=\r\nb', 'ab'],
  // RFC 2045 §6.7 (3) and (5): white space before a soft line break belongs to the text, before a hard one it does not.
  ['a =\r\nb', 'a b'],
  ['a= \t\r\nb', 'ab'],
  ['a \t\r\nb', 'a\r\nb'],
  ['a \t', 'a \t'],
  ['=3D\r\n\r\n=C3=BC=zz', '=\r\n\r\n\xc3\xbc=zz'],
  ['', ''],
])('quoted-printable %j', (coded, text) => {
  const content = `Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${coded}\r\n--b--\r\n`;
  expect(readReport(Buffer.from(content, 'latin1'))?.parts[0]?.text).toBe(text);
});
