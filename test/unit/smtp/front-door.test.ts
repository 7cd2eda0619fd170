// The front door where a dialogue cannot show it: time, load, shutdown, TLS, several connections.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { minute } from '../../../src/clock.ts';
import type { Client, Intake } from '../../../src/intake.ts';
import { headOf } from '../../../src/mail/content.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { replies } from '../../../src/mail/reply.ts';
import {
  createFrontDoor,
  type FrontDoor,
  type FrontDoorEvent,
  type FrontDoorOptions,
} from '../../../src/smtp/server.ts';
import { Peer } from '../../dialogues/smtp/dialogue.ts';
import { shows } from '../../support/certificate.ts';
import { TestClock } from '../../support/clock.ts';

const queueId = '0123456789ABC' as QueueId;
const open: { door: FrontDoor; peers: Peer[] }[] = [];

afterEach(async () => {
  for (const { door, peers } of open.splice(0)) {
    for (const peer of peers) peer.end();
    await door.close();
  }
});

const takeAll: Intake = {
  admitClient: () => undefined,
  admitRecipient: () => undefined,
  accept: async () => queueId,
};

async function start(
  options: Partial<FrontDoorOptions> = {},
): Promise<{ port: number; door: FrontDoor; connect: () => Peer }> {
  const door = createFrontDoor({
    listen: [{ host: '127.0.0.1', port: 0, carriesMembers: false }],
    hostname: 'relay.example',
    size: 100_000,
    peers: [],
    intake: takeAll,
    ...options,
  });
  const [bound] = await door.start();
  const port = bound?.port ?? 0;
  const peers: Peer[] = [];
  open.push({ door, peers });
  const connect = (): Peer => {
    const peer = new Peer(port);
    peers.push(peer);
    return peer;
  };
  return { port, door, connect };
}

async function intoContent(peer: Peer): Promise<void> {
  peer.write('EHLO c\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<x@example.com>\r\nDATA\r\n');
  for (const code of ['220', '250', '250', '250', '354']) expect((await peer.reply()).slice(0, 3)).toBe(code);
}

