// Attachments come from strangers: whatever the octets, reading their headers throws nothing, ends soon, stays within
// its limits, and finds what is really there.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readAttachments } from '../../src/mail/attachments.ts';
import { fuzz } from '../support/fuzz.ts';

const octets = (text: string) => Buffer.from(text, 'latin1');

test('any octets, and any heap of pieces of MIME', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'Content-Type: multipart/mixed; boundary=b\r\n',
      'Content-Type: multipart/mixed; boundary="b"\r\n',
      'Content-Type: multipart/mixed; boundary=\r\n',
      'Content-Type: multipart/related; boundary=bb\r\n',
      'Content-Type: message/rfc822\r\n',
      'Content-Disposition: attachment; filename="a.pdf"\r\n',
      "Content-Disposition: attachment; filename*=utf-8''%e4%zz\r\n",
      "Content-Disposition: attachment; filename*0*=utf-8''a; filename*1=b\r\n",
      'Content-Type: application/pdf; name="=?utf-8?B?!!!?="\r\n',
      '\r\n',
      '\n',
      '--b\r\n',
      '--b--\r\n',
      '--bb\r\n',
      '--b \t\r\n',
      '--',
      '"',
      ';',
      '=?utf-8?Q?=FF?=',
    ),
    fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  );
  fuzz('MIME parts: any heap of pieces', 3_000, [fc.array(piece, { maxLength: 60 })], (pieces) => {
    const found = readAttachments(octets(pieces.join('')));
    expect(found.length).toBeLessThanOrEqual(500);
    for (const { type, name } of found) {
      expect(type).toBe(type.toLowerCase());
      if (name !== undefined) expect(name.length).toBeLessThanOrEqual(1000);
    }
  });
});

test('what was put in is found, in order, however deep it lies', () => {
  const name = fc.stringMatching(/^[a-z]{1,12}\.(pdf|zip|txt)$/);
  interface Tree {
    readonly files: readonly string[];
    readonly inner: Tree | null;
  }
  const tree: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.record({
      files: fc.array(name, { maxLength: 4 }),
      inner: fc.option(tie('tree'), { maxDepth: 5, nil: null }),
    }),
  })).tree;
  const write = ({ files, inner }: Tree, depth = 0): string => {
    // Each boundary begins with the one around it: what begins alike is not the same.
    const boundary = `b${'x'.repeat(depth)}`;
    const parts = [
      'Content-Type: text/plain\r\n\r\nHello\r\n',
      ...files.map(
        (file) =>
          `Content-Type: application/x\r\nContent-Disposition: attachment;\r\n filename="${file}"\r\n\r\n--${boundary}y\r\n`,
      ),
      ...(inner ? [write(inner, depth + 1)] : []),
    ];
    return `Content-Type: multipart/mixed; boundary=${boundary}\r\n\r\n${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join('')}--${boundary}--\r\n`;
  };
  const all = ({ files, inner }: Tree): string[] => [...files, ...(inner ? all(inner) : [])];
  fuzz('MIME parts: any tree', 500, [tree], (one) => {
    expect(readAttachments(octets(write(one))).map((found) => found.name)).toEqual(all(one));
  });
});

test.each([
  ['a multipart in itself, a hundred deep', 'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n'.repeat(100)],
  [
    'a hundred thousand parts',
    `Content-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\nContent-Disposition: attachment\r\n\r\n'.repeat(100_000)}`,
  ],
  [
    'a megabyte of boundary that never comes',
    `Content-Type: multipart/mixed; boundary=b\r\n\r\n${'-'.repeat(1_000_000)}`,
  ],
  ['a megabyte of one parameter', `Content-Type: application/x; name="${'a'.repeat(1_000_000)}"\r\n\r\n`],
  ['a megabyte of parameters', `Content-Type: application/x${'; a=b'.repeat(200_000)}\r\n\r\n`],
])('%s is over soon, and within the limits', (_what, text) => {
  const before = performance.now();
  const found = readAttachments(octets(text));
  expect(found.length).toBeLessThanOrEqual(500);
  for (const { name = '' } of found) expect(name.length).toBeLessThanOrEqual(1000);
  // Some milliseconds; the bound is for slow and busy machines.
  expect(performance.now() - before).toBeLessThan(2_000);
});
