// The way out, whatever the next hop says and whatever the sender wrote: what we read of it keeps its bounds, what we say
// is one line and means what was meant, and the octets of the content come out as they came in.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mailboxKey, parseMailbox } from '../../src/mail/path.ts';
import { parseReply } from '../../src/mail/reply.ts';
import { parseMail, parseRcpt } from '../../src/smtp/command.ts';
import { DotStuffing } from '../../src/smtp/dot-stuffing.ts';
import { type Extensions, extensionsOf, mailLine, noExtensions, rcptLines } from '../../src/smtp/hop-words.ts';
import { hasBareLineEnd, LineEnds, LongLines, WholeLineEnds, withWholeLineEnds } from '../../src/smtp/line-ends.ts';
import { decodeUtf8Address, decodeXtext } from '../../src/smtp/xtext.ts';
import { fuzz } from '../support/fuzz.ts';

const all: Extensions = { ...noExtensions, dsn: true, smtputf8: true, eightBitMime: true, sizes: true, size: 0 };

test('any answer to EHLO gives a limit that is a number, and nothing that was not said', () => {
  const piece = fc.oneof(
    fc.constantFrom('250-', '250 ', 'SIZE', '=', ' ', '99999999999999999999', '-1', '1e9', 'DSN', 'AUTH', 'PLAIN'),
    fc.constantFrom('\r\n', '\n', 'STARTTLS', 'pipelining', '8BITMIME'),
    fc.string({ unit: 'binary', maxLength: 3 }),
  );
  fuzz('answer to EHLO', 2_000, [fc.array(piece, { maxLength: 30 })], (pieces) => {
    const raw = pieces.join('');
    const told = extensionsOf(raw);
    expect(Number.isSafeInteger(told.size)).toBe(true);
    for (const [keyword, is] of [
      ['DSN', told.dsn],
      ['STARTTLS', told.starttls],
      ['PIPELINING', told.pipelining],
      ['8BITMIME', told.eightBitMime],
      ['PLAIN', told.authPlain],
    ] as const) {
      if (is) expect(raw.toUpperCase()).toContain(keyword);
    }
  });
});

describe('MAIL and RCPT', () => {
  const printable = fc.stringMatching(/^[\x20-\x7e]{1,30}$/);
  const mailbox = fc
    .array(fc.constantFrom('"', '\\', 'a', '.', ' ', '@', 'b.example', '<', '>', 'ü', '+'), { maxLength: 8 })
    .map((pieces) => parseMailbox(`${pieces.join('')}@example.com`))
    .filter((one) => one !== undefined);

  test('say what our own front door understands as what was meant', () => {
    fuzz(
      'MAIL and RCPT, said and heard',
      1_000,
      [mailbox, printable, fc.constantFrom('FULL', 'HDRS'), printable],
      (address, envid, ret, orcpt) => {
        const parameters = { from: address, to: [address], size: 1, smtputf8: true, eightBitMime: true };
        const mail = mailLine({ ...parameters, ret, envid }, all);
        const [rcpt = ''] = rcptLines({ ...parameters, notify: ['failure'], orcpt: `rfc822;${orcpt}` }, all);
        for (const line of [mail, rcpt]) expect(line).toMatch(/^[^\r\n\0]+\r\n$/);
        const heard = parseMail(Buffer.from(mail.trimEnd()));
        if (heard.ok) expect(heard.value).toMatchObject({ reversePath: address, envid, ret });
        const parsed = parseRcpt(Buffer.from(rcpt.trimEnd()), true, 'relay.example');
        if (parsed.ok) expect(mailboxKey(parsed.value.mailbox)).toBe(mailboxKey(address));
        expect(decodeXtext(/ORCPT=rfc822;(\S*)/.exec(rcpt)?.[1] ?? '')).toBe(orcpt);
      },
    );
  });
});

describe('content, in any pieces', () => {
  const octets = fc
    .array(fc.constantFrom('.', '..', '\r', '\n', '\r\n', 'a', '\xff', '\0', 'bbbb'), { maxLength: 24 })
    .map((pieces) => Buffer.from(pieces.join(''), 'latin1'));
  const cuts = fc.array(fc.nat(40), { maxLength: 6 });
  const inPieces = (content: Buffer, places: readonly number[]): Buffer[] => {
    const ends = [...places, content.length].filter((at) => at <= content.length).sort((one, other) => one - other);
    return ends.map((end, index) => content.subarray(ends[index - 1] ?? 0, end));
  };

  test('has its dots stuffed as if it were whole, and unstuffed it is what it was', () => {
    fuzz('dot-stuffing, in pieces', 2_000, [octets, cuts], (content, places) => {
      const stuffing = new DotStuffing();
      const sent = inPieces(content, places).flatMap((piece) => stuffing.add(piece));
      const wire = Buffer.concat([...sent, ...stuffing.end()]).toString('latin1');
      const lines = content.toString('latin1').replace(/(^|\r\n)\./g, '$1..');
      expect(wire).toBe(lines === '' || lines.endsWith('\r\n') ? lines : `${lines}\r\n`);
      expect(`\r\n${wire}`).not.toContain('\r\n.\r\n');
    });
  });

  test('has bare line ends, long lines and whole line ends as if it were whole', () => {
    fuzz('line ends, in pieces', 2_000, [octets, cuts, fc.integer({ min: 1, max: 12 })], (content, places, longest) => {
      const text = content.toString('latin1');
      const bare = new LineEnds();
      const long = new LongLines(longest);
      const whole = new WholeLineEnds();
      const mended: Buffer[] = [];
      let isLong = false;
      for (const piece of inPieces(content, places)) {
        bare.add(piece);
        isLong = long.add(piece);
        mended.push(whole.add(piece));
      }
      expect(bare.bare).toBe(/\r(?!\n)|(?<!\r)\n/.test(text));
      expect(hasBareLineEnd(content)).toBe(bare.bare);
      expect(isLong).toBe(text.split('\n').some((line) => line.length > longest));
      expect(Buffer.concat([...mended, whole.end()]).equals(withWholeLineEnds(content))).toBe(true);
    });
  });
});

test.each([
  ['an address of quotes', () => parseMailbox(`"${'\\"'.repeat(500_000)}"@example.com`)],
  ['an address of dots', () => parseMailbox(`${'a.'.repeat(500_000)}@example.com`)],
  ['MAIL with parameters', () => parseMail(Buffer.from(`MAIL FROM:<a@b>${' A=B'.repeat(250_000)}`))],
  ['RCPT with brackets', () => parseRcpt(Buffer.from(`RCPT TO:${'<'.repeat(1_000_000)}`), true, 'relay.example')],
  ['a reply of lines', () => parseReply('250-x\r\n'.repeat(150_000))],
  ['a reply of spaces', () => parseReply(`250 ${' '.repeat(1_000_000)}x`)],
  ['an answer to EHLO', () => extensionsOf(`250-${'SIZE = '.repeat(150_000)}`)],
  ['xtext', () => decodeXtext('+2B'.repeat(350_000))],
  ['xtext of UTF-8', () => decodeUtf8Address('\\x{'.repeat(350_000), false)],
] as const)('%s, a megabyte of it, is read in time', (_, read) => {
  const before = performance.now();
  read();
  // Milliseconds in fact; what is quadratic takes minutes.
  expect(performance.now() - before).toBeLessThan(3_000);
});
