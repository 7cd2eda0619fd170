// kill -9 of Pointsman while Postfix asks it about twenty sessions' mail: what got its 250 is there, with the right
// person, edited whole; and after each restart Postfix goes on by itself.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts } from '../support/free-port.ts';
import { mailWith } from '../support/live-site.ts';
import { requirePeer } from '../support/peers.ts';
import { PointsmanProcess } from '../support/pointsman-process.ts';
import { documented, Postfix, postfixMayRun } from '../support/postfix.ts';
import { SteadyFlow } from '../support/steady-flow.ts';

const rules = `people:
  anna: { mail: anna@example.test }
  bert: { mail: bert@example.test }
groups:
  support:
    address: support@example.test
    members: [anna, bert]
    strategy: round-robin
    eligible: [unknown]
    fallback: { mailbox: duty@example.test }
    policy: slow
policies:
  slow: { steps: [{ name: duty, after: 1d, to: { mailbox: duty@example.test } }] }
`;

describe.runIf(requirePeer('postfix') && postfixMayRun())('kill -9 under a milter’s load', () => {
  const undo = new AsyncDisposableStack();
  let postfix: Postfix;
  let pointsman: PointsmanProcess;

  beforeAll(async () => {
    const free = await freePorts(5);
    const [port, smtpPort, backPort, httpPort, milterPort] = free as unknown as readonly [
      number,
      number,
      number,
      number,
      number,
    ];
    const ports = { 10026: backPort, 10027: milterPort };
    pointsman = undo.use(
      await PointsmanProcess.configure({
        smtpPort,
        httpPort,
        nextHopPort: backPort,
        domains: ['example.test'],
        rules,
        config: { milter: { listen: [`127.0.0.1:${milterPort}`] } },
      }),
    );
    await pointsman.start();
    postfix = undo.use(
      await Postfix.start({
        name: 'milter-kill',
        port,
        main: `myhostname = milter.test\nvirtual_mailbox_domains = example.test\ndefault_process_limit = 30\n${documented('milter main.cf', ports, 'postfix-milter')}`,
        master: `127.0.0.1:${port} inet n - n - 25 smtpd\n${documented('milter master.cf', ports, 'postfix-milter')}`,
        mailboxes: ['anna', 'bert', 'duty', 'support', 'carol'].map((name) => `${name}@example.test`),
      }),
    );
  }, 60_000);
  afterAll(() => undo.disposeAsync(), 60_000);

  test('no message is lost, goes to the wrong person, or is half edited', { timeout: 180_000 }, async () => {
    const flow = new SteadyFlow({
      port: postfix.port,
      every: 5,
      compose: (subject) => ({ to: 'support@example.test', content: mailWith(subject, 'support@example.test') }),
    });
    flow.start({ lanes: 20 });
    const kills: number[] = [];
    for (let count = 1; count <= 8; count += 1) {
      const before = flow.accepted.length;
      // Until mail flows again by itself.
      while (flow.accepted.length < before + 60) await pause(10);
      pointsman.signal('SIGKILL');
      await pointsman.exited;
      kills.push(flow.accepted.length);
      await pointsman.start();
    }
    const before = flow.accepted.length;
    while (flow.accepted.length < before + 60) await pause(10);
    await flow.stop();

    const boxes = new Map(
      ['anna', 'bert', 'duty', 'support'].map((name) => [name, postfix.maildir(`${name}@example.test`)]),
    );
    const members = ['anna', 'bert'].flatMap((name) => boxes.get(name) ?? []);
    const subjects = (): Set<string> =>
      new Set(members.flatMap(({ mails }) => mails.seen().map(({ subject }) => subject)));
    const deadline = Date.now() + 60_000;
    while (flow.accepted.some(({ subject }) => !subjects().has(subject)) && Date.now() < deadline) await pause(50);
    expect(flow.accepted.map(({ subject }) => subject).filter((subject) => !subjects().has(subject))).toEqual([]);
    for (const wrong of ['duty', 'support']) expect(boxes.get(wrong)?.mails.seen(), wrong).toEqual([]);
    // What was stored for an answer that Postfix never heard gave way when the mail came again.
    expect((await pointsman.client.status()).counts?.tracked.tracked).toBe(flow.accepted.length);
    const arrived = members.flatMap(({ mails }) => mails.seen());
    for (const { headers, subject } of arrived) {
      const marks = headers.filter(([name, value]) => name === 'delivered-to' && value === 'support@example.test');
      expect(marks, subject).toHaveLength(1);
    }
    console.log(
      `${kills.length} kills, after ${kills} messages with their 250; ${flow.accepted.length} in all, ${arrived.length} deliveries, ${flow.unsure} sent again`,
    );
  });
});
