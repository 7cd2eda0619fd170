// A site for tests with an MTA of others: clients hand mail to it, groups go through Pointsman (with a tap on the wire
// between them), and what Pointsman sends to out.test goes on through the MTA; at the end of every way is a sink.
import { freePorts } from './free-port.ts';
import type { Neighbour, Ports } from './neighbour.ts';
import { PointsmanProcess } from './pointsman-process.ts';
import { RawSink } from './raw-sink.ts';
import { WireTap } from './wire-tap.ts';

export interface MtaSite extends AsyncDisposable {
  readonly ports: Ports;
  readonly mta: Neighbour;
  readonly pointsman: PointsmanProcess;
  /** Between the MTA and Pointsman. */
  readonly tap: WireTap;
  /** Between Pointsman and the MTA. */
  readonly outTap: WireTap;
  readonly sink: RawSink;
}

/** Tests wait for second attempts, so these come soon. */
export const soon = { firstRetry: '1s', longestRetry: '2s' } as const;

export const groupRules = `people:
  anna: { mail: anna@example.test }
  bert: { mail: bert@out.test }
groups:
  support: { address: support@example.test, members: [anna], eligible: [unknown], fallback: unchanged, policy: none }
  sales: { address: sales@example.test, members: [bert], eligible: [unknown], fallback: unchanged, policy: none }
routes:
  - { name: closed, match: { recipient: closed@example.test }, reject: Closed for good }
`;
/** Addresses that the MTA hands to Pointsman. */
export const groupAddresses = ['support', 'sales', 'closed', 'plain'].map((name) => `${name}@example.test`);

export async function openMtaSite(options: {
  readonly start: (ports: Ports) => Promise<Neighbour>;
  /** More next hops; `out.test` is the MTA, everything else the sink. */
  readonly nextHops?: (ports: Ports) => Readonly<Record<string, unknown>>;
  /** More of pointsman.yaml. */
  readonly config?: Readonly<Record<string, unknown>>;
}): Promise<MtaSite> {
  await using undo = new AsyncDisposableStack();
  const [front, back, smtpPort, httpPort] = (await freePorts(4)) as [number, number, number, number];
  const sink = undo.use(await RawSink.start());
  const tap = undo.use(await WireTap.start(smtpPort));
  const outTap = undo.use(await WireTap.start(back));
  const ports = { front, back, pointsman: tap.port, sink: sink.port };
  const pointsman = undo.use(
    await PointsmanProcess.configure({
      smtpPort,
      httpPort,
      nextHopPort: sink.port,
      domains: ['example.test', 'out.test', 'tls.test', 'elsewhere.test'],
      rules: groupRules,
      config: {
        queue: soon,
        nextHops: {
          default: `127.0.0.1:${sink.port}`,
          'out.test': { host: '127.0.0.1', port: outTap.port, maxConnections: 1 },
          ...options.nextHops?.(ports),
        },
        ...options.config,
      },
    }),
  );
  await pointsman.start();
  const mta = undo.use(await options.start(ports));
  const keep = undo.move();
  return { ports, mta, pointsman, tap, outTap, sink, [Symbol.asyncDispose]: () => keep.disposeAsync() };
}

/** What a client may send and a relay must not touch: lines of dots, 8-bit octets, long lines, blanks at line ends. */
export function oddMail(subject: string, { longest = 998, eightBit = true } = {}): { head: string; body: string } {
  const head = [
    'From: Customer <customer@elsewhere.test>',
    'To: support@example.test',
    `Subject: ${subject}`,
    'Date: Mon, 23 Nov 2026 06:00:00 +0000',
    `Message-ID: <${crypto.randomUUID()}@elsewhere.test>`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=iso-8859-1',
    `Content-Transfer-Encoding: ${eightBit ? '8bit' : '7bit'}`,
    'X-Odd:   three blanks before,\tand folded',
    '\tby a tab',
    '',
  ];
  const body = [
    '.',
    '..',
    '.a line that begins with a dot',
    '...three of them',
    ' blank first, blanks last   ',
    '',
    eightBit ? 'Gr\u00fc\u00dfe, \u00e9t\u00e9' : 'Greetings',
    'x'.repeat(longest),
    'From here, and then: ',
    '\ttab',
    '',
    '',
    'the end.',
    '',
  ];
  return { head: head.join('\r\n'), body: body.join('\r\n') };
}

export const octets = ({ head, body }: { head: string; body: string }): Buffer =>
  Buffer.from(`${head}\r\n${body}`, 'latin1');
