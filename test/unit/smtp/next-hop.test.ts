// Next hops of other kinds than a host and a port: unix sockets, LMTP, pinned certificates, a login.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { expectMailbox } from '../../../src/mail/path.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { createFrontDoor } from '../../../src/smtp/server.ts';
import { createTransport } from '../../../src/smtp/transport.ts';
import type { NextHop, Outcome } from '../../../src/transport.ts';
import { makeCertificates, shows } from '../../support/certificate.ts';
import { ScriptedHop } from './scripted-hop.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pointsman-hop-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function ship(hop: Partial<NextHop>, to: readonly string[] = ['x@example.com']): Promise<readonly Outcome[]> {
  const transport = createTransport({ hostname: 'relay.example' });
  try {
    return await transport.ship(
      { name: 'hop', host: '127.0.0.1', port: 0, tls: 'none', maxConnections: 1, ...hop },
      {
        queueId: 'Q',
        envelope: { reversePath: '<>', body: '7BIT', smtputf8: false },
        recipients: to.map((each) => ({ mailbox: expectMailbox(each) })),
        prepend: '',
        content: Buffer.from('Subject: x\r\n\r\nhello\r\n'),
      },
      { signal: new AbortController().signal, onFinalDot: () => undefined },
    );
  } finally {
    await transport.close();
  }
}

const kinds = (outcomes: readonly Outcome[]) =>
  outcomes.map((each) => `${each.kind} ${'reply' in each && each.reply ? each.reply.code : '-'}`);

describe('a next hop', () => {
  test('on a unix socket is reached', async () => {
    const hop = new ScriptedHop({});
    const port = await hop.listen();
    const path = join(folder, 'socket');
    const bridge = net.createServer((near) => {
      const far = net.connect(port, '127.0.0.1');
      near.pipe(far).pipe(near);
      for (const side of [near, far]) side.on('error', () => side.destroy());
    });
    await new Promise<void>((resolve) => bridge.listen(path, resolve));
    expect(kinds(await ship({ socket: path }))).toEqual(['accepted 250']);
    bridge.close();
    await hop.close();
    expect(kinds(await ship({ socket: join(folder, 'nobody') }))).toEqual(['temporary -']);
  });

  test('that wants a login gets it, and a refused one is no refusal of the mail', async () => {
    let answer = '235 2.7.0 welcome';
    const hop = new ScriptedHop({
      extensions: ['AUTH LOGIN PLAIN', 'PIPELINING'],
      answer: (line) => (line.startsWith('AUTH') ? answer : undefined),
    });
    const port = await hop.listen();
    const auth = { user: 'ann', password: 'pässword' };
    expect(kinds(await ship({ port, auth }))).toEqual(['accepted 250']);
    const said = hop.lines.find((line) => line.startsWith('AUTH PLAIN '))?.slice('AUTH PLAIN '.length) ?? '';
    expect(Buffer.from(said, 'base64').toString()).toBe('\0ann\0pässword');
    answer = '535 5.7.8 no';
    expect(kinds(await ship({ port, auth }))).toEqual(['temporary 535']);
    await hop.close();
    const without = new ScriptedHop({});
    expect(kinds(await ship({ port: await without.listen(), auth }))).toEqual(['temporary -']);
    expect(without.lines.some((line) => /^(?:AUTH|MAIL)/.test(line))).toBe(false);
    await without.close();
  });

  test('with a pinned certificate is believed, with another one not', async () => {
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const out = [
      '-keyout',
      key,
      '-out',
      cert,
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost',
    ];
    execFileSync('openssl', ['req', '-x509', ...curve, ...out], { stdio: 'ignore' });
    const pem = readFileSync(cert, 'utf8');
    const door = createFrontDoor({
      listen: [{ host: '127.0.0.1', port: 0, carriesMembers: false }],
      hostname: 'hop.example',
      size: 100_000,
      peers: [],
      tls: shows({ key: readFileSync(key, 'utf8'), cert: pem }),
      intake: {
        admitClient: () => undefined,
        admitRecipient: () => undefined,
        accept: async () => '0123456789ABC' as QueueId,
      },
    });
    const [bound] = await door.start();
    const hop = { port: bound?.port ?? 0, tls: 'verify' } as const;
    const pin = new X509Certificate(pem).fingerprint256;
    expect(kinds(await ship({ ...hop, pins: [pin] }))).toEqual(['accepted 250']);
    const [other] = await ship({ ...hop, pins: [pin.replace(/^../, pin.startsWith('00') ? '01' : '00')] });
    expect(other).toMatchObject({ kind: 'temporary', cause: expect.stringContaining('not the pinned one') });
    // An authority of one's own counts, for the name it vouches for.
    expect(kinds(await ship({ ...hop, host: 'localhost', ca: pem }))).toEqual(['accepted 250']);
    expect(kinds(await ship({ ...hop, host: 'localhost' }))).toEqual(['temporary -']);
    const [byNumber] = await ship({ ...hop, host: '127.0.0.1', ca: pem });
    expect(byNumber).toMatchObject({ kind: 'temporary', cause: expect.stringMatching(/altnames/) });
    await door.close();
  });

  test('whose certificate is for another name is not believed, whoever vouches for it', async () => {
    await makeCertificates(folder, 'other.test');
    const text = (name: string): string => readFileSync(join(folder, name), 'utf8');
    const door = createFrontDoor({
      listen: [{ host: '127.0.0.1', port: 0, carriesMembers: false }],
      hostname: 'hop.example',
      size: 100_000,
      peers: [],
      tls: shows({ key: text('server.key'), cert: text('server.crt') }),
      intake: {
        admitClient: () => undefined,
        admitRecipient: () => undefined,
        accept: async () => '0123456789ABC' as QueueId,
      },
    });
    const [bound] = await door.start();
    const hop = { host: 'localhost', port: bound?.port ?? 0, ca: text('ca.crt') } as const;
    const [outcome] = await ship({ ...hop, tls: 'verify' });
    expect(outcome).toMatchObject({ kind: 'temporary', cause: expect.stringMatching(/altnames: .*other\.test/) });
    expect(kinds(await ship({ ...hop, tls: 'encrypt' }))).toEqual(['accepted 250']);
    await door.close();
  });
});