describe('a connection', () => {
  test('is greeted at once, not after 100 ms', async () => {
    const { connect } = await start();
    await connect().reply();
    const before = performance.now();
    for (let count = 0; count < 5; count++) await connect().reply();
    expect(performance.now() - before).toBeLessThan(400);
  });

  test('over the limit of its address is answered 421, others are not', async () => {
    const events: FrontDoorEvent[] = [];
    const { connect, door } = await start({
      limits: { connectionsPerPeer: 2 },
      onEvent: (event) => events.push(event),
    });
    expect(await connect().reply()).toMatch(/^220 /);
    expect(await connect().reply()).toMatch(/^220 /);
    expect(await connect().reply()).toMatch(/^421 /);
    expect(door.connections).toBe(2);
    expect(events.map((event) => event.kind === 'connection' && event.outcome)).toEqual([
      'admitted',
      'admitted',
      'busy',
    ]);
  });

  test('of a stranger has a limit of its own', async () => {
    const { connect } = await start({
      intake: { ...takeAll, admitClient: () => replies.relayingDenied },
      limits: { strangers: 1 },
    });
    expect(await connect().reply()).toMatch(/^220 /);
    expect(await connect().reply()).toMatch(/^421 /);
  });

  test('idle for too long is ended with 421', async () => {
    const { connect } = await start({ limits: { idle: 20 } });
    const peer = connect();
    expect(await peer.reply()).toMatch(/^220 /);
    expect(await peer.reply()).toMatch(/^421 4\.4\.2 /);
    expect(await peer.line()).toBe('(closed)');
  });

  test('that trickles octets is ended when its transaction takes too long', async () => {
    const clock = new TestClock();
    const { connect } = await start({ clock, limits: { transaction: 10 * minute } });
    const peer = connect();
    await intoContent(peer);
    peer.write('Subject: slow\r\n');
    await clock.untilSleeping();
    await clock.advance(12 * minute);
    expect(await peer.reply()).toBe('421 4.4.2 Transaction took too long');
    expect(await peer.line()).toBe('(closed)');
  });

  test('that never finishes a command is ended too', async () => {
    const clock = new TestClock();
    const { connect } = await start({ clock, limits: { idle: 5 * minute } });
    const peer = connect();
    expect(await peer.reply()).toMatch(/^220 /);
    peer.write('EHL');
    await clock.untilSleeping();
    await clock.advance(7 * minute);
    expect(await peer.reply()).toMatch(/^421 4\.4\.2 /);
  });

  test('that waits for the store is never ended for being slow', async () => {
    const clock = new TestClock();
    const stored = Promise.withResolvers<QueueId>();
    const asked = Promise.withResolvers<void>();
    const accept = (): Promise<QueueId> => {
      asked.resolve();
      return stored.promise;
    };
    const { connect } = await start({ clock, intake: { ...takeAll, accept }, limits: { transaction: minute } });
    const peer = connect();
    await intoContent(peer);
    peer.write('x\r\n.\r\n');
    await asked.promise;
    await clock.advance(60 * minute);
    stored.resolve(queueId);
    expect(await peer.reply()).toBe(`250 2.0.0 Ok: queued as ${queueId}`);
  });

  test('carries members when its peer is configured so, whatever XFORWARD says', async () => {
    const clients: Client[] = [];
    const accept = async (client: Client): Promise<QueueId> => {
      clients.push(client);
      return queueId;
    };
    for (const network of ['127.0.0.0/8', '192.0.2.0/24']) {
      const { connect } = await start({ peers: [{ network, carriesMembers: true }], intake: { ...takeAll, accept } });
      const peer = connect();
      peer.write('EHLO c\r\nXFORWARD ADDR=192.0.2.1\r\nMAIL FROM:<>\r\nRCPT TO:<x@example.com>\r\nDATA\r\nx\r\n.\r\n');
      for (let count = 0; count < 7; count++) await peer.reply();
    }
    expect(clients.map(({ carriesMembers }) => carriesMembers)).toEqual([true, false]);
  });
});

