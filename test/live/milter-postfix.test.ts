// Pointsman as Postfix's milter, configured as docs/operate/postfix-milter.md says: who gets what, as seen in Maildirs.
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { run } from '../support/child.ts';
import { freePorts } from '../support/free-port.ts';
import { mailWith } from '../support/live-site.ts';
import type { Mail } from '../support/maildir.ts';
import { requirePeer } from '../support/peers.ts';
import { PointsmanProcess } from '../support/pointsman-process.ts';
import { documented, Postfix, postfixMayRun } from '../support/postfix.ts';
import { SmtpTalk } from '../support/smtp-talk.ts';

// Without XMPP nobody's presence is known; here that counts as being there.
const rules = `people:
  anna: { mail: anna@example.test }
  bert: { mail: bert@example.test }
groups:
  support:
    address: support@example.test
    members: [anna, bert]
    eligible: [unknown]
    fallback: unchanged
  turns:
    address: turns@example.test
    members: [anna, bert]
    strategy: round-robin
    eligible: [unknown]
    fallback: unchanged
  sales:
    address: sales@example.test
    members: [bert]
    eligible: [unknown]
    fallback: unchanged
  nobody:
    address: nobody@example.test
    members: [anna]
    eligible: [available]
    fallback: { mailbox: duty@example.test }
  watched:
    address: watched@example.test
    members: [anna]
    eligible: [unknown]
    fallback: unchanged
    policy: brisk
policies:
  brisk:
    steps:
      - { name: duty, after: 1s, to: { mailbox: duty@example.test } }
routes:
  - { name: closed, match: { recipient: closed@example.test }, reject: Closed }
  - { name: spam, match: { subject: { contains: buy now } }, reject: No thanks }
`;
const people = ['anna', 'bert', 'duty', 'support', 'turns', 'sales', 'nobody', 'watched', 'closed', 'carol'];

