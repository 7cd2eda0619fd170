// What members do in their mailboxes, seen by IMAP: real Postfix, real Dovecot, and a mail program that logs in with the
// member's own password.
import { dirname } from 'node:path';
import { ImapFlow } from 'imapflow';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { run } from '../support/child.ts';
import { Dovecot } from '../support/dovecot.ts';
import { freePorts } from '../support/free-port.ts';
import { mailWith } from '../support/live-site.ts';
import { requirePeer, systemPython } from '../support/peers.ts';
import { PointsmanProcess } from '../support/pointsman-process.ts';
import { documented, Postfix, postfixMayRun } from '../support/postfix.ts';
import { SmtpTalk } from '../support/smtp-talk.ts';

const openingScript = `
import imaplib, sys
port, user, password, uid = sys.argv[1:]
box = imaplib.IMAP4('127.0.0.1', int(port))
box.login(user, password)
box.select('INBOX')
box.uid('FETCH', uid, '(BODY[])')
box.logout()
`;

const members = ['anna', 'bert', 'cleo', 'dora', 'emil'];
const rules = `people:
${members.map((name) => `  ${name}: { mail: ${name}@example.test }`).join('\n')}
groups:
${members
  .map(
    (name, index) => `  for-${name}:
    address: for-${name}@example.test
    members: [${name}]
    eligible: [unknown]
    fallback: unchanged
    policy: within-${index + 1}h
`,
  )
  .join('')}policies:
${members.map((_name, index) => `  within-${index + 1}h: { steps: [{ name: again, after: ${index + 1}h, to: owner }] }`).join('\n')}
`;

