// Whatever comes back to our addresses: the readers of reports do not throw, do not hang, and say only what they promise.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDsn } from '../../src/mail/dsn-parse.ts';
import { parseMdn } from '../../src/mail/mdn.ts';
import { fuzz } from '../support/fuzz.ts';
import { postfixDsn, receipts } from '../support/reports.ts';

const seeds = [
  postfixDsn({ recipient: 'a@b.example', action: 'failed', status: '5.1.1', envid: 'x', orcpt: 'c@d.example' }),
  ...Object.values(receipts).map((write) => write()),
].map((content) => content.toString('latin1'));

const pieces = [
  '\r\n',
  '\r\n\r\n',
  '--',
  'boundary=',
  '"',
  ';',
  ':',
  '=3D',
  '=\r\n',
  'message/',
  'multipart/report',
  '\0',
];

/** A real report, with pieces of it cut out, doubled, and replaced. */
const mangled = fc
  .tuple(
    fc.constantFrom(...seeds),
    fc.array(fc.tuple(fc.nat(3_000), fc.nat(200), fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 5 }))), {
      maxLength: 8,
    }),
  )
  .map(([seed, cuts]) =>
    cuts.reduce((text, [at, length, put]) => text.slice(0, at) + put + text.slice(at + length), seed),
  );

test('reports and receipts', () => {
  fuzz('DSN and MDN', 2_000, [mangled], (text) => {
    const content = Buffer.from(text, 'latin1');
    const dsn = parseDsn(content);
    for (const recipient of dsn?.recipients ?? []) {
      expect(['failed', 'delayed', 'delivered', 'relayed', 'expanded']).toContain(recipient.action);
      for (const value of Object.values(recipient)) expect(value).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
    }
    const mdn = parseMdn(content);
    if (mdn?.originalMessageId !== undefined) expect(mdn.originalMessageId).toMatch(/^<[^<>\s]+>$/);
  });
});

test('deep nesting, endless boundaries and huge parts cost little', () => {
  const nested = Array.from(
    { length: 300 },
    (_v, i) => `Content-Type: multipart/mixed; boundary=b${i}\r\n\r\n--b${i}\r\n`,
  );
  const many = `Content-Type: multipart/report; boundary=b\r\n\r\n${'--b\r\n\r\n'.repeat(200_000)}`;
  const huge = `Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n${'\r\n'.repeat(1_000_000)}`;
  const report = 'Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/';
  // White space before a line end that never comes, and an address of addresses: each once took minutes.
  const spaces = `${report}delivery-status\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${' '.repeat(200_000)}x`;
  const address = `${report}delivery-status\r\n\r\nAction: failed\r\nFinal-Recipient: rfc822;${'a@'.repeat(32_000)}<`;
  const receipt = `${report}disposition-notification\r\n\r\nFinal-Recipient: ${'a@'.repeat(32_000)}<`;
  const same = `Content-Type: multipart/report; boundary=b\r\n\r\n${'--bx'.repeat(500_000)}`;
  const started = performance.now();
  for (const text of [nested.join(''), many, huge, spaces, address, receipt, same]) {
    expect(parseDsn(Buffer.from(text, 'latin1'))?.recipients ?? []).toEqual(
      text === address ? [{ action: 'failed' }] : [],
    );
    expect(parseMdn(Buffer.from(text, 'latin1'))).toBeUndefined();
  }
  expect(performance.now() - started).toBeLessThan(5_000);
});
