// The bounded parser: any cutting into packets gives the same stanzas, and no bytes do worse than end the stream.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StreamFault, StreamParser } from '../../../../src/sandbox/xmpp-server/stream-parser.ts';
import { el } from '../../../../src/sandbox/xmpp-server/xmpp-server.ts';
import { open } from './raw-client.ts';

function parse(chunks: readonly Buffer[], limit = 100_000): string[] {
  const heard: string[] = [];
  const parser = new StreamParser(limit, {
    open: (header) => heard.push(`open ${header.attrs.to}`),
    element: (element) => heard.push(element.toString()),
    close: () => heard.push('close'),
  });
  for (const chunk of chunks) parser.write(chunk);
  return heard;
}

// XML 1.0 §2.2: what may stand in text.
const text = fc
  .string({ unit: 'grapheme' })
  .filter((string) => !/[\x00-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]/.test(string));

test('any cutting of the bytes gives the same stanzas', () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 5 }), fc.array(fc.nat(500), { maxLength: 20 }), (bodies, cuts) => {
      const messages = bodies.map((body) =>
        el('message', { xmlns: 'jabber:client', id: body }, el('body', {}, ...(body ? [body] : []))).toString(),
      );
      const bytes = Buffer.from(`<?xml version='1.0'?>${open}${messages.join('\n')}</stream:stream>`);
      const edges = [...new Set([0, ...cuts, bytes.length])].filter((at) => at <= bytes.length).sort((a, b) => a - b);
      const chunks = edges.map((at, index) => bytes.subarray(at, edges[index + 1] ?? at));
      expect(parse(chunks)).toEqual(['open localhost', ...messages, 'close']);
    }),
  );
});

const crumbs = [
  open,
  '<',
  '>',
  '/',
  '</',
  '/>',
  '"',
  "'",
  '=',
  '&',
  '&#x;',
  '&#99999999;',
  ';',
  '<!',
  '<![CDATA[',
  ']]>',
  '<?',
  '<a',
  ' x',
  ':',
  'é',
  '\0',
];

// Where ltx by itself loses its place: between the two halves of what ends a declaration, a comment, a CDATA section.
test.for(['?>', '-->', ']]>'])('%s may be cut anywhere', (end) => {
  const said = `<?xml version='1.0'?>${open}<!-- a --- b --><message><body><![CDATA[<x]]]></body></message>`;
  const expected = ['open localhost', '<message xmlns="jabber:client"><body>&lt;x]</body></message>'];
  for (let at = said.indexOf(end); at <= said.indexOf(end) + end.length; at++) {
    expect(parse([Buffer.from(said.slice(0, at)), Buffer.from(said.slice(at))])).toEqual(expected);
  }
  expect(parse([...Buffer.from(said)].map((byte) => Buffer.from([byte])))).toEqual(expected);
});

test('no bytes throw anything but a stream fault', () => {
  const junk = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    fc.array(fc.constantFrom(...crumbs), { maxLength: 40 }).map((parts) => Buffer.from(parts.join(''))),
  );
  fc.assert(
    fc.property(fc.array(junk, { maxLength: 4 }), (chunks) => {
      try {
        parse([Buffer.from(open), ...chunks], 500);
      } catch (error) {
        expect(error).toBeInstanceOf(StreamFault);
      }
    }),
    { numRuns: 1_000 },
  );
});

test('the limit is per stanza, not per stream', () => {
  const message = Buffer.from(`<message><body>${'x'.repeat(5_000)}</body></message>`);
  expect(parse([Buffer.from(open), ...Array.from({ length: 30 }, () => message)], 6_000)).toHaveLength(31);
  expect(() => parse([Buffer.from(open), message], 3_000)).toThrow('larger than 3000 bytes');
});

test('a prefix bound on the stream header is not one of the stanza', () => {
  const header = open.replace('<stream:stream', `<stream:stream xmlns:x='x:y'`);
  expect(() => parse([Buffer.from(`${header}<message><x:z/></message>`)])).toThrow('unbound prefix x');
  expect(() => parse([Buffer.from(`${open}<message><z x:a='1'/></message>`)])).toThrow('unbound prefix x');
  expect(parse([Buffer.from(`${open}<message xmlns:x='x:y'><x:z xml:lang='en'/></message>`)])).toHaveLength(2);
});
