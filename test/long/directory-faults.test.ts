// What is wrong with a directory (slapd) as the open fault items of a running Pointsman, read as a program reads them: kind,
// subject and text; that each goes by itself when its cause is gone; and that mail for the group goes by what was read last
// meanwhile. Faults are looked at every half minute, so each has a directory and a Pointsman of its own, side by side.
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { FaultView } from '../../src/oversight.ts';
import { freePorts } from '../support/free-port.ts';
import { mailWith } from '../support/live-site.ts';
import { CountingSink } from '../support/mail-sink.ts';
import { requirePeer } from '../support/peers.ts';
import { PointsmanProcess } from '../support/pointsman-process.ts';
import { groupLdif, personLdif, reader, Slapd, suffix } from '../support/slapd.ts';
import { SmtpTalk } from '../support/smtp-talk.ts';

const people = ['alice', 'bob', 'carol', 'dave'].map((name) => personLdif(name, `${name}@example.org`));
const ldif = [...people, groupLdif('duty', 'alice', 'bob', 'carol', 'dave')].join('');
const rules = `groups:
  duty:
    address: duty@example.org
    members: { directory: "cn=duty,ou=groups,${suffix}" }
    strategy: in-order
    eligible: [chat, available, unknown]
    policy: none
    fallback: { mailbox: postmaster@example.org }
`;
/** A look comes every half minute; a machine with much else to do gets several. */
const within = 180_000;

const modify = (dn: string, ...lines: readonly string[]): string =>
  `dn: ${dn},${suffix}\nchangetype: modify\n${lines.join('\n')}\n\n`;
const bobsMail = (mail: string): string => modify('uid=bob,ou=people', 'replace: mail', `mail: ${mail}`);
const dutyIs = (...uids: readonly string[]): string =>
  modify('cn=duty,ou=groups', 'replace: member', ...uids.map((uid) => `member: uid=${uid},ou=people,${suffix}`));
const readersPassword = (password: string): string =>
  modify('cn=pointsman', 'replace: userPassword', `userPassword: ${password}`);

interface Wrong {
  readonly name: string;
  readonly happens: (slapd: Slapd) => Promise<void> | void;
  readonly ends: (slapd: Slapd) => Promise<void> | void;
  readonly kind: string;
  readonly severity: string;
  /** As it reads on the machine of the directory at this port. */
  readonly text: (port: number) => RegExp;
  /** Who gets mail for the group meanwhile: all of them by last good, but for the one whose address is broken. */
  readonly goesTo: string;
}

const lastGood = 'What was read \\d+(s|m|m \\d+s) ago stays in force\\.$';
const wrongs: readonly Wrong[] = [
  {
    name: 'slapd is stopped by SIGSTOP',
    happens: (slapd) => slapd.freeze(),
    ends: (slapd) => slapd.thaw(),
    ...{ kind: 'directory-down', severity: 'error', goesTo: 'alice@example.org' },
    text: (port) => new RegExp(`^127\\.0\\.0\\.1:${port}: .*(time|timed) ?out.*\\. ${lastGood}`, 'i'),
  },
  {
    name: 'slapd is killed',
    happens: (slapd) => slapd.kill9(),
    ends: (slapd) => slapd.start(),
    ...{ kind: 'directory-down', severity: 'error', goesTo: 'alice@example.org' },
    text: (port) => new RegExp(`^127\\.0\\.0\\.1:${port}: .*ECONNREFUSED.*\\. ${lastGood}`),
  },
  {
    name: 'our password is wrong',
    happens: (slapd) => slapd.modify(readersPassword('other')),
    ends: (slapd) => slapd.modify(readersPassword(reader.password)),
    ...{ kind: 'directory-refused', severity: 'error', goesTo: 'alice@example.org' },
    text: (port) => new RegExp(`^127\\.0\\.0\\.1:${port} answers: .*\\(InvalidCredentialsError\\)\\. ${lastGood}`),
  },
  {
    name: 'a member has a broken address',
    happens: (slapd) => slapd.modify(bobsMail('foo@@bar') + dutyIs('bob', 'carol', 'dave', 'alice')),
    ends: (slapd) => slapd.modify(bobsMail('bob@example.org')),
    ...{ kind: 'directory-entries', severity: 'warning', goesTo: 'carol@example.org' },
    text: () => /^1 of its members get no mail: duty: .*"foo@@bar" is not a mail address/,
  },
  {
    name: 'the group empties',
    happens: (slapd) => slapd.modify(modify('cn=duty,ou=groups', 'replace: member', `member: ${suffix}`)),
    ends: (slapd) => slapd.modify(dutyIs('alice', 'bob', 'carol', 'dave')),
    ...{ kind: 'directory-change-held', severity: 'error', goesTo: 'alice@example.org' },
    text: () => /^duty: nobody is in it any more: alice, bob, carol, dave\.$/,
  },
];

