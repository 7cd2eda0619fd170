// A large directory: 10,000 people and a group of them all, read page by page from a slapd that gives no more than 500 at
// once, while the event loop stays free for mail.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { describe, expect, test } from 'vitest';
import { minute, second } from '../../src/clock.ts';
import { createLdapSource } from '../../src/directories/ldap.ts';
import { groupSchemas, personSchemas } from '../../src/directory/schemas.ts';
import { silentLog } from '../../src/log.ts';
import { requirePeer } from '../support/peers.ts';
import { groupLdif, personLdif, reader, Slapd, suffix } from '../support/slapd.ts';

const settings = {
  tls: 'none',
  ca: null,
  bind: reader,
  base: suffix,
  people: { base: suffix, schema: personSchemas.inetOrgPerson },
  groups: [{ base: suffix, schema: groupSchemas.groupOfNames }],
  page: 500,
  timeout: 30 * second,
  readWithin: 2 * minute,
} as const;

describe.runIf(requirePeer('slapd', 'ldapsearch'))('a directory of 10,000', () => {
  test('is read whole, by pages of 500', async () => {
    const names = Array.from({ length: 10_000 }, (_, index) => `p${index}`);
    const ldif = `${names.map((name) => personLdif(name, `${name}@example.org`)).join('')}${groupLdif('all', ...names)}`;
    await using slapd = await Slapd.start({ ldif, sizeLimit: 500 });
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const before = performance.now();
    const { directory, flaws } = await createLdapSource(
      { ...settings, servers: [{ host: '127.0.0.1', port: slapd.port }] },
      silentLog,
    ).read(new AbortController().signal);
    const took = performance.now() - before;
    delay.disable();
    expect(flaws).toEqual([]);
    expect(directory.people).toHaveLength(10_000);
    expect(directory.groups[0]?.members).toHaveLength(10_000);
    process.stdout.write(`10,000 read in ${Math.round(took)} ms; longest pause ${Math.round(delay.max / 1e6)} ms\n`);
  });

  test('that a limit of the server cuts off is refused, never taken for a smaller directory', async () => {
    const names = Array.from({ length: 600 }, (_, index) => `p${index}`);
    await using slapd = await Slapd.start({
      ldif: names.map((name) => personLdif(name, `${name}@example.org`)).join(''),
      ...{ sizeLimit: 100, total: 500 },
    });
    const source = createLdapSource({ ...settings, servers: [{ host: '127.0.0.1', port: slapd.port }] }, silentLog);
    await expect(source.read(new AbortController().signal)).rejects.toMatchObject({ kind: 'refused' });
  });
});
