// Pointsman and the MTAs of others on loopback, both ways, configured as docs/operate/interop.md says: what they hand to
// us and what becomes of it, what we hand to them, and every octet on the wire between.
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { makeCertificates } from '../support/certificate.ts';
import { groupAddresses, type MtaSite, octets, oddMail, openMtaSite } from '../support/mta-site.ts';
import type { Ports } from '../support/neighbour.ts';
import { exim, opensmtpd, sendmail } from '../support/neighbours.ts';
import type { Taken } from '../support/raw-sink.ts';
import { SmtpTalk } from '../support/smtp-talk.ts';
import { tempFolder } from '../support/temp-folder.ts';
import type { Overheard } from '../support/wire-tap.ts';

const customer = 'customer@elsewhere.test';
const kinds = [await exim(), await sendmail(), await opensmtpd()];

/** What stands before the content that came in; nothing else may differ. */
function prepended(arrived: Buffer, content: Buffer): string {
  const length = arrived.length - content.length;
  expect(arrived.subarray(length).equals(content), 'the content is as it came').toBe(true);
  return arrived.toString('latin1', 0, length);
}

const queueIdIn = (reply: string): string => /^250 2\.0\.0 Ok: queued as (\S+)$/.exec(reply)?.[1] ?? `none in ${reply}`;

