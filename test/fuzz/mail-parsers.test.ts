// Whatever the octets: the parsers of mail do not throw, do not hang, and what they let through is what they promise.
import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maxField, maxFields, readFacts, readFields } from '../../src/mail/header.ts';
import { isMarked, loopMark } from '../../src/mail/loop-mark.ts';
import { ourAddresses } from '../../src/mail/our-address.ts';
import { mailboxKey, maxPath, parseMailbox } from '../../src/mail/path.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { receivedField } from '../../src/mail/received.ts';
import { formatReply, parseReply } from '../../src/mail/reply.ts';
import { parseMail, parseRcpt, parseXforward } from '../../src/smtp/command.ts';
import { decodeUtf8Address, decodeXtext, encodeUtf8Address, encodeXtext } from '../../src/smtp/xtext.ts';
import { fuzz } from '../support/fuzz.ts';

/** Text made of the pieces that matter to a grammar, and of anything. */
const textOf = (...pieces: string[]): fc.Arbitrary<string> =>
  fc
    .array(fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: 'binary', maxLength: 3 })), { maxLength: 24 })
    .map((all) => all.join(''));

const controls = /[\x00-\x1f\x7f]/;

describe('a path', () => {
  test('that is taken has no controls and a bounded length, and is the key of itself', () => {
    fuzz(
      'address',
      3_000,
      [textOf('@', '.', '"', '\\', 'a', 'example.com', '[', ']', 'IPv6:', '::1', ' ', '<', '>', 'ü', '\r\n')],
      (text) => {
        const mailbox = parseMailbox(text);
        if (mailbox === undefined) return;
        expect(mailbox).toBe(text);
        expect(mailbox).not.toMatch(controls);
        expect(Buffer.byteLength(mailbox)).toBeLessThanOrEqual(maxPath);
        expect(mailbox.isWellFormed()).toBe(true);
        const key = mailboxKey(mailbox);
        const again = parseMailbox(key);
        if (again !== undefined) expect(mailboxKey(again)).toBe(key);
      },
    );
  });
});

describe('a reply', () => {
  test('that is read is one line, and reads back as itself', () => {
    fuzz('reply', 3_000, [textOf('250', '550', '-', ' ', '5.1.1', '2.0.0', '\r\n', '\n', 'text')], (text) => {
      const reply = parseReply(text);
      if (reply === undefined) return;
      expect(reply.code).toBeGreaterThanOrEqual(200);
      expect(reply.code).toBeLessThan(600);
      expect(reply.text).not.toMatch(/[\r\n]/);
      // A text that begins like an enhanced code of its class would be taken for one the second time.
      if (reply.enhanced !== undefined) expect(parseReply(formatReply(reply))).toEqual(reply);
    });
  });
});

describe('a header', () => {
  const facts = (content: Uint8Array): ReturnType<typeof readFacts> =>
    readFacts({
      queueId: '0123456789ABC' as QueueId,
      receivedAt: 0,
      envelope: { reversePath: '<>', forwardPaths: [], body: '7BIT', smtputf8: false },
      content,
      client: { address: '192.0.2.1', carriesMembers: false },
    });
  const clean = (content: Uint8Array): void => {
    const { headers, subject, from, messageId, references } = facts(content);
    expect(headers.length).toBeLessThanOrEqual(maxFields);
    for (const text of [...headers.flat(), subject ?? '', from ?? '', messageId ?? '', ...references]) {
      expect(text).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
      expect(text.length).toBeLessThanOrEqual(maxField);
      expect(text.isWellFormed()).toBe(true);
    }
  };

  test('of any octets gives clean facts', () => {
    fuzz('header: any octets', 1_000, [fc.uint8Array({ maxLength: 400 })], clean);
  });

  test('of almost-mail gives clean facts', () => {
    const mail = textOf(
      'Subject: ',
      'From: ',
      'Message-ID: <',
      'References: ',
      '<a@b>',
      '=?utf-8?B?',
      '=?iso-2022-jp?Q?',
      'w7w=',
      '=0D=0A',
      '?=',
      '\r\n',
      '\r\n ',
      ':',
      '\x00',
    );
    fuzz('header: almost mail', 3_000, [mail], (text) => clean(Buffer.from(text)));
  });

  test.each([
    ['encoded words without end', '=?utf-8?B?'],
    ['encoded words', '=?utf-8?B?w7w=?= '],
    ['question marks', '=?'],
    ['white space', ' \t'],
    ['brackets', '<a'],
    ['folds', 'x\r\n '],
    ['fields', '\r\nA: =?utf-8?Q?=C3=BC?='],
  ])('of a megabyte of %s is read in time', (_, piece) => {
    const content = Buffer.from(`Subject: ${piece.repeat(1_048_576 / piece.length)}\r\n\r\n`);
    const before = performance.now();
    clean(content);
    // Milliseconds in fact; what is looked for is a regular expression that takes minutes.
    expect(performance.now() - before).toBeLessThan(3_000);
  });

  test('stays one field when it is a Received field of ours, whatever the HELO name', () => {
    fuzz(
      'header: our Received, any HELO name',
      100,
      [fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })],
      (helo, address) => {
        const field = receivedField({
          queueId: '0123456789ABC' as QueueId,
          at: 0,
          hostname: 'relay.example',
          client: { address, helo, tls: false },
          envelope: { reversePath: '<>', forwardPaths: [], body: '7BIT', smtputf8: false },
        });
        expect(readFields(Buffer.from(field)).map(({ name }) => name)).toEqual(['received']);
        expect(field).toMatch(/^[\x20-\x7e\r\n\t]+$/);
        for (const line of field.split('\r\n')) expect(line.length).toBeLessThan(998);
      },
    );
  });
});

