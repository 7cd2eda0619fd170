// STARTTLS with the peers of others: swaks and openssl as clients, a Postfix that insists on it; and a certificate that is
// renewed while all of them go on.
import { spawnSync } from 'node:child_process';
import { chmod, copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeCertificates } from '../support/certificate.ts';
import { Child } from '../support/child.ts';
import { freePorts } from '../support/free-port.ts';
import { mailWith } from '../support/live-site.ts';
import { CountingSink } from '../support/mail-sink.ts';
import { programPath, requirePeer } from '../support/peers.ts';
import { PointsmanProcess } from '../support/pointsman-process.ts';
import { documented, Postfix, postfixMayRun } from '../support/postfix.ts';
import { SmtpTalk } from '../support/smtp-talk.ts';
import { type TempFolder, tempFolder } from '../support/temp-folder.ts';

describe.runIf(requirePeer('swaks') && requirePeer('postfix') && postfixMayRun())('STARTTLS', () => {
  const undo = new AsyncDisposableStack();
  let pointsman: PointsmanProcess;
  let sink: CountingSink;
  let folder: TempFolder;
  let inPort: number;
  const at = (name: string) => join(folder.path, name);

  /** A new pair by a new authority, put where Pointsman looks for it. */
  const renew = async (name: string, { with: key = `${name}.key` } = {}) => {
    const made = await tempFolder('pair');
    await makeCertificates(made.path, name);
    await copyFile(join(made.path, 'server.crt'), at('cert.pem'));
    await copyFile(join(made.path, 'server.key'), at(`${name}.key`));
    await copyFile(at(key), at('key.pem'));
    await chmod(at('key.pem'), 0o600);
    await made.remove();
  };

  beforeAll(async () => {
    folder = await tempFolder('tls');
    undo.defer(() => folder.remove());
    await renew('first.test');
    sink = undo.use(new CountingSink());
    const nextHopPort = await sink.listen();
    const [smtpPort, httpPort, port] = (await freePorts(3)) as [number, number, number];
    inPort = port;
    pointsman = undo.use(
      await PointsmanProcess.configure({
        smtpPort,
        httpPort,
        nextHopPort,
        domains: ['example.test', 'desk.example.test'],
        rules: 'people:\n  anna: { mail: anna@example.test }\n',
        config: { tls: { certFile: at('cert.pem'), keyFile: at('key.pem') } },
      }),
    );
    await pointsman.start();
    const ports = { 10025: smtpPort };
    const [plain = '', ...more] = documented('front master.cf', ports).split('    -o smtp_tls_security_level=none\n');
    undo.use(
      await Postfix.start({
        name: 'insists',
        port,
        main: `myhostname = front.test
virtual_mailbox_domains = example.test
relay_domains = desk.example.test
${documented('front main.cf', ports)}`,
        master: `127.0.0.1:${port} inet n - n - 4 smtpd
tlsmgr unix - - n 1000? 1 tlsmgr
${plain}${documented('front tls master.cf', ports)}${more.join('')}`,
        files: { 'pointsman-groups': documented('front pointsman-groups', ports) },
        mailboxes: ['support@example.test', 'anna@example.test'],
      }),
    );
  });
  afterAll(() => undo.disposeAsync());

  const shown = async (): Promise<string> => {
    const client = new Child('openssl', [
      'openssl',
      's_client',
      ...['-connect', `127.0.0.1:${pointsman.port}`, '-starttls', 'smtp'],
    ]);
    const line = await client.out.next((text) => /^subject=/.test(text), { what: 'subject' });
    await client.stop();
    return line;
  };

  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${pointsman.httpPort}/metrics`)).text();
    return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
  };

  test('swaks hands over mail inside TLS, and the trace says so', async () => {
    const { status, stdout } = spawnSync(
      programPath('swaks') ?? '',
      [
        ...['--server', '127.0.0.1', '--port', String(pointsman.port), '--tls', '--helo', 'c.test'],
        ...['--from', 'ann@elsewhere.test', '--to', 'anna@example.test', '--header', 'Subject: sealed'],
      ],
      { encoding: 'utf8' },
    );
    expect(stdout).toMatch(/=== TLS started with cipher TLSv1\.3/);
    expect(status).toBe(0);
    const { head } = await sink.arrivals.next(({ subject }) => subject === 'sealed', { what: 'sealed' });
    expect(head).toMatch(/^Received: from c\.test .*\r\n\tby pointsman\.test with ESMTPS id /);
  });

  test('a Postfix that insists on TLS hands over mail, as the page says', async () => {
    using talk = await SmtpTalk.open(inPort);
    await talk.hello();
    await talk.mail(
      'writer@example.test',
      'x@desk.example.test',
      mailWith('insisted', 'x@desk.example.test', 'w@e.test'),
    );
    const { head } = await sink.arrivals.next(({ subject }) => subject === 'insisted', { what: 'insisted' });
    expect(head).toContain('with ESMTPS id');
  });

  test('a pair that does not fit leaves the old one in use and is told; a good one takes its place', async () => {
    expect(await shown()).toContain('first.test');
    await renew('second.test', { with: 'first.test.key' });
    await expect(pointsman.cli('reload')).resolves.toMatch(/in force/);
    expect(await shown()).toContain('first.test');
    const ready = await fetch(`http://127.0.0.1:${pointsman.httpPort}/readyz`);
    expect(await ready.json()).toMatchObject({
      state: 'degraded',
      problems: [
        expect.stringMatching(/the certificate on disk is not in use: certificate and key do not go together/),
      ],
    });
    await copyFile(at('second.test.key'), at('key.pem'));
    pointsman.signal('SIGHUP');
    await pointsman.logged('a new certificate', ({ msg }) => msg === 'a new certificate is in use');
    expect(await shown()).toContain('second.test');
    expect(await metric('pointsman_tls_certificate_expiry_seconds')).toBeGreaterThan(86_400);
    await writeFile(at('key.pem'), 'nothing', { mode: 0o600 });
    await pointsman.stop();
    await expect(pointsman.start()).rejects.toThrow();
    expect(pointsman.complaints).toMatch(/holds no private key/);
  });
});
