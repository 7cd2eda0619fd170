// Events for other programs, through Prosody: a subscriber by slixmpp hears who was chosen, who took it, and a fault; who
// is not named in the configuration hears nothing.
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Child } from '../support/child.ts';
import { freePorts } from '../support/free-port.ts';
import { mailWith } from '../support/live-site.ts';
import { CountingSink } from '../support/mail-sink.ts';
import { requirePeer, systemPython } from '../support/peers.ts';
import { PointsmanProcess } from '../support/pointsman-process.ts';
import { Prosody } from '../support/prosody-server.ts';
import { SmtpTalk } from '../support/smtp-talk.ts';

const accounts = { pointsman: 'p-1', board: 'b-2', mallory: 'm-3' };
const service = 'pubsub.example.test';
const rules = `people:
  anna: { mail: anna@example.test }
groups:
  support:
    address: support@example.test
    members: [anna]
    eligible: [chat, available, offline, unknown]
    fallback: unchanged
    policy: standard
  absent:
    address: absent@example.test
    members: [anna]
    eligible: [chat]
    fallback: unchanged
    policy: standard
policies:
  standard: { until: taken, steps: [{ name: again, after: 1h, to: owner }] }
`;

interface Line {
  readonly kind?: string;
  readonly what?: string;
  readonly at?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly subscribed?: string;
  readonly refused?: string;
}

describe.runIf(requirePeer('prosody', 'slixmpp'))('published events', () => {
  const undo = new AsyncDisposableStack();
  let prosody: Prosody;
  let pointsman: PointsmanProcess;
  let board: Child;

  const subscriber = (name: keyof typeof accounts): Child => {
    const script = fileURLToPath(new URL('peers/subscriber.py', import.meta.url));
    const login = [`${name}@example.test`, accounts[name], '127.0.0.1', String(prosody.port), prosody.caFile];
    return undo.use(new Child(name, [systemPython, '-u', script, ...login, service, 'pointsman']));
  };
  const heard = async (from: Child, fits: (line: Line) => boolean, what: string): Promise<Line> =>
    JSON.parse(await from.out.next((text) => fits(JSON.parse(text) as Line), { within: 30_000, what })) as Line;
  const send = async (subject: string, to = 'support@example.test') => {
    using talk = await SmtpTalk.open(pointsman.port);
    await talk.hello();
    await talk.mail('customer@elsewhere.test', to, mailWith(subject, to));
  };

  beforeAll(async () => {
    prosody = undo.use(
      await Prosody.start({
        domain: 'example.test',
        accounts,
        sharedRoster: true,
        more: `Component "${service}" "pubsub"\n  admins = { "pointsman@example.test" }\n`,
      }),
    );
    const sink = undo.use(new CountingSink());
    const nextHopPort = await sink.listen();
    const [smtpPort, httpPort] = (await freePorts(2)) as [number, number];
    pointsman = undo.use(
      await PointsmanProcess.configure({
        ...{ smtpPort, httpPort, nextHopPort, rules },
        domains: ['example.test'],
        config: {
          xmpp: {
            jid: 'pointsman@example.test',
            passwordFile: 'xmpp-password',
            server: `127.0.0.1:${prosody.port}`,
            caFile: prosody.caFile,
            rate: '10kB',
            pubsub: { subscribers: ['board@example.test'] },
          },
        },
        files: { 'xmpp-password': `${accounts.pointsman}\n` },
      }),
    );
    await pointsman.start();
    board = subscriber('board');
    // The first event makes the node.
    await send('first');
    await heard(board, ({ subscribed }) => subscribed === 'pointsman', 'a subscription');
  });
  afterAll(() => undo.disposeAsync());

  test('routing, claims and faults reach a subscriber, and nobody else', async () => {
    await send('second');
    const chosen = await heard(board, ({ kind, what }) => kind === 'routing' && what === 'chosen', 'a choice');
    expect(chosen).toEqual({
      kind: 'routing',
      what: 'chosen',
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      data: { queueId: expect.any(String), group: 'support', person: 'anna', why: 'dispatch' },
    });
    await pointsman.client.ack(String(chosen.data?.queueId), 'test');
    const closed = await heard(board, ({ kind, what }) => kind === 'claims' && what === 'closed', 'a claim');
    expect(closed.data).toMatchObject({
      queueId: chosen.data?.queueId,
      group: 'support',
      state: 'answered',
      by: 'test',
    });

    const mallory = subscriber('mallory');
    await heard(mallory, ({ refused }) => refused !== undefined, 'a refusal');
    expect(mallory.out.tail(50)).not.toContain('queueId');

    await send('third', 'absent@example.test');
    const fault = await heard(board, ({ kind }) => kind === 'faults', 'a fault');
    expect(fault).toMatchObject({
      what: 'open',
      data: { fault: 'nobody-eligible', severity: 'warning', subject: 'absent', owner: null },
    });
  });
});
