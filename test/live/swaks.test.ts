// swaks, an SMTP client of others, as the peer: what it can vary is taken or refused as it should be.
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts } from '../support/free-port.ts';
import { CountingSink } from '../support/mail-sink.ts';
import { programPath, requirePeer } from '../support/peers.ts';
import { PointsmanProcess } from '../support/pointsman-process.ts';

describe.runIf(requirePeer('swaks'))('swaks', () => {
  const undo = new AsyncDisposableStack();
  let pointsman: PointsmanProcess;
  let sink: CountingSink;

  beforeAll(async () => {
    sink = undo.use(new CountingSink());
    const nextHopPort = await sink.listen();
    const [smtpPort, httpPort] = (await freePorts(2)) as [number, number];
    pointsman = undo.use(
      await PointsmanProcess.configure({
        smtpPort,
        httpPort,
        nextHopPort,
        domains: ['example.test'],
        rules: 'people:\n  anna: { mail: anna@example.test }\n',
        config: { size: '200kB' },
      }),
    );
    await pointsman.start();
  });
  afterAll(() => undo.disposeAsync());

  const swaks = (...options: string[]) => {
    const server = ['--server', '127.0.0.1', '--port', String(pointsman.port), '--from', 'ann@elsewhere.test'];
    const { status, stdout } = spawnSync(programPath('swaks') ?? '', [...server, ...options], { encoding: 'utf8' });
    return { status, stdout };
  };

  test.each([
    ['plainly', ['--protocol', 'SMTP']],
    ['by ESMTP', ['--protocol', 'ESMTP']],
    ['pipelined', ['--pipeline']],
    ['with an attachment', ['--attach', '@/etc/services']],
  ])('hands over mail %s', async (how, options) => {
    const { status, stdout } = swaks('--to', 'anna@example.test', '--header', `Subject: ${how}`, ...options);
    expect(stdout).toMatch(/<- {2}250 2\.0\.0 Ok: queued as [0-9A-Z]{13}/);
    expect(status).toBe(0);
    await sink.arrivals.next(({ subject }) => subject === how, { what: how });
  });

  test('is refused what is not ours to relay, and learns it at RCPT', () => {
    const { status, stdout } = swaks('--to', 'victim@other.test');
    expect(stdout).toContain('550 5.7.1 Relaying denied');
    expect(status).toBe(24);
  });

  test('gets one recipient through beside one that is refused', async () => {
    const to = 'victim@other.test,anna@example.test';
    expect(swaks('--to', to, '--header', 'Subject: one of two').status).toBe(0);
    const { recipients } = await sink.arrivals.next(({ subject }) => subject === 'one of two', { what: 'one of two' });
    expect(recipients).toEqual(['anna@example.test']);
  });
});