/** A Pointsman that goes by this directory, its faults, and where its mail for the group goes. */
async function site(slapd: Slapd, undo: AsyncDisposableStack) {
  const sink = undo.use(new CountingSink());
  const nextHopPort = await sink.listen();
  const [smtpPort, httpPort] = (await freePorts(2)) as [number, number];
  const ldap = {
    ...{ servers: `127.0.0.1:${slapd.port}`, bindDn: reader.dn, passwordFile: 'ldap.password', base: suffix },
    ...{ people: { base: `ou=people,${suffix}` }, groups: [{ schema: 'groupOfNames' }], timeout: '2s' },
  };
  const pointsman = undo.use(
    await PointsmanProcess.configure({
      ...{ smtpPort, httpPort, nextHopPort, rules, domains: ['example.org'] },
      files: { 'ldap.password': `${reader.password}\n` },
      config: { directory: { refresh: '5s', ldap } },
    }),
  );
  await pointsman.start();
  const token = /pmt_\S+/.exec(await pointsman.cli('token', 'add', 'watcher', '--scope', 'read'))?.[0] ?? '';
  const faults = async (): Promise<readonly FaultView[]> => {
    const url = `http://127.0.0.1:${httpPort}/api/v1/faults?which=all`;
    const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    return ((await answer.json()) as FaultView[]).filter(({ kind }) => kind.startsWith('directory-'));
  };
  return {
    faults,
    /** Asked anew until it is so: faults that open and clear tell nobody who has no XMPP. */
    async until(fits: (found: readonly FaultView[]) => boolean, what: string): Promise<readonly FaultView[]> {
      const deadline = Date.now() + within;
      for (;;) {
        const found = await faults();
        if (fits(found)) return found;
        if (Date.now() > deadline) throw new Error(`not ${what}, but ${JSON.stringify(found)}`);
        await pause(200);
      }
    },
    async choice(): Promise<string> {
      const subject = crypto.randomUUID();
      using talk = await SmtpTalk.open(pointsman.port);
      await talk.hello();
      await talk.mail('customer@elsewhere.test', 'duty@example.org', mailWith(subject, 'duty@example.org'));
      const { recipients } = await sink.arrivals.next((one) => one.subject === subject, { what: 'mail', within });
      return recipients.join(' ');
    },
  };
}

describe.runIf(requirePeer('slapd', 'ldapsearch'))('a fault of the directory', () => {
  test.concurrent.for(wrongs)('$name', async (wrong) => {
    await using undo = new AsyncDisposableStack();
    const slapd = undo.use(await Slapd.start({ ldif }));
    // A process that is stopped cannot be ended in the ordinary way.
    undo.defer(() => slapd.thaw());
    const { faults, until, choice } = await site(slapd, undo);
    expect(await choice()).toBe('alice@example.org');
    expect(await faults()).toEqual([]);

    await wrong.happens(slapd);
    const found = await until((all) => all.some(({ kind }) => kind === wrong.kind), `${wrong.kind} open`);
    const fault = found.find(({ kind }) => kind === wrong.kind);
    expect(fault).toMatchObject({ subject: 'directory', severity: wrong.severity, clearedAt: null, byHand: false });
    expect(fault?.text).toMatch(wrong.text(slapd.port));
    expect(await choice()).toBe(wrong.goesTo);

    await wrong.ends(slapd);
    const after = await until((all) => all.every(({ clearedAt }) => clearedAt !== null), 'all clear');
    expect(after.find(({ number }) => number === fault?.number)).toMatchObject({ kind: wrong.kind, clearedBy: null });
    // The broken address was that of the first in the group.
    expect(await choice()).toBe(wrong.kind === 'directory-entries' ? 'bob@example.org' : 'alice@example.org');
  });
});
