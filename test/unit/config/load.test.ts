// The disk side of the configuration: modes and owners of secrets and of the state folder.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkStateFolder, loadConfig } from '../../../src/config/load.ts';
import { formatProblem } from '../../../src/routing/problem.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pointsman-config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string, mode: number): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

const withAccount = (how: string) =>
  write(
    'pointsman.yaml',
    `hostname: a.b\nstate: s\nrules: r\nnextHops: { default: 'a.b:25' }\nxmpp: { jid: a@b.c, ${how} }\n`,
    0o644,
  );

describe('secrets', () => {
  test('beside the file, ours alone', () => {
    write('secret', 'correct horse\n', 0o600);
    expect(loadConfig(withAccount('passwordFile: secret')).config?.xmpp?.password).toBe('correct horse');
  });

  test.each([0o640, 0o604, 0o660])('of mode %o: refused', (mode) => {
    write('secret', 'correct horse\n', mode);
    const { config, problems } = loadConfig(withAccount('passwordFile: secret'));
    expect(config).toBeUndefined();
    expect(problems.map(({ message }) => message)).toEqual([
      `"secret" has mode 0${mode.toString(8)}, so others may read it; make it 0600: chmod 600`,
    ]);
  });

  test('not there', () => {
    const [problem] = loadConfig(withAccount('passwordFile: secret')).problems;
    expect(problem).toMatchObject({
      place: { line: 5, column: 35 },
      message: expect.stringContaining('"secret" cannot be read: ENOENT'),
    });
  });

  test('from systemd', () => {
    const path = withAccount('passwordCredential: pw');
    mkdirSync(join(folder, 'credentials'));
    write('credentials/pw', 'from systemd', 0o400);
    expect(loadConfig(path, { CREDENTIALS_DIRECTORY: join(folder, 'credentials') }).config?.xmpp?.password).toBe(
      'from systemd',
    );
    expect(loadConfig(path, {}).problems.map(({ message }) => message)).toEqual([
      '"pw" is a systemd credential, but $CREDENTIALS_DIRECTORY is not set: the unit needs LoadCredential=',
    ]);
  });
});

test('a file that is not there, a folder, not UTF-8', () => {
  const words = (path: string) => loadConfig(path).problems.map(formatProblem);
  expect(words(join(folder, 'none.yaml'))).toEqual([
    expect.stringContaining('none.yaml:1:1: error: cannot be read: ENOENT'),
  ]);
  expect(words(folder)).toEqual([`${folder}:1:1: error: is not a file`]);
  writeFileSync(join(folder, 'latin1'), Uint8Array.of(0x23, 0xe4));
  expect(words(join(folder, 'latin1'))).toEqual([expect.stringContaining('cannot be read: it is not UTF-8')]);
});

describe('the state folder', () => {
  test('is made, ours alone', () => {
    const path = join(folder, 'a', 'state');
    expect(checkStateFolder(path)).toBeUndefined();
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(checkStateFolder(path)).toBeUndefined();
  });

  test.each([0o750, 0o701, 0o777])('of mode %o: refused', (mode) => {
    chmodSync(folder, mode);
    expect(checkStateFolder(folder)?.message).toBe(
      `the state folder has mode 0${mode.toString(8)}, so others may look into it; make it 0700: chmod 700`,
    );
  });

  test('a symbolic link or a file: refused', () => {
    symlinkSync(folder, join(folder, 'link'));
    expect(checkStateFolder(join(folder, 'link'))?.message).toContain('is not a folder');
    expect(checkStateFolder(write('file', '', 0o600))?.message).toContain('the state folder cannot be used');
  });
});
