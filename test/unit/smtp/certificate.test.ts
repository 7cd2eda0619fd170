// Our certificate: what is good on disk is in use within a minute, what is not leaves the last good one.
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as secure } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { day, minute } from '../../../src/clock.ts';
import type { Fields, Log } from '../../../src/log.ts';
import { silentLog } from '../../../src/log.ts';
import { type Certificate, openCertificate, type Pair } from '../../../src/smtp/certificate.ts';
import { createFrontDoor } from '../../../src/smtp/server.ts';
import { makeCertificates } from '../../support/certificate.ts';
import { TestClock } from '../../support/clock.ts';
import { type TempFolder, tempFolder } from '../../support/temp-folder.ts';

const folders: TempFolder[] = [];
const pairs: { cert: string; key: string }[] = [];
beforeAll(async () => {
  for (const name of ['first.test', 'second.test']) {
    const folder = await tempFolder('certificate');
    folders.push(folder);
    await makeCertificates(folder.path, name);
    const read = (file: string) => readFileSync(`${folder.path}/${file}`, 'utf8');
    pairs.push({ cert: read('server.crt'), key: read('server.key') });
  }
});
afterAll(async () => {
  for (const folder of folders) await folder.remove();
});

const first = () => pairs[0] as { cert: string; key: string };
const second = () => pairs[1] as { cert: string; key: string };
let onDisk: Pair;
let clock: TestClock;
let said: string[];
const log: Log = { ...silentLog, error: (_: Fields, message: string) => void said.push(message) };
const open = (): Certificate => openCertificate(() => onDisk, { clock, log });

beforeEach(() => {
  onDisk = first();
  // The real time: certificates are made for it.
  clock = new TestClock(Date.now());
  said = [];
});

describe('a certificate', () => {
  it('that is renewed is in use within a minute, without a word from anybody', async () => {
    const certificate = open();
    const before = certificate.context();
    const stop = new AbortController();
    const watching = certificate.watch(stop.signal);
    await clock.advance(minute);
    expect(certificate.context()).toBe(before);
    onDisk = second();
    await clock.advance(minute);
    expect(certificate.context()).not.toBe(before);
    stop.abort();
    await watching;
  });

  it.each<[string, () => Pair, RegExp]>([
    ['is gone', () => ({ wrong: '/etc/x.pem cannot be read: ENOENT' }), /x\.pem cannot be read/],
    ['has another key', () => ({ cert: second().cert, key: first().key }), /do not go together/],
    ['is no certificate', () => ({ cert: 'nothing', key: first().key }), /certificate cannot be read/],
    ['is cut off', () => ({ ...second(), cert: second().cert.slice(0, 300) }), /cannot be read|together/],
  ])('that %s leaves the last good one in use, and is told of once until it is mended', (_, broken, why) => {
    const certificate = open();
    const before = certificate.context();
    onDisk = broken();
    expect(certificate.renew()).toMatch(why);
    expect(certificate.renew()).toMatch(why);
    expect(certificate.context()).toBe(before);
    expect(certificate.problem()).toMatch(/not in use/);
    expect(said).toHaveLength(1);
    onDisk = second();
    expect(certificate.renew()).toBeNull();
    expect(certificate.context()).not.toBe(before);
    expect(certificate.problem()).toMatch(/expires in/);
  });

  it('that was broken and is put back as it was is well again', () => {
    const certificate = open();
    onDisk = { wrong: 'is not there' };
    certificate.renew();
    onDisk = first();
    expect(certificate.renew()).toBeNull();
    expect(certificate.problem()).toMatch(/expires in/);
  });

  it('that ends soon, or has ended, is told of', async () => {
    const certificate = open();
    expect(certificate.expiresAt - clock.now()).toBeLessThanOrEqual(2 * day);
    expect(certificate.problem()).toMatch(/expires in (?:1d|2d)/);
    await clock.advance(3 * day);
    expect(certificate.problem()).toMatch(/expired on \d{4}-/);
  });

  it('that is wrong from the start is refused', () => {
    onDisk = { cert: second().cert, key: first().key };
    expect(open).toThrow(/do not go together/);
  });
});

describe('STARTTLS', () => {
  const sockets: Socket[] = [];

  async function shown(port: number, options: { maxVersion?: 'TLSv1.1' } = {}): Promise<string> {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    await heard(socket, /^220 /m);
    socket.write('EHLO c\r\n');
    await heard(socket, /^250 /m);
    socket.write('STARTTLS\r\n');
    await heard(socket, /^220 /m);
    socket.removeAllListeners('data');
    // What the client's own library would not do any more is wanted of it here: the refusal is to be the server's.
    const old = { minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const tls = secure({ socket, rejectUnauthorized: false, ...options, ...(options.maxVersion ? old : {}) });
    await new Promise<void>((resolve, reject) => tls.once('secureConnect', resolve).once('error', reject));
    return tls.getPeerCertificate().subject.CN as string;
  }

  const heard = (socket: Socket, what: RegExp): Promise<void> =>
    new Promise((resolve) => {
      const look = (chunk: Buffer): void => {
        if (!what.test(chunk.toString())) return;
        socket.off('data', look);
        resolve();
      };
      socket.on('data', look);
    });

  it('shows the new certificate from the next connection on, and speaks TLS 1.2 at the least', async () => {
    const certificate = open();
    const door = createFrontDoor({
      listen: [{ host: '127.0.0.1', port: 0, carriesMembers: false }],
      hostname: 'first.test',
      size: 100_000,
      peers: [],
      tls: certificate,
      intake: {
        admitClient: () => undefined,
        admitRecipient: () => undefined,
        accept: () => Promise.reject(new Error('not asked')),
      },
    });
    const [{ port } = { port: 0 }] = await door.start();
    expect(await shown(port)).toBe('first.test');
    onDisk = second();
    certificate.renew();
    expect(await shown(port)).toBe('second.test');
    await expect(shown(port, { maxVersion: 'TLSv1.1' })).rejects.toThrow(/alert protocol version/);
    for (const socket of sockets) socket.destroy();
    await door.close();
  });
});