test('an Intake that fails costs the client a retry and nobody else anything', async () => {
  const broken = (): never => {
    throw new TypeError('undefined is not a function');
  };
  const one = await start({ intake: { ...takeAll, admitClient: broken }, onEvent: broken });
  expect(await one.connect().reply()).toMatch(/^421 /);
  const two = await start({ intake: { ...takeAll, admitRecipient: broken }, onEvent: broken });
  const peer = two.connect();
  peer.write('EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<x@example.com>\r\n');
  for (let count = 0; count < 3; count++) await peer.reply();
  expect(await peer.reply()).toMatch(/^451 4\.3\.0 Local error, try again later \(session /);
});

describe('content', () => {
  test('of dot-stuffed lines costs no more than other content', async () => {
    // smtp-server takes a turn of the event loop for each such line: 0.65 s of CPU per MiB.
    const size = 4 * 1_048_576;
    let received = 0;
    const accept = async (_: unknown, __: unknown, content: Uint8Array): Promise<QueueId> => {
      received = content.length;
      return queueId;
    };
    const { connect } = await start({ size, intake: { ...takeAll, accept } });
    const peer = connect();
    await intoContent(peer);
    const before = process.cpuUsage();
    peer.write(Buffer.from('..\r\n'.repeat(size / 4)));
    peer.write('.\r\n');
    expect(await peer.reply()).toMatch(/^250 /);
    const used = process.cpuUsage(before);
    expect(received).toBe((size / 4) * 3);
    expect((used.user + used.system) / 1_000).toBeLessThan(1_000);
  });

  test('that goes on far beyond the size is cut off', async () => {
    const events: FrontDoorEvent[] = [];
    const { connect, door } = await start({ size: 1_000, onEvent: (event) => events.push(event) });
    const peer = connect();
    await intoContent(peer);
    const piece = Buffer.from(`${'x'.repeat(998)}\r\n`.repeat(100));
    for (let count = 0; count < 20; count++) peer.write(piece);
    expect(await peer.reply()).toMatch(/^552 5\.3\.4 /);
    expect(await peer.line()).toBe('(closed)');
    expect(door.connections).toBe(0);
    expect(events.at(-1)).toMatchObject({ kind: 'refusal', reply: { code: 552 } });
  });

  test('of all connections together has a bound', async () => {
    const { connect } = await start({ limits: { memory: 1_500 } });
    const [one, two] = [connect(), connect()];
    await intoContent(one);
    await intoContent(two);
    const piece = `${'x'.repeat(998)}\r\n`;
    one.write(piece);
    one.write('.\r\n');
    expect(await one.reply()).toMatch(/^250 /);
    two.write(piece + piece);
    two.write('.\r\n');
    expect(await two.reply()).toMatch(/^452 4\.3\.1 /);
    // What was held has been given back.
    two.write('MAIL FROM:<>\r\nRCPT TO:<x@example.com>\r\nDATA\r\n');
    for (let count = 0; count < 3; count++) await two.reply();
    two.write(`${piece}.\r\n`);
    expect(await two.reply()).toMatch(/^250 /);
  });

  test('given back when the client goes away in the middle', async () => {
    const { connect, door } = await start({ limits: { memory: 1_500 } });
    const piece = `${'x'.repeat(998)}\r\n`;
    for (let count = 0; count < 3; count++) {
      const peer = connect();
      await intoContent(peer);
      peer.write(piece);
      peer.write('NOT THE END');
      peer.end();
      while (door.connections > 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const peer = connect();
    await intoContent(peer);
    peer.write(`${piece}.\r\n`);
    expect(await peer.reply()).toMatch(/^250 /);
  });

  test('is the same however it is cut into segments', async () => {
    const contents: string[] = [];
    const accept = async (_: unknown, __: unknown, content: Uint8Array): Promise<QueueId> => {
      contents.push(Buffer.from(content).toString());
      return queueId;
    };
    const { connect } = await start({ intake: { ...takeAll, accept } });
    const peer = connect();
    await intoContent(peer);
    for (const octet of '..a\r\n..\r\n.x\r\n\r\n.\r\n') {
      peer.write(octet);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await peer.reply()).toMatch(/^250 /);
    expect(contents).toEqual(['.a\r\n.\r\nx\r\n\r\n']);
  });
});

describe('closing', () => {
  test('ends idle connections, lets a message finish, and then answers 421', async () => {
    const stored = Promise.withResolvers<QueueId>();
    const { connect, door } = await start({ intake: { ...takeAll, accept: () => stored.promise } });
    const [idle, busy] = [connect(), connect()];
    await idle.reply();
    await intoContent(busy);
    const closing = door.close();
    expect(await idle.reply()).toBe('421 4.3.2 Shutting down, try again later');
    busy.write('x\r\n.\r\n');
    stored.resolve(queueId);
    expect(await busy.reply()).toMatch(/^250 /);
    expect(await busy.reply()).toBe('421 4.3.2 Shutting down, try again later');
    await closing;
    expect(door.connections).toBe(0);
  });

  test('does not wait longer than the drain time', async () => {
    const { connect, door } = await start({ limits: { drain: 20 } });
    const peer = connect();
    await intoContent(peer);
    await door.close();
    expect(await peer.reply()).toMatch(/^421 4\.3\.2 /);
  });
});

test('an address that is taken is an error, and nothing stays open', async () => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const port = (taken.address() as net.AddressInfo).port;
  const door = createFrontDoor({
    listen: [
      { host: '127.0.0.1', port: 0, carriesMembers: false },
      { host: '127.0.0.1', port, carriesMembers: false },
    ],
    hostname: 'relay.example',
    size: 1_000,
    peers: [],
    intake: takeAll,
  });
  await expect(door.start()).rejects.toThrow(/EADDRINUSE/);
  taken.close();
});

test('STARTTLS is offered with a certificate of our own, and forgets what was said before', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pointsman-tls-'));
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      join(folder, 'key'),
      '-out',
      join(folder, 'cert'),
      '-days',
      '2',
      '-subj',
      '/CN=relay.example',
    ],
    { stdio: 'ignore' },
  );
  const pair = { key: readFileSync(join(folder, 'key'), 'utf8'), cert: readFileSync(join(folder, 'cert'), 'utf8') };
  rmSync(folder, { recursive: true });
  const clients: Client[] = [];
  const accept = async (client: Client): Promise<QueueId> => {
    clients.push(client);
    return queueId;
  };
  const { port } = await start({ tls: shows(pair), intake: { ...takeAll, accept } });
  const socket = net.connect({ port, host: '127.0.0.1' });
  const plain = reader(socket);
  await plain();
  socket.write('EHLO before\r\n');
  expect(await plain()).toContain('STARTTLS');
  socket.write('MAIL FROM:<a@example.org>\r\n');
  await plain();
  // RFC 3207 §6: a command in the same segment must not run inside the TLS session.
  const inTheClear = once(socket, 'data');
  socket.write('STARTTLS\r\nRCPT TO:<x@example.com>\r\n');
  expect(String((await inTheClear)[0])).toBe('220 2.0.0 Ready to start TLS\r\n');
  socket.removeAllListeners('data');
  const secure = tls.connect({ socket, rejectUnauthorized: false });
  const read = reader(secure);
  for (const begun of ['RCPT TO:<x@example.com>', 'MAIL FROM:<a@example.org>']) {
    secure.write(`${begun}\r\n`);
    expect(await read(), begun).toMatch(/^503 /);
  }
  secure.write('EHLO after\r\nMAIL FROM:<>\r\nRCPT TO:<x@example.com>\r\nDATA\r\n');
  for (let count = 0; count < 4; count++) await read();
  secure.write('x\r\n.\r\n');
  expect(await read()).toMatch(/^250 /);
  expect(clients).toMatchObject([{ helo: 'after', tls: true }]);
  secure.destroy();
});