describe('a command', () => {
  const command = textOf(
    'MAIL FROM:',
    'RCPT TO:',
    '<',
    '>',
    'a@example.com',
    '"',
    '\\',
    ' ',
    'SIZE=',
    'BODY=8BITMIME',
    'RET=FULL',
    'ENVID=',
    'NOTIFY=NEVER',
    'ORCPT=rfc822;',
    'SMTPUTF8',
    '+2B',
    '=',
    'ü',
    '\x00',
  );

  test('is parsed or refused with a reply that is one line', () => {
    fuzz('commands: MAIL, RCPT, XFORWARD', 2_000, [command, fc.boolean()], (text, smtputf8) => {
      for (const prefix of ['MAIL FROM:<a@b> ', 'RCPT TO:<a@b> ', '']) {
        const line = Buffer.from(prefix + text);
        for (const parsed of [parseMail(line), parseRcpt(line, smtputf8, 'relay.example'), parseXforward(line)]) {
          if (parsed.ok) continue;
          expect(parsed.reply.code).toBeGreaterThanOrEqual(500);
          expect(parsed.reply.text).toMatch(/^[\x20-\x7e]+$/);
        }
        const mail = parseMail(line);
        if (mail.ok) expect(JSON.stringify(mail.value)).not.toMatch(/\\u00[01]|\\[nrt]/);
        const rcpt = parseRcpt(line, smtputf8, 'relay.example');
        if (rcpt.ok) expect(rcpt.value.orcpt ?? '').not.toMatch(controls);
      }
    });
  });

  test('of any octets too', () => {
    fuzz('commands: any octets', 2_000, [fc.uint8Array({ maxLength: 60 })], (octets) => {
      for (const verb of ['MAIL FROM:', 'RCPT TO:', 'XFORWARD ']) {
        const line = Buffer.concat([Buffer.from(verb), octets]);
        parseMail(line);
        parseRcpt(line, true, 'relay.example');
        parseXforward(line);
      }
    });
  });
});

describe('ORCPT and XFORWARD', () => {
  const rcpt = textOf(
    'rfc822',
    'utf-8',
    'x400',
    ';',
    'a@b.example',
    '+2B',
    '+0A',
    '+zz',
    '\\x{',
    'E9',
    '}',
    '=',
    'ü',
    ' ',
  );
  const xforward = textOf(
    'NAME=',
    'ADDR=',
    'IPV6:',
    '192.0.2.1',
    '::1',
    '[UNAVAILABLE]',
    'HELO=',
    '+20',
    '=',
    ' ',
    'X=',
  );

  test('what is taken is bounded, and text', () => {
    fuzz('ORCPT', 1_000, [rcpt, fc.boolean()], (text, smtputf8) => {
      const parsed = parseRcpt(Buffer.from(`RCPT TO:<a@b> ORCPT=${text}`), smtputf8, 'relay.example');
      if (!parsed.ok) return;
      const { orcpt = '' } = parsed.value;
      expect(orcpt).toMatch(/^[A-Za-z0-9-]+;/);
      expect(orcpt).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
      expect(orcpt.length).toBeLessThanOrEqual(500);
    });
    fuzz('XFORWARD', 1_000, [xforward], (text) => {
      const parsed = parseXforward(Buffer.from(`XFORWARD ${text}`));
      if (!parsed.ok) return;
      for (const [name, value] of parsed.value) {
        expect(value).toMatch(/^[\x20-\x7e]{1,300}$/);
        if (name === 'ADDR') expect(isIP(value.replace(/^IPv6:/i, ''))).toBeGreaterThan(0);
      }
    });
  });
});

