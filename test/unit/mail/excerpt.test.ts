// How a mail begins, for people who are told of it.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { excerptOf } from '../../../src/mail/excerpt.ts';

const mail = (head: string, body: string | Buffer): Buffer =>
  Buffer.concat([Buffer.from(`Subject: x\r\n${head}\r\n`), Buffer.from(body)]);

describe('the excerpt', () => {
  it.each<[string, Buffer, string | undefined]>([
    ['of plain text', mail('', 'The printer\r\n  is on fire.\r\n'), 'The printer is on fire.'],
    [
      'in quoted-printable and a charset of its own',
      mail(
        'Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n',
        'Gr=FC=DFe aus K=\r\n=F6ln\r\n',
      ),
      'Grüße aus Köln',
    ],
    [
      'in base64',
      mail(
        'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: BASE64\r\n',
        `${Buffer.from('Köln brennt').toString('base64')}\r\n`,
      ),
      'Köln brennt',
    ],
    [
      'is the first text that is read in place',
      mail(
        'Content-Type: multipart/mixed; boundary=b\r\n',
        '--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nnot this\r\n--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\nContent-Type: text/html\r\n\r\n<p>nor this\r\n--c\r\nContent-Type: text/plain\r\n\r\nbut this\r\n--c--\r\n--b--\r\n',
      ),
      'but this',
    ],
    ['leaves out what is cited and what is signed', mail('', '> you wrote\r\nYes.\r\n-- \r\nAnn\r\n'), 'Yes.'],
    ['is none of HTML alone', mail('Content-Type: text/html\r\n', '<p>x'), undefined],
    ['is none of nothing', mail('', '\r\n  \r\n'), undefined],
    ['is none in a charset that nobody knows', mail('Content-Type: text/plain; charset=klingon\r\n', 'x'), undefined],
  ])('%s', (_name, content, expected) => {
    expect(excerptOf(content)).toBe(expected);
  });

  it('is cut, and says so', () => {
    expect(excerptOf(mail('', 'a'.repeat(200)), 10)).toBe(`${'a'.repeat(9)}…`);
  });

  it('never throws, and is one line, whatever the octets are', () => {
    const octets = fc.oneof(
      fc.uint8Array({ maxLength: 2_000 }),
      fc
        .string({ unit: 'binary', maxLength: 500 })
        .map((body) =>
          mail('Content-Type: text/plain; charset=utf-16le\r\nContent-Transfer-Encoding: quoted-printable\r\n', body),
        ),
    );
    fc.assert(
      fc.property(octets, (content) => {
        const found = excerptOf(content);
        expect(found === undefined || (!/[\r\n]/.test(found) && Array.from(found).length <= 160)).toBe(true);
      }),
    );
  });
});