function reader(socket: net.Socket): () => Promise<string> {
  let text = '';
  let wake = (): void => undefined;
  socket.on('error', () => wake());
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    wake();
  });
  return async () => {
    for (;;) {
      const whole = /^(?:\d{3}-.*\r\n)*\d{3} .*\r\n/.exec(text)?.[0];
      if (whole !== undefined) {
        text = text.slice(whole.length);
        return whole.trimEnd();
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
}

describe('mail', () => {
  test('whose peer may send bare line ends is normalised, and nothing is smuggled by it', async () => {
    const handed: string[] = [];
    const door = createFrontDoor({
      listen: [{ host: '127.0.0.1', port: 0, carriesMembers: false }],
      hostname: 'relay.example',
      size: 100_000,
      peers: [{ network: '127.0.0.1', carriesMembers: false, normalize: true }],
      intake: {
        admitClient: () => undefined,
        admitRecipient: () => undefined,
        async accept(_client, _envelope, content) {
          handed.push(Buffer.from(headOf(content)).toString('latin1'));
          return '0123456789ABC' as QueueId;
        },
      },
    });
    const [bound] = await door.start();
    const socket = net.connect(bound?.port ?? 0, '127.0.0.1');
    const said: string[] = [];
    socket.on('data', (chunk: Buffer) => said.push(chunk.toString()));
    const envelope = 'MAIL FROM:<>\r\nRCPT TO:<x@example.com>\r\n';
    const content = 'Subject: x\n\none\rtwo\n.\nMAIL FROM:<evil@x>\n.\r\nthree\r\n.\r\n';
    socket.write(`EHLO c\r\n${envelope}DATA\r\n${content}QUIT\r\n`);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(handed).toEqual(['Subject: x\r\n\r\none\r\ntwo\r\n.\r\nMAIL FROM:<evil@x>\r\n.\r\nthree\r\n']);
    expect(said.join('').match(/^250 2\.1\.0/gm)).toHaveLength(1);
    await door.close();
  });
});
