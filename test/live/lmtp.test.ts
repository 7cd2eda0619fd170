// Dovecot's LMTP server as the next hop, over its unix socket: what it takes is in the Maildir, what it refuses is
// reported for that recipient alone.

import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Dovecot, dovecotMayRun } from '../support/dovecot-lmtp.ts';
import { freePorts, untilListening } from '../support/free-port.ts';
import { mailWith } from '../support/live-site.ts';
import { octets, oddMail } from '../support/mta-site.ts';
import { requirePeer } from '../support/peers.ts';
import { PointsmanProcess } from '../support/pointsman-process.ts';
import { SmtpTalk } from '../support/smtp-talk.ts';

describe.runIf(requirePeer('dovecotLmtp') && dovecotMayRun())('mail goes by LMTP', () => {
  test('to Dovecot over a unix socket', async () => {
    await using dovecot = await Dovecot.start(['anna@example.test', 'bert@example.test', 'customer@elsewhere.test']);
    // Dovecot makes its socket in its own time and tells nobody.
    for (let tries = 0; !existsSync(dovecot.socket) && tries < 100; tries += 1) await pause(50);
    const [smtpPort, httpPort] = (await freePorts(2)) as [number, number];
    await using pointsman = await PointsmanProcess.configure({
      smtpPort,
      httpPort,
      nextHopPort: 1,
      domains: ['example.test'],
      rules: 'people:\n  anna: { mail: anna@example.test }\n',
      config: { nextHops: { default: { socket: dovecot.socket, protocol: 'lmtp' } } },
    });
    await pointsman.start();
    using talk = await SmtpTalk.open(smtpPort);
    await talk.hello();
    await talk.say('MAIL FROM:<customer@elsewhere.test>');
    for (const user of ['anna', 'nobody', 'bert']) await talk.say(`RCPT TO:<${user}@example.test>`);
    await talk.say('DATA');
    const content = mailWith('by LMTP', 'anna@example.test');
    expect(await talk.content(content)).toMatch(/^250/);
    const mail = await dovecot.maildir('anna@example.test').next('by LMTP', 15_000);
    expect(mail.raw.toString('latin1')).toContain('Hello, can somebody look at this, please?');
    await dovecot.maildir('bert@example.test').next('by LMTP', 15_000);
    const report = await dovecot.maildir('customer@elsewhere.test').next(/could not be delivered/, 15_000);
    const text = report.raw.toString('latin1');
    expect(text).toContain('Final-Recipient: rfc822; nobody@example.test');
    expect(text).toMatch(/Diagnostic-Code: smtp; 550 5\.1\.1/);
    expect(text).not.toContain('rfc822; anna@example.test');
  });

  test('to Dovecot over TCP: after the content a reply for each, one over quota, one fine', async () => {
    const [smtpPort, httpPort, port] = (await freePorts(3)) as [number, number, number];
    const [anna, full, customer] = ['anna@example.test', 'full@example.test', 'customer@elsewhere.test'] as const;
    await using dovecot = await Dovecot.start([anna, full, customer], { port, quotas: { [full]: 500 } });
    await untilListening(port, { within: 20_000, greeting: true });
    await using pointsman = await PointsmanProcess.configure({
      smtpPort,
      httpPort,
      nextHopPort: 1,
      domains: ['example.test'],
      rules: 'people:\n  anna: { mail: anna@example.test }\n',
      config: { nextHops: { default: { host: '127.0.0.1', port, protocol: 'lmtp' } } },
    });
    await pointsman.start();
    using talk = await SmtpTalk.open(smtpPort);
    await talk.hello();
    const mail = oddMail('for two by LMTP');
    await talk.mail(customer, [anna, full], octets(mail));
    const arrived = await dovecot.maildir(anna).next('for two by LMTP', 15_000);
    const kept = arrived.raw.toString('latin1');
    // A Maildir keeps LF; nothing else differs.
    const unix = (text: string) => text.replaceAll('\r\n', '\n');
    expect(kept.endsWith(`\n${unix(mail.head)}\n${unix(mail.body)}`)).toBe(true);
    expect(kept).toMatch(/^\tby pointsman\.test with ESMTP id /m);
    const report = (await dovecot.maildir(customer).next(/could not be delivered/, 15_000)).raw.toString('latin1');
    expect(report).toContain('Final-Recipient: rfc822; full@example.test');
    expect(report).toMatch(/Status: 5\.2\.2/);
    expect(report).toMatch(/Diagnostic-Code: smtp; 55\d 5\.2\.2 .*quota/i);
    expect(report).not.toContain('rfc822; anna@example.test');
    // Dovecot has it before we have heard so.
    await expect.poll(() => pointsman.client.listQueue({ limit: 5, state: 'queued' }), { timeout: 15_000 }).toEqual([]);
  });
});
