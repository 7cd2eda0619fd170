// People and groups from a real directory (slapd), with the blocks of docs/operate/directory.md: three kinds of schema over
// StartTLS with an authority of its own, changes within the interval and at once, and whatever can be wrong with it while
// mail keeps flowing.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { documentedIn } from '../support/documented.ts';
import { freePorts } from '../support/free-port.ts';
import { mailWith } from '../support/live-site.ts';
import { CountingSink } from '../support/mail-sink.ts';
import { requirePeer } from '../support/peers.ts';
import { PointsmanProcess } from '../support/pointsman-process.ts';
import { groupLdif, personLdif, reader, Slapd, suffix } from '../support/slapd.ts';
import { SmtpTalk } from '../support/smtp-talk.ts';

const entries = [
  personLdif('alice', 'alice@example.org', 'roomNumber: Europe/Berlin\ntitle: German\n'),
  personLdif('bob', 'bob@example.org'),
  personLdif('carol', 'carol@example.org'),
  // Names and addresses that would mean something in a filter or a DN.
  personLdif('*)(uid=*', '"*)(uid=*"@example.org').replace(/^dn: .*/, `dn: uid=\\2a)(uid\\3d\\2a,ou=people,${suffix}`),
  personLdif('broken', 'foo@@bar'),
  groupLdif('duty', 'bob', 'alice', 'broken'),
  `dn: cn=admins,ou=groups,${suffix}\nobjectClass: posixGroup\ncn: admins\ngidNumber: 100\nmemberUid: bob\n\n`,
  `dn: cn=helpdesk,ou=aliases,${suffix}\nobjectClass: nisMailAlias\ncn: helpdesk\nrfc822MailMember: guest@partner.example\nrfc822MailMember: admins\n\n`,
];

const memberChange = (op: 'add' | 'delete', ...uids: readonly string[]) =>
  `dn: cn=duty,ou=groups,${suffix}\nchangetype: modify\n${op}: member\n${uids.map((uid) => `member: uid=${uid},ou=people,${suffix}\n`).join('')}\n`;

