// Reading the content after DATA: RFC 5321 §4.5.2 (dots), §2.3.8 (CRLF), and what may not end a message.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { headOf } from '../../../src/mail/content.ts';
import { type Content, ContentParser } from '../../../src/smtp/content-parser.ts';
import { fuzzLater } from '../../support/fuzz.ts';

interface Read {
  readonly content: Content | 'cut off' | undefined;
  /** What came after the final dot, as commands. */
  readonly commands: readonly string[];
}

/** Feeds the pieces one write each, in content mode from the first octet. */
async function read(pieces: readonly string[], limit = 1_000_000, cutOff = 2_000_000): Promise<Read> {
  const parser = new ContentParser();
  const commands: string[] = [];
  let content: Read['content'];
  parser.oncommand = (line, callback) => {
    commands.push(line.toString('latin1'));
    callback?.();
  };
  parser.startContent(
    { limit, cutOff, reserve: () => true },
    {
      onEnd: (ended, resume) => {
        content = ended;
        resume();
      },
      onCutOff: () => {
        content = 'cut off';
      },
    },
  );
  for (const piece of pieces) {
    await new Promise<void>((resolve) => parser.write(Buffer.from(piece, 'latin1'), () => resolve()));
  }
  return { content, commands };
}

const text = ({ content }: Read): string | undefined => {
  if (content === undefined || content === 'cut off') return content;
  return content.kind === 'complete' ? Buffer.from(headOf(content.bytes)).toString('latin1') : content.reason;
};

test.each([
  ['.\r\n', ''],
  ['a\r\n.\r\n', 'a\r\n'],
  ['..\r\n.\r\n', '.\r\n'],
  ['...\r\n.\r\n', '..\r\n'],
  // RFC 5321 §4.5.2: the first dot goes whatever follows.
  ['.a\r\n.\r\n', 'a\r\n'],
  ['a.\r\n.\r\n', 'a.\r\n'],
  ['\r\n.\r\n', '\r\n'],
  ['\x00\xff\r\n.\r\n', '\x00\xff\r\n'],
  // Not ended.
  ['a\r\n.\n', undefined],
  ['a\n.\r\n', undefined],
  ['a\n.\n', undefined],
  ['a\r.\r', undefined],
  ['a\r.\r\n', undefined],
  ['a\r\n.\r', undefined],
  ['a.\r\n', undefined],
  ['a\r\n. \r\n', undefined],
])('%j is %j', async (octets, content) => {
  expect(text(await read([octets]))).toBe(content);
});

test.each([
  'a\nb',
  'a\rb',
  '\n',
  '\r\r\n',
  'a\n.\r\n',
  'a\r\n.\n',
  'a\n..\r\nb',
  '.\rb',
  '.\r\r\n',
  'a\r\n.\rb',
  'a\r\n.\n.\r\nb',
])('%j has a bare line end', async (octets) => {
  expect(text(await read([`${octets}\r\n.\r\n`]))).toBe('bare line end');
});

test('what follows is a command, and only after the final dot', async () => {
  expect(await read(['a\r\n.\r\nMAIL FROM:<>\r\nNOOP\r\n'])).toMatchObject({ commands: ['MAIL FROM:<>', 'NOOP'] });
  expect(await read(['a\n.\nMAIL FROM:<>\r\n'])).toEqual({ content: undefined, commands: [] });
});

describe('limits', () => {
  test('count what is kept, to the octet', async () => {
    expect(text(await read(['12345678\r\n.\r\n'], 10))).toBe('12345678\r\n');
    expect(text(await read(['123456789\r\n.\r\n'], 10))).toBe('too big');
    expect(text(await read(['1234\r\n', '5678\r\n', '.\r\n'], 10))).toBe('too big');
    // The dot that is removed does not count.
    expect(text(await read(['.12345678\r\n.\r\n'], 10))).toBe('12345678\r\n');
  });

  test('cut off what does not end', async () => {
    expect(text(await read(['x'.repeat(30), 'MAIL FROM:<>\r\n'], 10, 29))).toBe('cut off');
    expect(text(await read(['x'.repeat(29)], 10, 29))).toBeUndefined();
  });
});

