// What the machine knows of itself: the disk, the rules, the certificates.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { day } from '../../../src/clock.ts';
import { certificates, createProbe } from '../../../src/probe.ts';
import { TestClock } from '../../support/clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'pointsman-probe-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function certificateFor(days: number): string {
  const [key, file] = [join(folder, 'key.pem'), join(folder, `${days}.pem`)];
  const subject = ['-subj', '/CN=chat.example.org', '-days', String(days)];
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key];
  execFileSync('openssl', [...args, '-out', file, ...subject], { stdio: 'ignore' });
  return readFileSync(file, 'utf8');
}

const place = { file: 'rules/10.yaml', line: 3, column: 1 };
const good = { rejected: () => false, problems: () => [] };
const bad = {
  rejected: () => true,
  problems: () => [
    { severity: 'warning', place, message: 'could be better' } as const,
    { severity: 'error', place, message: 'unknown key "memebers"' } as const,
  ],
};
const room = async () => ({ bavail: 50, blocks: 100 });
const probe = (more: Partial<Parameters<typeof createProbe>[0]>) =>
  createProbe({ state: folder, ca: null, rules: good, clock: new TestClock(), diskOf: room, ...more })();
const wrongOf = async (kind: string, found: ReturnType<typeof probe>) =>
  (await found).find((each) => each.kind === kind)?.wrong;

describe('the probe', () => {
  it('tells of our own certificate: that it ends, or that a new one cannot be used', async () => {
    const certificate = { ending: () => 'it expires in 3d', rejected: () => 'not in use' };
    expect(await wrongOf('certificate-expiring', probe({ certificate }))).toBe('it expires in 3d');
    expect(await wrongOf('certificate-rejected', probe({ certificate }))).toBe('not in use');
    expect(await wrongOf('certificate-rejected', probe({ certificate: null }))).toBeUndefined();
  });

  it('finds nothing wrong where nothing is', async () => {
    expect((await probe({})).map(({ wrong }) => wrong)).toEqual([null, null]);
  });

  it('looks at the disk under the state folder', async () => {
    expect(await wrongOf('disk-low', probe({ diskOf: async () => ({ bavail: 1, blocks: 100 }) }))).toMatch(/^1\.0 %/);
    expect(await wrongOf('disk-low', probe({ diskOf: async () => ({ bavail: 5, blocks: 100 }) }))).toBeNull();
    expect(await wrongOf('disk-low', probe({ diskOf: async () => ({ bavail: 0, blocks: 0 }) }))).toBeNull();
    // The real one.
    const { diskOf: _, ...real } = { state: folder, ca: null, rules: good, clock: new TestClock(), diskOf: room };
    expect((await createProbe(real)())[0]).toMatchObject({ kind: 'disk-low' });
  });

  it('says that a disk cannot be looked at, instead of failing', async () => {
    const gone = createProbe({ state: join(folder, 'gone'), ca: null, rules: good, clock: new TestClock() });
    expect(await wrongOf('disk-low', gone())).toMatch(/cannot be looked at: .*ENOENT/);
  });

  it('names the first error of rules that are not in force', async () => {
    expect(await wrongOf('rules-rejected', probe({ rules: bad }))).toBe(
      'The newest rules are not in force, 1 error: rules/10.yaml:3: unknown key "memebers"',
    );
  });

  it('reads each certificate of a file, and when it ends', () => {
    const [short, long] = [certificateFor(5), certificateFor(400)];
    const now = Date.now();
    const found = certificates('xmpp.caFile', `${long}\n${short}`, now);
    expect(found.map(({ subject }) => subject)).toEqual(['xmpp.caFile 1', 'xmpp.caFile 2']);
    expect(found[0]?.wrong).toBeNull();
    expect(found[1]?.wrong).toMatch(/^The certificate of CN=chat\.example\.org in xmpp\.caFile ends in [45] days\.$/);
    expect(certificates('a', short, now + 6 * day)[0]?.wrong).toMatch(/has ended/);
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----';
    expect(certificates('a', broken, now)[0]?.wrong).toMatch(/^A certificate in a cannot be read/);
    expect(certificates('a', 'no certificate', now)).toEqual([]);
  });
});