describe.runIf(requirePeer('slapd', 'ldapsearch'))('a directory', () => {
  const undo = new AsyncDisposableStack();
  let slapd: Slapd;
  let sink: CountingSink;
  let pointsman: PointsmanProcess;

  beforeAll(async () => {
    slapd = undo.use(await Slapd.start({ ldif: entries.join('') }));
    sink = undo.use(new CountingSink());
    const nextHopPort = await sink.listen();
    const [smtpPort, httpPort] = (await freePorts(2)) as [number, number];
    const page = documentedIn('directory', 'pointsman', { 10389: slapd.port }).replace('ldap.example.org', 'localhost');
    const { directory } = parse(page) as { directory: { ldap: object } };
    pointsman = undo.use(
      await PointsmanProcess.configure({
        ...{ smtpPort, httpPort, nextHopPort },
        domains: ['example.org'],
        rules: documentedIn('directory', 'rules', {}),
        files: { 'ldap.password': `${reader.password}\n` },
        config: {
          directory: { ...directory, refresh: '5s', ldap: { ...directory.ldap, caFile: slapd.caFile, timeout: '1s' } },
        },
      }),
    );
    await pointsman.start();
  });
  afterAll(() => undo.disposeAsync());

  /** Whose mail it becomes. */
  const choice = async (to: string): Promise<string> => {
    const subject = crypto.randomUUID();
    using talk = await SmtpTalk.open(pointsman.port);
    await talk.hello();
    await talk.mail('customer@elsewhere.test', to, mailWith(subject, to));
    const { recipients } = await sink.arrivals.next((one) => one.subject === subject, { what: `mail to ${to}` });
    return recipients.join(' ');
  };
  const view = async () => {
    const found = await pointsman.client.directory();
    if (!found) throw new Error('no directory');
    return found;
  };
  /** Asked anew until it is so: the directory tells nobody when it was read. */
  const until = async (fits: (found: Awaited<ReturnType<typeof view>>) => boolean, what: string): Promise<void> => {
    const deadline = Date.now() + 60_000;
    while (!fits(await view())) {
      if (Date.now() > deadline) throw new Error(`not ${what}, but ${JSON.stringify(await view())}`);
      await pointsman.client.reload('test').catch(() => undefined);
    }
  };

  test('gives members by DN, by login name and by alias, over StartTLS; what is broken is named', async () => {
    expect(await choice('duty@example.org')).toBe('bob@example.org');
    expect(await choice('unix@example.org')).toBe('bob@example.org');
    expect(await choice('alias@example.org')).toBe('guest@partner.example');
    const found = await view();
    expect(found.failure).toBeNull();
    expect(found.groups.map(({ name, members }) => [name, members])).toEqual(
      expect.arrayContaining([
        ['duty', ['bob', 'alice']],
        ['admins', ['bob']],
        ['helpdesk', ['guest', 'bob']],
      ]),
    );
    expect(found.groups.find(({ name }) => name === 'duty')?.missing?.[0]).toContain(
      '"foo@@bar" is not a mail address',
    );
    expect(found.people).toBe(5);
    expect(await pointsman.cli('check')).toContain('directory: 5 people and 3 groups read, of whom the rules use 4');
    const [alice] = await pointsman.client.presence({ person: 'alice' });
    expect(alice?.directory).toEqual({ id: `uid=alice,ou=people,${suffix}`, fields: ['mail', 'skills', 'zone'] });
    expect(await pointsman.cli('presence', 'alice')).toContain('mail, skills, zone by the directory');
  });

  test('whose group changes: the next choice knows it at once after "pointsman reload"', async () => {
    await slapd.modify(memberChange('delete', 'bob'));
    await pointsman.cli('reload');
    expect(await choice('duty@example.org')).toBe('alice@example.org');
  });

  test('and within the interval without anybody saying so', async () => {
    await slapd.modify(memberChange('add', 'carol') + memberChange('delete', 'alice'));
    const members = async () => (await view()).groups.find(({ name }) => name === 'duty')?.members;
    const deadline = Date.now() + 20_000;
    while ((await members())?.join() !== 'carol') {
      if (Date.now() > deadline) throw new Error(`still ${await members()}`);
      await pause(50);
    }
    expect(await choice('duty@example.org')).toBe('carol@example.org');
  });

  test('that hangs, or is killed: mail flows by what was read last, also after a restart, and a fault says so', async () => {
    slapd.freeze();
    await until(({ failure }) => failure?.kind === 'down', 'down');
    expect(await choice('duty@example.org')).toBe('carol@example.org');
    await slapd.kill9();
    await pointsman.stop();
    await pointsman.start();
    expect(await choice('duty@example.org')).toBe('carol@example.org');
    await until(({ failure }) => failure?.text.includes('ECONNREFUSED') ?? false, 'refused');
    expect((await view()).readAt).not.toBeNull();
    await slapd.start();
    await until(({ failure }) => failure === null, 'up again');
  });

  test('whose group empties: its members keep the mail until somebody accepts it', async () => {
    await slapd.modify(
      `${memberChange('delete', 'carol')}dn: uid=broken,ou=people,${suffix}\nchangetype: modify\nreplace: mail\nmail: still@@broken\n\n`,
    );
    await until(({ held }) => held.length > 0, 'held');
    expect((await view()).held).toEqual([{ subject: 'duty', text: 'nobody is in it any more: carol' }]);
    expect(await choice('duty@example.org')).toBe('carol@example.org');
    await pointsman.client.acceptDirectory('test');
    expect(await choice('duty@example.org')).toBe('postmaster@example.org');
  });

  test('that refuses our password: the fault says so, and mail flows', async () => {
    await slapd.modify(`dn: ${reader.dn}\nchangetype: modify\nreplace: userPassword\nuserPassword: other\n\n`);
    await until(({ failure }) => failure?.kind === 'refused', 'refused');
    expect((await view()).failure?.text).toContain('InvalidCredentialsError');
    expect(await choice('unix@example.org')).toBe('bob@example.org');
  });
});
