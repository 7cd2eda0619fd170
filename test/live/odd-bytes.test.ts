// A raw client at the running program: octets that no library would send, in pieces that no library would cut.
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts } from '../support/free-port.ts';
import { oddMail } from '../support/mta-site.ts';
import { PointsmanProcess } from '../support/pointsman-process.ts';
import { RawSink } from '../support/raw-sink.ts';

const to = 'RCPT TO:<anna@example.test>\r\n';
const opening = `EHLO raw.test\r\nMAIL FROM:<raw@elsewhere.test> BODY=8BITMIME\r\n${to}DATA\r\n`;
/** With dots stuffed, as far as the final one. */
const written = ({ head, body }: ReturnType<typeof oddMail>): string => `${head}\r\n${body.replace(/^\./gm, '..')}`;
const latin1 = (line: string): Buffer => Buffer.from(line, 'latin1');

describe('a raw client', () => {
  const undo = new AsyncDisposableStack();
  let pointsman: PointsmanProcess;
  let sink: RawSink;

  beforeAll(async () => {
    sink = undo.use(await RawSink.start());
    const [smtpPort, httpPort] = (await freePorts(2)) as [number, number];
    pointsman = undo.use(
      await PointsmanProcess.configure({
        smtpPort,
        httpPort,
        nextHopPort: sink.port,
        domains: ['example.test'],
        rules: 'people:\n  anna: { mail: anna@example.test }\n',
      }),
    );
    await pointsman.start();
  });
  afterAll(() => undo.disposeAsync());

  /** Says these in segments of their own, then closes its side; all replies, EHLO's as one. */
  async function say(...segments: readonly (string | Buffer)[]): Promise<string[]> {
    const socket = connect({ host: '127.0.0.1', port: pointsman.port, noDelay: true, allowHalfOpen: true });
    await once(socket, 'connect');
    const heard = text(socket);
    for (const segment of segments) {
      socket.write(typeof segment === 'string' ? latin1(segment) : segment);
      // To the next turn, so that it goes out as it is.
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.end();
    const lines = (await heard).split('\r\n').filter((line) => line !== '' && line[3] !== '-');
    // Greeting and EHLO, where there was one.
    expect(lines[0]).toMatch(/^220 /);
    return lines.slice(1);
  }
  const codes = (replies: readonly string[]): string[] =>
    replies.map((reply) => /^\d{3}(?: \d\.\d\.\d)?/.exec(reply)?.[0] ?? reply);
  const accepted = ['250', '250 2.1.0', '250 2.1.5', '354', '250 2.0.0'];
  /** What is refused never comes; a mail sent afterwards has. */
  async function arrivedOnly(subject: string): Promise<void> {
    const fence = `after ${subject}`;
    await say(opening, written(oddMail(fence)), '.\r\n');
    await sink.next(fence);
    expect(sink.arrivals.seen((one) => one.content.includes(subject) && one.subject !== fence)).toEqual([]);
  }

  test('closes its side behind the final dot, and hears the queue id', async () => {
    const replies = await say(opening, written(oddMail('half closed')), '.\r\nQUIT\r\n');
    expect(codes(replies)).toEqual([...accepted, '221 2.0.0']);
    expect(replies[4]).toMatch(/^250 2\.0\.0 Ok: queued as [0-9A-Z]{13}$/);
    await sink.next('half closed');
  });

  test('sends octet by octet', async () => {
    const mail = oddMail('octet by octet', { longest: 60 });
    const all = Buffer.concat([latin1(opening), latin1(`${written(mail)}.\r\n`)]);
    expect(codes(await say(...Array.from(all, (octet) => Buffer.from([octet]))))).toEqual(accepted);
    expect((await sink.next('octet by octet')).body.toString('latin1')).toBe(mail.body);
  });

  test('sends everything at once, content before the 354 and all', async () => {
    const mail = oddMail('all at once');
    expect(codes(await say(`${opening}${written(mail)}.\r\nQUIT\r\n`))).toEqual([...accepted, '221 2.0.0']);
    expect((await sink.next('all at once')).body.toString('latin1')).toBe(mail.body);
  });

  test('sends every octet there is in the content, NUL as well', async () => {
    const every = Buffer.from(
      Array.from({ length: 256 }, (_, octet) => octet).filter((octet) => octet !== 10 && octet !== 13),
    );
    expect(codes(await say(opening, 'Subject: every octet\r\n\r\n', every, '\r\n.\r\n'))).toEqual(accepted);
    expect((await sink.next('every octet')).body.equals(Buffer.concat([every, latin1('\r\n')]))).toBe(true);
  });

  test.each([
    ['a bare LF', 'one\ntwo\r\n'],
    ['a bare CR', 'one\rtwo\r\n'],
    ['CR CR LF', 'one\r\r\n'],
    ['LF . LF and commands', `one\n.\nMAIL FROM:<evil@elsewhere.test>\r\n${to}DATA\r\n`],
    ['LF . CR LF and commands', `one\n.\r\nMAIL FROM:<evil@elsewhere.test>\r\n${to}DATA\r\n`],
    ['CR . CR LF and commands', `one\r.\r\nMAIL FROM:<evil@elsewhere.test>\r\n${to}DATA\r\n`],
    ['CR LF . LF and commands', `one\r\n.\nMAIL FROM:<evil@elsewhere.test>\r\n${to}DATA\r\n`],
    ['CR LF . CR and commands', `one\r\n.\rMAIL FROM:<evil@elsewhere.test>\r\n${to}DATA\r\n`],
  ])('sends %s in the content: all of it is content, and refused', async (what, body) => {
    const subject = `with ${what}`;
    const replies = await say(opening, `Subject: ${subject}\r\n\r\n${body}`, '.\r\n', 'NOOP\r\n');
    expect(codes(replies)).toEqual([...accepted.slice(0, 4), '554 5.6.0', '250 2.0.0']);
    await arrivedOnly(subject);
  });

  test.each([
    ['NUL in a command', 'MAIL FROM:<a\0b@elsewhere.test>\r\n', '501 5.5.2'],
    ['NUL in a verb', 'MA\0IL FROM:<a@elsewhere.test>\r\n', '500 5.5.2'],
    ['a bare CR in a command', 'MAIL FROM:<a\rb@elsewhere.test>\r\n', '501 5.5.2'],
    ['octets that are not UTF-8', 'MAIL FROM:<a\xff\xfe@elsewhere.test>\r\n', '501 5.5.2'],
    ['UTF-8 without SMTPUTF8', 'MAIL FROM:<\xc3\xa4@elsewhere.test>\r\n', '553 5.6.7'],
    ['eight bits in a verb', 'M\xc4IL FROM:<a@elsewhere.test>\r\n', '500 5.5.2'],
    ['a command that ends in a bare LF', 'MAIL FROM:<a@elsewhere.test>\n', '500 5.5.2'],
    ['an empty command', '\r\n', '500 5.5.2'],
  ])('sends %s, and goes on', async (_, line, code) => {
    expect(codes(await say('EHLO raw.test\r\n', line, 'RSET\r\n'))).toEqual(['250', code, '250 2.0.0']);
  });

  test('sends a command without end: it is sent away', async () => {
    expect(codes(await say('EHLO raw.test\r\n', 'x'.repeat(5_000), '\r\nNOOP\r\n'))).toEqual(['250', '421 4.5.2']);
  });

  test('sends content though DATA was refused: nothing of it becomes mail', async () => {
    const content = `Subject: refused DATA\r\n\r\n${'text of a mail\r\n'.repeat(12)}.\r\n`;
    const replies = await say(
      `EHLO raw.test\r\nMAIL FROM:<raw@elsewhere.test>\r\nRCPT TO:<x@other.test>\r\nDATA\r\n${content}`,
    );
    expect(codes(replies).slice(0, 4)).toEqual(['250', '250 2.1.0', '550 5.7.1', '554 5.5.1']);
    expect(replies.slice(4).every((reply) => /^(?:500|421) /.test(reply))).toBe(true);
    await arrivedOnly('refused DATA');
  });

  test('talks before it is greeted, and is answered in order', async () => {
    const socket = connect({ host: '127.0.0.1', port: pointsman.port, allowHalfOpen: true });
    socket.write('NOOP\r\n');
    const heard = text(socket);
    await once(socket, 'connect');
    socket.end('QUIT\r\n');
    expect((await heard).split('\r\n').map((line) => line.slice(0, 3))).toEqual(['220', '250', '221', '']);
  });
});
