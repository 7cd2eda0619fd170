// A directory (slapd) over LDAPS, with an authority of its own: whom we trust, by which name, and who we are by our
// certificate (SASL EXTERNAL, RFC 4422 appendix A) instead of a password.
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { minute, second } from '../../src/clock.ts';
import type { LdapConfig } from '../../src/config/directory.ts';
import { createLdapSource } from '../../src/directories/ldap.ts';
import { groupSchemas, personSchemas } from '../../src/directory/schemas.ts';
import { silentLog } from '../../src/log.ts';
import { requirePeer } from '../support/peers.ts';
import { groupLdif, personLdif, reader, Slapd, suffix } from '../support/slapd.ts';

const ldif = personLdif('alice', 'alice@example.org') + groupLdif('duty', 'alice');

describe.runIf(requirePeer('slapd', 'ldapsearch'))('a directory over LDAPS', () => {
  const undo = new AsyncDisposableStack();
  let open: Slapd;
  let strict: Slapd;

  beforeAll(async () => {
    open = undo.use(await Slapd.start({ ldif }));
    strict = undo.use(await Slapd.start({ ldif, external: true }));
  });
  afterAll(() => undo.disposeAsync());

  /** The names of the people, or why they could not be read. */
  async function read(slapd: Slapd, over: Partial<LdapConfig> = {}): Promise<unknown> {
    const config: LdapConfig = {
      ...{ servers: [{ host: 'localhost', port: slapd.securePort }], tls: 'verify', bind: reader, base: suffix },
      ca: await readFile(slapd.caFile, 'utf8'),
      people: { base: suffix, schema: personSchemas.inetOrgPerson },
      groups: [{ base: suffix, schema: groupSchemas.groupOfNames }],
      ...{ page: 500, timeout: 30 * second, readWithin: minute },
      ...over,
    };
    return createLdapSource(config, silentLog)
      .read(new AbortController().signal)
      .then(
        ({ directory }) => directory.groups.map(({ name, members }) => [name, members]),
        (error: unknown) => error,
      );
  }
  const all = [['duty', ['alice']]];

  test('is read when its authority is the one we trust', async () => {
    expect(await read(open)).toEqual(all);
  });

  test('is not, when the authority is not known here, or is another', async () => {
    expect(await read(open, { ca: null })).toMatchObject({
      kind: 'down',
      message: expect.stringMatching(/certificate|self.signed/i),
    });
    expect(await read(open, { ca: await readFile(strict.caFile, 'utf8') })).toMatchObject({
      kind: 'down',
      message: expect.stringMatching(/certificate|signature/i),
    });
  });

  test('goes by the name that the certificate is to have', async () => {
    expect(await read(open, { serverName: 'ldap.example.org' })).toEqual(all);
    expect(await read(open, { serverName: 'other.example.org' })).toMatchObject({
      kind: 'down',
      message: expect.stringContaining('other.example.org'),
    });
  });

  test.for(['verify', 'starttls'] as const)('knows us by our certificate (%s)', async (tls) => {
    const certificate = await strict.certificateFor('pointsman');
    const port = tls === 'verify' ? strict.securePort : strict.port;
    const ours = { tls, certificate, bind: 'external', servers: [{ host: 'localhost', port }] } as const;
    expect(await read(strict, ours)).toEqual(all);
  });

  test('shows nothing to whom it does not map to the reader, and nothing without a certificate', async () => {
    const certificate = await strict.certificateFor('mallory');
    expect(await read(strict, { certificate, bind: 'external' })).toMatchObject({ kind: 'refused' });
    expect(await read(strict, { bind: 'external' })).toMatchObject({ kind: expect.stringMatching(/^(down|refused)$/) });
  });
});
