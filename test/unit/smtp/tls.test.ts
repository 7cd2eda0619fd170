// TLS to a next hop, against our own front door with a certificate that nobody vouches for.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Client } from '../../../src/intake.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { createFrontDoor, type FrontDoor } from '../../../src/smtp/server.ts';
import { createTransport } from '../../../src/smtp/transport.ts';
import type { NextHop, Outcome } from '../../../src/transport.ts';
import { shows } from '../../support/certificate.ts';

const clients: Client[] = [];
let door: FrontDoor;
let port = 0;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pointsman-tls-'));
  const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const out = ['-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=hop.example'];
  execFileSync('openssl', ['req', '-x509', ...curve, ...out], { stdio: 'ignore' });
  door = createFrontDoor({
    listen: [{ host: '127.0.0.1', port: 0, carriesMembers: false }],
    hostname: 'hop.example',
    size: 100_000,
    peers: [],
    tls: shows({ key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }),
    intake: {
      admitClient: () => undefined,
      admitRecipient: () => undefined,
      accept: async (client) => {
        clients.push(client);
        return '0123456789ABC' as QueueId;
      },
    },
  });
  rmSync(folder, { recursive: true });
  const [bound] = await door.start();
  port = bound?.port ?? 0;
});

afterAll(() => door.close());

async function ship(level: NextHop['tls']): Promise<Outcome | undefined> {
  const transport = createTransport({ hostname: 'relay.example' });
  const outcomes = await transport.ship(
    { name: 'hop', host: '127.0.0.1', port, tls: level, maxConnections: 1 },
    {
      queueId: 'Q',
      envelope: { reversePath: '<>', body: '7BIT', smtputf8: false },
      recipients: [{ mailbox: expectMailbox('x@example.com') }],
      prepend: '',
      content: Buffer.from('Subject: x\r\n\r\n'),
    },
    { signal: new AbortController().signal, onFinalDot: async () => undefined },
  );
  await transport.close();
  return outcomes[0];
}

test.each([
  ['none', false],
  ['may', true],
  ['encrypt', true],
] as const)('%s: delivered, over TLS: %s', async (level, encrypted) => {
  expect((await ship(level))?.kind).toBe('accepted');
  expect(clients.at(-1)?.tls).toBe(encrypted);
});

test('verify: not delivered to whom nobody vouches for, temporary, with the reason', async () => {
  const before = clients.length;
  expect(await ship('verify')).toMatchObject({ kind: 'temporary', cause: expect.stringMatching(/certificate/) });
  expect(clients.length).toBe(before);
});