describe('LMTP', () => {
  /** Answers LHLO, and after the content one reply for each recipient. */
  async function lmtp(replies: readonly string[]): Promise<{ hop: ScriptedHop; port: number }> {
    const hop = new ScriptedHop({
      answer: (line) => {
        if (line.startsWith('EHLO')) return '500 5.5.1 LHLO';
        if (line.startsWith('LHLO')) return '250-hop.example\r\n250 PIPELINING';
        return line.startsWith('RCPT TO:<refused@') ? '550 5.1.1 unknown' : undefined;
      },
      dot: () => replies.join('\r\n'),
    });
    return { hop, port: await hop.listen() };
  }

  test('has an outcome for each recipient after the content, also when all are refused', async () => {
    const to = ['a@example.com', 'refused@example.com', 'b@example.com', 'c@example.com'];
    const mixed = await lmtp(['250 2.0.0 a', '452 4.2.2 full', '550 5.2.1 closed']);
    expect(kinds(await ship({ port: mixed.port, protocol: 'lmtp' }, to))).toEqual([
      'accepted 250',
      'permanent 550',
      'temporary 452',
      'permanent 550',
    ]);
    await mixed.hop.close();
    const none = await lmtp(['452 4.2.2 full', '452 4.2.2 full']);
    expect(kinds(await ship({ port: none.port, protocol: 'lmtp' }, ['a@example.com', 'b@example.com']))).toEqual([
      'temporary 452',
      'temporary 452',
    ]);
    await none.hop.close();
  });

  test('that is cut off between its replies has delivered to those who had theirs, and to no others', async () => {
    const to = ['a@example.com', 'refused@example.com', 'b@example.com', 'c@example.com'];
    const { hop, port } = await lmtp(['250 2.0.0 a', '552 5.2.2 full', '421 4.3.2 good bye']);
    expect(await ship({ port, protocol: 'lmtp' }, to)).toMatchObject([
      { kind: 'accepted', reply: { text: 'a' } },
      { kind: 'permanent' },
      { kind: 'permanent' },
      { kind: 'temporary' },
    ]);
    await hop.close();
    const cut = await lmtp(['250 2.0.0 a', 'not a reply']);
    expect(await ship({ port: cut.port, protocol: 'lmtp' }, to)).toMatchObject([
      { kind: 'accepted', reply: { text: 'a' } },
      { kind: 'permanent' },
      { kind: 'temporary', cause: expect.stringContaining('possible duplicate') },
      { kind: 'temporary', cause: expect.stringContaining('possible duplicate') },
    ]);
    await cut.hop.close();
  });

  test('is not spoken to one that does not know it', async () => {
    const hop = new ScriptedHop({ answer: (line) => (line.startsWith('LHLO') ? '500 5.5.1 what?' : undefined) });
    expect(kinds(await ship({ port: await hop.listen(), protocol: 'lmtp' }))).toEqual(['temporary 500']);
    await hop.close();
  });
});
