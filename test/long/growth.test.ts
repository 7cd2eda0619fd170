// No parser of the mail path takes quadratic time: each is given texts that are made of the pieces of its own grammar
// (one or two of them over and over, behind each of the others), and four times the text may not take much more than four
// times as long. A text of a quarter of a megabyte that is read in a few milliseconds is not looked at again: what is
// quadratic needs seconds for it.
import { describe, expect, test } from 'vitest';
import { socketmap, tcpTable } from '../../src/lookup/wire.ts';
import { readAttachments } from '../../src/mail/attachments.ts';
import { parseDsn } from '../../src/mail/dsn-parse.ts';
import { decodeText, readFacts, readFields, readReferences } from '../../src/mail/header.ts';
import { isMarked } from '../../src/mail/loop-mark.ts';
import { parseMdn } from '../../src/mail/mdn.ts';
import { isDomain, parseMailbox } from '../../src/mail/path.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { parseReply } from '../../src/mail/reply.ts';
import { addressOf, fieldGroups, messageIdOf } from '../../src/mail/report-parts.ts';
import { PacketReader, packet, readMacros, readStrings } from '../../src/milter/wire.ts';
import { parseMail, parseRcpt, parseXforward } from '../../src/smtp/command.ts';
import { ContentParser } from '../../src/smtp/content-parser.ts';
import { DotStuffing } from '../../src/smtp/dot-stuffing.ts';
import { extensionsOf } from '../../src/smtp/hop-words.ts';
import { hasBareLineEnd, LongLines, withWholeLineEnds } from '../../src/smtp/line-ends.ts';
import { ReplyReader } from '../../src/smtp/reply-reader.ts';
import { decodeUtf8Address, decodeXtext } from '../../src/smtp/xtext.ts';

const base = 65_536;
/** Below this for the larger text, the growth is no question. */
const atOnce = 60;
/** Linear is 4, quadratic 16; between them is room for caches and collectors of garbage. */
const mostGrowth = 9;

type Read = (text: string) => unknown;
const octets = (text: string): Buffer => Buffer.from(text, 'latin1');
const report = (kind: string, text: string): Buffer =>
  octets(
    `Content-Type: multipart/report; report-type=x; boundary=b\r\n\r\n--b\r\nContent-Type: message/${kind}\r\n\r\n${text}\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n${text}\r\n--b--\r\n`,
  );
const facts = (content: Buffer): unknown =>
  readFacts({
    queueId: '0123456789ABC' as QueueId,
    receivedAt: 0,
    envelope: { reversePath: '<>', forwardPaths: [], body: '7BIT', smtputf8: false },
    content,
    client: { address: '192.0.2.1', carriesMembers: false },
  });
const header = [
  '=?utf-8?Q?',
  '?=',
  '=C3',
  '=?',
  ' ',
  '\t',
  '\r\n ',
  '<',
  '>',
  '<a@b>',
  '"',
  '(',
  'a',
  ',',
  ';',
  ':',
  'ü',
];
const mime = [
  '--b',
  '--',
  '\r\n',
  ';',
  '"',
  '\\',
  '=',
  '*0*=',
  "''",
  '%41',
  'boundary=b',
  ' ',
  '=?utf-8?B?',
  '?=',
  'a',
  '\r\nA: ',
  '=\r\n',
];

