// Evidence by mail with a real Postfix, configured as docs/operate/evidence.md says: its delivery reports, receipts from
// members, copies of what they submit, and the same forged from outside.
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { freePorts } from '../support/free-port.ts';
import { mailWith } from '../support/live-site.ts';
import type { Mail } from '../support/maildir.ts';
import { requirePeer } from '../support/peers.ts';
import { PointsmanProcess } from '../support/pointsman-process.ts';
import { documented, Postfix, postfixMayRun } from '../support/postfix.ts';
import { receipts } from '../support/reports.ts';
import { SmtpTalk } from '../support/smtp-talk.ts';

// Nobody is known to be there without XMPP: whose presence is unknown may be chosen.
const rules = `people:
  anna: { mail: anna@example.test }
  bert: { mail: bert@example.test }
  gone: { mail: gone@example.test }
groups:
  support:
    address: support@example.test
    members: [anna, bert]
    strategy: in-order
    eligible: [available, unknown]
    fallback: { mailbox: duty@example.test }
    policy: asks
  leavers:
    address: leavers@example.test
    members: [gone, bert]
    strategy: in-order
    eligible: [available, unknown]
    fallback: { mailbox: duty@example.test }
    policy: asks
policies:
  asks:
    until: read
    ask: [dsn, mdn]
    steps:
      - { name: next, after: 1h, to: next }
`;

