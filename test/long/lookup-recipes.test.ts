// Exim and OpenSMTPD ask the lookup door, as docs/operate/interop.md says.
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, onTestFailed, test } from 'vitest';
import { documentedIn } from '../support/documented.ts';
import { eximRoot, startExim } from '../support/exim.ts';
import { freePorts } from '../support/free-port.ts';
import { octets, oddMail } from '../support/mta-site.ts';
import type { Neighbour } from '../support/neighbour.ts';
import { opensmtpdRoot, startOpensmtpd } from '../support/opensmtpd.ts';
import { PointsmanProcess } from '../support/pointsman-process.ts';
import { RawSink } from '../support/raw-sink.ts';
import { SmtpTalk } from '../support/smtp-talk.ts';

const rules = `people:
  anna: { mail: anna@example.test }
  duty: { mail: duty@example.test }
groups:
  support: { address: support@example.test, members: [anna], eligible: [unknown], fallback: unchanged, policy: none }
  nobody: { address: nobody@example.test, members: [anna], eligible: [available], fallback: { person: duty }, policy: none }
`;
const groups = 'support@example.test\nnobody@example.test\n';

type Start = (ports: { front: number; back: number; sink: number; lookup: number }) => Promise<Neighbour>;

async function withExim(root: string): Promise<Start> {
  return ({ front, back, sink, lookup }) =>
    startExim({
      root,
      ports: { front, back, sink, pointsman: 1 },
      files: { 'pointsman-groups': '' },
      lookup,
      main: () => 'tls_advertise_hosts =',
    });
}

async function withOpensmtpd(root: string): Promise<Start> {
  const program = fileURLToPath(new URL('../../bin/pointsman.js', import.meta.url));
  return ({ front, back, sink, lookup }) =>
    startOpensmtpd({
      root,
      ports: { front, back, sink, pointsman: 1 },
      files: { 'pointsman-groups': groups },
      helpers: {
        'table-pointsman': documentedIn('interop', 'opensmtpd table-pointsman', { 10028: lookup }).replace(
          '/usr/bin/pointsman',
          `${process.execPath} ${program}`,
        ),
      },
      head: () => `listen on 127.0.0.1 port ${back}`,
      blocks: ['opensmtpd lookup'],
    });
}

const kinds = [
  { name: 'Exim', root: await eximRoot(), prepare: withExim },
  { name: 'OpenSMTPD', root: await opensmtpdRoot(), prepare: withOpensmtpd },
];

describe.each(kinds.filter(({ root }) => root !== undefined))('$name asks', ({ root, prepare }) => {
  let undo = new AsyncDisposableStack();
  afterEach(async () => {
    await undo.disposeAsync();
    undo = new AsyncDisposableStack();
  });

  test('who has the mail of a group; while Pointsman is away that mail waits, and no other', async () => {
    const start = await prepare(root ?? '');
    const [front, back, smtpPort, httpPort, lookup] = (await freePorts(5)) as [number, number, number, number, number];
    const sink = undo.use(await RawSink.start());
    const pointsman = undo.use(
      await PointsmanProcess.configure({
        smtpPort,
        httpPort,
        nextHopPort: sink.port,
        domains: ['example.test'],
        rules,
        config: { lookup: { socketmap: [`127.0.0.1:${lookup}`] } },
      }),
    );
    await pointsman.start();
    const mta = undo.use(await start({ front, back, sink: sink.port, lookup }));
    onTestFailed(async () => console.log((await mta.log()).slice(-4_000), pointsman.log.seen().slice(-5)));
    const post = async (to: string, subject: string): Promise<string> => {
      using talk = await SmtpTalk.open(front);
      await talk.hello();
      await talk.say('MAIL FROM:<customer@elsewhere.test>');
      const reply = await talk.say(`RCPT TO:<${to}>`);
      if (!reply.startsWith('250')) return reply;
      await talk.say('DATA');
      return await talk.content(octets(oddMail(subject)));
    };
    for (const [to, subject, expected] of [
      ['support@example.test', 'for the group', 'anna@example.test'],
      ['Support@Example.test', 'in other case', 'anna@example.test'],
      ['nobody@example.test', 'to the fallback', 'duty@example.test'],
      ['carol@example.test', 'to nobody of ours', 'carol@example.test'],
    ] as const) {
      expect(await post(to, subject), subject).toMatch(/^250/);
      expect((await sink.next(subject)).rcpt.join(), subject).toMatch(new RegExp(`^RCPT TO:<${expected}>[^,]*$`, 'i'));
    }

    await pointsman.stop();
    expect(await post('elsewhere@other.test', 'for others')).toMatch(/^250/);
    await sink.next('for others');
    // Exim takes it and keeps it; OpenSMTPD expands while the client waits, and has it come again.
    const meanwhile = await post('support@example.test', 'meanwhile');
    expect(meanwhile).toMatch(/^(?:250|4\d\d) /);
    await pointsman.start();
    if (!meanwhile.startsWith('250')) expect(await post('support@example.test', 'meanwhile')).toMatch(/^250/);
    const hurrying = setInterval(() => void mta.hurry?.().catch(() => undefined), 1_000);
    const taken = await sink.next('meanwhile', 40_000).finally(() => clearInterval(hurrying));
    expect(taken.rcpt.join()).toMatch(/anna@example\.test/);
    expect(sink.arrivals.seen(({ subject }) => subject === 'meanwhile')).toHaveLength(1);
  }, 120_000);
});