const parsers: readonly (readonly [what: string, pieces: readonly string[], read: Read])[] = [
  ['address', ['"', '\\"', 'a', '.', '@', '[', ':', 'ü', ' '], (text) => parseMailbox(text)],
  ['domain', ['a', '.', '-', '_', 'ü', 'xn--'], (text) => isDomain(text)],
  [
    'MAIL',
    ['<', '>', '"', '\\', ' ', 'A=B', '=', '@a,', ':', 'a', ' SIZE=1'],
    (text) => parseMail(Buffer.from(`MAIL FROM:${text}`)),
  ],
  [
    'RCPT',
    ['<', '>', '"', '\\', ' ', 'A=B', '=', '@a,', '@a:', 'a'],
    (text) => parseRcpt(Buffer.from(`RCPT TO:${text}`), true, 'h'),
  ],
  [
    'ORCPT',
    ['\\x{', '}', 'E9', '+2B', '+', ';', 'rfc822;', 'utf-8;', 'a', '='],
    (text) => parseRcpt(Buffer.from(`RCPT TO:<a@b> ORCPT=${text}`), true, 'h'),
  ],
  [
    'NOTIFY',
    ['SUCCESS', ',', 'NEVER', 'a'],
    (text) => parseRcpt(Buffer.from(`RCPT TO:<a@b> NOTIFY=${text}`), true, 'h'),
  ],
  [
    'XFORWARD',
    ['NAME=', 'ADDR=', '+20', ' ', '=', 'a', ':', '[UNAVAILABLE]'],
    (text) => parseXforward(Buffer.from(`XFORWARD ${text}`)),
  ],
  ['xtext', ['+2B', '+', 'a', '=', ' '], (text) => decodeXtext(text)],
  [
    'utf-8 address',
    ['\\x{', '}', 'E9', '\\', '+', 'a', ' ', 'ü'],
    (text) => [decodeUtf8Address(text, true), decodeUtf8Address(text, false)],
  ],
  ['reply', ['250', '-', ' ', '5.1.1', '\r\n', '\n', 'a', '.', '250-a\r\n'], (text) => parseReply(text)],
  [
    'reply, from the network',
    ['250', '-', ' ', '\r\n', '\n', 'a', '250-a\r\n', '250 a\r\n'],
    (text) => inPieces(text, new ReplyReader()),
  ],
  ['answer to EHLO', ['250-', '250 ', 'SIZE', '=', ' ', '1', '\r\n', 'AUTH PLAIN', 'a'], (text) => extensionsOf(text)],
  ['header block', [...header, '\r\n', '\r\nA:', '\n'], (text) => readFields(octets(text))],
  [
    'facts of a header',
    [...header, '\r\n', '\r\nReferences: ', '\r\nFrom: '],
    (text) => facts(octets(`Subject: ${text}\r\n\r\n`)),
  ],
  ['field text', header, (text) => decodeText(text)],
  [
    'references',
    ['<', '>', '<a@b>', ' ', '@', 'a', '\r\n '],
    (text) => readReferences(octets(`References: ${text}\r\n\r\n`)),
  ],
  [
    'DSN',
    [...header, '\r\n', '\r\n\r\n', 'Action: failed', 'Final-Recipient: rfc822; '],
    (text) => parseDsn(report('delivery-status', text)),
  ],
  [
    'MDN',
    [...header, '\r\n', '\r\n\r\n', 'Disposition: ', '/', 'manual-action'],
    (text) => parseMdn(report('disposition-notification', text)),
  ],
  [
    'a disposition',
    ['manual-action', '/', ' ', ';', '(', ')', 'displayed', ',', 'a'],
    (text) => parseMdn(report('disposition-notification', `Disposition: ${text}`)),
  ],
  ['report parts', mime, (text) => parseDsn(octets(`Content-Type: multipart/report; boundary=b\r\n\r\n${text}`))],
  ['report, its type', mime, (text) => parseDsn(octets(`Content-Type: multipart/report; ${text}\r\n\r\n`))],
  [
    'report, quoted-printable',
    ['=', '=3D', '=\r\n', ' ', '\r\n', 'a'],
    (text) =>
      parseDsn(
        octets(
          `Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${text}`,
        ),
      ),
  ],
  ['groups of fields', ['\r\n', ' ', '\t', 'A: b', 'a', ':'], (text) => fieldGroups(text)],
  ['address in a report', ['rfc822;', ' ', '<', '>', '@', 'a', '(', ';', 'utf-8'], (text) => addressOf(text)],
  ['Message-ID', ['<', '>', '@', ' ', 'a'], (text) => messageIdOf(text)],
  ['attachments', mime, (text) => readAttachments(octets(`Content-Type: multipart/mixed; boundary=b\r\n\r\n${text}`))],
  [
    'attachments, types',
    mime,
    (text) => readAttachments(octets(`Content-Type: ${text}\r\nContent-Disposition: ${text}\r\n\r\n`)),
  ],
  ['content after DATA', ['.', '\r', '\n', '\r\n', '\r\n.', 'a', '..\r\n'], (text) => content(octets(text))],
  ['command lines', ['NOOP', '\r\n', '\n', '\r', ' ', 'a'], (text) => commands(octets(text))],
  ['line ends', ['.', '\r', '\n', '\r\n', 'a', '..\r\n'], (text) => lineEnds(octets(text))],
  [
    'our trace header',
    ['v1', ' ', 'k', 'A'],
    (text) => isMarked([text], [{ id: 'k', secret: Buffer.alloc(32) }], 'g', '<a@b>'),
  ],
  ['milter packets', ['\0', '\0\0\0\x01', 'D', 'C', 'a', '\xff'], (text) => milter(octets(text))],
  ['lookups', ['1:a,', '0:,', 'get a\n', '%41', '%', ':', ',', '9', 'a'], (text) => lookups(octets(text))],
];