test('the cut into segments changes nothing, and what was stuffed comes out as it went in', async () => {
  const line = fc
    .array(fc.constantFrom('.', '..', 'a', ' ', '\x00', '\xff', 'MAIL'), { maxLength: 5 })
    .map((all) => all.join(''));
  const message = fc.array(line, { maxLength: 8 }).map((lines) => lines.map((each) => `${each}\r\n`).join(''));
  await fuzzLater(
    'content after DATA: stuffed, in pieces',
    500,
    [message, fc.array(fc.nat(60), { maxLength: 6 })],
    async (content, cuts) => {
      const stuffed = `${content.replace(/^\./gm, '..')}.\r\nNOOP\r\n`;
      const places = [0, ...cuts.sort((one, other) => one - other), stuffed.length];
      const pieces = places.slice(1).map((end, index) => stuffed.slice(places[index], end));
      const got = await read(pieces.filter((piece) => piece !== ''));
      expect(text(got)).toBe(content);
      expect(got.commands).toEqual(['NOOP']);
    },
  );
});

/** RFC 5321 §4.5.2 and §2.3.8 said otherwise, as patterns over all of it. */
function byTheBook(whole: string): { content: string; commands: readonly string[] } {
  const end = /(?<=^|\r\n)\.\r\n/.exec(whole);
  if (!end) throw new Error('it has no end');
  const raw = whole.slice(0, end.index);
  const lines = whole.slice(end.index + 3).split('\n');
  return {
    content: /\r(?!\n)|(?<!\r)\n/.test(raw) ? 'bare line end' : raw.replace(/(?<=^|\r\n)\./g, ''),
    commands: lines.slice(0, -1).map((line) => line.replace(/\r$/, '')),
  };
}

test('any octets, in any segments, give one verdict, and the right one', async () => {
  const octets = fc.array(fc.constantFrom('.', '\r', '\n', '\r\n', 'a'), { maxLength: 20 }).map((all) => all.join(''));
  await fuzzLater('content after DATA: any line ends', 500, [octets, fc.nat(20)], async (junk, cut) => {
    const whole = `${junk}\r\n.\r\n`;
    const got = await read([whole.slice(0, cut), whole.slice(cut)].filter((piece) => piece !== ''));
    expect({ content: text(got), commands: got.commands }).toEqual(byTheBook(whole));
  });
});

test('any octets, in any segments, are the same commands', async () => {
  const piece = fc.oneof(
    fc.constantFrom('MAIL FROM:<a@b>', 'NOOP', '\r\n', '\n', '\r', ' ', '\x00', 'x'.repeat(2_000)),
    fc.string({ unit: 'binary', maxLength: 3 }),
  );
  const commandsOf = async (pieces: readonly Buffer[]): Promise<string[]> => {
    const parser = new ContentParser();
    const heard: string[] = [];
    parser.oncommand = (line, next) => {
      heard.push(line.toString('latin1'));
      next();
    };
    parser.onerror = (error) => heard.push(error.message);
    for (const each of pieces) await new Promise<void>((resolve) => parser.write(Buffer.from(each), () => resolve()));
    return heard;
  };
  await fuzzLater(
    'command lines, in segments',
    500,
    [fc.array(piece, { maxLength: 12 }), fc.nat(40)],
    async (all, cut) => {
      const whole = Buffer.from(all.join(''));
      const heard = await commandsOf([whole]);
      const inTwo = [whole.subarray(0, cut), whole.subarray(cut)].filter(({ length }) => length > 0);
      expect(await commandsOf(inTwo)).toEqual(heard);
      for (const line of heard) expect(line.length).toBeLessThanOrEqual(4_096);
      expect(heard.some((line) => line.includes('\n'))).toBe(false);
    },
  );
});
