// One Postfix on both sides of Pointsman, as docs/operate/postfix.md says under "One instance": the same transport map
// holds for what comes back. Without an XMPP account nobody is known to be there, so the stated fallback has the mail.
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { freePorts } from '../support/free-port.ts';
import { mailWith } from '../support/live-site.ts';
import { requirePeer } from '../support/peers.ts';
import { PointsmanProcess } from '../support/pointsman-process.ts';
import { documented, Postfix, postfixMayRun } from '../support/postfix.ts';
import { SmtpTalk } from '../support/smtp-talk.ts';

const rules = `people:
  anna: { mail: anna@example.test }
groups:
  support:
    address: support@example.test
    members: [anna]
    fallback: { mailbox: duty@example.test }
`;

describe.runIf(requirePeer('postfix') && postfixMayRun())('one Postfix on both sides', () => {
  const undo = new AsyncDisposableStack();
  let postfix: Postfix;
  let pointsman: PointsmanProcess;
  let inPort: number;

  beforeAll(async () => {
    const [port, smtpPort, backPort, httpPort] = (await freePorts(4)) as [number, number, number, number];
    const ports = { 10025: smtpPort, 10026: backPort };
    inPort = port;
    pointsman = undo.use(
      await PointsmanProcess.configure({
        smtpPort,
        httpPort,
        nextHopPort: backPort,
        domains: ['example.test', 'desk.example.test'],
        rules,
      }),
    );
    postfix = undo.use(
      await Postfix.start({
        name: 'one',
        port,
        main: `myhostname = one.test
virtual_mailbox_domains = example.test
relay_domains = desk.example.test
${documented('front main.cf', ports)}`,
        master: `127.0.0.1:${port} inet n - n - 4 smtpd
${documented('front master.cf', ports)}${documented('back master.cf', ports)}`,
        files: { 'pointsman-groups': documented('front pointsman-groups', ports) },
        mailboxes: ['support@example.test', 'anna@example.test', 'duty@example.test', 'writer@example.test'],
      }),
    );
  });
  afterAll(() => undo.disposeAsync());

  beforeEach(() => {
    onTestFailed(async () => {
      const lines = pointsman.log.seen().slice(-20);
      console.log(lines.map((line) => JSON.stringify(line)).join('\n'), (await postfix.log()).slice(-6000));
    });
  });

  const post = async (to: string, subject: string) => {
    using talk = await SmtpTalk.open(inPort);
    await talk.hello();
    await talk.mail('writer@example.test', to, mailWith(subject, to, 'writer@example.test'));
  };

  test('Pointsman is down: Postfix keeps the mail, and hands it over later', async () => {
    await post('support@example.test', 'kept meanwhile');
    await pointsman.start();
    const mail = await postfix.maildir('duty@example.test').next('kept meanwhile', 15_000);
    expect(mail.headers.filter(([name]) => name === 'received')).toHaveLength(3); // in, Pointsman, in again
  });

  test('a mail that would go round in a circle is refused as a loop, and its sender is told', async () => {
    await post('nobody@desk.example.test', 'round and round');
    const report = await postfix.maildir('writer@example.test').mails.next(() => true, { what: 'report' });
    // Whoever counts to their limit of Received first: Postfix's hopcount_limit is 50.
    expect(report.raw.toString('latin1')).toMatch(/too many hops|hopcount exceeded|Routing loop detected/i);
    expect(report.raw.toString('latin1')).toContain('nobody@desk.example.test');
    expect(await pointsman.client.listQueue({ limit: 10, state: 'queued' })).toEqual([]);
  });
});
