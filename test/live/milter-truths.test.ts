// What Postfix makes of the answers of a milter, seen on a Postfix that runs: each is a reason for something that ours
// does, or never does. docs/milter-rows.md says which.
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { freePorts } from '../support/free-port.ts';
import { mailWith } from '../support/live-site.ts';
import { requirePeer } from '../support/peers.ts';
import { Postfix, postfixMayRun } from '../support/postfix.ts';
import { RawSink } from '../support/raw-sink.ts';
import { type Script, ScriptedMilter, stringsOf } from '../support/scripted-milter.ts';
import { SmtpTalk } from '../support/smtp-talk.ts';

describe.runIf(requirePeer('postfix') && postfixMayRun())('Postfix and the answers of a milter', () => {
  const undo = new AsyncDisposableStack();
  let postfix: Postfix;
  let milter: ScriptedMilter;
  let sink: RawSink;
  let tempfailing = 0;
  let accepting = 0;
  let messages = 0;

  beforeAll(async () => {
    [tempfailing = 0, accepting = 0] = await freePorts(2);
    sink = undo.use(await RawSink.start());
    milter = undo.use(await ScriptedMilter.start());
    postfix = undo.use(
      await Postfix.start({
        name: 'truths',
        port: tempfailing,
        main: `myhostname = truths.test
relay_domains = out.test
virtual_alias_domains = va.test
virtual_alias_maps = texthash:$config/aliases
relay_transport = smtp:[127.0.0.1]:${sink.port}
smtpd_milters = inet:127.0.0.1:${milter.port}
milter_default_action = tempfail
smtp_destination_concurrency_limit = 1
initial_destination_concurrency = 1
`,
        // What an error in the end of a message leads to is decided by cleanup, so the other listener has one of its own.
        master: `127.0.0.1:${tempfailing} inet n - n - 8 smtpd
127.0.0.1:${accepting} inet n - n - 4 smtpd -o milter_default_action=accept -o cleanup_service_name=lenient
lenient unix n - n - 0 cleanup -o milter_default_action=accept
`,
        files: { aliases: 'team@va.test u1@out.test, u2@out.test\none@va.test u3@out.test\n' },
        mailboxes: [],
      }),
    );
  });
  afterAll(() => undo.disposeAsync());

  interface Posted {
    readonly reply: string;
    /** Who got it, as RCPT was said to the next hop. */
    readonly got: readonly string[];
  }

  /** With the script for its end; what arrives is complete when mail that came after it has arrived. */
  async function post(
    script: Script,
    to: readonly string[],
    { port = tempfailing, fence = true } = {},
  ): Promise<Posted> {
    onTestFailed(async () => console.log((await postfix.log()).slice(-4_000)));
    const subject = `truth ${++messages}`;
    milter.heard.length = 0;
    milter.script = script;
    using smtp = await SmtpTalk.open(port);
    await smtp.hello();
    await smtp.say('MAIL FROM:<a@out.test>');
    for (const one of to) expect(await smtp.say(`RCPT TO:${one}`)).toMatch(/^250/);
    await smtp.say('DATA');
    const reply = await smtp.content(mailWith(subject, 'x@out.test'));
    if (fence) {
      const heard = [...milter.heard];
      await post([], ['<fence@out.test>'], { fence: false });
      await sink.next(`truth ${messages}`);
      milter.heard.splice(0, milter.heard.length, ...heard);
    }
    const got = sink.arrivals.seen((one) => one.subject === subject).flatMap(({ rcpt }) => rcpt);
    return { reply, got: got.map((line) => line.replace(/^RCPT TO:/, '')).sort() };
  }
  const who = ({ got }: Posted): readonly string[] => got.map((line) => line.replace(/ .*/, ''));
  const team = ['<Team@VA.test>'];

  test.each<[string, Script, readonly string[]]>([
    [
      'the octets of RCPT remove all that they expand to',
      [
        ['-', '<Team@VA.test>'],
        ['+', '<x@out.test>'],
      ],
      ['<x@out.test>'],
    ],
    [
      'also without brackets',
      [
        ['-', 'Team@VA.test'],
        ['+', '<x@out.test>'],
      ],
      ['<x@out.test>'],
    ],
    [
      'in other case they remove nothing, and nothing is said',
      [['-', '<team@va.test>']],
      ['<u1@out.test>', '<u2@out.test>'],
    ],
    ['what they expand to cannot be removed', [['-', '<u1@out.test>']], ['<u1@out.test>', '<u2@out.test>']],
    [
      'who is added goes through aliases',
      [
        ['-', '<Team@VA.test>'],
        ['+', '<one@va.test>'],
      ],
      ['<u3@out.test>'],
    ],
    [
      'added, then removed: gone',
      [
        ['+', '<x@out.test>'],
        ['-', '<x@out.test>'],
      ],
      ['<u1@out.test>', '<u2@out.test>'],
    ],
    [
      'removed, then added: once',
      [
        ['-', '<Team@VA.test>'],
        ['+', '<Team@VA.test>'],
      ],
      ['<u1@out.test>', '<u2@out.test>'],
    ],
  ])('%s', async (_, script, expected) => {
    const posted = await post(script, team);
    expect(posted.reply).toMatch(/^250/);
    expect(who(posted)).toEqual(expected);
  });

  test('who is a recipient already and is added gets it twice', async () => {
    expect(who(await post([['+', '<b@out.test>']], ['<b@out.test>']))).toEqual(['<b@out.test>', '<b@out.test>']);
  });

  test('a message whose last recipient is removed is taken with 250, and is gone', async () => {
    const posted = await post([['-', '<b@out.test>']], ['<b@out.test>']);
    expect(posted.reply).toMatch(/^250/);
    expect(posted.got).toEqual([]);
  });

  test('the original recipient is who was added, unless the milter says who it was', async () => {
    const silent = await post(
      [
        ['-', '<b@out.test>'],
        ['+', '<c@out.test>'],
      ],
      ['<b@out.test>'],
    );
    expect(silent.got).toEqual(['<c@out.test> ORCPT=rfc822;c@out.test']);
    const told = await post(
      [
        ['-', '<b@out.test>'],
        ['2', '<c@out.test>', 'NOTIFY=NEVER ORCPT=rfc822;b@out.test'],
      ],
      ['<b@out.test>'],
    );
    expect(told.got).toEqual(['<c@out.test> ORCPT=rfc822;b@out.test NOTIFY=NEVER']);
  });

  test('a connection that breaks in the answer: half of it stands where the rest is accepted, nothing where it waits', async () => {
    const script: Script = [['-', '<b@out.test>'], 'gone'];
    const to = ['<b@out.test>', '<c@out.test>'];
    const lenient = await post(script, to, { port: accepting });
    expect(lenient.reply).toMatch(/^250/);
    expect(who(lenient)).toEqual(['<c@out.test>']);
    const strict = await post(script, to);
    expect(strict.reply).toBe('451 4.7.1 Service unavailable - try again later');
    expect(strict.got).toEqual([]);
  });

  test('what it says: the octets of the client in the commands, others in the macros', async () => {
    await post([], team);
    const text = (code: string) => milter.of(code).map(stringsOf);
    expect(text('M')).toEqual([['<a@out.test>']]);
    expect(text('R')).toEqual([['<Team@VA.test>']]);
    const macros = (stage: string) =>
      milter.of('D').flatMap((each) => {
        const [first = '', ...rest] = stringsOf(each);
        return first.startsWith(stage) ? [[first.slice(1), ...rest]] : [];
      });
    const [recipient = []] = macros('R');
    const value = (name: string) => recipient[recipient.indexOf(name) + 1];
    // Rewritten, and "error" although it was taken: no use for removing, nor for knowing who was refused.
    expect(value('{rcpt_addr}')).toBe('team@va.test');
    expect(value('{rcpt_mailer}')).toBe('error');
    expect(recipient).not.toContain('i');
    expect(macros('E').flat()).toContain('i');
    // Macros come also before each header, and none at HELO.
    expect(macros('L').length).toBe(milter.of('L').length);
    expect(macros('H')).toEqual([['']]);
  });

  test('one connection for all messages of an SMTP session, each followed by ABORT; RSET is one, too', async () => {
    milter.heard.length = 0;
    milter.script = [];
    using smtp = await SmtpTalk.open(tempfailing);
    await smtp.hello();
    for (const subject of ['first', 'second']) {
      await smtp.say('MAIL FROM:<>');
      await smtp.say('RSET');
      await smtp.mail('a@out.test', 'b@out.test', mailWith(subject, 'x@out.test'));
    }
    await smtp.say('MAIL FROM:<a@out.test>');
    const codes = milter.newest().filter((code) => code !== 'D' && code !== 'L');
    expect(codes.join('')).toMatch(/^OCHMA+MRTNBEA+MA+MRTNBEA+M$/);
    expect(stringsOf(milter.of('M')[0] ?? { payload: Buffer.alloc(0) })).toEqual(['<>']);
  });

  test('after one failure all the rest of the SMTP connection waits; the next connection does not', async () => {
    milter.script = ['gone'];
    using smtp = await SmtpTalk.open(tempfailing);
    await smtp.hello();
    await smtp.say('MAIL FROM:<a@out.test>');
    await smtp.say('RCPT TO:<b@out.test>');
    await smtp.say('DATA');
    expect(await smtp.content(mailWith('cut', 'x@out.test'))).toMatch(/^451/);
    milter.script = [];
    expect(await smtp.say('MAIL FROM:<a@out.test>')).toMatch(/^451/);
    expect(await smtp.say('RSET')).toMatch(/^250/);
    expect(await smtp.say('MAIL FROM:<a@out.test>')).toMatch(/^451/);
    expect((await post([], ['<b@out.test>'])).reply).toMatch(/^250/);
  });

  test('a text for the client: one % of two is left, one alone is dropped, lines are kept; SHUTDOWN loses the mail', async () => {
    const reply = async (text: string) => (await post([['y', text]], ['<b@out.test>'])).reply;
    expect(await reply('451 4.7.1 50%% off')).toBe('451 4.7.1 50% off');
    expect(await reply('451 4.7.1 50% off')).toBe('451 4.7.1 50 off');
    expect(await reply('551-5.7.1 one\r\n551 5.7.1 two')).toBe('551-5.7.1 one\r\n551 5.7.1 two');
    expect(await reply('250 2.0.0 fine')).toMatch(/^451 4\.3\.5/);
    const shut = await post([['4']], ['<b@out.test>']);
    expect(shut.reply).toMatch(/^250/);
    expect(shut.got).toEqual([]);
  });
});