function inPieces(text: string, reader: ReplyReader): void {
  const all = octets(text);
  for (let at = 0; at < all.length && !reader.isEndless; at += 1_448) reader.read(all.subarray(at, at + 1_448));
}

function content(all: Buffer): void {
  const parser = new ContentParser();
  const limits = { limit: 1e9, cutOff: 1e9, reserve: () => true };
  const listener = { onEnd: (_: unknown, resume: () => void) => resume(), onCutOff: () => undefined };
  parser.startContent(limits, listener);
  for (let at = 0; at < all.length; at += 1_448)
    parser.write(Buffer.from(all.subarray(at, at + 1_448)), () => undefined);
  parser.write(Buffer.from('\r\n.\r\n'), () => undefined);
}

function commands(all: Buffer): void {
  const parser = new ContentParser();
  parser.oncommand = (_, next) => next();
  for (let at = 0; at < all.length; at += 1_448)
    parser.write(Buffer.from(all.subarray(at, at + 1_448)), () => undefined);
}

function lineEnds(all: Buffer): void {
  const stuffing = new DotStuffing();
  stuffing.add(all);
  stuffing.end();
  hasBareLineEnd(all);
  withWholeLineEnds(all);
  new LongLines(998).add(all);
}

function milter(all: Buffer): void {
  const reader = new PacketReader();
  for (let at = 0; at < all.length; at += 1_448) reader.push(all.subarray(at, at + 1_448));
  for (const read of [
    () => {
      while (reader.next());
    },
    () => readStrings(all),
    () => readMacros(all),
  ]) {
    try {
      read();
    } catch {
      // That it is none is found out in time: this is all that is asked here.
    }
  }
  packet(0x42, all);
}

function lookups(all: Buffer): void {
  for (const protocol of [socketmap, tcpTable]) {
    try {
      let rest = all;
      for (let read = protocol.read(rest); read; read = protocol.read(rest)) rest = rest.subarray(read.used);
    } catch {
      // As above.
    }
  }
}

/** Milliseconds; the best of some, because the machine has other things to do. */
function timeOf(read: Read, text: string, times: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let time = 0; time < times; time += 1) {
    const before = performance.now();
    read(text);
    best = Math.min(best, performance.now() - before);
  }
  return best;
}

/** How the piece is repeated, with what before it and after. */
function* shapes(pieces: readonly string[]): Generator<(length: number) => string> {
  const over = (piece: string, length: number): string => piece.repeat(Math.ceil(length / piece.length));
  for (const one of pieces) {
    yield (length) => over(one, length);
    for (const other of pieces) {
      if (one === other) continue;
      yield (length) => over(one + other, length);
      yield (length) => other + over(one, length);
      yield (length) => over(one, length / 2) + over(other, length / 2);
    }
  }
}

describe('in four times the text no more than about four times the time', () => {
  test.each(parsers)('%s', (what, pieces, read) => {
    for (const shape of shapes(pieces)) {
      // What is quadratic takes sixteen times as long for the larger one.
      if (timeOf(read, shape(base), 1) < atOnce / 16) continue;
      const large = shape(4 * base);
      if (timeOf(read, large, 1) < atOnce) continue;
      const after = timeOf(read, large, 3);
      if (after < atOnce) continue;
      const before = timeOf(read, shape(base), 5);
      if (after / before < mostGrowth) continue;
      // Once more at another size: the machine may have been busy.
      const later = timeOf(read, shape(16 * base), 1);
      if (later / after > mostGrowth)
        expect.fail(
          `${what}: ${JSON.stringify(large.slice(0, 60))}… took ${before.toFixed(1)} ms for ${base} octets, ${after.toFixed(1)} ms for 4 times, ${later.toFixed(1)} ms for 16 times as many`,
        );
    }
  });
});

test('this test sees what is quadratic', () => {
  const backtracking: Read = (text) => /\\x\{([^}]*)\}/g[Symbol.replace](text, '');
  const before = timeOf(backtracking, '\\x{'.repeat(base / 12), 3);
  const after = timeOf(backtracking, '\\x{'.repeat(base / 3), 2);
  expect(after / before).toBeGreaterThan(mostGrowth);
});
