// Pointsman as Sendmail's milter, configured as docs/operate/sendmail-milter.md says; and what Sendmail says on the wire.
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { createMilter } from '../../src/milter/milter.ts';
import { freePorts } from '../support/free-port.ts';
import { mailWith } from '../support/live-site.ts';
import { CountingSink } from '../support/mail-sink.ts';
import { PointsmanProcess } from '../support/pointsman-process.ts';
import { type Script, ScriptedMilter, stringsOf } from '../support/scripted-milter.ts';
import { documentedFilter, Sendmail, sendmailRoot } from '../support/sendmail.ts';
import { SmtpTalk } from '../support/smtp-talk.ts';

const rules = `people:
  anna: { mail: anna@example.test }
  bert: { mail: bert@example.test }
groups:
  support: { address: support@example.test, members: [anna, bert], eligible: [unknown], fallback: unchanged, policy: none }
  sales: { address: sales@example.test, members: [bert], eligible: [unknown], fallback: unchanged, policy: none }
  nobody: { address: nobody@example.test, members: [anna], eligible: [available], fallback: { mailbox: duty@example.test }, policy: none }
  watched: { address: watched@example.test, members: [anna], eligible: [unknown], fallback: unchanged, policy: brisk }
policies:
  brisk: { steps: [{ name: duty, after: 1s, to: { mailbox: duty@example.test } }] }
routes:
  - { name: closed, match: { recipient: closed@example.test }, reject: Closed }
`;

const root = await sendmailRoot();