describe.runIf(requirePeer('postfix', 'dovecot') && postfixMayRun())('mailboxes of Dovecot', () => {
  const undo = new AsyncDisposableStack();
  let postfix: Postfix;
  let dovecot: Dovecot;
  let pointsman: PointsmanProcess;
  let inPort: number;

  beforeAll(async () => {
    const [port, smtpPort, backPort, httpPort, imapPort] = (await freePorts(5)) as [
      number,
      number,
      number,
      number,
      number,
    ];
    const ports = { 10025: smtpPort, 10026: backPort };
    inPort = smtpPort;
    postfix = undo.use(
      await Postfix.start({
        name: 'imap',
        port,
        main: 'myhostname = imap.test\nvirtual_mailbox_domains = example.test\n',
        master: `127.0.0.1:${port} inet n - n - 4 smtpd\n${documented('back master.cf', ports)}`,
        mailboxes: members.map((name) => `${name}@example.test`),
      }),
    );
    dovecot = undo.use(
      await Dovecot.start({
        port: imapPort,
        mail: dirname(postfix.maildir('anna@example.test').path),
        users: Object.fromEntries(members.map((name) => [`${name}@example.test`, `${name}-1`])),
        master: { name: 'pointsman', password: 'master-1' },
      }),
    );
    pointsman = undo.use(
      await PointsmanProcess.configure({
        smtpPort,
        httpPort,
        nextHopPort: backPort,
        domains: ['example.test'],
        rules,
        // Five mailboxes, three connections: two stand, the third goes round.
        config: {
          evidence: {
            imap: {
              server: `127.0.0.1:${imapPort}`,
              user: '{mail}*pointsman',
              passwordFile: 'imap-password',
              connections: 3,
            },
          },
        },
        files: { 'imap-password': 'master-1\n' },
      }),
    );
    await pointsman.start();
  });
  afterAll(() => undo.disposeAsync());

  beforeEach(() => {
    onTestFailed(async () => {
      const lines = pointsman.log.seen().slice(-30);
      console.log(lines.map((line) => JSON.stringify(line)).join('\n'), (await dovecot.log()).slice(-3000));
    });
  });

  const given = async (person: string, subject: string) => {
    using talk = await SmtpTalk.open(inPort);
    await talk.hello();
    const said = await talk.mail(
      'ann@elsewhere.test',
      `for-${person}@example.test`,
      mailWith(subject, 'x@example.test'),
    );
    const queueId = /\b[0-9A-Z]{13}\b/.exec(said)?.[0] ?? '';
    await postfix.maildir(`${person}@example.test`).next(subject);
    return queueId;
  };

  /** The member's mail program, with its INBOX open. */
  const program = async (person: string) => {
    const client = new ImapFlow({
      host: '127.0.0.1',
      port: dovecot.port,
      secure: false,
      auth: { user: `${person}@example.test`, pass: `${person}-1` },
      logger: false,
    });
    await client.connect();
    await client.mailboxOpen('INBOX');
    return {
      async find(subject: string): Promise<string> {
        const [uid] = (await client.search({ subject }, { uid: true })) || [];
        return String(uid);
      },
      client,
      [Symbol.asyncDispose]: () => client.logout().catch(() => client.close()),
    };
  };
  /** As mail programs do: FETCH BODY[] sets the flag on the server (RFC 3501 §6.4.5). */
  const open = (person: string, uid: string) =>
    run([systemPython, '-c', openingScript, String(dovecot.port), `${person}@example.test`, `${person}-1`, uid]);
  const closed = (queueId: string) =>
    pointsman.logged('end', (line) => line.event === 'closed' && line.queueId === queueId, 60_000);
  const evidence = (queueId: string, source: string) =>
    pointsman.logged('evidence', (l) => l.event === 'evidence' && l.queueId === queueId && l.source === source, 60_000);

  test('opening the mail stops the clock; that Pointsman looks marks nothing as read', async () => {
    const queueId = await given('anna', 'opened');
    await using anna = await program('anna');
    const uid = await anna.find('opened');
    const before = await anna.client.fetchOne(uid, { flags: true }, { uid: true });
    if (!before) throw new Error('the mail is not there');
    expect(before.flags?.has('\\Seen')).toBe(false);
    const started = performance.now();
    await open('anna', uid);
    expect(await closed(queueId)).toMatchObject({ state: 'acknowledged', by: 'anna' });
    console.log(`seen ${Math.round(performance.now() - started)} ms after it was opened`);
    expect(await evidence(queueId, 'imap \\Seen')).toMatchObject({ grade: 4, trusted: true });
  });

  test('answering it closes it as answered', async () => {
    const queueId = await given('anna', 'answered there');
    await using anna = await program('anna');
    await anna.client.messageFlagsAdd(await anna.find('answered there'), ['\\Answered', '\\Seen'], { uid: true });
    expect(await closed(queueId)).toMatchObject({ state: 'answered', by: 'anna' });
  });

  test('deleted unread is recorded, and the clock goes on', async () => {
    const queueId = await given('anna', 'unwanted');
    await using anna = await program('anna');
    const found = await anna.client.fetchOne(await anna.find('unwanted'), { envelope: true }, { uid: true });
    const messageId = found ? found.envelope?.messageId : undefined;
    await pointsman.logged(
      'watching',
      (line) => line.msg === 'mail found in its mailbox' && line.messageId === messageId,
    );
    await anna.client.messageDelete(await anna.find('unwanted'), { uid: true });
    expect(await evidence(queueId, 'imap deleted or moved unread')).toMatchObject({ grade: 0 });
    expect((await pointsman.client.tracked(queueId)).tracked[0]?.state).toBe('tracked');
    await pointsman.cli('track', 'ack', queueId);
  });

  test('what was read while the IMAP server was away is seen when it is back', async () => {
    const queueId = await given('bert', 'read meanwhile');
    await using bert = await program('bert');
    await dovecot.stop();
    await dovecot.start();
    await using again = await program('bert');
    await again.client.messageFlagsAdd(await again.find('read meanwhile'), ['\\Seen'], { uid: true });
    expect(bert.client.usable).toBe(false);
    expect(await closed(queueId)).toMatchObject({ by: 'bert' });
  });

  test('with more mailboxes than connections those that are due later are visited in turn', async () => {
    const ids = await Promise.all(members.map((person) => given(person, `many ${person}`)));
    for (const person of members.toReversed()) {
      await using one = await program(person);
      await one.client.messageFlagsAdd(await one.find(`many ${person}`), ['\\Seen'], { uid: true });
    }
    for (const [index, person] of members.entries())
      expect(await closed(ids[index] ?? '')).toMatchObject({ by: person });
  });
});