describe('addresses and marks of our own', () => {
  const key = Buffer.alloc(32, 7);
  const ours = ourAddresses(key, 'track.example.org');
  const genuine = ours.reportsOn({ queueId: '0123456789ABC' as QueueId, seq: 7 });

  test('are believed only as we made them', () => {
    const given = textOf(
      'report.',
      '0123456789abc',
      '.7',
      '.',
      genuine.slice(0, -19),
      'copies',
      '@track.example.org',
      'z',
    );
    fuzz('our addresses', 1_000, [given], (text) => {
      const mailbox = parseMailbox(text.endsWith('@track.example.org') ? text : `${text}@track.example.org`);
      if (mailbox === undefined) return;
      const read = ours.read(mailbox);
      const lower = mailbox.toLowerCase();
      if (read?.kind === 'reports') expect(lower).toBe(ours.reportsOn(read));
      else if (read?.kind === 'copies') expect(lower).toBe(ours.copies);
    });
    const keys = [{ id: 'k1', secret: key }];
    const right = loopMark(keys, 'desk', '<a@b>').slice('X-Pointsman-Trace: '.length).trim();
    const marks = textOf('v1', ' ', 'k1', right, right.slice(6), right.slice(0, -1), 'A'.repeat(43), '_', '\n');
    fuzz('our trace header', 1_000, [marks], (text) => {
      if (isMarked([text], keys, 'desk', '<a@b>')) expect(text.trim()).toBe(right);
      expect(isMarked([text], keys, 'desk', '<b@b>')).toBe(false);
    });
  });
});

describe('xtext', () => {
  test('carries any printable text', () => {
    fuzz('xtext: there and back', 100, [fc.stringMatching(/^[\x20-\x7e]*$/)], (text) => {
      const encoded = encodeXtext(text);
      expect(encoded).toMatch(/^[\x21-\x7e]*$/);
      expect(encoded).not.toMatch(/[=]/);
      expect(decodeXtext(encoded)).toBe(text);
    });
  });

  test('of anything is refused or decodes to printable text, which comes back', () => {
    fuzz(
      'xtext and utf-8 ORCPT: anything',
      2_000,
      [textOf('+', '+2B', '+0A', '+zz', '\\x{', '}', 'E9', '110000', 'a', '=', 'ü', '\r\n')],
      (text) => {
        const decoded = decodeXtext(text);
        if (decoded !== undefined) {
          expect(decoded).toMatch(/^[\x20-\x7e]*$/);
          expect(decodeXtext(encodeXtext(decoded))).toBe(decoded);
        }
        for (const smtputf8 of [true, false]) {
          const address = decodeUtf8Address(text, smtputf8);
          if (address === undefined) continue;
          expect(address).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
          expect(decodeUtf8Address(encodeUtf8Address(address, smtputf8), smtputf8)).toBe(address);
        }
      },
    );
  });

  test('of UTF-8 addresses carries any text without controls', () => {
    fuzz('utf-8 ORCPT: there and back', 100, [fc.string({ unit: 'grapheme' }), fc.boolean()], (text, smtputf8) => {
      if (/[\x00-\x1f\x7f-\x9f]/.test(text)) return;
      const encoded = encodeUtf8Address(text, smtputf8);
      expect(encoded).not.toMatch(smtputf8 ? /[\x00-\x20\x7f+=]/ : /[^\x21-\x7e]|[+=]/);
      expect(decodeUtf8Address(encoded, smtputf8)).toBe(text);
    });
  });
});