describe.runIf(root !== undefined)('the milter under Sendmail', () => {
  const undo = new AsyncDisposableStack();
  let sendmail: Sendmail;
  let sink: CountingSink;
  let sinkPort: number;
  let pointsman: PointsmanProcess;

  beforeAll(async () => {
    const free = await freePorts(4);
    const [port, smtpPort, httpPort, milterPort] = free as unknown as readonly [number, number, number, number];
    sink = undo.use(new CountingSink());
    sinkPort = await sink.listen();
    pointsman = undo.use(
      await PointsmanProcess.configure({
        smtpPort,
        httpPort,
        nextHopPort: port,
        domains: ['example.test'],
        rules,
        config: { milter: { listen: [`127.0.0.1:${milterPort}`] } },
      }),
    );
    await pointsman.start();
    sendmail = undo.use(
      await Sendmail.start({
        root: root ?? '',
        port,
        nextHop: sinkPort,
        lines: documentedFilter(milterPort),
      }),
    );
  }, 60_000);
  afterAll(() => undo.disposeAsync(), 30_000);

  async function post(to: readonly string[], subject: string, from = '<customer@elsewhere.test>'): Promise<string> {
    onTestFailed(async () => console.log((await sendmail.traffic()).slice(-3_000), pointsman.log.seen().slice(-8)));
    using smtp = await SmtpTalk.open(sendmail.port);
    await smtp.hello();
    expect(await smtp.say(`MAIL FROM:${from}`)).toMatch(/^250/);
    for (const one of to) expect(await smtp.say(`RCPT TO:${one}`)).toMatch(/^250/);
    expect(await smtp.say('DATA')).toMatch(/^354/);
    return await smtp.content(mailWith(subject, 'somebody@example.test'));
  }
  const all = (subject: string): string[] =>
    sink.arrivals
      .seen((one) => one.subject === subject)
      .flatMap(({ recipients }) => recipients)
      .sort();

  test.each([
    ['a group', ['<support@example.test>'], ['anna@example.test']],
    ['the group in other case', ['<SUPPORT@Example.TEST>'], ['anna@example.test']],
    ['the group twice', ['<support@example.test>', '<support@example.test>'], ['anna@example.test']],
    ['a group and its member', ['<support@example.test>', '<anna@example.test>'], ['anna@example.test']],
    [
      'two groups and another',
      ['<support@example.test>', '<sales@example.test>', '<carol@example.test>'],
      ['anna@example.test', 'bert@example.test', 'carol@example.test'],
    ],
    ['the fallback', ['<nobody@example.test>'], ['duty@example.test']],
    ['nobody of ours', ['<carol@example.test>'], ['carol@example.test']],
  ])('%s', async (what, to, expected) => {
    const subject = `sendmail: ${what}`;
    expect(await post(to, subject)).toMatch(/^250/);
    await sink.arrivals.next((one) => one.subject === subject, { what: subject, within: 20_000 });
    const fence = `fence ${what}`;
    await post(['<carol@example.test>'], fence);
    await sink.arrivals.next((one) => one.subject === fence, { what: fence, within: 20_000 });
    expect(all(subject)).toEqual(expected);
  });

  test('refused by the envelope, null sender, RSET, and many messages on one connection', async () => {
    using smtp = await SmtpTalk.open(sendmail.port);
    await smtp.hello();
    await smtp.say('MAIL FROM:<a@elsewhere.test>');
    expect(await smtp.say('RCPT TO:<closed@example.test>')).toBe('550 5.7.1 <closed@example.test>... Closed');
    expect(await smtp.say('RSET')).toMatch(/^250/);
    for (const subject of ['many 1', 'many 2']) {
      expect(await smtp.say('MAIL FROM:<>')).toMatch(/^250/);
      expect(await smtp.say('RCPT TO:<sales@example.test>')).toMatch(/^250/);
      await smtp.say('DATA');
      expect(await smtp.content(mailWith(subject, 'sales@example.test'))).toMatch(/^250/);
      const { recipients } = await sink.arrivals.next((one) => one.subject === subject, {
        what: subject,
        within: 20_000,
      });
      expect(recipients).toEqual(['bert@example.test']);
    }
  });

  test('watched mail is escalated through the same Sendmail, and goes round no more', async () => {
    expect(await post(['<watched@example.test>'], 'watch me')).toMatch(/^250/);
    await sink.arrivals.next((one) => one.subject === 'watch me' && one.recipients[0] === 'duty@example.test', {
      what: 'escalation',
      within: 20_000,
    });
    expect(all('watch me')).toEqual(['anna@example.test', 'duty@example.test']);
  });

  test('what it says on the wire', async () => {
    const free = await freePorts(2);
    const [port, milterPort] = free as unknown as readonly [number, number];
    const seen: unknown[] = [];
    const milter = createMilter({
      connect(client) {
        seen.push(client.hostname, client.address);
        return { kind: 'continue' };
      },
      sender({ sender }) {
        seen.push(sender.raw.toString(), sender.parameters);
        return { kind: 'continue' };
      },
      recipient({ raw, parameters }) {
        seen.push(raw.toString(), parameters);
        return { kind: 'continue' };
      },
      message(message) {
        seen.push(
          message.powers.version,
          message.powers.actions,
          message.powers.leadingSpace,
          message.macro('i') !== undefined,
        );
        seen.push(message.headers().map(([name]) => name));
        return {
          verdict: { kind: 'accept' },
          edits: [{ kind: 'add recipient', address: 'extra@example.test', parameters: '' }],
        };
      },
    });
    await using _ = { [Symbol.asyncDispose]: () => milter.close() };
    await milter.listen({ host: '127.0.0.1', port: milterPort });
    await using other = await Sendmail.start({
      root: root ?? '',
      port,
      nextHop: sinkPort,
      lines: documentedFilter(milterPort),
    });
    using smtp = await SmtpTalk.open(other.port);
    await smtp.hello();
    await smtp.say('MAIL FROM:<a@elsewhere.test> BODY=8BITMIME');
    await smtp.say('RCPT TO:<Ben@Example.test> NOTIFY=NEVER');
    await smtp.say('DATA');
    expect(await smtp.content(mailWith('wire', 'ben@example.test'))).toMatch(/^250/);
    // The first connection was the one that looked whether it is up.
    expect(seen.slice(2)).toEqual([
      'localhost',
      '127.0.0.1',
      '<a@elsewhere.test>',
      ['BODY=8BITMIME'],
      '<Ben@Example.test>',
      ['NOTIFY=NEVER'],
      6,
      0x1ff,
      true,
      true,
      ['From', 'To', 'Subject', 'Date', 'Message-ID'],
    ]);
    await sink.arrivals.next(({ recipients }) => recipients.includes('extra@example.test'), {
      what: 'the recipient added with empty parameters',
      within: 20_000,
    });
  });

  test('what it makes of a milter’s answers', async () => {
    const [port = 0] = await freePorts(1);
    await using milter = await ScriptedMilter.start();
    await using other = await Sendmail.start({
      root: root ?? '',
      port,
      nextHop: sinkPort,
      lines: documentedFilter(milter.port),
    });
    onTestFailed(async () => console.log((await other.traffic()).slice(-4_000)));
    let count = 0;
    const answered = async (
      script: Script,
      to: readonly string[],
    ): Promise<[reply: string, got: readonly string[]]> => {
      count += 1;
      const subject = `sendmail truth ${count}`;
      milter.script = script;
      using smtp = await SmtpTalk.open(other.port);
      await smtp.hello();
      await smtp.say('MAIL FROM:<a@elsewhere.test>');
      for (const one of to) await smtp.say(`RCPT TO:${one}`);
      await smtp.say('DATA');
      const reply = await smtp.content(mailWith(subject, 'x@example.test'));
      if (reply.startsWith('250'))
        await sink.arrivals.next((one) => one.subject === subject, { what: subject, within: 20_000 }).catch(() => null);
      return [reply, all(subject)];
    };
    const two = ['<Ben@Example.test>', '<cyd@example.test>'];
    const seen: Record<string, unknown> = {};
    seen.verbatim = (await answered([['-', '<Ben@Example.test>']], two))[1];
    seen.otherCase = (await answered([['-', '<ben@example.TEST>']], two))[1];
    seen.withoutBrackets = (await answered([['-', 'Ben@Example.test']], two))[1];
    seen.addedAndThere = (await answered([['+', '<cyd@example.test>']], two))[1];
    seen.list = (await answered([['+', 'x@example.test, y@example.test']], two))[1];
    seen.addedThenRemoved = (
      await answered(
        [
          ['+', '<x@example.test>'],
          ['-', '<x@example.test>'],
        ],
        two,
      )
    )[1];
    seen.doubled = (await answered([['y', '451 4.7.1 50%% off']], two))[0];
    seen.single = (await answered([['y', '451 4.7.1 50% off']], two))[0];
    seen.gone = (await answered([['-', '<Ben@Example.test>'], 'gone'], two))[0];
    milter.heard.length = 0;
    milter.script = [];
    {
      using smtp = await SmtpTalk.open(other.port);
      await smtp.hello();
      await smtp.say('MAIL FROM:<>');
      await smtp.say('RSET');
      await smtp.mail('a@elsewhere.test', 'cyd@example.test', mailWith('codes', 'x@example.test'));
      await smtp.say('MAIL FROM:<a@elsewhere.test>');
    }
    seen.codes = milter
      .newest()
      .filter((code) => code !== 'L')
      .join('');
    seen.nullSender = stringsOf(milter.of('M')[0] ?? { payload: Buffer.alloc(0) });
    const [ben, cyd] = ['Ben@Example.test', 'cyd@example.test'];
    expect(seen).toEqual({
      verbatim: [cyd],
      otherCase: [ben, cyd],
      withoutBrackets: [cyd],
      addedAndThere: [ben, cyd],
      list: [ben, cyd, 'x@example.test', 'y@example.test'],
      addedThenRemoved: [ben, cyd],
      doubled: '451 4.7.1 50% off',
      // For good, and not for now.
      single: '554 5.7.1 Command rejected',
      gone: '451 4.3.2 Please try again later',
      // ABORT comes for RSET, and none after the end of a message.
      codes: 'ODCDHDMADMDRTNBDEDM',
      nullSender: ['<>'],
    });
  }, 180_000);
});