describe.runIf(requirePeer('postfix') && postfixMayRun())('evidence through Postfix', () => {
  const undo = new AsyncDisposableStack();
  let postfix: Postfix;
  let pointsman: PointsmanProcess;
  let inPort: number;
  let submissionPort: number;

  beforeAll(async () => {
    const [port, submission, smtpPort, backPort, httpPort] = (await freePorts(5)) as [
      number,
      number,
      number,
      number,
      number,
    ];
    const ports = { 10025: smtpPort, 10026: backPort, 10587: submission };
    inPort = port;
    submissionPort = submission;
    pointsman = undo.use(
      await PointsmanProcess.configure({
        smtpPort,
        httpPort,
        nextHopPort: backPort,
        domains: ['example.test'],
        rules,
        config: { evidence: { domain: 'track.example.test' } },
      }),
    );
    await pointsman.start();
    const copies = (await pointsman.cli('track', 'address')).trim();
    postfix = undo.use(
      await Postfix.start({
        name: 'evidence',
        port,
        main: `myhostname = evidence.test
virtual_mailbox_domains = example.test
virtual_alias_maps = inline:{gone@example.test=gone@nowhere.test}
${documented('evidence main.cf', ports, 'evidence')}pointsman_destination_recipient_limit = 1
`,
        master: `127.0.0.1:${port} inet n - n - 4 smtpd
${documented('front master.cf', ports)}${documented('back master.cf', ports)}${documented('evidence master.cf', ports, 'evidence')}`,
        files: {
          'pointsman-groups': `${documented('front pointsman-groups', ports)}${documented('evidence pointsman-groups', ports, 'evidence')}leavers@example.test pointsman:[127.0.0.1]:${smtpPort}
nowhere.test error:5.1.1 this mailbox is closed
`,
          'pointsman-copies': `anna@example.test ${copies}\nbert@example.test ${copies}\n`,
        },
        mailboxes: ['support', 'leavers', 'anna', 'bert', 'duty', 'ann'].map((name) => `${name}@example.test`),
      }),
    );
  });
  afterAll(() => undo.disposeAsync());

  beforeEach(() => {
    onTestFailed(async () => {
      const lines = pointsman.log.seen().slice(-30);
      console.log(lines.map((line) => JSON.stringify(line)).join('\n'), (await postfix.log()).slice(-6000));
    });
  });

  const send = async (port: number, from: string, to: string, content: Buffer) => {
    using talk = await SmtpTalk.open(port);
    await talk.hello();
    await talk.mail(from, to, content);
  };
  const header = (mail: Mail, name: string) => mail.headers.find(([each]) => each === name)?.[1] ?? '';

  /** A mail to support that has reached anna. */
  const given = async (subject: string) => {
    await send(inPort, 'ann@example.test', 'support@example.test', mailWith(subject, 'support@example.test'));
    const mail = await postfix.maildir('anna@example.test').next(subject);
    const { queueId = '' } = await pointsman.logged(
      'forward',
      ({ event, queueId }) => event === 'forwarded' && mail.raw.includes(String(queueId)),
    );
    return { mail, queueId, messageId: header(mail, 'message-id'), reports: header(mail, 'return-path').slice(1, -1) };
  };
  const closed = (queueId: string) =>
    pointsman.logged('end', (line) => line.event === 'closed' && line.queueId === queueId);
  const evidence = (queueId: string, source: RegExp) =>
    pointsman.logged(
      'evidence',
      (line) => line.event === 'evidence' && line.queueId === queueId && source.test(String(line.source)),
    );
  const stateOf = async (queueId: string) => (await pointsman.client.tracked(queueId)).tracked[0]?.state;

  test('a delivery failure that Postfix reports later re-routes within two seconds', async () => {
    const started = performance.now();
    await send(inPort, 'ann@example.test', 'leavers@example.test', mailWith('to a closed box', 'leavers@example.test'));
    const failure = await pointsman.logged(
      'report',
      (line) => line.event === 'evidence' && /DSN failed 5\.1\.1/.test(String(line.source)),
    );
    const reported = performance.now();
    const mail = await postfix.maildir('bert@example.test').next('to a closed box');
    expect(performance.now() - reported).toBeLessThan(2_000);
    console.log(
      `re-routed ${Math.round(performance.now() - reported)} ms after the report, ${Math.round(performance.now() - started)} ms after the mail`,
    );
    expect(header(mail, 'return-path')).toMatch(/^<report\..*@track\.example\.test>$/);
    const story = await pointsman.client.tracked(String(failure.queueId));
    expect(story.tracked[0]).toMatchObject({ owner: 'bert', tried: { gone: 'their mailbox refused it' } });
  });

  test('a success report of Postfix is evidence of delivery and stops nothing', async () => {
    const { queueId } = await given('delivered, says Postfix');
    expect(await evidence(queueId, /^DSN delivered 2\.0\.0/)).toMatchObject({ grade: 1, trusted: true });
    expect(await stateOf(queueId)).toBe('tracked');
  });

  test.each([
    'thunderbird',
    'outlook',
    'appleMail',
    'gmail',
  ] as const)('a receipt in the format of %s stops the clock', async (program) => {
    const { mail, queueId, messageId, reports } = await given(`read with ${program}`);
    expect(header(mail, 'disposition-notification-to')).toBe(`<${reports}>`);
    await send(submissionPort, '', reports, receipts[program]({ from: 'anna@example.test', to: reports, messageId }));
    expect(await closed(queueId)).toMatchObject({ state: 'acknowledged', by: 'anna' });
  });

  test('a reply that a member submits closes it by its copy', async () => {
    const { queueId, messageId } = await given('answered by mail');
    const reply = Buffer.from(
      `From: anna@example.test\r\nTo: ann@example.test\r\nSubject: Re: answered\r\nIn-Reply-To: ${messageId}\r\n\r\nDone.\r\n`,
    );
    await send(submissionPort, 'anna@example.test', 'ann@example.test', reply);
    expect(await closed(queueId)).toMatchObject({ state: 'answered', by: 'anna' });
    await postfix.maildir('ann@example.test').next('Re: answered');
  });

  test('reply and receipt forged from outside, with the right Message-ID and From, change nothing', async () => {
    const { queueId, messageId } = await given('forged at');
    const reply = (subject: string) =>
      Buffer.from(
        `From: anna@example.test\r\nTo: support@example.test\r\nSubject: ${subject}\r\nIn-Reply-To: ${messageId}\r\nMessage-ID: <${subject}@evil.test>\r\n\r\nDone.\r\n`,
      );
    // To another mailbox: Postfix makes no copy of what was not submitted. To the group: it passes Pointsman.
    await send(inPort, 'anna@example.test', 'ann@example.test', reply('forged-1'));
    await postfix.maildir('ann@example.test').next('forged-1');
    await send(inPort, 'anna@example.test', 'support@example.test', reply('forged-2'));
    expect(await evidence(queueId, /^reply$/)).toMatchObject({ trusted: false });
    const words = { from: 'anna@example.test', to: 'support@example.test', messageId };
    await send(inPort, '', 'support@example.test', receipts.gmail(words));
    expect(await evidence(queueId, /^MDN displayed/)).toMatchObject({ trusted: false });
    using talk = await SmtpTalk.open(pointsman.port);
    await talk.hello();
    await talk.say('MAIL FROM:<>');
    expect(await talk.say(`RCPT TO:<report.${queueId.toLowerCase()}.0.0123456789abcdef@track.example.test>`)).toMatch(
      /^550/,
    );
    expect(await stateOf(queueId)).toBe('tracked');
    const shown = await pointsman.cli('track', 'show', queueId);
    expect(shown).toMatch(/unverified/i);
  });
});