describe.runIf(requirePeer('postfix') && postfixMayRun())('the milter under Postfix', () => {
  const undo = new AsyncDisposableStack();
  let postfix: Postfix;
  let pointsman: PointsmanProcess;
  let byLookup: number;
  let socketmapAt: number;
  let tableAt: number;

  beforeAll(async () => {
    const free = await freePorts(9);
    const [port, smtpPort, backPort, httpPort, milterPort, loopPort, lookupPort, socketmapPort, tablePort] =
      free as unknown as readonly [number, number, number, number, number, number, number, number, number];
    byLookup = lookupPort;
    socketmapAt = socketmapPort;
    tableAt = tablePort;
    const ports = { 10026: backPort, 10027: milterPort, 10028: socketmapPort, 10029: tablePort };
    pointsman = undo.use(
      await PointsmanProcess.configure({
        smtpPort,
        httpPort,
        nextHopPort: loopPort,
        domains: ['example.test'],
        rules,
        config: {
          milter: { listen: [`127.0.0.1:${milterPort}`] },
          lookup: { socketmap: [`127.0.0.1:${socketmapPort}`], tcpTable: [`127.0.0.1:${tablePort}`] },
        },
      }),
    );
    await pointsman.start();
    postfix = undo.use(
      await Postfix.start({
        name: 'milter',
        port,
        main: `myhostname = milter.test
virtual_mailbox_domains = example.test
virtual_alias_maps = texthash:$config/aliases
smtputf8_enable = yes
header_size_limit = 204800
${documented('milter main.cf', ports, 'postfix-milter')}`,
        // What an escalation forwards comes back to a listener with the milter on: the mark must do.
        master: `127.0.0.1:${port} inet n - n - 8 smtpd
127.0.0.1:${loopPort} inet n - n - 4 smtpd
127.0.0.1:${lookupPort} inet n - n - 2 smtpd -o smtpd_milters= -o cleanup_service_name=lookup
lookup unix n - n - 0 cleanup -o { ${documented('lookup main.cf', ports, 'postfix-milter').trim()} }
${documented('milter master.cf', ports, 'postfix-milter')}`,
        files: {
          aliases: 'alias@example.test support@example.test\nlist@example.test anna@example.test, carol@example.test\n',
        },
        mailboxes: people.map((name) => `${name}@example.test`),
      }),
    );
  });
  afterAll(() => undo.disposeAsync());

  beforeEach(() => {
    onTestFailed(async () => {
      const lines = pointsman.log.seen().slice(-30);
      console.log(lines.map((line) => JSON.stringify(line)).join('\n'), (await postfix.log()).slice(-5000));
    });
  });

  const talk = async (): Promise<SmtpTalk> => {
    const opened = await SmtpTalk.open(postfix.port);
    await opened.hello();
    return opened;
  };
  /** Posts, and then another to carol alone: when that is there, all of the first is, or will never be. */
  async function post(
    to: readonly string[],
    subject: string,
    { from = '<customer@elsewhere.test>', mailParameters = '', headers = '' } = {},
  ): Promise<string> {
    using smtp = await talk();
    expect(await smtp.say(`MAIL FROM:${from}${mailParameters}`)).toMatch(/^250/);
    for (const one of to) expect(await smtp.say(`RCPT TO:${one}`)).toMatch(/^250/);
    expect(await smtp.say('DATA')).toMatch(/^354/);
    return await smtp.content(Buffer.concat([Buffer.from(headers), mailWith(subject, 'somebody@example.test')]));
  }
  const arrivals = (subject: string): Record<string, number> =>
    Object.fromEntries(
      people.flatMap((name) => {
        const count = postfix.maildir(`${name}@example.test`).mails.seen((mail) => mail.subject === subject).length;
        return count === 0 ? [] : [[name, count]];
      }),
    );
  const at = (name: string, subject: string): Promise<Mail> =>
    postfix.maildir(`${name}@example.test`).next(subject, 15_000);
  /** Everything that was queued has been delivered. */
  async function settled(): Promise<void> {
    const subject = `fence ${crypto.randomUUID()}`;
    await post(['<carol@example.test>'], subject);
    await at('carol', subject);
  }

  test.each([
    ['a group', ['<support@example.test>'], { anna: 1 }],
    ['the group in other case', ['<SUPPORT@Example.TEST>'], { anna: 1 }],
    ['the group twice', ['<support@example.test>', '<support@example.test>'], { anna: 1 }],
    ['the group twice in different case', ['<turns@example.test>', '<Turns@example.test>'], { anna: 1 }],
    ['a group and its member', ['<support@example.test>', '<anna@example.test>'], { anna: 1 }],
    ['two groups', ['<support@example.test>', '<sales@example.test>'], { anna: 1, bert: 1 }],
    [
      'two groups with one member in common, and others',
      ['<sales@example.test>', '<turns@example.test>', '<carol@example.test>'],
      { bert: 1, carol: 1 },
    ],
    ['nobody eligible: the fallback', ['<nobody@example.test>'], { duty: 1 }],
    ['an alias of a group is not the group', ['<alias@example.test>'], { support: 1 }],
    [
      'an alias that expands beside a group',
      ['<list@example.test>', '<sales@example.test>'],
      { anna: 1, bert: 1, carol: 1 },
    ],
    ['nobody of ours', ['<carol@example.test>'], { carol: 1 }],
  ])('%s', async (what, to, expected) => {
    const subject = `to ${what}`;
    expect(await post(to, subject)).toMatch(/^250/);
    for (const name of Object.keys(expected)) await at(name, subject);
    await settled();
    expect(arrivals(subject)).toEqual(expected);
  });

  test('the group stays the original recipient for reports, and the header says where it has been', async () => {
    using smtp = await talk();
    await smtp.say('MAIL FROM:<carol@example.test>');
    await smtp.say('RCPT TO:<support@example.test> NOTIFY=SUCCESS');
    await smtp.say('DATA');
    expect(await smtp.content(mailWith('tell me', 'support@example.test'))).toMatch(/^250/);
    const { headers } = await at('anna', 'tell me');
    const of = (wanted: string) => headers.filter(([name]) => name === wanted).map(([, value]) => value);
    expect(of('delivered-to')).toEqual(['anna@example.test', 'support@example.test']);
    // Postfix's own header knows only who was added.
    expect(of('x-original-to')).toEqual(['anna@example.test']);
    const report = await postfix
      .maildir('carol@example.test')
      .mails.next(({ raw }) => raw.includes('Action: delivered'), { what: 'report' });
    expect(report.raw.toString()).toMatch(/^Original-Recipient: rfc822;support@example\.test$/m);
  });

  test('what has been to the group is refused as a loop', async () => {
    expect(
      await post(['<support@example.test>'], 'loop', { headers: 'Delivered-To: support@example.test\r\n' }),
    ).toMatch(/^554 5\.4\.6/);
  });

  test('a null sender, UTF-8 and a header of 100 kB', async () => {
    await post(['<sales@example.test>'], 'null sender', { from: '<>' });
    expect((await at('bert', 'null sender')).raw.toString('latin1')).toMatch(/^Return-Path: <>/m);
    await post(['<sales@example.test>'], 'utf8', {
      from: Buffer.from('<käufer@elsewhere.test>').toString('latin1'),
      mailParameters: ' SMTPUTF8',
    });
    await at('bert', 'utf8');
    const headers = `X-Long: ${Array.from({ length: 1_400 }, () => 'x'.repeat(70)).join('\r\n ')}\r\n`;
    await post(['<sales@example.test>'], 'long header', { headers });
    // Postfix 3.7 cuts a header at 60,000 octets, whatever header_size_limit says, with and without a milter.
    expect((await at('bert', 'long header')).raw.length).toBeGreaterThan(60_000);
  });

  test('refused by the envelope: that recipient alone; by the header: the message', async () => {
    using smtp = await talk();
    await smtp.say('MAIL FROM:<a@elsewhere.test>');
    expect(await smtp.say('RCPT TO:<closed@example.test>')).toBe('550 5.7.1 Closed');
    expect(await smtp.say('RCPT TO:<sales@example.test>')).toMatch(/^250/);
    await smtp.say('DATA');
    expect(await smtp.content(mailWith('one refused', 'sales@example.test'))).toMatch(/^250/);
    await at('bert', 'one refused');
    expect(await post(['<sales@example.test>'], 'Buy Now')).toBe('550 5.7.1 No thanks');
  });

  test('many messages and RSET on one connection', async () => {
    using smtp = await talk();
    await smtp.say('MAIL FROM:<a@elsewhere.test>');
    await smtp.say('RCPT TO:<support@example.test>');
    expect(await smtp.say('RSET')).toMatch(/^250/);
    for (let count = 1; count <= 4; count += 1) {
      await smtp.say('MAIL FROM:<a@elsewhere.test>');
      await smtp.say(`RCPT TO:<${count % 2 === 0 ? 'sales' : 'carol'}@example.test>`);
      await smtp.say('DATA');
      expect(await smtp.content(mailWith(`many ${count}`, 'x@example.test'))).toMatch(/^250/);
    }
    await at('bert', 'many 4');
    await settled();
    expect([1, 2, 3, 4].map((count) => arrivals(`many ${count}`))).toEqual([
      { carol: 1 },
      { bert: 1 },
      { carol: 1 },
      { bert: 1 },
    ]);
  });

  test('mail of sendmail(1), also from nobody and to one that is refused', async () => {
    await postfix.sendmail(
      ['-f', 'carol@example.test', 'sales@example.test'],
      mailWith('by sendmail', 'sales@example.test').toString(),
    );
    await at('bert', 'by sendmail');
    await postfix.sendmail(
      ['-f', 'carol@example.test', 'closed@example.test'],
      mailWith('refused later', 'closed@example.test').toString(),
    );
    // By a bounce: Postfix would try for ever if the recipient were refused.
    const report = await postfix
      .maildir('carol@example.test')
      .mails.next(({ raw }) => raw.includes('refused later'), { what: 'report' });
    expect(report.raw.toString()).toContain('Closed');
  });

  test('watched: unread mail is escalated through the milter itself, and goes round no more', async () => {
    expect(await post(['<watched@example.test>'], 'watch me')).toMatch(/^250/);
    await at('anna', 'watch me');
    const forwarded = await at('duty', 'watch me');
    expect(forwarded.headers.some(([name]) => name === 'x-pointsman-forward')).toBe(true);
    await settled();
    expect(arrivals('watch me')).toEqual({ anna: 1, duty: 1 });
    const [tracked] = await pointsman.client.listTracked({ limit: 1 });
    const story = await pointsman.client.queued(tracked?.queueId ?? '');
    expect(story.events.map(({ event }) => event).slice(0, 4)).toEqual([
      'accepted',
      'chosen',
      'forwarded',
      'escalated',
    ]);
    expect(await pointsman.cli('explain', String(tracked?.queueId))).toContain('anna');
  });

  test('over TCP no message waits for a delayed acknowledgement', async () => {
    using smtp = await talk();
    const took: number[] = [];
    for (let count = 0; count < 10; count += 1) {
      const from = performance.now();
      await smtp.mail('a@elsewhere.test', 'sales@example.test', mailWith(`quick ${count}`, 'sales@example.test'));
      took.push(performance.now() - from);
    }
    // Where it does, every single one takes 44 ms and more; a busy machine makes one or the other slow, and not all.
    expect(Math.min(...took)).toBeLessThan(40);
  });

  test('looked up: the member takes the group’s place; who is no group stays', async () => {
    using smtp = await SmtpTalk.open(byLookup);
    await smtp.hello();
    const content = mailWith('looked up', 'sales@example.test');
    expect(await smtp.say('MAIL FROM:<a@elsewhere.test>')).toMatch(/^250/);
    for (const to of ['Sales@Example.test', 'nobody@example.test', 'carol@example.test'])
      expect(await smtp.say(`RCPT TO:<${to}>`)).toMatch(/^250/);
    await smtp.say('DATA');
    expect(await smtp.content(content)).toMatch(/^250/);
    for (const name of ['bert', 'duty', 'carol']) await at(name, 'looked up');
    await settled();
    expect(arrivals('looked up')).toEqual({ bert: 1, carol: 1, duty: 1 });
  });

  test('postmap asks both protocols', async () => {
    const ask = (key: string, table: string) =>
      run(['postmap', '-q', key, table]).catch((error: Error) => error.message);
    const socketmap = (map: string) => `socketmap:inet:127.0.0.1:${socketmapAt}:${map}`;
    expect(await ask('sales@example.test', socketmap('route'))).toBe('bert@example.test\n');
    expect(await ask('sales@example.test', `tcp:127.0.0.1:${tableAt}`)).toBe('bert@example.test\n');
    expect(await ask('support', socketmap('members'))).toBe('anna@example.test, bert@example.test\n');
    // Not found: exit 1 and nothing said.
    expect(await ask('carol@example.test', socketmap('route'))).not.toMatch(/warning|error/);
    expect(await ask('carol@example.test', `tcp:127.0.0.1:${tableAt}`)).not.toMatch(/warning|error/);
    expect(await ask('a@example.test', socketmap('passwords'))).toContain('no such map');
  });

  test('Pointsman away: the sender is told to come again; back: Postfix goes on by itself', async () => {
    pointsman.signal('SIGKILL');
    await pointsman.exited;
    {
      using smtp = await talk().catch(() => null as never);
      if (smtp) expect(await smtp.say('MAIL FROM:<a@elsewhere.test>')).toMatch(/^4\d\d/);
    }
    await pointsman.start();
    expect(await post(['<sales@example.test>'], 'after the restart')).toMatch(/^250/);
    await at('bert', 'after the restart');
  });
});
