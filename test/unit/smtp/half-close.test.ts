// A client that says its last word and closes its side of the connection (TCP half-close), before it has read what we
// answer. Exim 4.96 does so with the final dot and QUIT of its last message: closed on, it takes the mail for not
// accepted and sends it again.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import tls from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import type { Intake } from '../../../src/intake.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { createFrontDoor, type FrontDoor, type FrontDoorOptions } from '../../../src/smtp/server.ts';
import { makeCertificates, shows } from '../../support/certificate.ts';

const transaction = 'EHLO c\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<x@example.com>\r\nDATA\r\n';
let door: FrontDoor | undefined;
afterEach(() => door?.close());

/** With an Intake that waits for `release`. */
async function open(tlsOf?: FrontDoorOptions['tls']) {
  const accepting = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const intake: Intake = {
    admitClient: () => undefined,
    admitRecipient: () => undefined,
    async accept() {
      accepting.resolve();
      await released.promise;
      return '0123456789ABC' as QueueId;
    },
  };
  door = createFrontDoor({
    listen: [{ host: '127.0.0.1', port: 0, carriesMembers: false }],
    hostname: 'relay.example',
    size: 100_000,
    peers: [],
    intake,
    ...(tlsOf ? { tls: tlsOf } : {}),
  });
  const [bound] = await door.start();
  const socket = net.connect({ host: '127.0.0.1', port: bound?.port ?? 0, allowHalfOpen: true });
  return { door, port: bound?.port ?? 0, socket, accepting: accepting.promise, release: released.resolve };
}

async function heard(socket: net.Socket, what: string): Promise<void> {
  for (let all = ''; !all.includes(what); ) all += String((await once(socket, 'data'))[0]);
}

describe('a client that closes its side', () => {
  test.each([
    ['and QUIT', 'QUIT\r\n', ['250 2.0.0 Ok: queued as 0123456789ABC', '221 2.0.0 Bye', '']],
    ['alone', '', ['250 2.0.0 Ok: queued as 0123456789ABC', '']],
    ['and a command', 'NOOP\r\n', ['250 2.0.0 Ok: queued as 0123456789ABC', '250 2.0.0 OK', '']],
  ])('after the final dot %s hears what became of its mail', async (_, last, expected) => {
    const { socket, accepting, release } = await open();
    socket.write(transaction);
    await heard(socket, '354 ');
    const rest = text(socket);
    socket.end(`Subject: x\r\n\r\nx\r\n.\r\n${last}`);
    await accepting;
    // Its end has come and been noticed, too.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    release();
    expect((await rest).split('\r\n')).toEqual(expected);
  });

  test('having said everything at once is answered everything', async () => {
    const { socket, release } = await open();
    release();
    const all = text(socket);
    socket.end(`${transaction}x\r\n.\r\nQUIT\r\n`);
    expect(
      (await all)
        .split('\r\n')
        .filter((line) => !/^250-/.test(line))
        .map((line) => line.slice(0, 3)),
    ).toEqual(['220', '250', '250', '250', '354', '250', '221', '']);
  });

  test.each([
    ['at once', ''],
    ['between commands', 'EHLO c\r\n'],
    ['in the middle of a command', 'EHLO c\r\nMAIL FR'],
    ['in the middle of the content', `${transaction}half a mes`],
  ])('%s is let go', async (_, said) => {
    const { door, socket } = await open();
    const all = text(socket);
    socket.end(said);
    expect(await all).toMatch(/^220 /);
    await expect.poll(() => door.connections).toBe(0);
  });

  test('inside TLS hears what became of its mail; in the middle of the handshake it is let go', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pointsman-tls-'));
    await makeCertificates(folder, 'relay.example');
    const [key = '', cert = ''] = ['server.key', 'server.crt'].map((name) => readFileSync(join(folder, name), 'utf8'));
    rmSync(folder, { recursive: true });
    const { door, port, socket, accepting, release } = await open(shows({ key, cert }));
    socket.write('STARTTLS\r\n');
    await heard(socket, 'Ready to start TLS');
    const secure = tls.connect({ socket, rejectUnauthorized: false });
    await once(secure, 'secureConnect');
    secure.write(transaction);
    await heard(secure, '354 ');
    const rest = text(secure);
    secure.end('x\r\n.\r\nQUIT\r\n');
    await accepting;
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    release();
    expect((await rest).split('\r\n')).toEqual(['250 2.0.0 Ok: queued as 0123456789ABC', '221 2.0.0 Bye', '']);

    const other = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    other.write('STARTTLS\r\n');
    await heard(other, 'Ready to start TLS');
    other.end(Buffer.from([0x16, 0x03, 0x01]));
    other.resume();
    await expect.poll(() => door.connections).toBe(0);
  });
});