describe.each(kinds.filter(({ root }) => root !== undefined))('$name', ({ start, traits }) => {
  const undo = new AsyncDisposableStack();
  let site: MtaSite;

  beforeAll(async () => {
    site = undo.use(await openMtaSite({ start, config: { limits: { waiting: 20 } } }));
  }, 120_000);
  afterAll(() => undo.disposeAsync(), 60_000);

  /** One transaction with the MTA, or with Pointsman; the reply to the final dot. */
  async function post(
    port: number,
    to: readonly string[],
    content: Buffer,
    { mail = '', rcpt = '', from = customer } = {},
  ): Promise<string> {
    onTestFailed(async () =>
      console.log((await site.mta.log()).slice(-3_000), site.tap.lines.slice(-40), site.outTap.lines.slice(-40)),
    );
    using smtp = await SmtpTalk.open(port);
    await smtp.hello();
    expect(await smtp.say(`MAIL FROM:<${from}>${mail}`)).toMatch(/^250/);
    for (const one of to) expect(await smtp.say(`RCPT TO:<${one}>${rcpt}`)).toMatch(/^250/);
    expect(await smtp.say('DATA')).toMatch(/^354/);
    const reply = await smtp.content(content);
    expect(reply).toMatch(/^250/);
    return reply;
  }
  const overheard = (tap: MtaSite['tap'], subject: string): Promise<Overheard> =>
    tap.messages.next(({ content }) => content.includes(`\r\nSubject: ${subject}\r\n`), { what: subject });
  const report = (about: string): Promise<Taken> =>
    site.sink.arrivals.next(({ mail, content }) => /^MAIL FROM:<>/i.test(mail) && content.includes(about), {
      what: `report on ${about}`,
      within: 30_000,
    });

  /** What the MTA has put off: some wait for minutes unless they are told. */
  async function eventually(subject: string): Promise<Taken> {
    const hurrying = setInterval(() => void site.mta.hurry?.().catch(() => undefined), 1_000);
    return site.sink.next(subject, 40_000).finally(() => clearInterval(hurrying));
  }

  describe('hands mail to Pointsman', () => {
    test('for a group: the member gets it, octet for octet as the MTA sent it', async () => {
      const mail = oddMail('to the group');
      await post(site.ports.front, ['support@example.test'], octets(mail), { mail: ' BODY=8BITMIME' });
      const wire = await overheard(site.tap, 'to the group');
      const taken = await site.sink.next('to the group');
      expect(taken.rcpt.map((line) => line.split(' ORCPT')[0])).toEqual(['RCPT TO:<anna@example.test>']);
      const queueId = queueIdIn(wire.reply);
      const trace = prepended(taken.content, wire.content);
      expect(trace).toContain(`by pointsman.test with ESMTP id ${queueId}`);
      expect(trace).toMatch(/^(?:[A-Za-z-]+: .*\r\n(?:[ \t].*\r\n)*)+$/);
      if (traits.faithful) {
        expect(taken.body.toString('latin1')).toBe(mail.body);
        expect(taken.head.endsWith(mail.head)).toBe(true);
      }
      await expect.poll(site.mta.log, { timeout: 10_000 }).toContain(queueId);
      expect(await site.mta.log()).toMatch(traits.logs(queueId));
    });

    test('for one who is in no group: untouched and untracked', async () => {
      const mail = oddMail('plain');
      await post(site.ports.front, ['plain@example.test'], octets(mail));
      const wire = await overheard(site.tap, 'plain');
      const taken = await site.sink.next('plain');
      expect(taken.rcpt[0]).toMatch(/^RCPT TO:<plain@example\.test>/i);
      prepended(taken.content, wire.content);
      expect(await site.pointsman.client.listTracked({ limit: 10 })).toEqual([]);
    });

    test('by the extensions that both have', async () => {
      await post(site.ports.front, ['support@example.test'], octets(oddMail('by extensions')), {
        mail: ' BODY=8BITMIME RET=HDRS ENVID=env+2B1',
        rcpt: ' NOTIFY=FAILURE,DELAY ORCPT=rfc822;desk+2B1@example.test',
      });
      const { commands, together, content } = await overheard(site.tap, 'by extensions');
      const [mail = '', rcpt = ''] = commands;
      expect(site.tap.lines.some((line) => /C: EHLO /.test(line))).toBe(true);
      expect(together > 1).toBe(traits.pipelines);
      const size = Number(/ SIZE=(\d+)/.exec(mail)?.[1] ?? Number.NaN);
      // Exim counts what headers might still come.
      if (traits.tellsSize) expect(size - content.length).toBeLessThan(2_000);
      else expect(size).toBeNaN();
      expect(/ BODY=8BITMIME/.test(mail)).toBe(traits.tells8bit);
      expect(/ RET=HDRS/.test(mail) && / ENVID=env\+2B1/.test(mail)).toBe(traits.handsOnDsn);
      expect(/ NOTIFY=(?:FAILURE,DELAY|DELAY,FAILURE)/.test(rcpt)).toBe(traits.handsOnDsn);
      expect(/ ORCPT=rfc822;desk\+2B1@example\.test/.test(rcpt)).toBe(traits.handsOnDsn);
      const taken = await site.sink.next('by extensions');
      // What was there stays; a group that had none stands as its own.
      if (traits.handsOnDsn) {
        expect(taken.mail).toContain(' RET=HDRS ENVID=env+2B1');
        expect(taken.rcpt[0]).toContain(' NOTIFY=FAILURE,DELAY ORCPT=rfc822;desk+2B1@example.test');
      } else expect(taken.rcpt[0]).toContain(' ORCPT=rfc822;support@example.test');
    });

    test.runIf(traits.smtputf8)('with addresses beyond ASCII', async () => {
      const utf8 = (text: string) => Buffer.from(text).toString('latin1');
      const { head, body } = oddMail('beyond ASCII');
      const content = octets({ head: `${head}X-Name: ${utf8('Jürgen')}\r\n`, body });
      await post(site.ports.front, ['support@example.test'], content, {
        mail: ' SMTPUTF8',
        from: utf8('jürgen@elsewhere.test'),
      });
      const { commands } = await overheard(site.tap, 'beyond ASCII');
      expect(commands[0]).toContain(`<${utf8('jürgen@elsewhere.test')}>`);
      expect(commands[0]).toContain(' SMTPUTF8');
      const taken = await site.sink.next('beyond ASCII');
      expect(taken.mail).toMatch(/^MAIL FROM:<j\xc3\xbcrgen@elsewhere\.test>.* SMTPUTF8/);
      expect(taken.head).toContain('with UTF8SMTP id ');
    });

    test('that Pointsman refuses for good: the sender is told, in Pointsman’s words', async () => {
      await post(site.ports.front, ['closed@example.test'], octets(oddMail('for the closed one')));
      const told = await report('Closed for good');
      expect(told.content.toString('latin1')).toContain('closed@example.test');
      expect(told.rcpt[0]).toMatch(/^RCPT TO:<customer@elsewhere\.test>/i);
    });

    test('that Pointsman has no room for: kept, and handed over when there is room', async () => {
      site.sink.answer = (line) => (line.includes('slow-') ? '450 4.2.1 later' : undefined);
      using talk = await SmtpTalk.open(site.pointsman.port);
      await talk.hello();
      const crowd = Array.from({ length: 20 }, (_, index) => `slow-${index}@elsewhere.test`);
      await talk.mail(customer, crowd, octets(oddMail('a crowd')));
      await expect
        .poll(
          () =>
            talk.say(`MAIL FROM:<${customer}>`).then(async () => {
              const reply = await talk.say('RCPT TO:<plain@example.test>');
              await talk.say('RSET');
              return reply;
            }),
          { timeout: 20_000, interval: 500 },
        )
        .toMatch(/^452 4\.3\.1/);
      await post(site.ports.front, ['support@example.test'], octets(oddMail('no room')));
      await expect
        .poll(() => site.tap.lines.some((line) => / S: 452 4\.3\.1/.test(line)), { timeout: 20_000 })
        .toBe(true);
      expect(site.sink.arrivals.seen(({ subject }) => subject === 'no room')).toEqual([]);
      site.sink.answer = undefined;
      await eventually('no room');
      await site.sink.next('a crowd', 40_000);
    });

    test('while Pointsman is away: kept, and handed over when it is back', async () => {
      await site.pointsman.stop();
      await post(site.ports.front, ['support@example.test'], octets(oddMail('while away')));
      await site.pointsman.start();
      const taken = await eventually('while away');
      expect(taken.rcpt[0]).toMatch(/^RCPT TO:<anna@example\.test>/);
    });
  });

  describe('takes mail from Pointsman', () => {
    test('octet for octet, and what it makes of it is its own', async () => {
      const mail = oddMail('out');
      await post(site.pointsman.port, ['fine@out.test'], octets(mail), { mail: ' BODY=8BITMIME' });
      const wire = await overheard(site.outTap, 'out');
      expect(prepended(wire.content, octets(mail))).toContain('by pointsman.test with ESMTP id ');
      const taken = await site.sink.next('out');
      if (traits.faithful) prepended(taken.content, wire.content);
    });

    test('one recipient unknown, one busy, one fine', async () => {
      await post(site.pointsman.port, ['unknown@out.test', 'busy@out.test', 'fine@out.test'], octets(oddMail('three')));
      const first = await site.sink.next('three');
      expect(first.rcpt.join()).toContain('fine@out.test');
      expect(first.rcpt.join()).not.toContain('busy');
      const told = (await report('unknown@out.test')).content.toString('latin1');
      expect(told).toMatch(/Final-Recipient: rfc822; ?unknown@out\.test/);
      expect(told).toMatch(/Status: 5\.1\.1/);
      expect(told).toMatch(/Diagnostic-Code: smtp; 550 .*no such person here/);
      expect(told).not.toContain('rfc822; busy@out.test');
      await site.mta.calm();
      const second = await site.sink.next('three', 20_000);
      expect(second.rcpt.join()).toContain('busy@out.test');
      expect(site.sink.arrivals.seen(({ subject }) => subject === 'three')).toHaveLength(2);
    });

    test('but not what is larger than it takes: reported without having been sent', async () => {
      const mail = oddMail('large');
      const content = Buffer.concat([octets(mail), Buffer.from(`${'y'.repeat(70)}\r\n`.repeat(2_000))]);
      await post(site.pointsman.port, ['fine@out.test'], content);
      const told = (await report('Subject: large')).content.toString('latin1');
      expect(told).toMatch(/Status: 5\.3\.4/);
      expect(site.sink.arrivals.seen(({ subject }) => subject === 'large')).toEqual([]);
    });

    test('with the sender’s wishes for reports', async () => {
      await post(site.pointsman.port, ['fine@out.test'], octets(oddMail('wishes')), {
        mail: ' RET=HDRS ENVID=wish+2B1',
        rcpt: ' NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;old+2B1@out.test',
      });
      const { commands } = await overheard(site.outTap, 'wishes');
      await site.sink.next('wishes');
      if (traits.offersDsn) {
        expect(commands[0]).toContain(' RET=HDRS ENVID=wish+2B1');
        expect(commands[1]).toContain(' NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;old+2B1@out.test');
      } else {
        expect(commands.join()).not.toMatch(/RET=|ENVID=|NOTIFY=|ORCPT=/);
        const told = (await report('Action: relayed')).content.toString('latin1');
        expect(told).toMatch(/Original-Envelope-Id: wish\+1/);
        expect(told).toMatch(/Original-Recipient: rfc822; ?old\+1@out\.test/);
      }
    });

    test('over one connection, as long as it keeps it open; and over a new one when it has closed it', async () => {
      for (const subject of ['kept 1', 'kept 2', 'kept 3'])
        await post(site.pointsman.port, ['fine@out.test'], octets(oddMail(subject)));
      const used = await Promise.all(['kept 1', 'kept 2', 'kept 3'].map((subject) => overheard(site.outTap, subject)));
      // Three messages are all that OpenSMTPD takes on one here: the rest goes over another, at once.
      expect(new Set(used.map(({ connection }) => connection)).size).toBeLessThanOrEqual(traits.closesIdle ? 1 : 2);
      if (!traits.closesIdle) return;
      const last = used[2]?.connection ?? 0;
      await expect
        .poll(() => site.outTap.lines.findLast((line) => line.startsWith(`${last} S: `)), { timeout: 30_000 })
        .toMatch(/ 4\d\d | \(closed\)/);
      await post(site.pointsman.port, ['fine@out.test'], octets(oddMail('afterwards')));
      expect((await overheard(site.outTap, 'afterwards')).connection).toBeGreaterThan(last);
      await site.sink.next('afterwards');
      const [left] = await site.pointsman.client.listQueue({ limit: 1, state: 'queued' });
      expect(left).toBeUndefined();
    });

    test('to a member of a group, with the group as original recipient', async () => {
      await post(site.ports.front, ['sales@example.test'], octets(oddMail('both ways')));
      const { commands } = await overheard(site.outTap, 'both ways');
      expect(commands[1]).toMatch(/^RCPT TO:<bert@out\.test>/);
      if (traits.offersDsn) expect(commands[1]).toContain(' ORCPT=rfc822;sales@example.test');
      const taken = await site.sink.next('both ways');
      expect(taken.rcpt[0]).toMatch(/^RCPT TO:<bert@out\.test>/i);
      expect(groupAddresses).toContain('sales@example.test');
    });
  });

  describe('inside TLS, each with a certificate that the other one checks', () => {
    test('both ways; and to one that nobody vouches for nothing is sent', async () => {
      const folder = undo.use(await tempFolder('tls'));
      const [good, other] = [join(folder.path, 'good'), join(folder.path, 'other')];
      for (const one of [good, other]) {
        await mkdir(one);
        await makeCertificates(one, 'localhost');
        await chmod(join(one, 'server.key'), 0o600);
      }
      const [ca = '', cert = '', key = ''] = await Promise.all(
        ['ca.crt', 'server.crt', 'server.key'].map((name) => readFile(join(good, name), 'utf8')),
      );
      const verify = (ports: Ports, authority: string) => ({
        host: 'localhost',
        port: ports.back,
        tls: 'verify',
        caFile: join(authority, 'ca.crt'),
      });
      let forged: MtaSite | undefined;
      const sealed = undo.use(
        await openMtaSite({
          start: (ports) => start(ports, { certificates: { ca, cert, key } }),
          config: { tls: { certFile: join(good, 'server.crt'), keyFile: join(good, 'server.key') } },
          nextHops: (ports) => ({ 'tls.test': verify(ports, good), 'elsewhere.test': verify(ports, other) }),
        }),
      );
      onTestFailed(async () =>
        console.log((await sealed.mta.log()).slice(-4_000), (await forged?.mta.log())?.slice(-4_000)),
      );
      await post(sealed.ports.front, ['support@example.test'], octets(oddMail('sealed in')));
      const inwards = await sealed.sink.next('sealed in');
      expect(inwards.head).toMatch(/^\tby pointsman\.test with ESMTPS id /m);
      expect(sealed.tap.lines.findLast((line) => !line.endsWith('(closed)'))).toBe('1 S: 220 2.0.0 Ready to start TLS');
      if (traits.servesTls) {
        await post(sealed.pointsman.port, ['fine@tls.test', 'fine@elsewhere.test'], octets(oddMail('sealed out')));
        const outwards = await sealed.sink.next('sealed out');
        expect(outwards.rcpt.join()).toContain('fine@tls.test');
        expect(outwards.head).toMatch(traits.sealed);
        const [waiting] = await sealed.pointsman.client.listQueue({ limit: 1, state: 'queued' });
        expect(JSON.stringify(waiting)).toMatch(/unable to verify|self.signed|certificate/i);
      }

      forged = undo.use(
        await openMtaSite({
          start: (ports) => start(ports, { certificates: { ca, cert, key } }),
          config: { tls: { certFile: join(other, 'server.crt'), keyFile: join(other, 'server.key') } },
        }),
      );
      await post(forged.ports.front, ['support@example.test'], octets(oddMail('for a forger')));
      const tries = () => forged?.tap.lines.filter((line) => line.endsWith('Ready to start TLS')).length ?? 0;
      const hurrying = setInterval(() => void forged?.mta.hurry?.().catch(() => undefined), 1_000);
      await expect
        .poll(tries, { timeout: 30_000 })
        .toBeGreaterThan(1)
        .finally(() => clearInterval(hurrying));
      expect(forged.sink.arrivals.seen()).toEqual([]);
      expect(forged.tap.messages.seen()).toEqual([]);
    });
  });

  describe('that offers little', () => {
    let poor: MtaSite;
    beforeAll(async () => {
      poor = undo.use(await openMtaSite({ start: (ports) => start(ports, { poor: true }) }));
    }, 60_000);
    const reportOf = (about: string) =>
      poor.sink.arrivals
        .next(({ mail, content }) => /^MAIL FROM:<>/i.test(mail) && content.includes(about), { what: about })
        .then(({ content }) => content.toString('latin1'));

    test('no DSN: the sender hears that the mail was relayed to where nothing more can be told', async () => {
      if (!traits.poorWithoutDsn) return;
      await post(poor.pointsman.port, ['fine@out.test'], octets(oddMail('relayed', { eightBit: false })), {
        mail: ' ENVID=wish+2B1',
        rcpt: ' NOTIFY=SUCCESS ORCPT=rfc822;old+2B1@out.test',
      });
      const { commands } = await overheard(poor.outTap, 'relayed');
      expect(commands.join()).not.toMatch(/RET=|ENVID=|NOTIFY=|ORCPT=/);
      const told = await reportOf('Action: relayed');
      expect(told).toMatch(/Original-Envelope-Id: wish\+1/);
      expect(told).toMatch(/Original-Recipient: rfc822; ?old\+1@out\.test/);
      await poor.sink.next('relayed');
    });

    test('no 8BITMIME: eight bits are reported, not sent and not converted', async () => {
      if (!traits.poorWithout8bit) return;
      await post(poor.pointsman.port, ['fine@out.test'], octets(oddMail('eight bits')));
      expect(await reportOf('Subject: eight bits')).toMatch(/Status: 5\.6\.3/);
      expect(poor.outTap.lines.some((line) => /C: MAIL.*8BITMIME/.test(line))).toBe(false);
    });

    test('no SMTPUTF8: an address and a header beyond ASCII are reported, not sent', async () => {
      const utf8 = (text: string) => Buffer.from(text).toString('latin1');
      await post(
        poor.pointsman.port,
        [utf8('jürgen@out.test'), 'fine@out.test'],
        octets(oddMail('an address', { eightBit: false })),
        {
          mail: ' SMTPUTF8',
        },
      );
      expect(await reportOf('Subject: an address')).toMatch(/Status: 5\.6\.7/);
      await poor.sink.next('an address');
      const { head, body } = oddMail('a header', { eightBit: false });
      await post(
        poor.pointsman.port,
        ['fine@out.test'],
        octets({ head: `${head}X-Name: ${utf8('Jürgen')}\r\n`, body }),
        {
          mail: ' SMTPUTF8',
        },
      );
      expect(await reportOf('Subject: a header')).toMatch(/Status: 5\.6\.9/);
      expect(poor.sink.arrivals.seen(({ mail, subject }) => subject === 'a header' && !/<>/.test(mail))).toEqual([]);
    });
  });
});
