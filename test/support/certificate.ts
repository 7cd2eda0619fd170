// An authority of the test's own, and a server certificate by it for a domain and its rooms.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext, type SecureContext } from 'node:tls';
import { run } from './child.ts';

const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'] as const;

/** Writes ca.crt, server.key and server.crt into the folder; `names` beside the domain and `rooms.` of it. */
export async function makeCertificates(folder: string, domain: string, names: readonly string[] = []): Promise<void> {
  const at = (name: string) => join(folder, name);
  const authority = ['-days', '2', '-subj', '/CN=Test authority', '-keyout', at('ca.key'), '-out', at('ca.crt')];
  await run(['openssl', 'req', '-x509', ...curve, ...authority]);
  await run([
    'openssl',
    'req',
    ...curve,
    '-subj',
    `/CN=${domain}`,
    '-keyout',
    at('server.key'),
    '-out',
    at('server.csr'),
  ]);
  const all = [domain, `rooms.${domain}`, ...names].map((name) => `DNS:${name}`);
  await writeFile(at('server.ext'), `subjectAltName=${all.join(',')}\n`);
  const signing = ['-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2'];
  await run([
    'openssl',
    'x509',
    '-req',
    '-in',
    at('server.csr'),
    ...signing,
    '-extfile',
    at('server.ext'),
    '-out',
    at('server.crt'),
  ]);
}

/** Writes NAME.key and NAME.crt beside what `makeCertificates` has made: somebody's, by the same authority. */
export async function makeClientCertificate(folder: string, name: string): Promise<void> {
  const at = (file: string) => join(folder, file);
  const request = ['-subj', `/CN=${name}`, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`)];
  await run(['openssl', 'req', ...curve, ...request]);
  const signing = ['-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2'];
  await run(['openssl', 'x509', '-req', '-in', at(`${name}.csr`), ...signing, '-out', at(`${name}.crt`)]);
}

/** As a front door wants it: this pair for every connection. */
export function shows(pair: { readonly key: string; readonly cert: string }): { context(): SecureContext } {
  const context = createSecureContext(pair);
  return { context: () => context };
}
