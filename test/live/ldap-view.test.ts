// Presence back to the directory: what somebody has just said in an XMPP client, `ldapsearch` shows within a second.
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts } from '../support/free-port.ts';
import { requirePeer } from '../support/peers.ts';
import { People, type Person } from '../support/person.ts';
import { PointsmanProcess } from '../support/pointsman-process.ts';
import { Prosody } from '../support/prosody-server.ts';

const base = 'ou=presence,dc=example,dc=test';

describe.runIf(requirePeer('prosody', 'slixmpp', 'ldapsearch'))('presence for directory clients', () => {
  const undo = new AsyncDisposableStack();
  let pointsman: PointsmanProcess;
  let anna: Person;
  let port: number;
  let token: string;

  beforeAll(async () => {
    const prosody = undo.use(
      await Prosody.start({ domain: 'example.test', accounts: { pointsman: 'p-1', anna: 'a-2' }, sharedRoster: true }),
    );
    const [smtpPort, httpPort, nextHopPort, viewPort] = (await freePorts(4)) as [number, number, number, number];
    port = viewPort;
    pointsman = undo.use(
      await PointsmanProcess.configure({
        ...{ smtpPort, httpPort, nextHopPort },
        domains: ['example.test'],
        rules: 'people:\n  anna: { mail: anna@example.test, zone: Europe/Berlin }\n',
        xmpp: { server: prosody, account: 'pointsman', password: 'p-1' },
        config: { directory: { view: { listen: `127.0.0.1:${viewPort}`, base } } },
      }),
    );
    await pointsman.start();
    anna = undo.use(new People(prosody)).person('anna', 'a-2');
    await anna.login();
    token = /pmt_\S+/.exec(await pointsman.cli('token', 'add', 'addressbook', '--scope', 'presence'))?.[0] ?? '';
  });
  afterAll(() => undo.disposeAsync());

  const ldapsearch = (...args: string[]) => {
    const options = ['-x', '-LLL', '-o', 'ldif-wrap=no', '-H', `ldap://127.0.0.1:${port}`, ...args];
    const { stdout, stderr, status } = spawnSync('ldapsearch', options, { encoding: 'utf8' });
    return { stdout, stderr, status };
  };
  const asUser = () => ['-D', `cn=addressbook,${base}`, '-w', token, '-b', base];

  test('"in meeting until 11:30", within a second', async () => {
    await pointsman.untilPresent({ anna: 'available' });
    const before = performance.now();
    anna.show('dnd', { status: 'in meeting until 11:30' });
    let found = '';
    while (!found.includes('presenceStatus: in meeting until 11:30')) {
      found = ldapsearch(...asUser(), '(mail=anna@example.test)').stdout;
      if (performance.now() - before > 20_000) throw new Error(`not shown: ${found}`);
    }
    const took = performance.now() - before;
    expect(found).toContain(`dn: uid=anna,${base}`);
    expect(found).toContain('presenceState: dnd');
    expect(found).toContain('description: dnd: in meeting until 11:30');
    expect(found).toContain('presenceSource: xmpp');
    expect(found).toMatch(/presenceSince: \d{14}Z/);
    process.stdout.write(`shown by ldapsearch ${Math.round(took)} ms after it was set\n`);
    // A second is promised; a machine with much else to do is given ten.
    expect(took).toBeLessThan(10_000);
  });

  test('by JID, with the attributes that are asked for', () => {
    const { stdout } = ldapsearch(...asUser(), '(presenceJid=anna@example.test)', 'presenceState');
    expect(stdout).toBe(`dn: uid=anna,${base}\npresenceState: dnd\n\n`);
  });

  test('not without a token, and nothing can be written', () => {
    expect(ldapsearch('-b', base).status).toBe(50);
    expect(ldapsearch('-D', `cn=addressbook,${base}`, '-w', 'wrong', '-b', base).status).toBe(49);
    const url = `ldap://127.0.0.1:${port}`;
    const write = ['-x', '-H', url, '-D', `cn=addressbook,${base}`, '-w', token, `uid=anna,${base}`];
    expect(spawnSync('ldapdelete', write).status).toBe(53);
  });
});
